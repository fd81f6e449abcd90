"""D9: under steady traffic with cancels the log of the database stays small, and no process grows."""

import sys
import threading
import time
from pathlib import Path
from statistics import linear_regression

import pytest
from tests.faults.test_stalled_clients import memory_bytes
from tests.support.ledger import Clients
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy
from tests.support.script import Script

CLIENTS, PAUSE_S, CANCELS_PER_S = 10, 0.17, 5.0
"""About 50 calls a second, a tenth of them cancelled."""
WARM_S, MEASURED_S = 150.0, 450.0
"""Caches and arenas fill first."""
WAL_BYTES = 64 * 1024 * 1024
SLOPE_MB = 1.0
"""Of the relay, per ten minutes."""
RECORDER_MB = 250
"""The recorder fills its caches for the first hundred thousand calls: 64 MB of SQLite's pages, 64 MB of messages already read, and
what 40 MB of code need; then it grows no more. Ten minutes are not enough to see that, so its size is bound instead of its slope."""


def cancel_on(port: int, stop: threading.Event) -> int:
    made = 0
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"cancelled"}]}'
    while not stop.wait(1 / CANCELS_PER_S):
        client = RawClient(port, timeout_s=60)
        client.send(request_bytes("POST", "/v1/chat/completions", body, (("x-script", Script(stall_at=2).header()),)))
        client.read_until(b"data: ")
        client.abort() if made % 2 else client.close()
        made += 1
    return made


def endure(directory: Path, warm_s: float, measured_s: float) -> dict[str, float]:
    """Make calls for so long; return the largest log, and by how many MB each process grew per ten minutes once warm."""
    with ProviderServer() as provider, RunningProxy(directory, {"openai": provider.url}) as proxy:
        pids = {"relay": proxy.runtime.worker_pids[0], "recorder": proxy.recorder_pid}
        wal, stop = proxy.db.with_name(proxy.db.name + "-wal"), threading.Event()
        clients, cancelling = Clients(proxy.port, CLIENTS, pause_s=PAUSE_S), threading.Thread(target=cancel_on, args=(proxy.port, stop))
        clients.start()
        cancelling.start()
        largest, times, sizes = 0, list[float](), {name: list[float]() for name in pids}
        began = time.monotonic()
        while (now := time.monotonic() - began) < warm_s + measured_s:
            time.sleep(1)
            largest = max(largest, wal.stat().st_size)
            if now > warm_s:
                times.append(now)
                for name, pid in pids.items():
                    sizes[name].append(memory_bytes(pid) / 1e6)
        stop.set()
        cancelling.join()
        clients.stop()
        assert {"relay": proxy.runtime.worker_pids[0], "recorder": proxy.recorder_pid} == pids
        proxy.wait_for(lambda: not any(row.status == "running" for row in proxy.calls()), 60)
        made = acknowledged_calls(clients, proxy)
        slopes = {f"{name}_mb_per_10_min": round(600 * linear_regression(times, grown).slope, 2) for name, grown in sizes.items()}
        return {
            "calls": made,
            "wal_mb": round(largest / 1e6, 1),
            **slopes,
            **{f"{name}_mb": round(grown[-1]) for name, grown in sizes.items()},
        }


def acknowledged_calls(clients: Clients, proxy: RunningProxy) -> int:
    """Return how many calls were made; every acknowledged one stands in the database."""
    rows = {row.prompt_preview.split(" ")[0] for row in proxy.calls() if row.status == "completed"}
    assert clients.acknowledged <= rows
    assert not clients.failed
    return clients.made


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.soak
def test_ten_minutes_of_traffic_leave_no_trace_in_memory(tmp_path: Path) -> None:
    figures = endure(tmp_path, WARM_S, MEASURED_S)
    print(figures)  # noqa: T201 - the figures are the result
    assert figures["wal_mb"] < WAL_BYTES / 1e6
    assert figures["relay_mb_per_10_min"] < SLOPE_MB
    assert figures["recorder_mb"] < RECORDER_MB
