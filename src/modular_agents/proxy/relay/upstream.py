"""The provider's side: one connection, one answer at a time, checked strictly; and the pool of idle ones.

A connection is used again only when the answer was whole, the request was whole, nothing came behind it and neither
said close. Before use it is asked whether the provider has closed it meanwhile; a request is never sent twice.
"""

import asyncio
import logging
import select
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from modular_agents.proxy.config import Limits
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.counters import Counters
from modular_agents.proxy.relay.framing import HEAD_END, ChunkedReader, ChunkSizes, FramingError, HeadReader, check_head_size
from modular_agents.proxy.relay.headers import Heads, Response
from modular_agents.proxy.relay.routing import Destination
from modular_agents.proxy.relay.sockets import keep_probing
from modular_agents.proxy.relay.tunnel import open_tunnel

if TYPE_CHECKING:
    from modular_agents.proxy.relay.exchange import Exchange

IDLE_PER_UPSTREAM = 256
"""Idle connections kept to one provider; more are closed. Bounds descriptors."""
_CLOSED_EVENTS = select.POLLIN | select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
_IDLE, _HEAD, _LENGTH, _CHUNKED, _CLOSE, _GONE = range(6)
_BODILESS = frozenset({204, 304})

_log = logging.getLogger("anton.relay")


