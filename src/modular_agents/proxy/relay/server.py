"""The client's side: one connection, its requests one by one and in order.

Law: a request is checked whole before a byte of it goes anywhere; what cannot be understood in exactly one way is
answered 400 and the connection closed. Requests sent ahead wait their turn. A half-close is not going away.
"""

import asyncio
import hmac
import logging
from typing import cast

from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.exchange import Exchange
from modular_agents.proxy.relay.framing import CRLF, HEAD_END, MAX_LEADING_CRLF, ChunkedReader, FramingError, HeadReader, check_head_size
from modular_agents.proxy.relay.headers import TOKEN_OURS, Request
from modular_agents.proxy.relay.own import own_answer
from modular_agents.proxy.relay.routing import OPENAI, Destination
from modular_agents.proxy.relay.shared import Shared
from modular_agents.proxy.relay.sockets import is_broken, peer_has_closed, reset_on_close
from modular_agents.proxy.relay.tap import pack_origin

AHEAD_BYTES = 64 * 1024
"""Bytes of later requests held while one is being answered; more stops reading."""
LINGER_NS = 2_000_000_000
"""How long a closing connection is still read: closing at once would reset it and destroy the answer on its way."""
_CR = 0x0D
_IDLE, _READING_HEAD, _BODY, _BUSY, _LINGER, _CLOSED = range(6)

_log = logging.getLogger("anton.relay")


