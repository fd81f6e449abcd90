"""Thousands of idle streams: what each costs in memory, and what a new call costs beside them (promise T4)."""

import asyncio
import contextlib
import functools
import os
import sys
from pathlib import Path

import uvloop

from bench.cases import Figures, Place, started, streaming
from bench.contenders import Contender, relay
from bench.load import call_for, stream_request, write_script
from bench.processes import Running

BATCH = 200
"""Connections opened at a time."""
WORKERS = 2


class _Waiting(asyncio.Protocol):
    def __init__(self, request: bytes, begun: "asyncio.Future[None]") -> None:
        self.request = request
        self.begun = begun

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, _data: bytes) -> None:
        if not self.begun.done():
            self.begun.set_result(None)


def idle(where: Place, streams: int) -> Figures:
    """Open `streams` SSE answers that say one thing and then nothing; measure memory, then latency of new calls."""
    spread = Place(where.folder, set(os.sched_getaffinity(0)), where.load_cpu, where.seconds)
    who = [Contender("relay-idle", "", relay("on", WORKERS))]
    with streaming(spread) as origin, started(who, origin, spread) as servers:
        return uvloop.run(_measure(servers["relay-idle"], spread, streams))


async def _measure(server: Running, where: Place, streams: int) -> Figures:
    loop = asyncio.get_running_loop()
    request = stream_request("/v1/messages/idle")
    before = server.rss_bytes()
    open_streams: list[tuple[asyncio.Transport, _Waiting]] = []
    for start in range(0, streams, BATCH):
        begun: list[asyncio.Future[None]] = [loop.create_future() for _ in range(min(BATCH, streams - start))]
        opening = [loop.create_connection(functools.partial(_Waiting, request, future), "127.0.0.1", server.port) for future in begun]
        open_streams += await asyncio.gather(*opening)
        await asyncio.wait_for(asyncio.gather(*begun), 60)
    await asyncio.sleep(1)
    after = server.rss_bytes()
    script = _short_stream(where.folder)
    done = await loop.run_in_executor(None, lambda: call_for(where.seconds, server.port, 1, script, where.load_cpu))
    for transport, _ in open_streams:
        with contextlib.suppress(OSError):
            transport.abort()
    return {
        "streams": streams,
        "rss_mb": after / 1e6,
        "bytes_per_stream": (after - before) / max(streams, 1),
        "new_call_p50_us": done.p50_us,
        "new_call_p99_us": done.p99_us,
    }


def _short_stream(folder: Path) -> Path:
    """Write a script whose calls are streams of one event, for the streaming origin."""
    path = write_script(folder, 1000)
    text = path.read_text() + '\nrequest = function() return wrk.format(nil, "/v1/messages/stream/1/0/200") end\n'
    short = path.with_name("short-stream.lua")
    short.write_text(text)
    return short


if __name__ == "__main__":
    print(idle(Place(Path(sys.argv[1]), set(os.sched_getaffinity(0)), max(os.sched_getaffinity(0)), 2), int(sys.argv[2])))