class UpstreamConnection(asyncio.Protocol):
    """One connection to a provider."""

    __slots__ = (
        "_chunks", "_exchange", "_extra", "_head", "_left", "_poll", "_pool", "_response", "_state", "_touched",
        "destination", "idle_until_ns", "reused",
        "transport",
    )  # fmt: skip

    def __init__(self, pool: "Pool", destination: Destination) -> None:
        self._pool = pool
        self.destination = destination
        self.reused = False
        self.idle_until_ns = 0
        self._exchange: Exchange | None = None
        self._state = _IDLE
        self._head: HeadReader | None = None
        self._response: Response | None = None
        self._chunks: ChunkedReader | None = None
        self._left = 0
        self._extra = False
        self._touched = False
        """Bytes of an answer have come."""
        self._poll: select.poll | None = None

    # ── asyncio.Protocol ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            keep_probing(sock)
            self._poll = select.poll()
            self._poll.register(sock.fileno(), _CLOSED_EVENTS)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the provider."""
        try:
            self._take(data)
        except FramingError as error:
            self._broken(f"the provider broke HTTP: {error}")
        except Exception:  # noqa: BLE001 - the boundary of one connection: a defect of ours ends this call and no other
            _log.exception("defect while reading an answer")
            self._broken("a defect of this proxy", whose="proxy")

    def eof_received(self) -> bool:
        """Let the transport close: what that means is decided in `connection_lost`."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call that was waiting, if any."""
        self._pool.forget(self)
        exchange, state = self._exchange, self._state
        self._exchange, self._state = None, _GONE
        if exchange is None:
            return
        if state == _CLOSE and exc is None:
            exchange.upstream = None
            exchange.finish(b"", b"", b"")
        elif state == _HEAD and self.reused and not self._touched:
            message = "the provider closed a kept-alive connection just as the request was sent; it was not sent again. Try again"
            exchange.fail(Answer(502, "upstream", "stale_connection", message), Outcome.UPSTREAM_UNREACHABLE)
        else:
            how = "reset" if exc is not None else "closed"
            where = "before it answered" if state == _HEAD else "in the middle of its answer"
            answer = Answer(502, "upstream", "upstream_cut", f"the provider {how} the connection {where}")
            exchange.fail(answer, Outcome.UPSTREAM_CUT, reset=exc is not None and state == _CLOSE)

    def pause_writing(self) -> None:
        """Stop reading the client: the provider does not take its request."""
        if self._exchange is not None:
            self._exchange.client.hold_reading()

    def resume_writing(self) -> None:
        """Read the client again."""
        if self._exchange is not None:
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

    # ── reading ──

    def _take(self, data: bytes) -> None:
        state = self._state
        exchange = self._exchange
        if exchange is None:
            self.transport.abort()  # unasked bytes on an idle connection
        elif state == _CHUNKED:
            chunks = cast("ChunkedReader", self._chunks)
            raw, payload = chunks.feed(data)
            if chunks.done:
                self._extra = bool(chunks.rest)
                self._finish(raw, payload, chunks.trailers)
            elif raw:
                exchange.body(raw, payload)
        elif state == _LENGTH:
            left = self._left - len(data)
            if left > 0:
                self._left = left
                exchange.body(data, data)
            else:
                if left < 0:
                    self._extra = True
                    data = data[:left]
                self._finish(data, data, b"")
        elif state == _HEAD:
            self._touched = True
            self._take_head(data)
        elif state == _CLOSE:
            exchange.body(data, data)

    def _take_head(self, data: bytes) -> None:
        while self._state == _HEAD:
            limits = self._pool.limits
            end = -1 if self._head is not None else data.find(HEAD_END)
            if end >= 0:
                check_head_size(data, end, limits.request_line_bytes, limits.head_bytes)
                head, rest = data[:end], data[end + 4 :]
            else:
                if self._head is None:
                    self._head = HeadReader(limits.request_line_bytes, limits.head_bytes)
                cut = self._head.feed(data)
                if cut is None:
                    return
                self._head = None
                head, rest = cut
            response = self._pool.heads.response(head)
            if response.status >= 200 or response.status == 101:  # noqa: PLR2004 - final, RFC 9110, 15
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
        self._response = response
        if response.status == 101:  # noqa: PLR2004 - Switching Protocols
            if exchange.request.upgrade != b"websocket" or response.upgrade != b"websocket":
                msg = "it switches protocols unasked"
                raise FramingError(msg)
            self._exchange, self._state = None, _GONE
            open_tunnel(exchange, self, response, rest)
            return
        if response.status in _BODILESS or exchange.request.method == b"HEAD" or (response.length == 0 and not response.chunked):
            self._extra = bool(rest)
            self._whole(response, b"", b"", b"", bodiless=True)
        elif response.chunked:
            self._chunks = chunks = self._pool.chunked_reader()
            raw, payload = chunks.feed(rest)
            if chunks.done:
                self._extra = bool(chunks.rest)
                self._whole(response, raw, payload, chunks.trailers, bodiless=False)
            else:
                self._state = _CHUNKED
                exchange.head(response, raw, payload, ends_with_close=False, bodiless=False)
        elif response.length > 0:
            left = response.length - len(rest)
            if left > 0:
                self._left = left
                self._state = _LENGTH
                exchange.head(response, rest, rest, ends_with_close=False, bodiless=False)
            else:
                if left < 0:
                    self._extra = True
                    rest = rest[:left]
                self._whole(response, rest, rest, b"", bodiless=False)
        else:
            self._state = _CLOSE
            exchange.head(response, rest, rest, ends_with_close=True, bodiless=False)

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
        response = cast("Response", self._response)
        self._exchange = None
        exchange.upstream = None
        if exchange.request_done and response.keep_alive and not self._extra:
            self._state = _IDLE
            self._chunks = None
            self.transport.resume_reading()
            self._pool.release(self, response.idle_s)
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


