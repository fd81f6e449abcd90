"""What reading the store gives: rows as the page, the CLI and the export see them.

Times are ISO 8601 UTC with microseconds and `Z` (`2026-11-22T09:30:00.123456Z`). Money is USD. Cursors are opaque text.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One trace, as a list shows it. Names follow the contract's `traces`."""

    trace_id: str
    created_at: str
    name: str | None
    task_description: str | None
    status: str
    ended_at: str | None
    last_activity_at: str
    source: str
    call_count: int
    running_count: int
    agent_count: int
    error_count: int
    tokens_input: int | None
    tokens_output: int | None
    cost_usd: float | None
    unpriced_count: int
    """Calls whose price is not known: `cost_usd` leaves them out."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call, as a list shows it. Names follow the contract's `llm_calls`; the long texts stay in `CallDetail`."""

    call_id: str
    trace_id: str
    thread_id: str
    parent_id: str | None
    created_at: str
    ended_at: str | None
    status: str
    kind: str
    provider: str
    format: str
    operation: str
    method: str
    path: str
    upstream: str
    model: str | None
    agent_name: str | None
    stream: bool
    duration_ms: float | None
    ttft_ms: float | None
    tokens_input: int | None
    tokens_output: int | None
    tokens_cache_read: int | None
    tokens_cache_write: int | None
    tokens_reasoning: int | None
    usage_source: str
    cost_usd: float | None
    finish_reason: str | None
    http_status: int | None
    error: str | None
    prompt_preview: str
    """First 200 characters of the last user text."""
    answer_preview: str
    """First 200 characters of the answer."""
    tool_names: tuple[str, ...]
    """Names of the tools the answer uses."""
    replay_of: str | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartView:
    """A part of a message for showing; `raw` is its JSON text."""

    kind: str
    text: str
    tool_id: str | None
    name: str | None
    arguments: str | None
    is_error: bool | None
    raw: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message for showing. `node` names its stored content: equal text, equal node."""

    role: str
    parts: tuple[PartView, ...]
    node: str


@dataclass(frozen=True, slots=True)
class CostView:
    """Price with its provenance."""

    usd: float | None
    model: str | None
    catalogue: str | None
    tier: str | None
    why: str


@dataclass(frozen=True, slots=True)
class CallDetail:
    """Everything understood about a call."""

    call: CallRow
    system: tuple[MessageView, ...]
    messages: tuple[MessageView, ...]
    tools: tuple[str, ...]
    params: str
    answers: tuple[MessageView, ...]
    usage_raw: str | None
    cost: CostView
    error_whose: str | None
    error_kind: str | None
    unreadable_where: str | None
    unreadable_reason: str | None
    request_id: str | None
    response_id: str | None
    model_response: str | None
    client: str
    connection_id: str
    partial: tuple[MessageView, ...]
    """What has been streamed so far by a running call, rebuilt from its delta events; empty otherwise."""
    seq: int
    """Events up to here are contained in this answer."""


@dataclass(frozen=True, slots=True)
class RawExchange:
    """The exchange as it crossed: exact bytes (secrets replaced in heads)."""

    call_id: str
    method: str
    target: str
    target_received: str
    upstream_url: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes
    request_body_size: int
    request_rebuilt: bool
    """True when the body was rebuilt from its recipe, False when it was kept whole."""
    status: int | None
    reason: str | None
    response_headers: tuple[tuple[str, str], ...]
    response_body: bytes
    response_body_size: int
    response_trailers: tuple[tuple[str, str], ...]
    chunks: tuple[tuple[float, int], ...]
    """(ms since the call began, bytes) for each piece of the response body."""
    outcome: str | None
    outcome_detail: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """An edge, as the contract's `call_graph` shows it."""

    edge_id: str
    trace_id: str
    from_call_id: str
    to_call_id: str
    edge_type: str
    evidence: str
    confidence: float


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a list of calls or traces is narrowed to; None or empty means no limit."""

    trace_id: str | None = None
    model: str | None = None
    agent: str | None = None
    provider: str | None = None
    status: str | None = None
    has_error: bool | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    min_cost_usd: float | None = None
    text: str | None = None
    """Full-text query over prompts and answers."""


@dataclass(frozen=True, slots=True)
class TracePage:
    """A page of traces, newest first; `next_cursor` None at the end; `seq` as in `CallDetail`."""

    items: tuple[TraceRow, ...]
    next_cursor: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of calls, newest first."""

    items: tuple[CallRow, ...]
    next_cursor: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class TraceDetail:
    """One trace with all its calls (oldest first) and edges."""

    trace: TraceRow
    calls: tuple[CallRow, ...]
    edges: tuple[EdgeRow, ...]
    seq: int
