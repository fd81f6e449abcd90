"""One call: a request being passed on and its answer coming back. It knows both sides; neither side knows the other.

Laws: journal first, then the socket · an answer of ours only while nothing of the provider's has gone out · nothing is
ever sent twice · a cut answer reaches the client as a broken body · what is held in memory is bounded: a side that
does not take its bytes stops the other one.
"""

from typing import TYPE_CHECKING, Protocol

from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.headers import Response
from modular_agents.proxy.relay.plan import Plan
from modular_agents.proxy.relay.sockets import has_vanished
from modular_agents.proxy.relay.tap import Record

if TYPE_CHECKING:
    import asyncio

    from modular_agents.proxy.relay.shared import Shared
    from modular_agents.proxy.relay.turn import Outlet
    from modular_agents.proxy.relay.upstream import UpstreamConnection

OUTBOX_BYTES = 256 * 1024
"""Request bytes held while the connection to the provider is being made; more stops reading the client."""
JOIN_BYTES = 16 * 1024
"""Up to here head and body are copied into one write; above, two writes are cheaper than the copy."""
LOOKS = 12
"""How often a side is looked at within the time that makes one that acknowledges nothing a vanished one."""
MAX_INFORMATIONAL = 32
"""1xx heads per answer; a provider that sends more is flooding."""


class Side(Protocol):
    """The client as an exchange sees it."""

    transport: "Outlet"
    hops: int
    """Proxies of this machine that its calls came through."""
    stalled: bool
    """It does not take the answer at the moment."""
    held_back: bool
    """It is not read at the moment: the provider does not take its request."""

    def hold_reading(self) -> None:
        """Stop reading: the other side does not take more."""

    def go_on_reading(self) -> None:
        """Read again."""

    def answered(self, *, keep: bool) -> None:
        """The answer has been written whole; keep the connection, or close it once it is flushed."""

    def break_off(self, *, reset: bool) -> None:
        """The answer was cut: close so that the client sees it as broken. `reset`: a plain close would look like its end."""

    def upgraded(self) -> bytes:
        """Let go of the transport, which is a tunnel's from now on; return what the client sent ahead."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed."""


