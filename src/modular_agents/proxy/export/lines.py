"""The lines of the lossless format: what each field of a stored call is called in JSON. docs/export.md describes them to people.

Written and read by the same shapes, so that a field cannot be forgotten on one side. Times are UTC, ISO 8601 with nanoseconds;
bytes are text where they are UTF-8, else base64. Fields are only ever added, with a default; a change of meaning is a new version.
"""

import base64
import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

VERSION = 1
CALLS, END = "calls", "end"
"""What the first and the last line say they are."""
NS = 10**9
FIRST_YEAR, PAST_YEAR = 1970, 2200
"""Years whose nanoseconds fit 63 bits."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z", re.ASCII)

Pair = tuple[str, str]
Whole = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A number that a database can hold."""
Pieces = tuple[tuple[Whole, Whole], ...]


class Shape(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A line or a part of one. A field with its default is left out."""


class Mark(Shape, frozen=True, omit_defaults=False):
    """The first line of an export (`calls`), or its last (`end`, with how many calls stand between)."""

    anton_export: str
    version: int = VERSION
    calls: int | None = None


class Blob(Shape, frozen=True):
    """Bytes. One of the two; neither for no bytes at all."""

    text: str | None = None
    base64: str | None = None


class PartLine(Shape, frozen=True):
    """A part of an answer (model/call.py `Part`)."""

    kind: str
    text: str = ""
    tool_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    is_error: bool | None = None
    raw: str = ""


class MessageLine(Shape, frozen=True):
    """An answer (model/call.py `Message`)."""

    role: str
    parts: tuple[PartLine, ...] = ()
    raw: str = ""


class RequestLine(Shape, frozen=True):
    """The request as it was forwarded (model/exchange.py `RequestSide`). Chunks: [µs since the call began, bytes]."""

    target: str
    target_received: str
    headers: tuple[Pair, ...]
    body: Blob
    body_size: Whole
    body_sha256: str | None = None
    complete_at: str | None = None
    chunks: Pieces = ()


class ResponseLine(Shape, frozen=True):
    """The answer as it came (model/exchange.py `ResponseSide`)."""

    status: Whole
    reason: str
    headers: tuple[Pair, ...]
    head_at: str
    body: Blob
    body_size: Whole
    body_sha256: str | None = None
    trailers: tuple[Pair, ...] = ()
    chunks: Pieces = ()


class FrameLine(Shape, frozen=True):
    """Bytes of an upgraded connection."""

    at: str
    up: bool
    data: Blob


class WireLine(Shape, frozen=True):
    """What crossed the wire (model/exchange.py `Exchange`)."""

    upstream_url: str
    request: RequestLine
    response: ResponseLine | None = None
    hint_trace: str | None = None
    hint_agent: str | None = None
    hint_parent: str | None = None
    hint_replay_of: str | None = None
    informational: tuple[Pair, ...] = ()
    tunnel: tuple[FrameLine, ...] = ()
    outcome: str | None = None
    outcome_detail: str = ""
    ended_at: str | None = None
    flags: tuple[str, ...] = ()


class TraceLine(Shape, frozen=True):
    """The trace of a call, and how it was recognised."""

    name: str | None = None
    source: str = ""
    source_detail: str = ""
    source_confidence: float = 1.0


class EdgeLine(Shape, frozen=True):
    """An edge that leads to the call."""

    from_call_id: str
    edge_type: str
    evidence: str
    detail: str = ""
    confidence: float = 1.0


class DecisionLine(Shape, frozen=True):
    """What a person said of the call (model/decision.py `Decision`)."""

    kind: str
    other: str = ""
    edge_type: str = ""
    beside: str = ""
    made_by: str = ""
    made_at: str = "1970-01-01T00:00:00.000000000Z"


class LinksLine(Shape, frozen=True):
    """What later calls are linked by: 8-byte little-endian numbers and linking's own facts, both base64; and what people said."""

    tokens: str = ""
    facts: str = ""
    decisions: tuple[DecisionLine, ...] = ()


class CallerLine(Shape, frozen=True):
    """The process of that machine which made the call (model/caller.py `Caller`), secrets replaced."""

    seen_at: str
    pid: Whole
    started_at: str | None = None
    executable: str = ""
    command: str = ""
    directory: str = ""


class ReadLine(Shape, frozen=True):
    """What was read in the request's body: counts, and whether the body was passed over altogether (`nothing`)."""

    messages: Whole = 0
    system: Whole = 0
    tools: Whole = 0
    nothing: bool = False


class CallLine(Shape, frozen=True):
    """One call. `duration_ms`, `ttft_ms` and `response` are for the reader: an import works them out anew."""

    call_id: str
    trace_id: str
    thread_id: str
    created_at: str
    status: str
    kind: str
    provider: str
    upstream: str
    format: str
    operation: str
    method: str
    path: str
    client: str
    connection_id: str
    root_id: str
    usage_source: str
    wire: WireLine
    trace: TraceLine
    parent_id: str | None = None
    opener_id: str | None = None
    agent_name: str | None = None
    agent_given: bool = False
    task_description: str | None = None
    ended_at: str | None = None
    first_token_at: str | None = None
    duration_ms: float | None = None
    ttft_ms: float | None = None
    stream: bool = False
    model: str | None = None
    model_response: str | None = None
    finish_reason: str | None = None
    http_status: Whole | None = None
    request_id: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    tokens_input: Whole | None = None
    tokens_input_uncached: Whole | None = None
    tokens_cache_read: Whole | None = None
    tokens_cache_write_5m: Whole | None = None
    tokens_cache_write_1h: Whole | None = None
    tokens_output: Whole | None = None
    tokens_reasoning: Whole | None = None
    usage_raw: str | None = None
    cost_usd: float | None = None
    cost_model: str | None = None
    cost_catalogue: str | None = None
    cost_tier: str | None = None
    cost_why: str = ""
    error: str | None = None
    error_whose: str = ""
    error_kind: str = ""
    unreadable_where: str = ""
    unreadable_reason: str | None = None
    replay_of: str | None = None
    flags: tuple[str, ...] = ()
    response: str = ""
    answers: tuple[MessageLine, ...] = ()
    edges: tuple[EdgeLine, ...] = ()
    caller: CallerLine | None = None
    read: ReadLine = ReadLine()
    links: LinksLine = LinksLine()


def time_of(ns: int) -> str:
    """Return a time to the nanosecond."""
    seconds, rest = divmod(ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:09d}Z"


def ns_of(text: str) -> int:
    """Return the nanoseconds since 1970 that a time of ours says. Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match is None or not FIRST_YEAR <= int(match[1][:4]) < PAST_YEAR:
        raise ValueError(f"{text[:40]!r} is not a time as 2026-11-22T09:30:00.123456789Z")
    return int(datetime.fromisoformat(match[1] + "+00:00").timestamp()) * NS + int(match[2])


def blob(data: bytes) -> Blob:
    """Return bytes as text where they are UTF-8, else as base64."""
    if not data:
        return Blob()
    try:
        return Blob(text=data.decode())
    except UnicodeDecodeError:
        return Blob(base64=base64.b64encode(data).decode("ascii"))


def bytes_of(said: Blob) -> bytes:
    """Return the bytes of a blob. Raises ValueError."""
    if said.base64 is not None:
        return base64.b64decode(said.base64, validate=True)
    return (said.text or "").encode()
