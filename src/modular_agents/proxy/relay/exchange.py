"""One call: a request being passed on and its answer coming back. It knows both sides; neither side knows the other.

Laws: journal first, then the socket · an answer of ours only while nothing of the provider's has gone out · nothing is
ever sent twice · a cut answer reaches the client as a broken body · what is held in memory is bounded: a side that
does not take its bytes stops the other one.
"""

from typing import TYPE_CHECKING, Protocol

from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.headers import Request, Response
from modular_agents.proxy.relay.routing import Route
from modular_agents.proxy.relay.tap import Record

if TYPE_CHECKING:
    import asyncio

    from modular_agents.proxy.relay.shared import Shared
    from modular_agents.proxy.relay.upstream import UpstreamConnection

OUTBOX_BYTES = 256 * 1024
"""Request bytes held while the connection to the provider is being made; more stops reading the client."""
JOIN_BYTES = 16 * 1024
"""Up to here head and body are copied into one write; above, two writes are cheaper than the copy."""
MAX_INFORMATIONAL = 32
"""1xx heads per answer; a provider that sends more is flooding."""


class Side(Protocol):
    """The client as an exchange sees it."""

    transport: "asyncio.Transport"
    stalled: bool
    """It does not take the answer at the moment."""

    def hold_reading(self) -> None:
        """Stop reading: the other side does not take more."""

    def go_on_reading(self) -> None:
        """Read again."""

    def answered(self, *, keep: bool) -> None:
        """The answer has been written whole; keep the connection, or close it once it is flushed."""

    def break_off(self, *, reset: bool) -> None:
        """The answer was cut: close so that the client sees it as broken."""

    def upgraded(self) -> bytes:
        """Let go of the transport, which is a tunnel's from now on; return what the client sent ahead."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed."""


