"""`anton proxy demo`: the whole product on a throw-away database, with something to look at and no key needed."""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import option

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.demo.play import Player
    from modular_agents.proxy.supervisor.runtime import Runtime

EXAMPLES = """\
Examples:
  anton proxy demo
  anton proxy demo --once --fast     as a test of the installation

Exit codes: 0 played and stopped, 1 something failed.
"""
CURTAIN_S = 5.0
"""Time to open the link before the first call is made."""
RECORDED_S = 30.0
"""Time for the recorder to bring over the last call."""
LOOK_S = 0.1
SHOWN_CHARS = 76
"""Of what an agent says: one line of a wide terminal."""


def demo(
    once: Annotated[bool, option("Stop when the run is over.", None, "--once")] = False,
    fast: Annotated[bool, option("Leave out every pause.", None, "--fast")] = False,
    keep: Annotated[Path | None, option("Record into this database and keep it.", None, "--db", value="FILE", usual="thrown away")] = None,
    port: Annotated[str | None, option("Port of the proxy.", None, value="PORT", usual="8000, or any free one")] = None,
    dashboard_port: Annotated[str | None, option("Port of the dashboard.", None, value="PORT", usual="3000, or any free one")] = None,
) -> None:
    """Look around without an API key.

    Starts proxy, recorder and dashboard, and plays a scripted multi-agent run through them over real HTTP: an orchestrator
    hands two parts to agents that work side by side; a tool fails, and a provider is overloaded once. It takes
    about 40 seconds. No request leaves this machine.
    """
    from modular_agents.proxy import app
    from modular_agents.proxy.demo.play import Player
    from modular_agents.proxy.demo.provider import Pace, StandIn
    from modular_agents.proxy.demo.story import STORY

    provider = StandIn(STORY, Pace(0, 0, 400) if fast else Pace())
    threading.Thread(target=provider.serve_forever, name="stand-in provider", daemon=True).start()
    failures: list[str] = []
    with _folder(keep) as db:
        settings = _settings(db, provider.url, port, dashboard_port)

        def ready(runtime: "Runtime") -> None:
            _announce(settings, runtime, takes="a moment" if fast else "about 40 seconds", is_kept=keep is not None)
            player = Player(STORY, runtime.url, _teller(time.monotonic()), speed=0 if fast else 1)
            stop = _stopper(runtime.pid) if once else None
            threading.Thread(target=_perform, args=(player, settings, failures, stop, 0 if fast else CURTAIN_S), daemon=True).start()

        code = app.start(settings, ready)
    provider.server_close()
    for failure in failures:
        typer.echo(f"anton: the demo failed: {failure}", err=True)
    raise typer.Exit(1 if failures else code)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="anton-demo-") as folder:
        yield Path(folder) / "demo.db"


def _settings(db: Path, provider: str, port: str | None, dashboard_port: str | None) -> "Settings":
    """Return settings that owe nothing to the person's own: no file, no variables."""
    from modular_agents.proxy.cli.settings import load
    from modular_agents.proxy.config import DASHBOARD_PORT, PROXY_PORT

    flags: dict[str, object] = {
        "db": db,
        "dashboard": True,
        "port": port or _free_or_any(PROXY_PORT),
        "dashboard_port": dashboard_port or _free_or_any(DASHBOARD_PORT),
        "log_level": "warning",
        "upstreams": {"anthropic": provider, "openai": provider},
    }
    return load(flags, {}, use_file=False)


def _free_or_any(port: int) -> int:
    """Return a port when nobody listens there, else 0: any free one."""
    import socket

    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            if probe.connect_ex((host, port)) == 0:
                return 0
    return port


def _announce(settings: "Settings", runtime: "Runtime", *, takes: str, is_kept: bool) -> None:
    from modular_agents.proxy.dashboard.access import make_link_token

    link = f"{runtime.dashboard_url}/?token={make_link_token(settings.links_dir)}"
    lines = [
        f"The demo runs on {runtime.url} and takes {takes}. Open this to watch it:",
        "",
        f"  {link}",
        "",
        f"  database   {settings.db}{'' if is_kept else '   (removed at the end)'}",
        f"  terminal   anton proxy ls --db {settings.db}",
        "",
    ]
    typer.echo("\n".join(lines))


def _teller(began_s: float) -> Callable[[str, str], None]:
    def tell(agent: str, what: str) -> None:
        seconds = int(time.monotonic() - began_s)
        first = what.splitlines()[0]
        words = first if len(first) <= SHOWN_CHARS else first[: SHOWN_CHARS - 1] + "…"
        typer.echo(f"  {seconds // 60}:{seconds % 60:02}  {agent:<13} {words}")
        sys.stdout.flush()

    return tell


def _stopper(pid: int) -> Callable[[], None]:
    import os
    import signal

    return lambda: os.kill(pid, signal.SIGTERM)


def _perform(player: "Player", settings: "Settings", failures: list[str], stop: Callable[[], None] | None, curtain_s: float) -> None:
    """Play, wait until everything is recorded, and stop the proxy when nobody wants to look at it."""
    from modular_agents.proxy.demo.play import CannotPlay
    from modular_agents.proxy.errors import ProxyError

    time.sleep(curtain_s)
    try:
        player.play()
        _wait_until_recorded(settings)
    except (CannotPlay, ProxyError, OSError) as error:
        failures.append(str(error))
    if stop is not None:
        stop()
    elif failures:
        typer.echo(f"anton: the demo failed: {failures[-1]}", err=True)
    else:
        typer.echo("\nThe run is over; the dashboard stays. Ctrl-C stops it.")


def _wait_until_recorded(settings: "Settings") -> None:
    from modular_agents.proxy.cli.options import reader_of
    from modular_agents.proxy.errors import StoreUnavailable
    from modular_agents.proxy.model.query import CallFilter

    reader = reader_of(settings)
    try:
        end = time.monotonic() + RECORDED_S
        while time.monotonic() < end:
            page = reader.calls(CallFilter(), None, 500)
            if page.items and not any(call.status == "running" for call in page.items):
                return
            time.sleep(LOOK_S)
    finally:
        reader.close()
    raise StoreUnavailable(f"the recorder has not caught up after {RECORDED_S:.0f} s")
