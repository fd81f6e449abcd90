"""`anton proxy start`: run the proxy until it is told to stop."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.supervisor.runtime import Runtime

LISTEN, PROVIDERS, RUN = "Where it listens", "Where calls go", "How it runs"

EXAMPLES = """\
Examples:
  anton proxy start --dashboard
  anton proxy start --port 9000 --db ./run.db
  anton proxy start --openai-upstream https://gateway.example/openai
  anton proxy start --upstream groq=https://api.groq.com/openai/v1     then use http://127.0.0.1:8000/u/groq/v1
  anton proxy start --host 0.0.0.0                                     with ANTON_TOKEN set

Every setting has a variable (ANTON_PORT, ANTON_DB, ANTON_UPSTREAM_GROQ ...) and a key in the settings file; flags win.
Ctrl-C finishes what is running; a second one interrupts it.
Exit codes: 0 stopped, 1 could not start, 2 a setting is wrong.
"""


def start(
    host: Annotated[str | None, option("Address; a wider one needs ANTON_TOKEN.", LISTEN, value="ADDRESS", usual="127.0.0.1, ::1")] = None,
    port: Annotated[str | None, option("Port of the proxy; 0 takes any free one.", LISTEN, value="PORT", usual="8000")] = None,
    dashboard: Annotated[bool | None, option("Start the dashboard too.", LISTEN, "--dashboard/--no-dashboard", usual="no")] = None,
    dashboard_port: Annotated[str | None, option("Port of the dashboard.", LISTEN, value="PORT", usual="3000")] = None,
    anthropic_upstream: Annotated[str | None, option("Instead of https://api.anthropic.com.", PROVIDERS, value="URL")] = None,
    openai_upstream: Annotated[str | None, option("Instead of https://api.openai.com.", PROVIDERS, value="URL")] = None,
    gemini_upstream: Annotated[str | None, option("Instead of Google's.", PROVIDERS, value="URL")] = None,
    ollama_upstream: Annotated[str | None, option("Instead of http://127.0.0.1:11434.", PROVIDERS, value="URL")] = None,
    upstream: Annotated[list[str] | None, option("A further provider, at /u/NAME/; repeat for more.", PROVIDERS, value="NAME=URL")] = None,
    default_upstream: Annotated[str | None, option("Where unclear requests go.", PROVIDERS, value="NAME", usual="openai")] = None,
    otlp_endpoint: Annotated[str | None, option("Send every call to this OpenTelemetry collector.", RUN, value="URL")] = None,
    db: Db = None,
    config: Config = None,
    workers: Annotated[str | None, option("Relay processes; one serves thousands of streams.", RUN, value="N", usual="1")] = None,
    durability: Annotated[str | None, option("How soon records are on disk: group, full, none.", RUN, value="MODE", usual="group")] = None,
    client_identity: Annotated[
        bool | None, option("Find out which process makes a call.", RUN, "--client-identity/--no-client-identity", usual="yes")
    ] = None,
    log_level: Annotated[str | None, option("debug, info, warning or error.", RUN, value="LEVEL", usual="info")] = None,
    log_format: Annotated[str | None, option("text, or json: an object per line.", RUN, value="FORMAT", usual="text")] = None,
) -> None:  # fmt: skip
    """Start the proxy, and the dashboard with --dashboard.

    Point an app's base URL at it and every model call it makes is recorded.

    Calls are passed on byte for byte to the provider they are meant for. Recording happens beside them:
    a slow disk or a crash of ours neither slows nor loses a call.
    """
    from modular_agents.proxy import app

    named = {"anthropic": anthropic_upstream, "openai": openai_upstream, "gemini": gemini_upstream, "ollama": ollama_upstream}
    upstreams = {name: url for name, url in named.items() if url is not None} | _pairs(upstream or [])
    flags: dict[str, object] = {
        "host": host,
        "port": port,
        "dashboard": dashboard,
        "dashboard_port": dashboard_port,
        "default_upstream": default_upstream,
        "db": db,
        "workers": workers,
        "durability": durability,
        "client_identity": client_identity,
        "otlp_endpoint": otlp_endpoint,
        "log_level": log_level,
        "log_format": log_format,
        "upstreams": upstreams,
    }
    settings = settings_from(flags, config)
    raise typer.Exit(app.start(settings, lambda runtime: announce(settings, runtime)))


def _pairs(given: list[str]) -> dict[str, str]:
    from modular_agents.proxy.errors import UsageError

    for pair in given:
        if "=" not in pair:
            raise UsageError(f"--upstream {pair!r} is not NAME=URL, for example groq=https://api.groq.com/openai/v1.")
    return dict(pair.split("=", 1) for pair in given)


def announce(settings: "Settings", runtime: "Runtime") -> None:
    """Say where everything is, once it answers. On stdout: nothing else is ever printed there."""
    from modular_agents.proxy.cli.environment import variables

    lines = [f"anton proxy {runtime.version} listens on {runtime.url}", ""]
    wanted = [variable for variable in variables(runtime.url, ()) if variable.is_base_url]
    lines += [f"  export {variable.name}={variable.value}" for variable in wanted[:2]]
    lines += [
        "",
        f"  dashboard  {_link(settings, runtime.dashboard_url)}" if runtime.dashboard_url else "  dashboard  anton proxy dashboard",
    ]
    lines += ["             (the link works once; for another: anton proxy link)"] if runtime.dashboard_url else []
    lines += [f"  database   {settings.db}", "  more       anton proxy env · anton run -- COMMAND · anton proxy ls", ""]
    typer.echo("\n".join(lines))
    sys.stdout.flush()


def _link(settings: "Settings", url: str) -> str:
    from modular_agents.proxy.dashboard.access import make_link_token

    return f"{url}/?token={make_link_token(settings.links_dir)}"
