"""The whole product under a steady load: CPU per call with nothing left undone, and how late a call is in the database (promise T5).

Calls are begun at a fixed rate whatever the answers do. A call is in the database when its event says that it ended, which is
what the page and `anton proxy tail` see: the lag has everything in it, the recorder's pauses too.

A process that sleeps between calls finds cold caches and a processor that rests, so a call costs more the fewer there are: nginx as a
reverse proxy, which takes 20 µs a call when it is busy, takes 75 at 1,000 a second and 160 at 200 (a virtual machine inside another,
where to sleep and to wake is dear). It is measured at the same rates, to tell what the machine adds from what we do: what the recorder
costs when it has to keep up is the figure at 1,000 a second, how late it is at most that at 200.
"""

import asyncio
import json
import os
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.cases import Behind, Figures, Place, check, settle
from bench.contenders import nginx, product
from bench.load import post
from bench.store import Talker
from bench.traffic import TURNS_OF
from modular_agents.proxy.app import build_reader
from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.event import EventKind
from modular_agents.proxy.model.query import CallRow

WARM_UP, WARM_UP_RATE = 6_000, 800
"""Calls that are not counted: caches, tables and the search index fill up. After 40 of them a call takes a tenth less than after these."""
DEADLINE_S = 60.0
"""Longest wait for the last call to be in the database; then the recorder did not keep up, and that is the result."""
LOOK_S = 0.02
"""How often the database is looked at: lags are told too long by half of it. Every 5 ms, the looks alone made a call 6 % dearer, for they
take the processors' caches."""
CONNECTIONS = 64
FEW = 100
"""Calls before nginx is measured, which keeps nothing."""


class Watch(threading.Thread):
    """Notes when each ended call is first seen in the database: linking may move it later, which is told once more."""

    def __init__(self, db: Path) -> None:
        super().__init__(daemon=True)
        self._db = db
        self._done = threading.Event()
        self.seen_s: list[float] = []

    def run(self) -> None:
        reader, after, version = build_reader(self._db), 0, -1
        known: set[str | None] = set()
        while not self._done.wait(LOOK_S):
            try:
                now = reader.version()
                events = reader.events(after, 1000) if now != version else ()
            except StoreUnavailable:
                continue
            version = now if not events else version
            moment = time.monotonic()
            for event in events:
                after = event.seq
                if event.kind != EventKind.CALL or event.call_id in known:
                    continue
                if msgspec.json.decode(event.body, type=CallRow).status != "running":
                    known.add(event.call_id)
                    self.seen_s.append(moment)
        reader.close()

    def stop(self) -> None:
        self._done.set()
        self.join()


def bodies(count: int) -> list[str]:
    """Return so many request bodies of about 4 KB, each a task of its own in words of its own: nothing is known before."""
    turns = TURNS_OF["whole"](Talker(count), count)
    asked = ({"model": "claude-sonnet-4-5", "max_tokens": 1024, "system": turn.system, "messages": turn.messages} for turn in turns)
    return [json.dumps(document) for document in islice(asked, count)]


class Caller(asyncio.Protocol):
    """One connection: sends a call, and tells when its answer is there whole. It does little: who measures shares the processors."""

    def __init__(self, done: Callable[["Caller", bool], None]) -> None:
        self._done, self._answer, self._size = done, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._size and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            self._size = end + 4 + int(self._answer[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if self._size and len(self._answer) >= self._size:
            is_ok = self._answer.startswith(b"HTTP/1.1 200")
            self._answer, self._size = b"", 0
            self._done(self, is_ok)

    def send(self, call: bytes) -> None:
        self._transport.write(call)

    def close(self) -> None:
        self._transport.close()


async def paced(port: int, rate: float, texts: list[str]) -> tuple[list[float], int]:
    """Begin a call with each text at a rate; return when each was answered, in order, and how many failed."""
    loop = asyncio.get_running_loop()
    calls, waiting = [post(text) for text in texts], deque[bytes]()
    free: deque[Caller] = deque()
    answered: list[float] = []
    failed = 0
    over = loop.create_future()

    def done(caller: Caller, is_ok: bool) -> None:
        nonlocal failed
        answered.append(time.monotonic())
        failed += not is_ok
        if waiting:
            caller.send(waiting.popleft())
        else:
            free.append(caller)
        if len(answered) == len(calls):
            over.set_result(None)

    def begin(call: bytes) -> None:
        if free:
            free.popleft().send(call)
        else:
            waiting.append(call)

    for _ in range(CONNECTIONS):
        free.append((await loop.create_connection(lambda: Caller(done), "127.0.0.1", port))[1])
    began = loop.time()
    for number, call in enumerate(calls):
        loop.call_at(began + number / rate, begin, call)
    await over
    for caller in free:
        caller.close()
    return answered, failed


def steady(where: Place, origin: int, rate: float, seconds: float) -> Figures:
    """Measure the product at `rate` calls a second. Raises `Behind` when it does not keep up."""
    folder = where.folder / f"steady-{rate:g}-{time.monotonic_ns()}"
    folder.mkdir()
    with product(origin, folder, set(os.sched_getaffinity(0))) as server:  # relay and recorder are two processes
        watch = Watch(folder / "traces.db")
        watch.start()
        try:
            uvloop.run(paced(server.port, WARM_UP_RATE, bodies(WARM_UP)))
            _wait_for(watch, WARM_UP, server.name)
            settle(server)
            before, count = server.cpu_ns(), int(rate * seconds)
            answered, failed = uvloop.run(paced(server.port, rate, bodies(count)))
            _wait_for(watch, WARM_UP + count, server.name)
            settle(server)
            cpu_ns = server.cpu_ns() - before
        finally:
            watch.stop()
        check(server, failed)
        lags_ms = [(seen - done) * 1000 for seen, done in zip(watch.seen_s[WARM_UP:], answered, strict=False)]
    return {
        "rate": rate,
        "cpu_us": cpu_ns / count / 1000,
        "lag_p50_ms": statistics.median(lags_ms),
        "lag_p95_ms": statistics.quantiles(lags_ms, n=100)[94],
    }


def nginx_steady(where: Place, origin: int, rate: float, seconds: float) -> Figures:
    """Measure nginx as a reverse proxy under the same load."""
    folder = where.folder / f"nginx-{rate:g}-{time.monotonic_ns()}"
    folder.mkdir()
    with nginx(origin, folder, set(os.sched_getaffinity(0))) as server:
        uvloop.run(paced(server.port, WARM_UP_RATE, bodies(FEW)))
        before, count = server.cpu_ns(), int(rate * seconds)
        _, failed = uvloop.run(paced(server.port, rate, bodies(count)))
        check(server, failed)
        return {"rate": rate, "cpu_us": (server.cpu_ns() - before) / count / 1000}


def _wait_for(watch: Watch, count: int, name: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(watch.seen_s) < count:
        if time.monotonic() > deadline:
            raise Behind(name)
        time.sleep(LOOK_S)
