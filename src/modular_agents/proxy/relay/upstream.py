"""The provider's side: one connection, one answer at a time, checked strictly.

A connection is used again only when the answer was whole, the request was whole, nothing came behind it and neither
said close. A request is never sent twice.
"""

import asyncio
import logging
import select
from typing import TYPE_CHECKING, cast

from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.framing import HEAD_END, ChunkedReader, FramingError, HeadReader, check_head_size
from modular_agents.proxy.relay.headers import Response, ResponseFacts
from modular_agents.proxy.relay.routing import Destination
from modular_agents.proxy.relay.sockets import keep_probing
from modular_agents.proxy.relay.tunnel import open_tunnel
from modular_agents.proxy.relay.turn import Outlet

if TYPE_CHECKING:
    from modular_agents.proxy.relay.exchange import Exchange
    from modular_agents.proxy.relay.pool import Pool

_CLOSED_EVENTS = select.POLLIN | select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
_IDLE, _HEAD, _LENGTH, _CHUNKED, _CLOSE, _GONE = range(6)

_log = logging.getLogger("anton.relay")


class UpstreamConnection(asyncio.Protocol):
    """One connection to a provider."""

    __slots__ = (
        "_chunks",
        "_exchange",
        "_extra",
        "_facts",
        "_fin",
        "_head",
        "_left",
        "_paused",
        "_poll",
        "_pool",
        "_state",
        "_touched",
        "destination",
        "idle_until_ns",
        "reused",
        "transport",
        "way",
    )  # fmt: skip

    def __init__(self, pool: "Pool", way: tuple[Destination, int]) -> None:
        self._pool = pool
        self.way = way
        self.destination = way[0]
        self.reused = False
        self.idle_until_ns = 0
        self._exchange: Exchange | None = None
        self._fin = False
        """The provider said that no more comes: by FIN, over TLS by its closure alert, without which an end is a cut (RFC 9112, 9.8)."""
        self._state = _IDLE
        self._head: HeadReader | None = None
        self._facts: ResponseFacts | None = None
        self._paused = False
        self._chunks: ChunkedReader | None = None
        self._left = 0
        self._extra = False
        self._touched = False
        """Bytes of an answer have come."""
        self._poll: select.poll | None = None

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self.transport = Outlet(transport, self._pool.turn)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            keep_probing(sock)
            self._poll = select.poll()
            self._poll.register(sock.fileno(), _CLOSED_EVENTS)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the provider."""
        try:
            if self._state == _CHUNKED:
                self._take_chunks(data)
            else:
                self._take(data)
        except FramingError as error:
            self._broken(f"the provider broke HTTP: {error}")
        except Exception:  # noqa: BLE001 - the boundary of one connection: a defect of ours ends this call and no other
            _log.exception("defect while reading an answer")
            self._broken("a defect of this proxy", whose="proxy")

    def eof_received(self) -> bool:
        """Let the transport close: what that means is decided in `connection_lost`. Not called when TLS was just cut."""
        self.transport.flush()
        self._fin = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call that was waiting, if any."""
        self._pool.forget(self)
        exchange, state = self._exchange, self._state
        self._exchange, self._state = None, _GONE
        if exchange is None:
            return
        if state == _CLOSE and exc is None and self._fin:
            exchange.upstream = None
            exchange.finish(b"", b"", b"")
        elif state == _HEAD and self.reused and not self._touched:
            message = "the provider closed a kept-alive connection just as the request was sent; it was not sent again. Try again"
            exchange.fail(Answer(502, "upstream", "stale_connection", message), Outcome.UPSTREAM_UNREACHABLE)
        else:
            how = "reset" if exc is not None else "closed" if self._fin else "cut"
            where = "before it answered" if state == _HEAD else "in the middle of its answer"
            answer = Answer(502, "upstream", "upstream_cut", f"the provider {how} the connection {where}")
            exchange.fail(answer, Outcome.UPSTREAM_CUT)

    def pause_writing(self) -> None:
        """Stop reading the client: the provider does not take its request."""
        if self._exchange is not None:
            self._exchange.client.hold_reading()

    def resume_writing(self) -> None:
        """Read the client again."""
        if self._exchange is not None:
            self._exchange.record.touch()  # what it took just now ends its silence
            self._exchange.client.go_on_reading()

    # ── for the exchange ──

    def begin(self, exchange: "Exchange") -> None:
        """Wait for the answer to a request that is about to be written."""
        self._exchange = exchange
        self._state = _HEAD
        self._head = None
        self._extra = False
        self._touched = False

    def drop(self) -> None:
        """Close at once: the answer is not wanted any more."""
        self._exchange = None
        self._state = _GONE
        self.transport.abort()

    def is_fresh(self) -> bool:
        """Return whether an idle connection is still open and silent."""
        return not self.transport.is_closing() and not (self._poll is not None and self._poll.poll(0))

    def pause(self) -> None:
        """Stop reading: the client does not take the answer."""
        self._paused = True
        self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        self.transport.resume_reading()

    # ── reading ──

    def _take_chunks(self, data: bytes) -> None:
        chunks: ChunkedReader = self._chunks  # type: ignore[assignment]  # set together with this state
        raw, payload = chunks.feed(data)
        if chunks.done:
            self._extra = bool(chunks.rest)
            self._finish(raw, payload, chunks.trailers)
        elif raw and self._exchange is not None:
            self._exchange.body(raw, payload)

    def _take(self, data: bytes) -> None:
        state = self._state
        exchange = self._exchange
        if exchange is None:
            self.transport.abort()  # unasked bytes on an idle connection
        elif state == _HEAD:
            self._touched = True
            if not self._take_usual(exchange, data):
                self._take_head(data)
        elif state == _LENGTH:
            self._take_counted(exchange, data)
        elif state == _CLOSE:
            exchange.body(data, data)

    def _take_counted(self, exchange: "Exchange", data: bytes) -> None:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            exchange.body(data, data)
            return
        if left < 0:
            self._extra = True
            data = data[:left]
        self._finish(data, data, b"")

    def _take_usual(self, exchange: "Exchange", data: bytes) -> bool:
        """Take an answer whose head is like an earlier one's; return whether it is."""
        if self._head is not None:
            return False
        for template in self.destination.answers:
            found = template.match(data)
            if found is not None:
                break
        else:
            return False
        at, digits = found
        length = int(digits) if digits else -1
        self._facts = template.facts
        if length == len(data) - at and template.straight and exchange.is_straight():
            self._let_go(exchange)
            exchange.straight(data, at)
        else:
            self._begin_answer(Response(template.facts, data[: at - 4], length), data[at:])
        return True

    def _take_head(self, data: bytes) -> None:
        pool = self._pool
        limits = pool.limits
        while self._state == _HEAD:
            end = -1 if self._head is not None else data.find(HEAD_END)
            if end > limits.request_line_bytes:
                check_head_size(data, end, limits.request_line_bytes, limits.head_bytes)
            if end < 0:
                if self._head is None:
                    self._head = HeadReader(limits.request_line_bytes, limits.head_bytes)
                cut = self._head.feed(data)
                if cut is None:
                    return
                self._head = None
                data, end = cut
            response = pool.heads.response(data[:end])
            rest = data[end + 4 :]
            if response.facts.status >= 200 or response.facts.status == 101:  # noqa: PLR2004 - final, RFC 9110, 15
                pool.remember(self.destination, response)
                self._begin_answer(response, rest)
                return
            if self._exchange is None or not self._exchange.informational(response):
                msg = "it floods 1xx heads"
                raise FramingError(msg)
            data = rest
            if not data:
                return

    def _begin_answer(self, response: Response, rest: bytes) -> None:
        exchange = cast("Exchange", self._exchange)
        self._facts = response.facts
        facts, left = response.facts, response.length - len(rest)
        if facts.status == 101:  # noqa: PLR2004 - Switching Protocols
            self._switch(exchange, response, rest)
        elif facts.bodiless or exchange.plan.bare or response.length == 0:
            self._extra = bool(rest)
            self._whole(response, b"", b"", b"", bodiless=True)
        elif response.length > 0:
            if left > 0:
                self._left = left
                self._state = _LENGTH
                exchange.head(response, rest, rest, ends_with_close=False)
            else:
                if left < 0:
                    self._extra = True
                    rest = rest[:left]
                self._whole(response, rest, rest, b"", bodiless=False)
        elif facts.chunked:
            self._chunks = chunks = self._pool.chunked_reader()
            raw, payload = chunks.feed(rest) if rest else (b"", b"")
            if chunks.done:
                self._extra = bool(chunks.rest)
                self._whole(response, raw, payload, chunks.trailers, bodiless=False)
            else:
                self._state = _CHUNKED
                exchange.head(response, raw, payload, ends_with_close=False)
        else:
            self._state = _CLOSE
            exchange.head(response, rest, rest, ends_with_close=True)

    def _switch(self, exchange: "Exchange", response: Response, rest: bytes) -> None:
        if exchange.plan.request.upgrade != b"websocket" or response.facts.upgrade != b"websocket":
            msg = "it switches protocols unasked"
            raise FramingError(msg)
        self._exchange, self._state = None, _GONE
        open_tunnel(exchange, self, response, rest)

    def _whole(self, response: Response, raw: bytes, payload: bytes, trailers: bytes, *, bodiless: bool) -> None:
        exchange = cast("Exchange", self._exchange)
        self._let_go(exchange)
        exchange.whole(response, raw, payload, trailers, bodiless=bodiless)

    def _finish(self, raw: bytes, payload: bytes, trailers: bytes) -> None:
        exchange = cast("Exchange", self._exchange)
        self._let_go(exchange)
        exchange.finish(raw, payload, trailers)

    def _let_go(self, exchange: "Exchange") -> None:
        """Part from a call whose answer is whole, and be of use to the next one if nothing speaks against it."""
        facts = cast("ResponseFacts", self._facts)
        self._exchange = None
        exchange.upstream = None
        if exchange.request_done and facts.keep_alive and not self._extra:
            self._state = _IDLE
            self._chunks = None
            if self._paused:
                self.resume()
            self._pool.release(self, facts.idle_s)
        else:
            self._state = _GONE
            self.transport.abort()

    def _broken(self, why: str, whose: str = "upstream") -> None:
        exchange = self._exchange
        if exchange is None:
            self.transport.abort()
            return
        answer = Answer(502, whose, "upstream_broke_http", why)
        exchange.fail(answer, Outcome.UPSTREAM_CUT)
