"""D4: whoever cancels, however and whenever, closes the provider's connection soon, and nothing of the call is left behind."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread, until
from tests.support.script import Script

CHAT = b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}'
STREAM = b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}'
MOMENTS = {"in-request": -1, "before-head": -1, "after-head": 0, "in-stream": 2}
"""Where the provider stalls."""
THREADS = 4
LATELY = 8 * THREADS
"""Requests among which one of now is to be found."""
PATIENCE_S = 60.0


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


def cancel(relay: RelayThread, provider: ProviderServer, number: int, left: dict[str, float]) -> None:
    """Make a call and leave it."""
    moment, name = list(MOMENTS)[number % 4], f"call-{number}"
    headers = (("x-script", Script(stall_at=MOMENTS[moment]).header()), ("x-call-name", name))
    raw = request_bytes("POST", "/v1/chat/completions", STREAM if number % 3 or moment == "in-stream" else CHAT, headers)
    client = RawClient(relay.port, timeout_s=PATIENCE_S)
    client.send(raw[:-10] if moment == "in-request" else raw)
    if moment == "after-head":
        client.read_until(b"\r\n\r\n")
    elif moment == "in-stream":
        client.read_until(b"data: ")
    else:
        until(lambda: any(request.header("x-call-name") == name for request in provider.requests[-LATELY:]), PATIENCE_S)
    left[name] = time.monotonic()
    client.abort() if number % 2 else client.close()


def open_files() -> int:
    """Return how many descriptors this process has, the relay's, the provider's and the clients'; 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def cancel_many(directory: Path, provider: ProviderServer, count: int) -> dict[str, float]:
    """Cancel `count` calls from a few threads at once; check that nothing is left; return how long the provider's side stayed, in ms."""
    left: dict[str, float] = {}
    with RelayThread({"openai": provider.url}, directory) as relay:
        worker = relay.worker
        tasks, files = len(asyncio.all_tasks(relay._loop)), open_files()
        threads = [
            threading.Thread(target=lambda first=first: [cancel(relay, provider, n, left) for n in range(first, count, THREADS)])  # type: ignore[misc]
            for first in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: worker.counters.requests_open == 0 and not worker._shared.clients, PATIENCE_S)
        assert worker.counters.client_gone_total == worker.counters.requests_total == count
        assert (worker.counters.connections_open, worker.counters.upstream_idle, len(worker._shared.pool._connecting)) == (0, 0, 0)
        until(lambda: len(asyncio.all_tasks(relay._loop)) == tasks, PATIENCE_S)
        provider.wait_for(lambda: all(connection.gone_at for connection in provider.connections), PATIENCE_S)
        until(lambda: open_files() <= files, PATIENCE_S)
        outcomes = Counter(taken.end.outcome for taken in relay.ended(count) if taken.end is not None)
        assert outcomes == {"client_gone": count}
    gone = {request.header("x-call-name"): request.connection.gone_at for request in provider.requests}
    waits = sorted(1000 * (at - left[name]) for name, at in gone.items() if name in left and at is not None)
    return {"cancels": count, "reached": len(waits), "p50_ms": median(waits), "p99_ms": quantiles(waits, n=100)[-1], "max_ms": waits[-1]}


@pytest.mark.slow
def test_two_hundred_cancels_leave_nothing(tmp_path: Path, provider: ProviderServer) -> None:
    cancel_many(tmp_path, provider, 200)


@pytest.mark.soak
def test_ten_thousand_cancels_leave_nothing(tmp_path: Path, provider: ProviderServer) -> None:
    figures = cancel_many(tmp_path, provider, 10_000)
    print(figures)  # noqa: T201 - the figures are the result
    assert figures["p99_ms"] < 1000
