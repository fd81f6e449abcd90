"""A provider that keeps connections alive and then closes them without a word, sooner or later: what reuse has to live with.

with Fickle(longest_ms=40) as fickle:
    ...                                   # POSTs with an `x-call-name` header to fickle.url
    fickle.seen                           # how often each name was read whole
"""

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter
from types import TracebackType
from typing import Self

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_NAME = re.compile(rb"\r\nx-call-name: ([\w-]+)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Fickle:
    """Runs in a thread with its own loop. A kept connection is closed after 0 to `longest_ms` of idleness."""

    def __init__(self, longest_ms: float, seed: int = 1) -> None:
        self._longest_s, self._dice = longest_ms / 1000, random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.closed_idle = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fickle", daemon=True)

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

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
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
        wait_s: float | None = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                async with asyncio.timeout(wait_s):
                    head = await reader.readuntil(b"\r\n\r\n")
                name, length = _NAME.search(head), _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                self.seen[name[1].decode() if name else ""] += 1
                writer.write(_ANSWER)
                await writer.drain()
                wait_s = self._dice.uniform(0, self._longest_s)
        self.closed_idle += 1
        writer.close()
