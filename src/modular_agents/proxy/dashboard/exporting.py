"""An export as a download: written on a thread of its own with a reader of its own, at the pace of whoever downloads.

Nothing but a few pieces waits in memory. Whoever goes away ends it. A fault in the middle breaks the download off: half a file is never
shown as a whole one.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from modular_agents.proxy.errors import NotFound, ProxyError, StoreUnavailable
from modular_agents.proxy.export.exporter import Format, pieces
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.ports import Reader

MAX_EXPORTS = 4
"""At once: each holds a thread and a reader."""
WAITING_PIECES = 4
"""Of 64 KB, between the thread and the network."""
LOOK_S = 0.5
"""How often a thread that waits for a slow network looks whether anybody is there."""


@dataclass(frozen=True, slots=True)
class _Broken:
    error: ProxyError


Item = bytes | _Broken | None


class Exports:
    """The exports that are being downloaded. `open_reader` may raise `ProxyError`: it is raised to whoever asked."""

    def __init__(self, open_reader: Callable[[], Reader]) -> None:
        self._open = open_reader
        self._running = 0

    async def begin(self, form: Format, wanted: Wanted) -> AsyncIterator[bytes]:
        """Return the pieces of an export once the first is there. Raises `NotFound` for no calls, `UsageError` for too many."""
        if self._running >= MAX_EXPORTS:
            raise StoreUnavailable(f"{MAX_EXPORTS} exports are being written already.")
        self._running += 1
        waiting: asyncio.Queue[Item] = asyncio.Queue(WAITING_PIECES)
        stop = threading.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._produce, args=(form, wanted, loop, waiting, stop), name="export", daemon=True).start()
        stream = self._stream(waiting, stop)
        await anext(stream)
        return stream

    async def _stream(self, waiting: asyncio.Queue[Item], stop: threading.Event) -> AsyncIterator[bytes]:
        """Yield nothing once the first piece is there, then every piece."""
        try:
            first = item = await waiting.get()
            if not isinstance(first, _Broken):
                yield b""
            while item is not None:
                if isinstance(item, _Broken):
                    raise item.error
                yield item
                item = await waiting.get()
        finally:
            stop.set()
            self._running -= 1

    def _produce(
        self, form: Format, wanted: Wanted, loop: asyncio.AbstractEventLoop, waiting: asyncio.Queue[Item], stop: threading.Event
    ) -> None:
        """Write an export into the queue; on its own thread."""
        last: Item = _Broken(ProxyError("The export failed."))
        try:
            reader = self._open()
            try:
                source = Source(reader, wanted)
                if source.is_empty():
                    raise NotFound("No call that has ended fits.")
                for piece in pieces(form, source):
                    if not _put(piece, loop, waiting, stop):
                        return
                last = None
            finally:
                reader.close()
        except ProxyError as error:
            last = _Broken(error)
        finally:
            _put(last, loop, waiting, stop)


def _put(item: Item, loop: asyncio.AbstractEventLoop, waiting: asyncio.Queue[Item], stop: threading.Event) -> bool:
    """Hand an item on, waiting for room; return False when nobody wants it any more."""
    if stop.is_set() or loop.is_closed():
        return False
    future = asyncio.run_coroutine_threadsafe(waiting.put(item), loop)
    while True:
        try:
            future.result(LOOK_S)
        except TimeoutError:
            if stop.is_set() or loop.is_closed():
                future.cancel()
                return False
        else:
            return True
