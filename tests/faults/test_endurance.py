"""D9: under steady traffic with cancels the log of the database stays small, and no process grows."""

import sys
import threading
import time
from pathlib import Path
from statistics import linear_regression

import pytest
from tests.faults.test_stalled_clients import memory_bytes
from tests.support.ledger import SCRIPTS, Clients
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy
from tests.support.script import Script

from modular_agents.proxy.app import status

CLIENTS, PAUSE_S, CANCEL_S = 10, 0.05, 0.067
"""About 90 calls a second, a tenth of them cancelled: nearly twice what is promised, so that what grows with calls shows twice as soon,
and memories that fill and forget in turns do so several times in what is compared."""
WARM_CALLS, WARM_CANCELS, WARM_CANCEL_S = 30_000, 5_500, 0.03
"""Made as fast as they are recorded before anything is measured. Then every bounded memory of the recorder is full: 64 MB of SQLite's
pages, 16,000 short messages already read, the latest calls (up to 10,000), 20,000 numbers each of contents, of nodes of their lists and
of traces, 5,000 connections with their processes."""
LIGHT, LIGHT_CALLS = SCRIPTS[:2], 25_000
"""Short answers are recorded faster; the last of the warm-up are as those that are measured."""
SETTLED_S = 300.0
"""Then at the rate that is measured: batches are of another size there. At half of this rate, processes that had reached their size at
full speed went from 219 to 223 MB in thirteen minutes and stayed there, or from 221 to 215, to 218 and, after sixteen minutes, to 220."""
MEASURED_S = 1200.0
WARM_WITHIN_S = 1800.0
WAL_BYTES = 64 * 1024 * 1024
SLOPE_MB = 1.0
"""Per ten minutes, of the relay and of the recorder."""
HIGH = 0.95
"""Batches and memories that forget a part at a time make a saw of some MB. So halves are compared by what is exceeded in a twentieth of
their time: the tips of the saw, without the moments of a large batch. What steps up in the first half and stays is not seen so; the line
through all of it must be as flat."""


class Cancelling:
    """A client that begins a stream every `pause_s`, reads its first event and goes away: by turns with RST and with FIN."""

    def __init__(self, port: int) -> None:
        self.port, self.pause_s, self.made = port, WARM_CANCEL_S, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._cancel_on)
        self._thread.start()

    def _cancel_on(self) -> None:
        body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"cancelled"}]}'
        while not self._stop.wait(self.pause_s):
            client = RawClient(self.port, timeout_s=60)
            client.send(request_bytes("POST", "/v1/chat/completions", body, (("x-script", Script(stall_at=2).header()),)))
            client.read_until(b"data: ")
            client.abort() if self.made % 2 else client.close()
            self.made += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def endure(directory: Path, warm_calls: int, warm_cancels: int, settled_s: float, measured_s: float) -> dict[str, float]:
    """Make so many calls, then calls for so long; return the largest log, and by how many MB each process grew per ten minutes.

    The log is looked at from the end of the warm-up on, memory from `settled_s` later on.
    """
    with ProviderServer() as provider, RunningProxy(directory, {"openai": provider.url}) as proxy:
        pids = {"relay": proxy.runtime.worker_pids[0], "recorder": proxy.recorder_pid}
        wal = proxy.db.with_name(proxy.db.name + "-wal")
        clients, cancelling = Clients(proxy.port, CLIENTS, scripts=LIGHT), Cancelling(proxy.port)
        clients.start()
        began = time.monotonic()
        proxy.wait_for(lambda: warmed(clients, cancelling, lag_bytes(proxy), warm_calls, warm_cancels), WARM_WITHIN_S)
        clients.pause_s, cancelling.pause_s = PAUSE_S, CANCEL_S
        warm, warm_s = clients.made + cancelling.made, time.monotonic() - began
        largest, sizes = 0, {name: list[float]() for name in pids}
        began = time.monotonic()
        while time.monotonic() - began < settled_s + measured_s:
            time.sleep(1)
            largest = max(largest, wal.stat().st_size)
            for name, pid in pids.items():
                sizes[name].append(memory_bytes(pid) / 1e6)
        measured = clients.made + cancelling.made - warm
        cancelling.stop()
        clients.stop()
        assert {"relay": proxy.runtime.worker_pids[0], "recorder": proxy.recorder_pid} == pids
        proxy.wait_for(lambda: not any(row.status == "running" for row in proxy.calls()), 60)
        acknowledge(clients, proxy)
        minutes = {name: " ".join(f"{max(grown[at : at + 60]):.1f}" for at in range(0, len(grown), 60)) for name, grown in sizes.items()}
        print(minutes)  # noqa: T201 - MB, the most of each minute from the warm-up on: what to look at when it grows
        sizes = {name: grown[int(len(grown) * settled_s / (settled_s + measured_s)) :] for name, grown in sizes.items()}
        slopes = {f"{name}_mb_per_10_min": round(slope(grown, measured_s), 2) for name, grown in sizes.items()}
        slopes |= {f"{name}_line_mb_per_10_min": round(line(grown, measured_s), 2) for name, grown in sizes.items()}
        return {
            "warm_calls": warm,
            "warm_s": round(warm_s),
            "calls": measured,
            "settled_s": settled_s,
            "measured_s": measured_s,
            "wal_mb": round(largest / 1e6, 1),
            **slopes,
            **{f"{name}_mb": round(grown[-1], 1) for name, grown in sizes.items()},
            **{f"{name}_range_mb": round(max(grown) - min(grown), 1) for name, grown in sizes.items()},
        }


