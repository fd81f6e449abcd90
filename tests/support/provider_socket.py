"""One connection of the stand-in provider: reading what comes to the byte, and sending with every fault a script names."""

import asyncio
import contextlib
import socket
import struct
import time

from tests.support.provider_records import Connection, Ledger
from tests.support.script import Script


class Cut(Exception):
    """The script ends the connection here."""


class Gone(Exception):
    """The peer closed before what was expected came."""


class PeerSocket(asyncio.Protocol):
    """Bytes in with exact record; bytes out with back pressure."""

    def __init__(self, ledger: Ledger, serve: "asyncio.Queue[PeerSocket]") -> None:
        self._ledger = ledger
        self._serve = serve
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.over = asyncio.Event()
        """The peer will send no more: EOF or lost."""
        self.buffer = bytearray()
        self.transport: asyncio.Transport
        self.record: Connection

    # asyncio's verbs

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.record = self._ledger.add_connection()
        self._serve.put_nowait(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.record.received += data
        self._changed.set()

    def eof_received(self) -> bool:
        self.record.eof_at = time.monotonic()
        self._end()
        return self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self.record.lost_at = time.monotonic()
        self.record.reset = isinstance(exc, ConnectionResetError)
        self._writable.set()
        self._end()

    def _end(self) -> None:
        self.over.set()
        self._changed.set()
        self._ledger.touched()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # reading

    async def _more(self) -> None:
        if self.over.is_set():
            raise Gone
        self._changed.clear()
        await self._changed.wait()

    async def read_until(self, mark: bytes) -> bytes:
        """Return bytes up to and including `mark`. Raises Gone."""
        at = -1
        while (at := self.buffer.find(mark)) < 0:
            await self._more()
        return self._take(at + len(mark))

    async def read_exactly(self, count: int) -> bytes:
        """Return `count` bytes. Raises Gone."""
        while len(self.buffer) < count:
            await self._more()
        return self._take(count)

    async def read_some(self) -> bytes:
        """Return whatever is there, at least a byte. Raises Gone."""
        while not self.buffer:
            await self._more()
        return self._take(len(self.buffer))

    def _take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    # sending

    async def write(self, data: bytes) -> None:
        """Hand bytes to the socket and wait while it is full. Raises Gone."""
        if self.record.lost_at is not None or self.transport.is_closing():
            raise Gone
        self.transport.write(data)
        await self._writable.wait()

    def close(self) -> None:
        """Close with FIN after what was written."""
        self.transport.close()

    def reset(self) -> None:
        """Close with RST at once."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Sender:
    """Sends one answer as its script says: dripped, and cut at a byte when so asked."""

    def __init__(self, peer: PeerSocket, script: Script) -> None:
        self._peer = peer
        self._script = script
        self.sent = 0

    async def send(self, data: bytes) -> None:
        """Send bytes. Raises Cut at the script's byte, Gone when the peer is lost."""
        limit = self._script.cut_bytes
        if limit is not None and self.sent + len(data) >= limit:
            await self._put(data[: limit - self.sent])
            raise Cut
        await self._put(data)

    async def _put(self, data: bytes) -> None:
        step = self._script.drip or len(data)
        for at in range(0, len(data), step or 1):
            await self._peer.write(data[at : at + step])
            self.sent += len(data[at : at + step])
            if self._script.drip:
                await asyncio.sleep(0)
