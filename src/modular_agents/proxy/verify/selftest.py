"""The self-test: an echo listens where the relay has a provider, a client asks through the relay, and both sides compare every byte.

One case at a time. Nothing is trusted to a library's idea of HTTP: both ends are plain byte streams.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from modular_agents.proxy.verify.cases import Case, Ending
from modular_agents.proxy.verify.difference import Difference, difference

ARRIVE_S = 5.0
"""Loopback takes under a millisecond; a machine that is busy takes longer, a relay that holds back for ever."""
SETTLE_S = 0.02
"""Bytes too many come at once or not at all."""
READ_BYTES = 64 * 1024
_HEALTH = b"GET /-/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_HEALTHY = b"HTTP/1.1 200 "
_RESET_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset."""
TO_PROVIDER, TO_CLIENT = "to the provider", "to the client"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a case. `fault` says in words what no byte shows; bytes are those that were compared."""

    name: str
    bytes_up: int
    bytes_down: int
    differences: tuple[Difference, ...] = ()
    fault: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether everything arrived as it was sent."""
        return not self.differences and not self.fault


class _Ear:
    """What one side has heard. `changed` is shared with the other side's: whoever waits looks at both."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.heard = bytearray()
        self.has_ended = False
        self._changed = changed

    def add(self, data: bytes) -> None:
        self.heard += data
        self._changed.set()

    def end(self) -> None:
        self.has_ended = True
        self._changed.set()

    async def reach(self, size: int, is_hopeless: Callable[[], bool]) -> bool:
        """Wait until so many bytes are there, or until it is seen that they will not come; return whether they came."""
        await self._wait(lambda: len(self.heard) >= size or self.has_ended or is_hopeless())
        return len(self.heard) >= size

    async def ended(self) -> bool:
        """Wait for the end; return whether it came."""
        return await self._wait(lambda: self.has_ended)

    async def _wait(self, condition: Callable[[], bool]) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVE_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        return condition()


class _Echo:
    """The provider. Bytes are told to the ear of the case that is being run; answers go to the connection that spoke last."""

    def __init__(self) -> None:
        self.ear = _Ear(asyncio.Event())
        self.writer: asyncio.StreamWriter | None = None
        self._serving: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving[writer] = asyncio.current_task()
        try:
            while data := await reader.read(READ_BYTES):
                self.writer = writer
                self.ear.add(data)
        except OSError:
            pass
        finally:
            if writer is self.writer:
                self.ear.end()
            del self._serving[writer]
            writer.close()

    def say(self, data: bytes) -> None:
        if self.writer is not None:
            self.writer.write(data)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection that spoke last."""
        if self.writer is None:
            return
        if reset:
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_NOW)
            self.writer.transport.abort()
        else:
            self.writer.close()

    async def close_all(self) -> None:
        tasks = [task for task in self._serving.values() if task is not None]
        for writer in self._serving:
            writer.transport.abort()
        await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def _listening(port: int) -> AsyncIterator[_Echo]:
    echo = _Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", port, reuse_port=True)
    try:
        yield echo
    finally:
        server.close()
        await echo.close_all()


async def status_of(host: str, port: int, own: Sequence[bytes]) -> int:
    """Return how the relay answers `/-/ready`: 200, 401 where it wants its token, 503 when it drains. Raises OSError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"\r\n".join([b"GET /-/ready HTTP/1.1", b"Host: localhost", b"Connection: close", *own]) + b"\r\n\r\n")
        async with asyncio.timeout(ARRIVE_S):
            first = await reader.readline()
    finally:
        writer.close()
    words = first.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


async def run(cases: tuple[Case, ...], host: str, port: int, echo_port: int, on_row: Callable[[Row], None]) -> tuple[Row, ...]:
    """Run cases through the relay at `host`:`port`; return a row for each, told to `on_row` as it comes. Raises OSError."""
    rows = []
    async with _listening(echo_port) as echo:
        for case in cases:
            row = await _Run(case, echo).perform(host, port)
            on_row(row)
            rows.append(row)
    return tuple(rows)


class _Run:
    """One case being run."""

    def __init__(self, case: Case, echo: _Echo) -> None:
        self._case, self._echo = case, echo
        changed = asyncio.Event()
        self._up, self._down = _Ear(changed), _Ear(changed)
        self._faults: list[str] = []

    async def perform(self, host: str, port: int) -> Row:
        self._echo.ear, self._echo.writer = self._up, None
        reader, writer = await asyncio.open_connection(host, port)
        listening = asyncio.create_task(_listen(reader, self._down))
        try:
            await self._steps(writer)
        finally:
            writer.close()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        return self._row()

    async def _steps(self, writer: asyncio.StreamWriter) -> None:
        wanted = {True: 0, False: 0}
        for number, step in enumerate(self._case.steps, 1):
            if step.up:
                writer.write(step.sent)
            else:
                self._echo.say(step.sent)
            wanted[step.up] += len(step.arrives)
            here, there = (self._up, self._down) if step.up else (self._down, self._up)
            if not await here.reach(wanted[step.up], partial(_has_more, there, wanted[not step.up])):
                self._faults.append(f"step {number} of {len(self._case.steps)} did not arrive {TO_PROVIDER if step.up else TO_CLIENT}")
                return
        await self._end(writer)

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        match self._case.ending:
            case Ending.KEPT:
                writer.write(_HEALTH)
                if not await self._down.ended():
                    self._faults.append("the connection was stuck after the answer")
                self._take_off_health()
            case Ending.CLIENT:
                writer.close()
                if not await self._up.ended():
                    self._faults.append("the client's end did not reach the provider")
            case Ending.CLOSED | Ending.RESET:
                self._echo.close(reset=self._case.ending is Ending.RESET)
                if not await self._down.ended():
                    self._faults.append("the provider's end did not reach the client")
        await asyncio.sleep(SETTLE_S)

    def _take_off_health(self) -> None:
        """Take off the answer to the request that followed: what stands before it belongs to the case."""
        at = bytes(self._down.heard).rfind(_HEALTHY)
        if at < sum(len(step.arrives) for step in self._case.steps if not step.up):
            self._faults.append("the connection did not serve another request")
        else:
            del self._down.heard[at:]

    def _row(self) -> Row:
        expected = {up: b"".join(step.arrives for step in self._case.steps if step.up is up) for up in (True, False)}
        found = (
            difference(TO_PROVIDER, expected[True], bytes(self._up.heard)),
            difference(TO_CLIENT, expected[False], bytes(self._down.heard)),
        )
        return Row(
            self._case.name,
            len(expected[True]),
            len(expected[False]),
            tuple(one for one in found if one is not None),
            "; ".join(self._faults),
        )


def _has_more(ear: _Ear, size: int) -> bool:
    """Return whether a side has heard, or seen end, what it should not yet: an answer of the relay's own, mostly."""
    return len(ear.heard) > size or ear.has_ended


async def _listen(reader: asyncio.StreamReader, ear: _Ear) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(READ_BYTES):
            ear.add(data)
    ear.end()