def slope(grown: list[float], measured_s: float) -> float:
    """Return by how many MB the tips of the saw rose, per ten minutes."""
    half = len(grown) // 2
    first, last = (sorted(part)[int(HIGH * len(part))] for part in (grown[:half], grown[half:]))
    return (last - first) / (measured_s / 2) * 600


def line(grown: list[float], measured_s: float) -> float:
    """Return by how many MB the line through all of it rises (least squares), per ten minutes."""
    return linear_regression([measured_s * at / len(grown) / 600 for at in range(len(grown))], grown).slope


LAG_BYTES, SMALL_LAG_BYTES = 8 * 1024 * 1024, 1024 * 1024


def warmed(clients: Clients, cancelling: Cancelling, lag: int, calls: int, cancels: int) -> bool:
    """Return whether so much has been made and recorded; until then, keep the clients as fast as the recorder."""
    done = clients.made >= calls and cancelling.made >= cancels
    clients.scripts = LIGHT if clients.made < LIGHT_CALLS else SCRIPTS
    clients.pause_s = 1.0 if done or lag > LAG_BYTES else 0.0
    cancelling.pause_s = 1.0 if cancelling.made >= cancels or lag > LAG_BYTES else WARM_CANCEL_S
    return done and lag < SMALL_LAG_BYTES


def lag_bytes(proxy: RunningProxy) -> int:
    """Return what the recorder still has to bring over."""
    told = status(proxy.db)
    return WAL_BYTES if told is None or told.journal_lag_bytes is None else told.journal_lag_bytes


def acknowledge(clients: Clients, proxy: RunningProxy) -> None:
    """Check that every acknowledged call stands in the database."""
    rows = {row.prompt_preview.split(" ")[0] for row in proxy.calls() if row.status == "completed"}
    assert clients.acknowledged <= rows
    assert not clients.failed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.soak
def test_ten_minutes_of_traffic_leave_no_trace_in_memory(tmp_path: Path) -> None:
    figures = endure(tmp_path, WARM_CALLS, WARM_CANCELS, SETTLED_S, MEASURED_S)
    print(figures)  # noqa: T201 - the figures are the result
    assert figures["wal_mb"] < WAL_BYTES / 1e6
    for name in ("relay", "recorder"):
        assert figures[f"{name}_mb_per_10_min"] < SLOPE_MB
        assert figures[f"{name}_line_mb_per_10_min"] < SLOPE_MB


@pytest.mark.parametrize(("leaked_mb", "least", "most"), [(0.0, -0.4, 0.4), (2.0, 1.5, 2.5)])
def test_a_saw_is_no_slope_and_a_leak_is_one(leaked_mb: float, least: float, most: float) -> None:
    """Teeth of 10 MB, four minutes long, wherever in one the measuring begins. leaked_mb: in ten minutes."""
    for begun in range(0, 240, 20):
        grown = [200 + 10 * ((begun + second) % 240) / 240 + leaked_mb * second / 600 for second in range(int(MEASURED_S))]
        assert least < slope(grown, MEASURED_S) < most


@pytest.mark.parametrize("stepped_at_s", [100, 300, 600, 900])
def test_a_step_is_seen_wherever_it_is(stepped_at_s: int) -> None:
    """12 MB more from a moment on, as when all of a thread of thousands was read: tips alone show it in the second half only."""
    grown = [200.0 + 12 * (second >= stepped_at_s) for second in range(int(MEASURED_S))]
    assert line(grown, MEASURED_S) > 2 * SLOPE_MB


@pytest.mark.parametrize("leaked_mb", [0.0, 2.0])
def test_a_line_through_a_small_saw_is_flat_and_rises_with_a_leak(leaked_mb: float) -> None:
    for begun in range(0, 120, 10):
        grown = [200 + 4 * ((begun + second) % 120) / 120 + leaked_mb * second / 600 for second in range(int(MEASURED_S))]
        assert abs(line(grown, MEASURED_S) - leaked_mb) < 0.4