class Exchange:
    """One call from its head to its END."""

    __slots__ = (
        "_close", "_connecting", "_held", "_held_bytes", "_informational", "_plain", "_shared",
        "activity_ns", "answering", "client", "done", "record", "request", "request_done", "route", "tunneled",
        "upstream",
    )  # fmt: skip

    def __init__(self, shared: "Shared", client: Side, request: Request, route: Route, record: Record) -> None:
        self._shared = shared
        self.client = client
        self.request = request
        self.route = route
        self.record = record
        self.upstream: UpstreamConnection | None = None
        self.request_done = False
        self.answering = False
        """A byte of the provider's answer has gone out (1xx aside)."""
        self.done = False
        self.activity_ns = 0
        self.tunneled = False
        self._connecting: asyncio.Task[None] | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._informational = 0
        self._close = False
        self._plain = False

    # ── from the client ──

    def start(self, raw: bytes, payload: bytes, *, last: bool) -> None:
        """Record and send the head and what has come of the body. `raw` goes on; `payload` is what it holds."""
        shared, request, route = self._shared, self.request, self.route
        self.request_done = last
        record = self.record
        if payload:
            record.request_body(payload, last=last)
        record.flush()
        self.activity_ns = shared.tap.monotonic_ns()
        shared.counters.requests_total += 1
        shared.counters.requests_open += 1
        destination = route.destination
        head = request.render(route.target, destination.host_line)
        upstream = shared.pool.take(destination)
        if upstream is None:
            self._held = [head, raw] if raw else [head]
            self._held_bytes = len(raw)
            self._connecting = shared.pool.connect(destination, self)
            return
        self.upstream = upstream
        upstream.begin(self)
        if len(raw) <= JOIN_BYTES:
            upstream.transport.write(head + raw)
        else:
            upstream.transport.writelines((head, raw))

    def more(self, raw: bytes, payload: bytes, *, last: bool) -> None:
        """Pass on more of the request's body."""
        if self.done:
            return
        self.request_done = last
        record = self.record
        record.request_body(payload, last=last)
        record.flush()
        self.activity_ns = self._shared.tap.monotonic_ns()
        if self.upstream is not None:
            self.upstream.transport.write(raw)
            return
        self._held.append(raw)
        self._held_bytes += len(raw)
        if self._held_bytes > OUTBOX_BYTES:
            self.client.hold_reading()

    def client_lost(self, why: str) -> None:
        """Note that the client went away: give up the provider's answer, keep what has arrived."""
        if not self.done:
            self._shared.counters.client_gone_total += 1
            self._end(Outcome.CLIENT_GONE, why)

    def refuse_rest(self, answer: Answer) -> None:
        """Break off a request whose body turned out malformed or too long."""
        self.fail(answer, Outcome.REFUSED)

    # ── from the pool ──

    def connected(self, upstream: "UpstreamConnection") -> None:
        """Send what was held while the connection was being made."""
        self._connecting = None
        self.upstream = upstream
        upstream.begin(self)
        if self._held_bytes > OUTBOX_BYTES:
            self.client.go_on_reading()
        upstream.transport.writelines(self._held)
        self._held = []
        self._held_bytes = 0

    def unreachable(self, answer: Answer, outcome: Outcome) -> None:
        """End because no connection could be made."""
        self._connecting = None
        self.fail(answer, outcome)

    # ── from the provider ──

    def informational(self, response: Response) -> bool:
        """Pass a 1xx head on; return whether the flood limit still allows it."""
        self._informational += 1
        if self._informational > MAX_INFORMATIONAL:
            return False
        record = self.record
        record.informational(response.shown())
        record.flush()
        self.activity_ns = self._shared.tap.monotonic_ns()
        if self.request.minor:  # HTTP/1.0 does not know them
            self.client.transport.write(response.render(close=False, plain=False))
        return True

    def head(self, response: Response, raw: bytes, payload: bytes, *, ends_with_close: bool, bodiless: bool) -> None:
        """Pass the answer's head on, with what came of its body. `raw` goes on; `payload` is what it holds."""
        record = self.record
        unknown_size = response.length < 0 or response.length > self._shared.tap.recorded_bytes
        record.response_head(response.shown(), last=bodiless, hashed=unknown_size and not bodiless)
        if payload:
            record.response_body(payload, last=False)
        record.flush()
        self.client.transport.write(self.take_head(response, ends_with_close=ends_with_close) + (payload if self._plain else raw))

    def upgrade(self, response: Response) -> bytes:
        """Record and pass on a 101; return what the client sent ahead."""
        self.record.response_head(response.shown(), last=True, hashed=False)
        self.record.tunnel_begins()
        self.record.flush()
        self.tunneled = True
        self._shared.counters.tunnels_open += 1
        self.client.transport.write(self.take_head(response, ends_with_close=False))
        return self.client.upgraded()

    def take_head(self, response: Response, *, ends_with_close: bool) -> bytes:
        """Note that the answer has begun and return its head as the client gets it."""
        request = self.request
        self.answering = True
        self.activity_ns = self._shared.tap.monotonic_ns()
        self._close = close = not request.keep_alive or ends_with_close or not self.request_done or self._shared.draining
        self._plain = plain = response.chunked and not request.minor
        if not close and not plain and response.goes_untouched():
            return response.raw + b"\r\n\r\n"
        return response.render(close=close, plain=plain)

    def body(self, raw: bytes, payload: bytes) -> None:
        """Pass on more of the answer's body."""
        record = self.record
        if payload:
            record.response_body(payload, last=False)
            record.flush()
        self.activity_ns = self._shared.tap.monotonic_ns()
        self.client.transport.write(payload if self._plain else raw)

    def whole(self, response: Response, raw: bytes, payload: bytes, trailers: bytes, *, bodiless: bool) -> None:
        """Pass on an answer that came in one piece: one append, one write."""
        record = self.record
        record.response_head(response.shown(), last=bodiless, hashed=response.length > self._shared.tap.recorded_bytes)
        if not bodiless:
            record.response_body(payload, last=True)
        out = self.take_head(response, ends_with_close=False)
        self._complete(out + (payload if self._plain else raw), trailers)

    def finish(self, raw: bytes, payload: bytes, trailers: bytes) -> None:
        """Pass on the last of the answer's body."""
        self.record.response_body(payload, last=True)
        self._complete(payload if self._plain else raw, trailers)

    def _complete(self, out: bytes, trailers: bytes) -> None:
        record, counters = self.record, self._shared.counters
        record.complete(trailers)
        record.flush()
        self.done = True
        counters.requests_open -= 1
        counters.request_bytes_total += record.request_size
        counters.response_bytes_total += record.response_size
        self.upstream = None
        if out:
            self.client.transport.write(out)
        self.client.answered(keep=not self._close)

    # ── endings that are not clean ──

    def tick(self, now_ns: int) -> None:
        """Look at the clock: a side that is silent for too long ends the call."""
        if self.client.stalled:
            self.activity_ns = now_ns  # the client does not take the answer: nobody's silence, and its own time
        if self._connecting is not None or self.tunneled:
            return
        limits = self._shared.limits
        silent_s = (now_ns - self.activity_ns) / 1e9
        if self.answering:
            if silent_s > limits.stream_silence_s:
                message = f"the provider was silent for {limits.stream_silence_s:g} s in the middle of its answer"
                self.fail(Answer(504, "upstream", "stream_silence", message), Outcome.UPSTREAM_TIMEOUT)
        elif self.request_done:
            if silent_s > limits.first_byte_s:
                message = f"the provider did not begin to answer within {limits.first_byte_s:g} s"
                self.fail(Answer(504, "upstream", "first_byte_timeout", message), Outcome.UPSTREAM_TIMEOUT)
        elif silent_s > limits.stream_silence_s:
            message = f"no more of the request's body came for {limits.stream_silence_s:g} s"
            self.fail(Answer(408, "client", "request_timeout", message), Outcome.CLIENT_GONE)

    def tunnel_ended(self, outcome: Outcome, detail: str) -> None:
        """End an upgraded connection's record."""
        if not self.done:
            self._end(outcome, detail)

    def fail(self, answer: Answer, outcome: Outcome, *, reset: bool = False) -> None:
        """End for a reason of ours or the provider's: an answer of our own if nothing has gone out, else a broken body."""
        if self.done:
            return
        counters = self._shared.counters
        name = f"errors_{answer.whose}_total"
        setattr(counters, name, getattr(counters, name) + 1)
        if self.answering:
            self._end(outcome, answer.message)
            self.client.break_off(reset=reset)
            return
        body = answer.body(self.route.dialect)
        close = not self.request_done or not self.request.keep_alive or self._shared.draining
        head = answer.head(len(body), close=close)
        bare = self.request.method == b"HEAD"
        self.record.response_head(head, last=bare, hashed=False)
        if not bare:
            self.record.response_body(body, last=True)
        self._end(outcome, answer.message)
        self.client.transport.write(head + b"\r\n" + (b"" if bare else body))
        self.client.answered(keep=not close)

    def interrupt(self) -> None:
        """Break the call off because the proxy stops."""
        if not self.done:
            self._end(Outcome.INTERRUPTED, "the proxy was stopped")
            self.client.break_off(reset=False)

    def _end(self, outcome: Outcome, detail: str) -> None:
        record, counters = self.record, self._shared.counters
        self.done = True
        record.end(outcome, detail)
        record.flush()
        counters.requests_open -= 1
        counters.tunnels_open -= self.tunneled
        counters.request_bytes_total += record.request_size
        counters.response_bytes_total += record.response_size
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self.upstream is not None:
            upstream, self.upstream = self.upstream, None
            upstream.drop()
        self._held = []
