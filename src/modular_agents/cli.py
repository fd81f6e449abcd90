"""`anton`: joins the command groups; nothing heavy is imported before a command needs it."""

from typing import Annotated

import typer

from modular_agents import __version__
from modular_agents.proxy.cli import run
from modular_agents.proxy.cli.group import proxy
from modular_agents.proxy.cli.verb import add, group

EPILOG = """\
Examples:
  anton proxy demo                 look around without an API key
  anton proxy start --dashboard    start recording
  anton run -- python agent.py     record one command
"""

anton = group("anton", "See what your agents say to their models.", EPILOG)
anton.add_typer(proxy)
add(anton, run.run, run.EXAMPLES)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"anton {__version__}")
        raise typer.Exit


@anton.callback()
def _anton(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """See what your agents say to their models."""


def main() -> None:
    """Run the program `anton`."""
    anton(prog_name="anton")


if __name__ == "__main__":
    main()
