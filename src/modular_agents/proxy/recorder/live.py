"""One open call being read as it grows: by its reader while that works, bare after it failed once."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from modular_agents.proxy.model.call import Call, Delta
from modular_agents.proxy.model.exchange import Exchange, ResponseSide
from modular_agents.proxy.recorder.bare import bare_call, guarded, half_read

_WHY = "reading it failed inside the proxy; its bytes are kept"
T = TypeVar("T")


class Reads(Protocol):
    """`wire.reader.CallReader`, as seen from here."""

    def request(self, exchange: Exchange) -> Call:
        """Return the running call."""

    def response(self, head: ResponseSide) -> None:
        """Take the response head."""

    def feed(self, data: bytes, at_ns: int) -> list[Delta]:
        """Take body bytes as they crossed."""

    def finish(self, exchange: Exchange) -> Call:
        """Return the final call."""


class LiveCall:
    """A call between its request and its end."""

    def __init__(self, call_id: str, start: Callable[[Exchange], Reads]) -> None:
        self._call_id = call_id
        self._start = start
        self._reader: Reads | None = None
        self._running: Call | None = None

    def asked(self, exchange: Exchange) -> Call:
        """Return the running call; the request is in `exchange`."""

        def read() -> Call:
            self._reader = self._start(exchange)
            self._running = self._reader.request(exchange)
            return self._running

        return guarded(self._call_id, read, lambda: self._give_up(bare_call(exchange, _WHY)))

    def answering(self, exchange: Exchange) -> None:
        """Take the answer's head."""
        reader, head = self._reader, exchange.response
        if reader is not None and head is not None:
            guarded(self._call_id, lambda: reader.response(head), lambda: self._give_up(None))

    def grew(self, data: bytes, at_ns: int) -> list[Delta]:
        """Return what more bytes of the body add to the answer."""
        reader = self._reader
        if reader is None:
            return []
        return guarded(self._call_id, lambda: reader.feed(data, at_ns), lambda: self._give_up([]))

    def ended(self, exchange: Exchange) -> Call:
        """Return the final call."""
        reader = self._reader
        if reader is None:
            return self._without_reader(exchange)
        return guarded(self._call_id, lambda: reader.finish(exchange), lambda: self._without_reader(exchange))

    def _without_reader(self, exchange: Exchange) -> Call:
        return half_read(self._running, exchange, _WHY) if self._running else bare_call(exchange, _WHY)

    def _give_up(self, instead: T) -> T:
        self._reader = None
        return instead
