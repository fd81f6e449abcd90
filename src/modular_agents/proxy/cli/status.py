"""`anton proxy status` and `anton proxy stop`: the running proxy, found by its runtime file."""

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, Json, option, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.model.status import OtlpStatus, ProxyStatus

STATUS_EXAMPLES = """\
Examples:
  anton proxy status
  anton proxy status --json | jq .records_dropped

Exit codes: 0 it runs, 3 it does not.
"""
STOP_EXAMPLES = """\
Examples:
  anton proxy stop              finish what is running (up to 120 s), then stop
  anton proxy stop --now        interrupt what is running

Exit codes: 0 stopped, 1 it did not stop in time, 3 none was running.
"""
GRACE_S = 130.0
"""The drain limit (120 s) and the time to bring the journal over."""
LOOK_S = 0.1


def status(db: Db = None, config: Config = None, as_json: Json = False) -> None:
    """Show the running proxy: where it listens, how it keeps up."""
    from modular_agents.proxy.cli.terminal import print_json

    settings = settings_from({"db": db}, config)
    found = _find(settings)
    if as_json:
        print_json(found)
        return
    lag = "unknown" if found.journal_lag_bytes is None else f"{found.journal_lag_bytes:,} bytes behind"
    rows = [
        ("proxy", f"{found.url}   since {found.started_at or 'unknown'}, version {found.version or 'unknown'}"),
        ("dashboard", found.dashboard_url or "not running; start it with: anton proxy dashboard"),
        ("database", str(settings.db)),
        ("calls", f"{_or_unknown(found.calls)} relayed, {_or_unknown(found.calls_open)} open"),
        ("recorder", lag + (", JOURNAL DEGRADED: the disk does not keep up" if found.journal_degraded else "")),
        ("dropped", f"{found.records_dropped:,} records" + (" (the calls themselves were relayed)" if found.records_dropped else "")),
        *([("collector", pushed(found.otlp))] if found.otlp else []),
        ("processes", processes(found)),
        *(("TROUBLE", f"{trouble.what}: {trouble.why}") for trouble in found.troubles),
    ]
    typer.echo("\n".join(f"{name:<10} {text}" for name, text in rows))


def stop(
    now: Annotated[bool, option("Interrupt running calls.", None, "--now")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Stop the running proxy, after its calls.

    Calls that are running are finished first; nothing recorded is lost.
    """
    from modular_agents.proxy.errors import OwnFault

    settings = settings_from({"db": db}, config)
    found = _find(settings)
    for _ in range(2 if now else 1):
        os.kill(found.pid, signal.SIGTERM)
        time.sleep(LOOK_S)
    end = time.monotonic() + GRACE_S
    while _is_alive(settings, found.pid):
        if time.monotonic() > end:
            raise OwnFault(
                f"The proxy (process {found.pid}) has not stopped after {GRACE_S:.0f} s. Interrupt it with `anton proxy stop --now`."
            )
        time.sleep(LOOK_S)
    typer.echo("stopped")


def pushed(otlp: "OtlpStatus") -> str:
    """Return how the push to a collector stands."""
    from modular_agents.proxy.cli.terminal import safe

    said = [f"{otlp.endpoint}   {otlp.sent_spans:,} spans sent"]
    said += [f"{otlp.waiting_calls:,} calls wait"] if otlp.waiting_calls else []
    said += [f"{otlp.rejected_spans:,} spans REJECTED"] if otlp.rejected_spans else []
    said += [f"{otlp.missed_calls:,} calls MISSED"] if otlp.missed_calls else []
    return ", ".join(said) + (f" ({safe(otlp.said)})" if otlp.said else "")


def processes(found: "ProxyStatus") -> str:
    """Return the process ids, each with what it does."""
    named = [
        ("supervisor", (found.pid,)),
        ("workers", found.worker_pids),
        ("recorder", (found.recorder_pid,)),
        ("dashboard", (found.dashboard_pid,)),
    ]
    return ", ".join(f"{name} {' '.join(str(pid) for pid in pids if pid)}" for name, pids in named if any(pids))


def _find(settings: "Settings") -> "ProxyStatus":
    from modular_agents.proxy import app
    from modular_agents.proxy.errors import NotRunning

    found = app.status(settings.db)
    if found is None or not found.running:
        raise NotRunning(f"No proxy is running on {settings.db}. Start one with `anton proxy start`.")
    return found


def _is_alive(settings: "Settings", pid: int) -> bool:
    from modular_agents.proxy import app

    found = app.status(settings.db)
    return found is not None and found.running and found.pid == pid


def _or_unknown(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
