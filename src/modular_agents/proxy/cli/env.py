"""`anton proxy env`: print the variables that send an app's calls through the proxy."""

import os
from pathlib import Path
from typing import Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, proxy_url, settings_from

EXAMPLES = """\
Examples:
  eval "$(anton proxy env)"                        bash and zsh: this shell's calls are recorded
  anton proxy env --shell fish | source            fish
  anton proxy env --shell powershell | iex         PowerShell
  anton proxy env --trace nightly --agent planner  a base URL that carries names
  eval "$(anton proxy env --unset)"                talk to the providers directly again

For one command only, use: anton run -- COMMAND
"""


def env(
    shell: Annotated[
        str | None, option("bash, zsh, fish, powershell, cmd, dotenv or json.", value="NAME", usual="your login shell")
    ] = None,
    trace: Annotated[str | None, option("Put all calls into this trace.", value="NAME")] = None,
    agent: Annotated[str | None, option("Say which agent makes the calls.", value="NAME")] = None,
    ollama: Annotated[bool, option("Set OLLAMA_HOST too; `ollama serve` would read it as its own address.", None, "--ollama")] = False,
    unset: Annotated[bool, option("Print the lines that take the variables away.", None, "--unset")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Print the variables that send model calls through the proxy.

    Nothing else in the app changes. Take the variables away and it talks to its provider directly again.
    """
    from modular_agents.proxy.cli.environment import SHELLS, prefixed, render, variables
    from modular_agents.proxy.errors import UsageError

    chosen = shell or _login_shell(SHELLS)
    if chosen not in SHELLS:
        raise UsageError(f"There is no shell {chosen!r} here. Known are {', '.join(SHELLS)}.")
    settings = settings_from({"db": db}, config)
    url = prefixed(proxy_url(settings), trace, agent)
    names = [upstream.name for upstream in settings.upstreams]
    typer.echo(render(variables(url, names, ollama=ollama, token=settings.token), chosen, unset=unset))


def _login_shell(known: tuple[str, ...]) -> str:
    name = Path(os.environ.get("SHELL", "")).name
    return name if name in known else "sh"
