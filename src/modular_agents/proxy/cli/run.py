"""`anton run -- COMMAND`: records one command. It replaces this process, so that signals and exit code are its own."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from modular_agents.proxy.cli.options import Config, Db, option, proxy_url, settings_from

CONNECT_S = 2.0
"""A proxy on this machine that does not answer within this will not."""
COMMAND_NOT_FOUND, COMMAND_NOT_RUNNABLE = 127, 126
"""Exit codes that every shell gives for these."""

EXAMPLES = """\
Examples:
  anton run -- python my_agent.py
  anton run -- claude -p "tidy the tests"
  anton run --trace nightly-42 --agent planner -- ./agent.sh

The exit code is the command's own; 3 when no proxy is running, 127 when there is no such command.
"""


def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The command and its arguments, after --.")],
    trace: Annotated[str | None, option("Put all its calls into this trace.", value="NAME")] = None,
    agent: Annotated[str | None, option("Say which agent makes the calls.", value="NAME")] = None,
    ollama: Annotated[bool, option("Set OLLAMA_HOST too.", None, "--ollama")] = False,
    quiet: Annotated[bool, option("Do not say what is set.", None, "--quiet", "-q")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Run one command with its model calls recorded.

    Sets the base URL variables for that command only, and says which on stderr. The proxy must be running.
    """
    from modular_agents.proxy.cli.environment import prefixed, replaced, variables
    from modular_agents.proxy.cli.terminal import safe

    settings = settings_from({"db": db}, config)
    url = proxy_url(settings)
    _check_running(url)
    wanted = variables(prefixed(url, trace, agent), [upstream.name for upstream in settings.upstreams], ollama=ollama, token=settings.token)
    for variable in replaced(os.environ, wanted):
        was = safe(os.environ[variable.name])
        typer.echo(f"anton: {variable.name} was {was}: calls now go to the providers the proxy was started with, not there.", err=True)
    if not quiet:
        typer.echo(f"anton: {url} records this command ({', '.join(variable.name for variable in wanted)} set)", err=True)
    _become(command, {**os.environ, **{variable.name: variable.value for variable in wanted}})


def _check_running(url: str) -> None:
    import socket

    from modular_agents.proxy.errors import NotRunning

    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), CONNECT_S).close()
    except OSError:
        raise NotRunning(f"No proxy answers at {url}. Start one with `anton proxy start` in another terminal.") from None


def _become(command: Sequence[str], environment: dict[str, str]) -> None:
    from modular_agents.proxy.cli.terminal import safe

    program = shutil.which(command[0])
    if program is None:
        exists = Path(command[0]).exists()
        typer.echo(f"anton: {safe(command[0])}: {'cannot be run' if exists else 'command not found'}", err=True)
        raise typer.Exit(COMMAND_NOT_RUNNABLE if exists else COMMAND_NOT_FOUND)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, list(command), environment)  # noqa: S606 - the person's own command is what this is for
