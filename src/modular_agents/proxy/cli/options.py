"""Options that several commands share, spelled and explained once, and how a command gets its settings from them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modular_agents.proxy.cli.verb import FILES

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.ports import Reader

WHAT, HOW = "What to show", "How to show it"


def option(about: str, under: str | None = None, *names: str, value: str | None = None, usual: str | None = None) -> Any:  # noqa: ANN401 - the library's
    """Return an option. `under`: its heading; `names`: its flags; `value`: what its value is called; `usual`: its default in words."""
    usually = f" (default {usual})" if usual else ""
    return typer.Option(*names, help=about + usually, rich_help_panel=under, metavar=value, show_default=False)


Db = Annotated[Path | None, option("The database.", FILES, "--db", value="FILE", usual="~/.modular-agents/proxy_traces.db")]
Config = Annotated[
    Path | None, option("The settings file.", FILES, "--config", value="FILE", usual="anton/proxy.toml in your config folder")
]
Json = Annotated[bool, option("Print JSON, the same as the dashboard's API gives.", HOW, "--json")]


def settings_from(flags: Mapping[str, object], config: Path | None) -> "Settings":
    """Return the settings of a command. Raises `UsageError`."""
    from modular_agents.proxy.cli.settings import load

    return load(flags, os.environ, config)


def reader_of(settings: "Settings") -> "Reader":
    """Open the database for reading. Raises `NotFound` when nothing has been recorded there yet."""
    from modular_agents.proxy import app
    from modular_agents.proxy.errors import NotFound

    if not settings.db.exists():
        raise NotFound(
            f"Nothing has been recorded at {settings.db} yet. Start a proxy with `anton proxy start`, or name another file with --db."
        )
    return app.build_reader(settings.db)


def proxy_url(settings: "Settings") -> str:
    """Return the base URL of the proxy of this database when one runs, else where one with these settings would be."""
    from modular_agents.proxy import app
    from modular_agents.proxy.cli.environment import base_url

    found = app.status(settings.db)
    return found.url if found is not None and found.running else base_url(settings)
