"""`anton proxy link`: another way into the dashboard."""

from typing import Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, settings_from

EXAMPLES = """\
Examples:
  anton proxy link
  curl -H "Authorization: Bearer $(anton proxy link --bearer)" http://127.0.0.1:3000/api/traces

Exit codes: 0 done, 3 no dashboard is running, 4 there is no token yet.
"""


def link(
    bearer: Annotated[bool, option("Print the token for scripts instead. It stays valid: keep it secret.", None, "--bearer")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Print a new one-time link to the running dashboard."""
    from modular_agents.proxy import app
    from modular_agents.proxy.dashboard.access import make_link_token
    from modular_agents.proxy.dashboard.presence import find_alone
    from modular_agents.proxy.errors import NotFound, NotRunning

    settings = settings_from({"db": db}, config)
    if bearer:
        if not settings.secrets_file.exists():
            raise NotFound(f"No proxy or dashboard has run on {settings.db} yet. Start one, or name another file with --db.")
        typer.echo(app.dashboard_token(settings))
        return
    found = app.status(settings.db)
    url = found.dashboard_url if found is not None and found.running else None
    url = url or find_alone(settings.dashboard_file)
    if url is None:
        raise NotRunning("No dashboard is running on this database. Start one with `anton proxy dashboard`.")
    typer.echo(f"{url}/?token={make_link_token(settings.links_dir)}")
