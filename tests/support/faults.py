"""A TCP proxy that breaks connections on purpose: where, which way and how is a value.

    with FaultProxy(provider.port) as faults:
        faults.next(Fault(down_cut=120, how="rst"))       # the next connection
        faults.always(Fault(drip=1))                      # every connection without a fault of its own

`up` is from client to server, `down` from server to client.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection. `*_cut` counts bytes passed in that direction before `how` happens.

    how: `rst` (both sides are reset) · `fin` (both are closed) · `half` (only the receiver of that direction sees an end)
    · `stall` (that direction stands still until `release()`) · `vanish` (both directions stand still for ever, nobody is told).
    """

    up_cut: int | None = None
    down_cut: int | None = None
    how: str = "rst"
    drip: int = 0
    """Pass this many bytes at a time (both directions)."""
    pause_ms: float = 0
    """Wait before each piece."""
    at_connect: str = ""
    """`reset`: accept and reset at once; `deaf`: accept and never read or answer; `late`: connect on when released."""


@dataclass(slots=True)
class Passage:
    """What one connection did. Times are `time.monotonic()` seconds."""

    fault: Fault
    up_bytes: int = 0
    down_bytes: int = 0
    client_gone_at: float | None = None
    server_gone_at: float | None = None
    over: bool = False
    tripped: bool = False
    """The fault happened."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class FaultProxy:
    """Runs in a thread with its own loop."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self.port = 0
        self.passages: list[Passage] = []
        self._next: deque[Fault] = deque()
        self._always = Fault()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._go = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def next(self, *faults: Fault) -> None:
        """Give the coming connections these faults, one each."""
        self._next.extend(faults)

    def always(self, fault: Fault) -> None:
        """Give this fault to every connection that has none of its own."""
        self._always = fault

    def release(self) -> None:
        """Let go what stalls."""
        self._loop.call_soon_threadsafe(self._go.set)

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Return when `condition()` holds. Raises AssertionError after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {self.passages}"
            time.sleep(0.005)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = Passage(self._next.popleft() if self._next else self._always)
        self.passages.append(passage)
        upstream: asyncio.StreamWriter | None = None
        try:
            if passage.fault.at_connect == "reset":
                passage.tripped = True
                _reset(writer)
                return
            if passage.fault.at_connect:
                passage.tripped = True
                await (self._go.wait() if passage.fault.at_connect == "late" else asyncio.Event().wait())
            up_reader, upstream = await asyncio.open_connection(*self._target)
            await self._join(passage, (reader, writer), (up_reader, upstream))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            passage.over = True
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()

    async def _join(
        self,
        passage: Passage,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        both = (client[1], server[1])
        passage.tasks = [
            asyncio.create_task(self._pass(passage, client[0], server[1], both, up=True)),
            asyncio.create_task(self._pass(passage, server[0], client[1], both, up=False)),
        ]
        await asyncio.gather(*passage.tasks)

    async def _pass(
        self,
        passage: Passage,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        up: bool,
    ) -> None:
        limit = passage.fault.up_cut if up else passage.fault.down_cut
        passed = 0
        while True:
            if limit is not None and passed >= limit:
                limit = None
                passage.tripped = True
                if not await self._trip(passage.fault.how, writer, both):
                    return
            room = _READ_BYTES if limit is None else limit - passed
            try:
                data = await reader.read(min(room, passage.fault.drip or room))
            except OSError:
                data = b""
                _reset(writer)
            if not data:
                _note_end(passage, up=up)
                with contextlib.suppress(OSError, RuntimeError):
                    writer.write_eof()
                return
            if passage.fault.pause_ms:
                await asyncio.sleep(passage.fault.pause_ms / 1000)
            passed += len(data)
            passage.up_bytes += len(data) if up else 0
            passage.down_bytes += 0 if up else len(data)
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()

    async def _trip(self, how: str, writer: asyncio.StreamWriter, both: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> bool:
        """Do what `how` says; True when this direction goes on."""
        if how == "stall":
            await self._go.wait()
            return True
        if how == "half":
            writer.write_eof()
        elif how == "vanish":
            for end in both:
                end.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        else:
            for end in both:
                _reset(end) if how == "rst" else end.close()
        return False


def _note_end(passage: Passage, *, up: bool) -> None:
    if up:
        passage.client_gone_at = passage.client_gone_at or time.monotonic()
    else:
        passage.server_gone_at = passage.server_gone_at or time.monotonic()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