class ClientConnection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_ahead", "_before", "_body_bytes", "_chunks", "_eof", "_exchange", "_head", "_held_back", "_left", "_shared", "_state",
        "deadline_ns",
        "origin", "stalled", "transport",
    )  # fmt: skip

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._state = _IDLE
        self._head: HeadReader | None = None
        self._exchange: Exchange | None = None
        self._chunks: ChunkedReader | None = None
        self._left = 0
        self._body_bytes = 0
        self._ahead = b""
        self._before: Destination | None = None
        self._eof = False
        self._held_back = False
        self.stalled = False
        self.deadline_ns = 0
        """When the head or the next request must have come; 0 while a call runs."""

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self.transport = cast("asyncio.Transport", transport)
        shared = self._shared
        shared.clients.add(self)
        counters = shared.counters
        counters.connections_total += 1
        counters.connections_open += 1
        peer = transport.get_extra_info("peername")
        client = f"[{peer[0]}]:{peer[1]}" if peer and ":" in peer[0] else f"{peer[0]}:{peer[1]}" if peer else ""
        self.origin = pack_origin(f"{shared.worker_id}-{counters.connections_total}", client)
        self._wait(shared.limits.client_keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        try:
            self._take(data)
        except FramingError as error:
            self._refuse(Answer(error.status, "client", error.code, str(error)))
        except Exception:  # noqa: BLE001 - the boundary of one connection: a defect of ours ends this connection and no other
            _log.exception("defect while reading a request")
            self._refuse(Answer(500, "proxy", "defect", "a defect of this proxy; its log says more"))

    def eof_received(self) -> bool:
        """Keep the connection for answers still to come: a client may say early that it has no more requests."""
        self._eof = True
        if self._state == _BODY:
            self._lost("the client stopped in the middle of its request")
            return False
        return self._state == _BUSY

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what was going on."""
        self._shared.clients.discard(self)
        self._shared.counters.connections_open -= 1
        self._lost("the client reset the connection" if exc is not None else "the client closed the connection")
        self._state = _CLOSED

    def pause_writing(self) -> None:
        """Stop reading the provider: the client does not take the answer."""
        self.stalled = True
        exchange = self._exchange
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read the provider again, or begin the request that waited for this."""
        self.stalled = False
        exchange = self._exchange
        if exchange is None:
            self._shared.loop.call_soon(self._next)
        elif exchange.upstream is not None:
            exchange.upstream.transport.resume_reading()

    # ── for the exchange ──

    def hold_reading(self) -> None:
        """Stop reading: the provider does not take more."""
        self._held_back = True
        self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """Read again."""
        self._held_back = False
        if len(self._ahead) <= AHEAD_BYTES:
            self.transport.resume_reading()

    def answered(self, *, keep: bool) -> None:
        """Go on to the next request, or close once what was written is flushed."""
        self._exchange = None
        if self._held_back:
            self.go_on_reading()
        if not keep or self._shared.draining or self._state != _BUSY:
            self._linger()
        elif self._ahead or self.stalled:
            self._wait(self._shared.limits.client_keepalive_s)
            self._shared.loop.call_soon(self._next)
        elif self._eof:
            self._close()
        else:
            self._state = _IDLE
            self._wait(self._shared.limits.client_keepalive_s)

    def break_off(self, *, reset: bool) -> None:
        """Close so that the client sees a broken body: after what was written, with FIN, or with RST where FIN would look whole."""
        self._exchange = None
        if reset:
            reset_on_close(self.transport)
        self._close()

    def upgraded(self) -> bytes:
        """Let go of the transport, which is a tunnel's from now on; return what the client sent ahead."""
        ahead, self._ahead = self._ahead, b""
        return ahead

    # ── for the worker ──

    def tick(self, now_ns: int) -> None:
        """Look at the clock."""
        exchange = self._exchange
        if exchange is not None:
            if self._is_gone():
                self._lost("the client closed the connection")
                self.transport.abort()
            else:
                exchange.tick(now_ns)
        elif self.deadline_ns and now_ns >= self.deadline_ns:
            if self._state == _READING_HEAD:
                message = f"the request's head did not come within {self._shared.limits.request_head_s:g} s"
                self._refuse(Answer(408, "client", "request_timeout", message))
            elif self._state == _CLOSED:
                self.transport.abort()
            else:
                self._close()

    def drain(self) -> None:
        """Close if nothing is going on; else after the call that is."""
        if self._exchange is None and self._state in {_IDLE, _READING_HEAD}:
            self._close()

    def interrupt(self) -> None:
        """Close now."""
        if self._exchange is not None:
            self._exchange.interrupt()
        self._close()

    def abort(self) -> None:
        """Close without waiting for what is not flushed."""
        self.transport.abort()

    # ── reading ──

    def _take(self, data: bytes) -> None:
        state = self._state
        if state <= _READING_HEAD:
            self._take_head(data)
        elif state == _BODY:
            self._take_body(data)
        elif state == _BUSY:
            self._ahead += data
            if len(self._ahead) > AHEAD_BYTES:
                self.transport.pause_reading()

    def _take_head(self, data: bytes) -> None:
        self._state = _READING_HEAD
        if self._head is None:
            end = data.find(HEAD_END) if data[0] != _CR else -1
            if end >= 0:
                limits = self._shared.limits
                check_head_size(data, end, limits.request_line_bytes, limits.head_bytes)
                self._begin(data[:end], data[end + 4 :])
                return
            self._head = HeadReader(self._shared.limits.request_line_bytes, self._shared.limits.head_bytes, MAX_LEADING_CRLF)
            self._wait(self._shared.limits.request_head_s)
        cut = self._head.feed(data)
        if cut is not None:
            self._head = None
            self._begin(*cut)

    def _begin(self, head: bytes, rest: bytes) -> None:
        shared = self._shared
        self.deadline_ns = 0
        try:
            request = shared.requests.request(head)
            raw, payload, last, ahead = self._first_body(request, rest)
            if request.target.startswith(b"/-/") or not self._is_allowed(request):
                self._answer_ourselves(request, last=last, ahead=ahead)
                return
            route = shared.router.find(request.target, request.shape, self._before)
        except FramingError as error:
            self._refuse(Answer(error.status, "client", error.code, str(error)), head)
            return
        self._before = route.destination
        self._ahead = ahead
        self._state = _BUSY if last else _BODY
        record = shared.tap.open(self.origin, request, route, last=last and not payload)
        self._exchange = exchange = Exchange(shared, self, request, route, record)
        exchange.start(raw, payload, last=last)

    def _first_body(self, request: Request, rest: bytes) -> tuple[bytes, bytes, bool, bytes]:
        """Return (raw, payload, whether that is the whole body, what lies ahead of it) of what came with the head."""
        shared = self._shared
        self._chunks = None
        if request.chunked:
            limits = shared.limits
            self._chunks = chunks = ChunkedReader(shared.sizes, shared.requests.table.trailer, limits.chunk_line_bytes, limits.head_bytes)
            self._body_bytes = 0
            raw, payload = chunks.feed(rest) if rest else (b"", b"")
            self._count(payload)
            return raw, payload, chunks.done, chunks.rest
        if request.length > 0:
            if request.length > shared.limits.body_bytes:
                msg = f"the body is longer than {shared.limits.body_bytes} bytes"
                raise FramingError(msg, 413)
            left = request.length - len(rest)
            if left >= 0:
                self._left = left
                return rest, rest, not left, b""
            body = rest[:left]
            return body, body, True, rest[left:]
        return b"", b"", True, rest

    def _take_body(self, data: bytes) -> None:
        exchange = cast("Exchange", self._exchange)
        if self._chunks is not None:
            raw, payload = self._chunks.feed(data)
            self._count(payload)
            last, ahead = self._chunks.done, self._chunks.rest
        else:
            left = self._left = self._left - len(data)
            last, ahead = left <= 0, b""
            if left < 0:
                data, ahead = data[:left], data[left:]
            raw = payload = data
        if last:
            self._state = _BUSY
            self._ahead = ahead
        if raw or last:
            exchange.more(raw, payload, last=last)

    def _count(self, payload: bytes) -> None:
        self._body_bytes += len(payload)
        if self._body_bytes > self._shared.limits.body_bytes:
            msg = f"the body is longer than {self._shared.limits.body_bytes} bytes"
            raise FramingError(msg, 413)

    def _next(self) -> None:
        """Begin the request that was sent ahead."""
        if self._state != _BUSY or self._exchange is not None or self.stalled:
            return
        ahead, self._ahead = self._ahead, b""
        self._state = _IDLE
        self._wait(self._shared.limits.client_keepalive_s)
        if ahead:
            self.data_received(ahead)
        self.transport.resume_reading()
        if self._eof and self._state in {_IDLE, _READING_HEAD}:
            self._close()

    # ── answers of our own ──

    def _is_allowed(self, request: Request) -> bool:
        token = self._shared.token
        return not token or hmac.compare_digest(request.said.get(TOKEN_OURS, b""), token)

    def _answer_ourselves(self, request: Request, *, last: bool, ahead: bytes) -> None:
        keep = last and request.keep_alive
        self._ahead = ahead
        self._state = _BUSY
        self.transport.write(own_answer(self._shared, request, allowed=self._is_allowed(request), close=not keep))
        self.answered(keep=keep)

    def _refuse(self, answer: Answer, head: bytes = b"") -> None:
        exchange = self._exchange
        if exchange is not None:
            exchange.refuse_rest(answer)
            self._linger()
            return
        if self._state in {_LINGER, _CLOSED}:
            return
        if answer.whose == "client":
            self._shared.counters.errors_client_total += 1
        else:
            self._shared.counters.errors_proxy_total += 1
        body = answer.body(OPENAI)
        answer_head = answer.head(len(body), close=True)
        self._shared.tap.refused(self.origin, head.partition(CRLF)[0], answer_head, body, answer.message)
        self.transport.write(answer_head + CRLF + body)
        self._linger()

    # ── closing ──

    def _is_gone(self) -> bool:
        """Return whether a client that cannot be heard (it sent its FIN, or is not being read) has gone for good."""
        if self._eof:
            return peer_has_closed(self.transport)
        return (self._held_back or len(self._ahead) > AHEAD_BYTES) and is_broken(self.transport)

    def _lost(self, why: str) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost(why)

    def _linger(self) -> None:
        """Say that no more comes, then read and forget for a moment what the client still sends."""
        if self._state in {_LINGER, _CLOSED}:
            return
        self._state = _LINGER
        self._ahead = b""
        if self._eof:
            self._close()
            return
        self.transport.resume_reading()
        self.transport.write_eof()
        self.deadline_ns = self._shared.tap.monotonic_ns() + LINGER_NS

    def _close(self) -> None:
        """Close once what was written is flushed; a client that never takes it is not waited for longer than for a request."""
        self._state = _CLOSED
        self.transport.close()
        self._wait(self._shared.limits.client_keepalive_s)

    def _wait(self, seconds: float) -> None:
        self.deadline_ns = self._shared.tap.monotonic_ns() + int(seconds * 1e9)
