"""What is measured: each case yields figures by contender, one round at a time, so that rounds can be interleaved."""

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Contender, relay
from bench.load import call_for, stream_for, write_script
from bench.origins import nginx_answering
from bench.processes import Running, free_port, running

BODY_BYTES = 4096
CONNECTIONS = 8
MANY_CONNECTIONS = 32
"""For relays with one worker and with two. Of eight, each of two workers has four: it waits between calls, and what a process that is
not busy costs is told by the case `steady`."""
SHORT_STREAMS = 200
STREAMS, CHUNKS, GAP_MS, CHUNK_BYTES = 40, 100, 10, 200
SETTLE_S = 20.0
"""Longest wait for a recorder to catch up, so that its work is counted too."""
LOOK_S = 0.25
QUIET = 0.04
"""Less of a CPU than this between two looks is timers, not work."""

Figures = dict[str, float]


class Behind(Exception):
    """A server that still works on what it was given `SETTLE_S` ago: what it costs cannot be said, and it would spoil what follows."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} did not drain in {SETTLE_S:.0f} s")


@dataclass(frozen=True, slots=True)
class Place:
    """Where things run: the measured server on `cpus`, load and origin on `load_cpu`."""

    folder: Path
    cpus: set[int]
    load_cpu: int
    seconds: int


def place(folder: Path, seconds: int) -> Place:
    """Return a place with the server on the first CPU and everything else on the last."""
    cpus = sorted(os.sched_getaffinity(0))
    return Place(folder, {cpus[0]}, cpus[-1], seconds)


@contextlib.contextmanager
def answering(where: Place) -> Iterator[int]:
    """Run the origin of whole answers; give its port."""
    port = free_port()
    with running("origin", nginx_answering(where.folder, port), port, {where.load_cpu}):
        yield port


@contextlib.contextmanager
def streaming(where: Place) -> Iterator[int]:
    """Run the origin of streams; give its port."""
    port = free_port()
    with running("streams", [sys.executable, "-m", "bench.origins", str(port)], port, {where.load_cpu}):
        yield port


@contextlib.contextmanager
def started(who: list[Contender], origin: int, where: Place) -> Iterator[dict[str, Running]]:
    """Run all contenders at once in front of one origin: idle ones cost nothing."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for contender in who:
            folder = where.folder / f"{contender.name}-{origin}"
            folder.mkdir()
            servers[contender.name] = stack.enter_context(contender.start(origin, folder, where.cpus))
        yield servers


def calls(server: Running, where: Place, *, varying: bool = False, connections: int = CONNECTIONS) -> Figures:
    """CPU µs per 4 KB call, backlog drained."""
    script = write_script(where.folder, BODY_BYTES, varying=varying)
    call_for(1, server.port, connections, script, where.load_cpu)
    settle(server)
    before = server.cpu_ns()
    done = call_for(where.seconds, server.port, connections, script, where.load_cpu)
    settle(server)
    check(server, done.errors)
    return {"cpu_us": (server.cpu_ns() - before) / done.count / 1000, "calls_per_s": done.count / done.seconds}


def latency(port: int, where: Place) -> Figures:
    """Latency in µs at one connection."""
    done = call_for(where.seconds, port, 1, write_script(where.folder, BODY_BYTES), where.load_cpu)
    return {"p50_us": done.p50_us, "p99_us": done.p99_us}


def chunks(server: Running) -> Figures:
    """CPU µs per SSE event, one event per read."""
    before = server.cpu_ns()
    done = stream_for(server.port, STREAMS, 1, f"/v1/messages/stream/{CHUNKS}/{GAP_MS}/{CHUNK_BYTES}")
    settle(server)
    check(server, done.broken)
    return {"cpu_us": (server.cpu_ns() - before) / done.chunks / 1000}


def first_byte(port: int) -> Figures:
    """Time to the first byte of a stream in µs, one stream after the other on one connection."""
    done = stream_for(port, 1, SHORT_STREAMS, f"/v1/messages/stream/2/1/{CHUNK_BYTES}")
    return {"p50_us": statistics.median(done.first_us), "p99_us": statistics.quantiles(done.first_us, n=100)[98]}


def workers(where: Place, origin: int, count: int) -> Figures:
    """CPU µs per call of a relay with some workers on all CPUs."""
    folder = where.folder / f"workers-{count}-{time.monotonic_ns()}"
    folder.mkdir()
    spread = Place(where.folder, set(os.sched_getaffinity(0)), where.load_cpu, where.seconds)
    with relay("on", count)(origin, folder, spread.cpus) as server:
        return calls(server, spread, connections=MANY_CONNECTIONS)


def settle(server: Running) -> None:
    """Wait until the server does nothing any more. Raises `Behind`."""
    deadline = time.monotonic() + SETTLE_S
    last, then = server.cpu_ns(), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(LOOK_S)
        now, moment = server.cpu_ns(), time.monotonic()
        if now - last < QUIET * (moment - then) * 1e9:
            return
        last, then = now, moment
    raise Behind(server.name)


def check(server: Running, errors: int) -> None:
    """Say so when calls failed."""
    if errors:
        print(f"{server.name}: {errors} calls failed: its figures are worth nothing", file=sys.stderr)
