"""One open call being read as it grows: by its reader while that works, bare after it failed once.

Everything is redacted before anything is made of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from modular_agents.proxy.model.call import Call, Delta
from modular_agents.proxy.model.exchange import Exchange, ResponseSide
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.recorder.bare import bare_call, guarded, half_read
from modular_agents.proxy.recorder.body import HELD_BODY_BYTES
from modular_agents.proxy.recorder.held import HeldText
from modular_agents.proxy.recorder.redact import Redactor, is_streamed

_WHY = "reading it failed inside the proxy; its bytes are kept"
T = TypeVar("T")


class Reads(Protocol):
    """`wire.reader.CallReader`, as seen from here."""

    def ask(self, exchange: Exchange) -> None:
        """Read the request."""

    def running(self, exchange: Exchange) -> Call:
        """Return the running call of a request that has been read."""

    def response(self, head: ResponseSide) -> None:
        """Take the response head."""

    def feed(self, data: bytes, at_ns: int) -> list[Delta]:
        """Take body bytes as they crossed."""

    def finish(self, exchange: Exchange) -> Call:
        """Return the final call."""


@quick
@dataclass(frozen=True, slots=True)
class Version:
    """A call as it is at some moment, and the exchange it was read from, both fit to be stored."""

    call: Call
    exchange: Exchange


class LiveCall:
    """A call between its request and its end."""

    def __init__(self, call_id: str, start: Callable[[Exchange], Reads], redactor: Redactor) -> None:
        self._call_id = call_id
        self._start, self._redactor = start, redactor
        self._reader: Reads | None = None
        self._asked: Exchange | None = None
        """As it was when its request was read."""
        self._asker: Reads | None = None
        """Whoever has read the request, though it may have failed on the answer."""
        self._texts: dict[tuple[int, str], HeldText] = {}
        self._unread: list[tuple[bytes, int]] = []
        self._has_begun = False
        """Something of the answer has been read."""
        self.is_answering = False
        """Whether the answer's head was taken."""
        self._clean_body: bytes | None = None
        """The request's body, when it was found clean and is small enough to be held."""

    def asked(self, exchange: Exchange) -> None:
        """Read the request, which is in `exchange`."""
        asked, exchange = exchange, self._redacted(exchange, self._redactor.request)
        if exchange is asked and len(exchange.request.body) <= HELD_BODY_BYTES:
            self._clean_body = exchange.request.body
        self._asked = exchange

        def read() -> None:
            self._reader = reader = self._start(exchange)
            reader.ask(exchange)
            self._asker = reader

        guarded(self._call_id, read, lambda: self._give_up(None))

    def running(self) -> Version | None:
        """Return the running call, when its request has been read."""
        exchange, reader = self._asked, self._asker
        if exchange is None:
            return None
        if reader is None:
            return Version(bare_call(exchange, _WHY), exchange)
        return Version(guarded(self._call_id, lambda: reader.running(exchange), lambda: self._give_up(bare_call(exchange, _WHY))), exchange)

    def answering(self, exchange: Exchange) -> None:
        """Take the answer's head."""
        reader, head = self._reader, exchange.response
        self.is_answering = True
        if reader is not None and head is not None:
            guarded(self._call_id, lambda: reader.response(head), lambda: self._give_up(None))

    def grew(self, data: bytes, at_ns: int) -> None:
        """Take more bytes of the body; they are read when it is asked what they said."""
        if self._reader is not None:
            self._unread.append((data, at_ns))

    def said(self) -> list[Delta]:
        """Return what the bytes taken since the last time add to the answer and may be shown now."""
        return guarded(self._call_id, lambda: self._shown(self._feed()), lambda: self._give_up([]))

    def _feed(self) -> list[Delta]:
        """Read what has not been read: piece by piece until the answer begins, for its time is kept, then all at once."""
        reader, unread, self._unread = self._reader, self._unread, []
        if reader is None:
            return []
        deltas: list[Delta] = []
        at = 0
        while at < len(unread) and not self._has_begun:
            new = reader.feed(*unread[at])
            self._has_begun = bool(new)
            deltas += new
            at += 1
        if at < len(unread):
            deltas += reader.feed(b"".join([data for data, _ in unread[at:]]), unread[at][1])
        return deltas

    def ended(self, exchange: Exchange) -> Version:
        """Return the final call. An answer of which nothing was taken before is read now, as it came."""
        if not self.is_answering and exchange.response is not None:
            self.answering(exchange)
            self._unread = _pieces(exchange.response)
        if self._unread:
            guarded(self._call_id, self._feed, lambda: self._give_up([]))
        exchange = self._redacted(exchange, self._asked_again)
        clean = self._redacted(exchange, self._redactor.response)
        call = self._read(clean) if clean is exchange else self._read_anew(clean)
        return guarded(self._call_id, lambda: self._checked(call, clean), lambda: self._blind(exchange))

    def _asked_again(self, exchange: Exchange) -> Exchange:
        """Redact all but the answer; a request that was found clean when it was asked is not searched again."""
        redactor, exchange = self._redactor, self._redactor.ending(exchange)
        if exchange.request.body != self._clean_body:
            exchange = redactor.request(exchange)
        return redactor.tunnel(exchange)

    def _checked(self, call: Call, exchange: Exchange) -> Version:
        """Look once more at what was read: a key that came in pieces shows only now."""
        redactor, before = self._redactor, exchange
        is_clean = redactor.is_clean(call)
        if (call.format == "raw" and is_streamed(exchange)) or not is_clean:
            exchange = redactor.response(exchange, strings=True)
        if exchange is not before:
            call = self._read_anew(exchange)
            is_clean = redactor.is_clean(call)
        if not is_clean:
            exchange, call = redactor.without_answer(exchange), redactor.masked(call)
        return Version(call, exchange)

    def _read(self, exchange: Exchange) -> Call:
        reader = self._reader
        if reader is None:
            return self._without_reader(exchange)
        return guarded(self._call_id, lambda: reader.finish(exchange), lambda: self._without_reader(exchange))

    def _read_anew(self, exchange: Exchange) -> Call:
        def read() -> Call:
            reader = self._start(exchange)
            reader.ask(exchange)
            return reader.finish(exchange)

        return guarded(self._call_id, read, lambda: self._without_reader(exchange))

    def _without_reader(self, exchange: Exchange) -> Call:
        half = self.running()
        return half_read(half.call, exchange, _WHY) if half else bare_call(exchange, _WHY)

    def _redacted(self, exchange: Exchange, redact: Callable[[Exchange], Exchange]) -> Exchange:
        """Return what `redact` gives; an exchange that cannot be searched keeps no bodies."""
        return guarded(self._call_id, lambda: redact(exchange), lambda: self._redactor.without_bodies(exchange))

    def _blind(self, exchange: Exchange) -> Version:
        clean = self._redactor.without_bodies(exchange)
        return Version(bare_call(clean, "searching it for secrets failed inside the proxy; its bytes are not kept"), clean)

    def _shown(self, deltas: list[Delta]) -> list[Delta]:
        """Hold back what may be the beginning of a secret."""
        shown = []
        for delta in deltas:
            text = self._texts.get((delta.part, delta.kind))
            if text is None:
                text = self._texts[delta.part, delta.kind] = HeldText(self._redactor.secrets)
            said = text.feed(delta.text)
            if said or delta.name:
                shown.append(delta if said == delta.text else replace(delta, text=said))
        return shown

    def _give_up(self, instead: T) -> T:
        self._reader = None
        return instead


def _pieces(response: ResponseSide) -> list[tuple[bytes, int]]:
    """Return what came of a body at each moment; bytes that no moment is known of come with the head."""
    body, pieces, at = response.body, [], 0
    if len(response.chunks) == 1 and response.chunks[0].size == len(body):
        return [(body, response.chunks[0].at_ns)]
    for chunk in response.chunks:
        pieces.append((body[at : at + chunk.size], chunk.at_ns))
        at += chunk.size
    if at < len(body):
        pieces.append((body[at:], response.head_ns))
    return pieces
