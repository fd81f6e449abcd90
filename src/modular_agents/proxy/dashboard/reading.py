"""Readers are used by one thread at a time: a few threads, each with its own reader, do all reading; the loop never waits for a disk."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from modular_agents.proxy.ports import Reader

Answer = TypeVar("Answer")

READING_THREADS = 4
"""Enough that one slow search does not keep lists waiting; SQLite readers do not block each other."""


class Readers:
    """A pool of threads, each with a reader opened on first use. `open_reader` may raise `ProxyError`: it is raised to whoever asked."""

    def __init__(self, open_reader: Callable[[], Reader], threads: int = READING_THREADS) -> None:
        self._open = open_reader
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reading")
        self._own = threading.local()
        self._opened: list[Reader] = []

    async def ask(self, question: Callable[[Reader], Answer]) -> Answer:
        """Return `question(reader)`, run on a reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)

    def _answer(self, question: Callable[[Reader], Answer]) -> Answer:
        reader: Reader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = self._open()
            self._opened.append(reader)
        return question(reader)

    def close(self) -> None:
        """Wait for what is being read, then release every reader. Idempotent."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        while self._opened:
            self._opened.pop().close()
