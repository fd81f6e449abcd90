"""`anton proxy dashboard`: the dashboard alone, over a database that a proxy writes or wrote."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings

EXAMPLES = """\
Examples:
  anton proxy dashboard
  anton proxy dashboard --port 3001 --db ./yesterday.db

The link works once and lets your browser in for 30 days; get another with: anton proxy link
Exit codes: 0 stopped, 1 could not start, 2 a setting is wrong.
"""


def dashboard(
    host: Annotated[str | None, option("Address to listen on.", value="ADDRESS", usual="127.0.0.1 and ::1")] = None,
    port: Annotated[str | None, option("Port; 0 takes any free one.", value="PORT", usual="3000")] = None,
    db: Db = None,
    config: Config = None,
) -> None:
    """Serve the dashboard alone.

    It shows every call live, with its graph, its bytes and its cost.

    `anton proxy start --dashboard` starts it together with the proxy.
    """
    from modular_agents.proxy import app
    from modular_agents.proxy.cli.settings import check

    settings = replace(settings_from({"dashboard_host": host, "dashboard_port": port, "db": db}, config), dashboard=True)
    check(settings)
    raise typer.Exit(app.serve_dashboard(settings, lambda url: announce(settings, url)))


def announce(settings: "Settings", url: str) -> None:
    """Say where the dashboard is, once it answers."""
    from modular_agents.proxy.dashboard.access import make_link_token

    typer.echo(f"dashboard  {url}/?token={make_link_token(settings.links_dir)}\ndatabase   {settings.db}\n")
