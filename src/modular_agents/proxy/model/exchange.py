"""What crossed the wire: one HTTP exchange as the journal kept it, before anybody understood it.

All `*_ns` are nanoseconds of UTC since 1970 (from a monotonic clock anchored once per journal segment, so that a
clock that jumps does not bend a duration). Heads are latin-1 text with secrets already replaced; bodies are the bytes
between the head and the end, with transfer coding removed and content coding (gzip …) untouched.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from modular_agents.proxy.model.quick import quick

Headers = tuple[tuple[str, str], ...]
"""Names and values in the order and case in which they crossed."""


class Outcome(StrEnum):
    """How an exchange ended, and through whom."""

    COMPLETE = "complete"
    """The whole answer was received; its status may still be an error."""
    CLIENT_GONE = "client_gone"
    """The client went away first; what had arrived is kept."""
    UPSTREAM_CUT = "upstream_cut"
    """The provider closed, reset or broke HTTP before the answer was whole."""
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    """No connection: refused, no such host, TLS failure, or the stale-connection case (our own 502)."""
    UPSTREAM_TIMEOUT = "upstream_timeout"
    """A connect, first-byte or silence limit passed (our own 504, or a cut stream)."""
    REFUSED = "refused"
    """We refused the request (malformed, too large, loop): 0 bytes went upstream."""
    INTERRUPTED = "interrupted"
    """One of our processes died in the middle."""


@quick
@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a body as it arrived: `size` bytes at `at_ns`."""

    at_ns: int
    size: int


@quick
@dataclass(frozen=True, slots=True)
class Hints:
    """What the app said of itself to us, in the path prefix or in headers that are ours. Opaque, cleaned text."""

    trace: str | None = None
    agent: str | None = None
    parent_call: str | None = None
    replay_of: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class RequestSide:
    """The request as the relay forwarded it. `target` is what went upstream; `target_received` what the client wrote."""

    method: str
    target: str
    target_received: str
    headers: Headers
    body: bytes = b""
    body_size: int = 0
    """True size in bytes; more than `len(body)` when the record was capped."""
    body_sha256: str | None = None
    """Hex digest of the whole body, set when the record was capped."""
    complete_ns: int | None = None
    """When the last byte was read from the client; None while it is still coming."""
    chunks: tuple[Chunk, ...] = ()
    trailers: Headers = ()
    """Known at the end of the exchange."""


@quick
@dataclass(frozen=True, slots=True)
class ResponseSide:
    """The answer as the provider gave it."""

    status: int
    reason: str
    headers: Headers
    head_ns: int
    body: bytes = b""
    body_size: int = 0
    body_sha256: str | None = None
    trailers: Headers = ()
    chunks: tuple[Chunk, ...] = ()
    """One entry per read that brought body bytes; sizes add up to `len(body)`."""


@quick
@dataclass(frozen=True, slots=True)
class TunnelFrame:
    """Bytes of an upgraded connection. `up` is True from client to provider."""

    at_ns: int
    up: bool
    data: bytes


@quick
@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange. While it runs `outcome` is None and `response` may be None."""

    call_id: str
    connection_id: str
    """Names the client connection: equal for calls that shared it."""
    client: str
    """`host:port` of the client."""
    upstream: str
    """Configured name of the upstream: `anthropic`, `openai`, …"""
    upstream_url: str
    """Scheme, host, port and path prefix of the upstream."""
    hints: Hints
    started_ns: int
    request: RequestSide
    response: ResponseSide | None = None
    informational: tuple[tuple[int, str], ...] = ()
    """1xx heads: (at_ns, head text)."""
    tunnel: tuple[TunnelFrame, ...] = ()
    outcome: Outcome | None = None
    outcome_detail: str = ""
    ended_ns: int | None = None
    flags: frozenset[str] = field(default_factory=frozenset)
    """`truncated` (record capped), `redacted` (a secret was replaced in a body), `gap` (frames were dropped)."""