class Exchange:
    """One call from its head to its END."""

    # No slots but defaults of the class: most of them are never set, and an exchange is made per call.
    upstream: "UpstreamConnection | None" = None
    request_done = False
    answering = False
    """A byte of the provider's answer has gone out (1xx aside)."""
    done = False
    tunneled = False
    plain = False
    """The answer goes out without its chunked coding."""
    _close = False
    _ends_with_close = False
    """The client takes the end of the connection for the end of the answer: cut short, it must be a reset."""
    _connecting: "asyncio.Task[None] | None" = None
    _held: list[bytes] | None = None
    _held_bytes = 0
    _informational = 0
    _look_ns = 0
    """When to see next whether both sides are still there."""

    def __init__(self, shared: "Shared", client: Side, plan: Plan, record: Record) -> None:
        self._shared = shared
        self.client = client
        self.plan = plan
        self.record = record

    # ── from the client ──

    def start(self, digits: bytes, raw: bytes, *, last: bool) -> None:
        """Send the head and what has come of the body; both are recorded."""
        shared, plan = self._shared, self.plan
        self.request_done = last
        counters = shared.counters
        counters.requests_total += 1
        counters.requests_open += 1
        upstream = shared.pool.take(plan.destination, self.client.hops)
        if upstream is None:
            head = plan.out_before + digits + plan.out_after
            self._held = [head, raw] if raw else [head]
            self._held_bytes = len(raw)
            self._connecting = shared.pool.connect(plan.destination, self)
            return
        self.upstream = upstream
        upstream.begin(self)
        if len(raw) <= JOIN_BYTES:
            upstream.transport.write(b"".join((plan.out_before, digits, plan.out_after, raw)))
        else:
            upstream.transport.writelines((plan.out_before + digits + plan.out_after, raw))

    def more(self, raw: bytes, payload: bytes, *, last: bool) -> None:
        """Pass on more of the request's body."""
        if self.done:
            return
        self.request_done = last
        record = self.record
        record.touch()
        record.request_body(payload, last=last)
        record.flush()
        if self.upstream is not None:
            self.upstream.transport.write(raw)
            return
        if self._held is not None:
            self._held.append(raw)
        self._held_bytes += len(raw)
        if self._held_bytes > OUTBOX_BYTES:
            self.client.hold_reading()

    def client_lost(self, why: str) -> None:
        """Note that the client went away: give up the provider's answer, keep what has arrived."""
        if not self.done:
            self._shared.counters.client_gone_total += 1
            self._end(Outcome.CLIENT_GONE, why)

    # ── from the pool ──

    def connected(self, upstream: "UpstreamConnection") -> None:
        """Send what was held while the connection was being made."""
        self._connecting = None
        self.upstream = upstream
        upstream.begin(self)
        self.record.touch()
        if self._held_bytes > OUTBOX_BYTES:
            self.client.go_on_reading()
        upstream.transport.writelines(self._held or ())
        self._held = None
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
        record.touch()
        record.informational(response.shown())
        record.flush()
        if self.plan.minor:  # HTTP/1.0 does not know them
            self.client.transport.write(response.render(close=False, plain=False))
        return True

    def head(self, response: Response, raw: bytes, payload: bytes, *, ends_with_close: bool) -> None:
        """Pass the answer's head on, with what came of its body. `raw` goes on; `payload` is what it holds."""
        record = self.record
        record.touch()
        record.response_head(response.shown(), last=False, hashed=response.length < 0 or response.length > self._shared.tap.recorded_bytes)
        if payload:
            record.response_body(payload, last=False)
        record.flush()
        head = self._begin(response, ends_with_close=ends_with_close)
        self.client.transport.write(head + (payload if self.plain else raw))

    def body(self, raw: bytes, payload: bytes) -> None:
        """Pass on more of the answer's body."""
        if payload:
            self.record.piece(payload)
        else:
            self.record.touch()
        self.client.transport.write(payload if self.plain else raw)

    def is_straight(self) -> bool:
        """Return whether a whole answer may go to the client as it came, head and all."""
        plan = self.plan
        return self.request_done and plan.keep_alive and not plan.bare and not self._shared.draining

    def straight(self, data: bytes, at: int) -> None:
        """Pass on, as it came, an answer that came in one piece; its body begins at `at`."""
        record, counters, client = self.record, self._shared.counters, self.client
        record.answer(data[: at - 2], data[at:])
        self.done = self.answering = True
        counters.requests_open -= 1
        counters.request_bytes_total += record.request_size
        counters.response_bytes_total += record.response_size
        client.transport.write(data)
        client.answered(keep=True)

    def whole(self, response: Response, raw: bytes, payload: bytes, trailers: bytes, *, bodiless: bool) -> None:
        """Pass on an answer that came in one piece: one append, one write."""
        record = self.record
        record.touch()
        record.response_head(response.shown(), last=bodiless, hashed=response.length > self._shared.tap.recorded_bytes)
        if not bodiless:
            record.response_body(payload, last=True)
        head = self._begin(response, ends_with_close=False)
        self._complete(head + (payload if self.plain else raw), trailers)

    def finish(self, raw: bytes, payload: bytes, trailers: bytes) -> None:
        """Pass on the last of the answer's body."""
        record = self.record
        record.touch()
        record.response_body(payload, last=True)
        self._complete(payload if self.plain else raw, trailers)

    def upgrade(self, response: Response) -> bytes:
        """Record and pass on a 101; return what the client sent ahead."""
        record = self.record
        record.touch()
        record.response_head(response.shown(), last=True, hashed=False)
        record.tunnel_begins()
        record.flush()
        self.tunneled = True
        self._shared.counters.tunnels_open += 1
        self.client.transport.write(self._begin(response, ends_with_close=False))
        return self.client.upgraded()

    def _begin(self, response: Response, *, ends_with_close: bool) -> bytes:
        """Note that the answer has begun and return its head as the client gets it."""
        plan = self.plan
        self.answering = True
        self._close = close = not plan.keep_alive or ends_with_close or not self.request_done or self._shared.draining
        self.plain = plain = response.facts.chunked and not plan.minor
        self._ends_with_close = ends_with_close or plain
        if not close and not plain and response.facts.untouched:
            return response.raw + b"\r\n\r\n"
        return response.render(close=close, plain=plain)

    def _complete(self, out: bytes, trailers: bytes) -> None:
        record, counters, client = self.record, self._shared.counters, self.client
        record.complete(trailers)
        record.flush()
        self.done = True
        self.upstream = None
        counters.requests_open -= 1
        counters.request_bytes_total += record.request_size
        counters.response_bytes_total += record.response_size
        if out:
            client.transport.write(out)
        client.answered(keep=not self._close)

    # ── endings that are not clean ──

    def tick(self, now_ns: int) -> None:
        """Look at the clock: a side that is silent for too long ends the call."""
        if self.client.stalled:
            self.record.now_ns = now_ns  # the client does not take the answer: nobody's silence, and its own time
        if now_ns >= self._look_ns:
            self._look(now_ns)
        if self.done or self._connecting is not None or self.tunneled:
            return
        limits = self._shared.limits
        waited_for_head = self.request_done and not self.answering
        limit_s = limits.first_byte_s if waited_for_head else limits.stream_silence_s
        if now_ns - self.record.now_ns > limit_s * 1e9:
            self.fail(*self._silence(limit_s))

    def _look(self, now_ns: int) -> None:
        """See whether a side vanished without a word while bytes are on their way to it: TCP by itself tries for 15 minutes."""
        limit_s = self._shared.limits.vanished_s
        pause_ns = int(limit_s / LOOKS * 1e9)
        if not self._look_ns:  # thousands may have begun at once: they are not all looked at in the same sweep
            self._look_ns = now_ns + pause_ns + pause_ns * (id(self) >> 6 & 255) // 256
            return
        self._look_ns = now_ns + pause_ns
        upstream = self.upstream
        if has_vanished(self.client.transport, limit_s):
            self.client_lost(f"the client vanished: for {limit_s:g} s nothing that was sent to it has been acknowledged")
            self.client.transport.abort()
        elif upstream is not None and has_vanished(upstream.transport, limit_s):
            message = f"the provider {self.plan.destination.name} vanished: for {limit_s:g} s nothing sent to it has been acknowledged"
            if self.tunneled:
                self.tunnel_ended(Outcome.UPSTREAM_TIMEOUT, message)
            else:
                self.fail(Answer(504, "upstream", "upstream_vanished", message), Outcome.UPSTREAM_TIMEOUT)

    def _silence(self, limit_s: float) -> tuple[Answer, Outcome]:
        """Return what to say of a silence: it is the fault of the side whose bytes are next."""
        name = self.plan.destination.name
        if not self.request_done and not self.client.held_back:
            message = f"no more of the request's body came for {limit_s:g} s"
            return Answer(408, "client", "request_timeout", message), Outcome.CLIENT_GONE
        if not self.request_done:
            code, message = "request_not_taken", f"the provider {name} took no more of the request for {limit_s:g} s"
        elif self.answering:
            code, message = "stream_silence", f"the provider {name} was silent for {limit_s:g} s in the middle of its answer"
        else:
            code, message = "first_byte_timeout", f"the provider {name} did not begin to answer within {limit_s:g} s"
        return Answer(504, "upstream", code, message), Outcome.UPSTREAM_TIMEOUT

    def fail(self, answer: Answer, outcome: Outcome) -> None:
        """End for a reason of ours or the provider's: an answer of our own if nothing has gone out, else a broken body."""
        if self.done:
            return
        self._shared.counters.blame(answer.whose)
        if self.answering:
            self._end(outcome, answer.message)
            self.client.break_off(reset=self._ends_with_close)
            return
        plan, record = self.plan, self.record
        body = b"" if plan.bare else answer.body(plan.dialect)
        close = not self.request_done or not plan.keep_alive or self._shared.draining
        head = answer.head(len(body), close=close)
        record.touch()
        record.response_head(head, last=plan.bare, hashed=False)
        if body:
            record.response_body(body, last=True)
        self._end(outcome, answer.message)
        self.client.transport.write(head + b"\r\n" + body)
        self.client.answered(keep=not close)

    def tunnel_ended(self, outcome: Outcome, detail: str) -> None:
        """End an upgraded connection's record."""
        if not self.done:
            self._end(outcome, detail)

    def interrupt(self) -> None:
        """Break the call off because the proxy stops."""
        if not self.done:
            self._end(Outcome.INTERRUPTED, "the proxy was stopped")
            self.client.break_off(reset=self._ends_with_close)

    def _end(self, outcome: Outcome, detail: str) -> None:
        record, counters = self.record, self._shared.counters
        self.done = True
        record.touch()
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
        self._held = None
