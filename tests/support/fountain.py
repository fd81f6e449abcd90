"""A provider that answers everything with the same many bytes, and holds none of them: what nobody takes it does not make.

with Fountain(200_000_000) as fountain:
    ...                                   # calls to fountain.url
    fountain.sent_bytes                   # handed to sockets so far
"""

import asyncio
import contextlib
import threading
import time
from types import TracebackType
from typing import Self

PIECE = b"x" * 65_536


class Fountain:
    """Runs in a thread with its own loop. Every answer has `size_bytes` of body, with Content-Length."""

    def __init__(self, size_bytes: int) -> None:
        self._size = size_bytes
        self.sent_bytes = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fountain", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_still(self, seconds: float, timeout_s: float = 60.0) -> None:
        """Return when nothing was taken for so long. Raises AssertionError when that does not happen."""
        deadline = time.monotonic() + timeout_s
        seen, since = self.sent_bytes, time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline, "it is still being drunk from"
            time.sleep(0.02)
            if self.sent_bytes != seen:
                seen, since = self.sent_bytes, time.monotonic()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20))
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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self._size
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % self._size)
            while left:
                piece = PIECE[:left]
                writer.write(piece)
                await writer.drain()
                left -= len(piece)
                self.sent_bytes += len(piece)
        if left:  # nobody takes the rest
            writer.transport.abort()
        else:  # what waits in the buffer is sent before the end
            writer.close()