class Pool:
    """Idle connections by destination, and the making of new ones."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        heads: Heads,
        counters: Counters,
        tls: ssl.SSLContext,
        monotonic_ns: Callable[[], int],
        own_addresses: frozenset[tuple[str, int]],
    ) -> None:
        self.limits = limits
        self.heads = heads
        self._loop = loop
        self._counters = counters
        self._tls = tls
        self._monotonic_ns = monotonic_ns
        self._own_addresses = own_addresses
        self._sizes = ChunkSizes(lenient=True)
        self._idle: dict[Destination, list[UpstreamConnection]] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False

    def chunked_reader(self) -> ChunkedReader:
        """Return a reader for a chunked answer."""
        return ChunkedReader(self._sizes, self.heads.table.trailer, self.limits.chunk_line_bytes, self.limits.head_bytes)

    def take(self, destination: Destination) -> UpstreamConnection | None:
        """Return an idle connection that the provider has not closed, the youngest first; None when there is none."""
        idle = self._idle.get(destination)
        while idle:
            connection = idle.pop()
            self._counters.upstream_idle -= 1
            if connection.is_fresh():
                connection.reused = True
                self._counters.upstream_reused_total += 1
                return connection
            connection.drop()
        return None

    def release(self, connection: UpstreamConnection, idle_s: int) -> None:
        """Keep a connection for the next call, one second less than the provider says it will."""
        idle = self._idle.setdefault(connection.destination, [])
        keep_s = self.limits.upstream_keepalive_s
        if idle_s:
            keep_s = min(keep_s, idle_s - 1)
        if self._closed or len(idle) >= IDLE_PER_UPSTREAM or keep_s <= 0:
            connection.drop()
            return
        connection.idle_until_ns = self._monotonic_ns() + int(keep_s * 1e9)
        idle.append(connection)
        self._counters.upstream_idle += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """Take a lost connection out."""
        idle = self._idle.get(connection.destination)
        if idle and connection in idle:
            idle.remove(connection)
            self._counters.upstream_idle -= 1

    def sweep(self, now_ns: int) -> None:
        """Close what has been idle for long enough."""
        for idle in self._idle.values():
            while idle and idle[0].idle_until_ns <= now_ns:
                idle.pop(0).drop()
                self._counters.upstream_idle -= 1

    def close(self) -> None:
        """Close every idle connection, and from now on each that becomes idle."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().drop()
                self._counters.upstream_idle -= 1

    def connect(self, destination: Destination, exchange: "Exchange") -> "asyncio.Task[None]":
        """Begin to make a connection; the exchange hears `connected` or `unreachable`."""
        task = self._loop.create_task(self._connect(destination, exchange))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def _connect(self, destination: Destination, exchange: "Exchange") -> None:
        upstream = destination.upstream
        tls = self._tls if upstream.scheme == "https" else None
        try:
            async with asyncio.timeout(self.limits.connect_s):
                transport, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self, destination),
                    upstream.host,
                    upstream.port,
                    ssl=tls,
                    server_hostname=upstream.host if tls else None,
                )
        except TimeoutError:
            message = f"no connection to {destination.url} within {self.limits.connect_s:g} s; check the network or the upstream's URL"
            exchange.unreachable(Answer(504, "upstream", "connect_timeout", message), Outcome.UPSTREAM_TIMEOUT)
        except (OSError, UnicodeError) as error:
            message = f"cannot connect to {destination.url}: {describe(error)}; check the network or the upstream's URL"
            exchange.unreachable(Answer(502, "upstream", "upstream_unreachable", message), Outcome.UPSTREAM_UNREACHABLE)
        else:
            self._counters.upstream_connections_total += 1
            if self._is_ourselves(transport):
                connection.drop()
                message = f"upstream {destination.name} ({destination.url}) is this proxy itself; give the provider's own URL"
                exchange.unreachable(Answer(508, "proxy", "loop", message), Outcome.REFUSED)
            else:
                exchange.connected(connection)

    def _is_ourselves(self, transport: asyncio.BaseTransport) -> bool:
        peer, mine = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if not peer or not mine:
            return False
        host, port = peer[0], peer[1]
        if (host, port) in self._own_addresses:
            return True
        return host == mine[0] and bool({("0.0.0.0", port), ("::", port)} & self._own_addresses)  # noqa: S104 - compared, not bound


def describe(error: BaseException) -> str:
    """Return what went wrong in a few words, without the noise of nested exceptions."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})"
    if isinstance(error, socket.gaierror):
        return "its host name does not resolve"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
