"""The client's side: one connection, its requests one by one and in order.

Law: a request is checked whole before a byte of it goes anywhere; what cannot be understood in exactly one way is
answered 400 and the connection closed. Requests sent ahead wait their turn. A half-close is not going away where the kernel
can tell the two apart; where it cannot, a client that says it is done is taken to be gone (docs/decisions, "half-close").
"""

import asyncio
import hmac
import logging
from typing import NoReturn, cast

from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.callers import announce, is_local
from modular_agents.proxy.relay.exchange import Exchange
from modular_agents.proxy.relay.fields import TOKEN_OURS
from modular_agents.proxy.relay.framing import CRLF, HEAD_END, MAX_LEADING_CRLF, ChunkedReader, FramingError, HeadReader, check_head_size
from modular_agents.proxy.relay.headers import Request
from modular_agents.proxy.relay.hops import hops_of
from modular_agents.proxy.relay.own import own_answer
from modular_agents.proxy.relay.plan import Plan
from modular_agents.proxy.relay.routing import OPENAI
from modular_agents.proxy.relay.shared import Shared
from modular_agents.proxy.relay.sockets import is_gone_unread, peer_has_closed, reset_on_close
from modular_agents.proxy.relay.tap import pack_origin
from modular_agents.proxy.relay.turn import Outlet

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
        "_ahead", "_body_bytes", "_chunks", "_eof", "_exchange", "_head", "_left", "_plan", "_shared", "_state",
        "deadline_ns", "held_back", "hops", "origin", "stalled", "transport",
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
        self._plan: Plan | None = None
        """Of the last request: most often the next one's too."""
        self._eof = False
        self.held_back = False
        self.stalled = False
        self.deadline_ns = 0
        """When the head or the next request must have come; 0 while a call runs."""

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        shared = self._shared
        self.transport = Outlet(transport, shared.turn)
        shared.clients.add(self)
        shared.counters.connections_total += 1
        shared.counters.connections_open += 1
        peer, self.hops = transport.get_extra_info("peername"), hops_of(transport)
        connection_id = f"{shared.worker_id}-{shared.counters.connections_total}"
        self.origin = pack_origin(connection_id, peer[:2] if peer else None)
        if peer and is_local(peer[0]):
            announce(shared.callers_pipe, connection_id, peer[0], peer[1], shared.own_port)
        self._wait(shared.limits.client_keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        try:
            state = self._state
            if state <= _READING_HEAD:
                self._take_head(data)
            elif state == _BODY:
                self._take_body(data)
            elif state == _BUSY:
                self._take_ahead(data)
        except FramingError as error:
            whole_head = self._state <= _READING_HEAD and self._head is None
            self._refuse(Answer(error.status, "client", error.code, str(error)), data if whole_head else b"")
        except Exception:  # noqa: BLE001 - the boundary of one connection: a defect of ours ends this connection and no other
            _log.exception("defect while reading a request")
            self._refuse(Answer(500, "proxy", "defect", "a defect of this proxy; its log says more"))

    def eof_received(self) -> bool:
        """Keep the connection for answers still to come: a client may say early that it has no more requests."""
        self.transport.flush()
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
            exchange.upstream.pause()

    def resume_writing(self) -> None:
        """Read the provider again, or begin the request that waited for this."""
        self.stalled = False
        exchange = self._exchange
        if exchange is None:
            self._shared.loop.call_soon(self._next)
        elif exchange.upstream is not None:
            exchange.upstream.resume()

    # ── for the exchange ──

    def hold_reading(self) -> None:
        """Stop reading: the provider does not take more."""
        self.held_back = True
        self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """Read again."""
        self.held_back = False
        if len(self._ahead) <= AHEAD_BYTES:
            self.transport.resume_reading()

    def answered(self, *, keep: bool) -> None:
        """Go on to the next request, or close once what was written is flushed."""
        self._exchange = None
        if self.held_back:
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
            self.deadline_ns = self._shared.tap.monotonic_ns() + self._shared.keepalive_ns

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

    def _take_ahead(self, data: bytes) -> None:
        self._ahead += data
        if len(self._ahead) > AHEAD_BYTES:
            self.transport.pause_reading()

    def _take_head(self, data: bytes) -> None:
        plan = self._plan
        template = plan.template if plan is not None and self._head is None else None
        if plan is not None and template is not None and (found := template.match(data)) is not None:
            self._begin(plan, found[1], data, found[0])
            return
        self._state = _READING_HEAD
        limits = self._shared.limits
        if self._head is None:
            end = data.find(HEAD_END) if data[0] != _CR else -1
            if end >= 0:
                if end > limits.request_line_bytes:
                    check_head_size(data, end, limits.request_line_bytes, limits.head_bytes)
                self._begin_anew(data, end)
                return
            self._head = HeadReader(limits.request_line_bytes, limits.head_bytes, MAX_LEADING_CRLF)
            self._wait(limits.request_head_s)
        cut = self._head.feed(data)
        if cut is not None:
            self._head = None
            self._begin_anew(*cut)

    def _begin_anew(self, data: bytes, end: int) -> None:
        """Begin the request whose head is `data[:end]`, unlike the last one on this connection."""
        plans = self._shared.plans
        before = self._plan.destination if self._plan is not None else None
        self.deadline_ns = 0
        try:
            found = plans.find(data, end, before)
            if found is None:
                request = plans.read(data[:end])
                if request.target.startswith(b"/-/") or not self._is_allowed(request):
                    self._answer_ourselves(request, data[end + 4 :])
                    return
                found = plans.make(request, before)
            self._begin(*found, data, end + 4)
        except FramingError as error:  # here, for the head may have come in more than one read
            self._refuse(Answer(error.status, "client", error.code, str(error)), data[:end])

    def _begin(self, plan: Plan, digits: bytes, data: bytes, at: int) -> None:
        """Begin a request; what came of its body is `data[at:]`. Raises FramingError."""
        shared = self._shared
        self.deadline_ns = 0
        length = int(digits) if digits else 0
        if len(data) - at == length and not plan.chunked and length <= shared.limits.body_bytes:
            raw = payload = data[at:]
            last = True
        else:
            raw, payload, last = self._first_body(data, at, length, chunked=plan.chunked)
        self._plan = plan
        self._state = _BUSY if last else _BODY
        record = shared.tap.open(self.origin, plan, digits, length, payload, last=last)
        if plan.chunked and last and self._chunks is not None:
            record.request_trailers = self._chunks.trailers
        self._exchange = exchange = Exchange(shared, self, plan, record)
        exchange.start(digits, raw, last=last)

    def _first_body(self, data: bytes, at: int, length: int, *, chunked: bool) -> tuple[bytes, bytes, bool]:
        """Return (raw, payload, whether that is the whole body) of what came with the head, from `at` on; keep what lies ahead."""
        if chunked:
            return self._first_chunks(data[at:])
        if length > self._shared.limits.body_bytes:
            self._too_long()
        left = length - len(data) + at
        if left > 0:
            self._chunks = None
            self._left = left
            raw = data[at:]
            return raw, raw, False
        self._ahead = data[left:]
        raw = data[at:left]
        return raw, raw, True

    def _first_chunks(self, rest: bytes) -> tuple[bytes, bytes, bool]:
        shared = self._shared
        limits = shared.limits
        self._chunks = chunks = ChunkedReader(shared.sizes, shared.requests.table.trailer, limits.chunk_line_bytes, limits.trailer_bytes)
        self._body_bytes = 0
        raw, payload = chunks.feed(rest) if rest else (b"", b"")
        self._count(payload, chunks.announced)
        self._ahead = chunks.rest
        return raw, payload, chunks.done

    def _take_body(self, data: bytes) -> None:
        exchange = cast("Exchange", self._exchange)
        if self._chunks is not None:
            raw, payload = self._chunks.feed(data)
            self._count(payload, self._chunks.announced)
            last, ahead = self._chunks.done, self._chunks.rest
            exchange.record.request_trailers = self._chunks.trailers
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

    def _count(self, payload: bytes, announced: int) -> None:
        """Refuse a body that is too long, or says that it will be."""
        self._body_bytes += len(payload)
        if self._body_bytes + announced > self._shared.limits.body_bytes:
            self._too_long()

    def _too_long(self) -> NoReturn:
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

    def _answer_ourselves(self, request: Request, rest: bytes) -> None:
        """Answer without any provider. A body is not read: the connection closes behind the answer."""
        keep = request.keep_alive and not request.chunked and request.length <= 0
        self._ahead = rest if keep else b""
        self._state = _BUSY
        self.transport.write(own_answer(self._shared, request, allowed=self._is_allowed(request), close=not keep))
        self.answered(keep=keep)

    def _refuse(self, answer: Answer, head: bytes = b"") -> None:
        exchange = self._exchange
        if exchange is not None:
            exchange.fail(answer, Outcome.REFUSED)
            self._linger()
            return
        if self._state in {_LINGER, _CLOSED}:
            return
        shared = self._shared
        shared.counters.blame(answer.whose)
        body = answer.body(OPENAI)
        answer_head = answer.head(len(body), close=True)
        shared.tap.refused(self.origin, head.partition(CRLF)[0], answer_head, body, answer.message)
        self.transport.write(answer_head + CRLF + body)
        self._linger()

    # ── closing ──

    def _is_gone(self) -> bool:
        """Return whether a client that cannot be heard (it sent its FIN, or is not being read) has gone for good, or must be taken to."""
        if self._eof:
            return peer_has_closed(self.transport) is not False
        return (self.held_back or len(self._ahead) > AHEAD_BYTES) and is_gone_unread(self.transport)

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
