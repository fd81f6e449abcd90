"""What reading the store gives: rows as the page, the CLI and the export see them.

Times are ISO 8601 UTC with microseconds and `Z` (`2026-11-22T09:30:00.123456Z`). Money is USD. Cursors are opaque text.
"""

from dataclasses import dataclass

from modular_agents.proxy.model.call import Call, Cost
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.trace import Placement


@quick
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


@quick
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


@quick
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


@quick
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
class CallerView:
    """The process of this machine that made a call's connection. Texts are empty where the system did not say."""

    pid: int
    started_at: str | None
    executable: str
    command: str
    """Its command line, secrets replaced."""
    directory: str
    """Its working directory."""


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
    new_from: int = 0
    """`messages[new_from:]` are what this turn adds; those before it were sent in earlier turns."""
    caller: CallerView | None = None
    """Whose the connection is; None for a client on another machine, one that was gone too soon, or where nobody looks."""


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
    request_trailers: tuple[tuple[str, str], ...] = ()


@quick
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
class Snippet:
    """Where a call holds the words that were looked for: a line of text in pieces, each with whether it is one of the words."""

    where: str
    """`prompt` or `answer`."""
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of calls, newest first.

    A search looks at a bounded number of calls at a time: a page may then hold fewer items than asked for, even none, and
    still have a `next_cursor`.
    """

    items: tuple[CallRow, ...]
    next_cursor: str | None
    seq: int
    snippets: tuple[Snippet | None, ...] = ()
    """One for each item when words were looked for, otherwise none at all."""


@dataclass(frozen=True, slots=True)
class TraceDetail:
    """One trace with all its calls (oldest first) and edges."""

    trace: TraceRow
    calls: tuple[CallRow, ...]
    edges: tuple[EdgeRow, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class StatsQuery:
    """What statistics are asked of: whole hours from `since_ns` to before `until_ns`, calls by their start."""

    since_ns: int | None = None
    until_ns: int | None = None
    model: str | None = None
    agent: str | None = None
    provider: str | None = None
    by: str = ""
    """One row per `model`, `agent` or `provider`; empty: one row for all."""
    step_hours: int = 24
    """One row per so many hours, counted from 1970; 0: one row for the whole time."""


@quick
@dataclass(frozen=True, slots=True)
class StatsRow:
    """Sums over the calls that ended. Sums of tokens leave out what is unknown."""

    time: str | None
    """Beginning of the step; None where the whole time is one row."""
    name: str
    """The model, agent or provider; empty where all are one row or a call has none."""
    calls: int
    errors: int
    tokens_input: int
    tokens_output: int
    tokens_cache_read: int
    tokens_cache_write: int
    tokens_reasoning: int
    cost_usd: float
    unpriced: int
    """Calls with tokens but without a price."""
    mean_duration_ms: float | None
    tokens_per_second: float | None
    """Output tokens per second from the first token to the end, of the calls whose first token was seen."""


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """How long calls of a model took, to within 10 %. `what`: `duration` or `ttft`."""

    model: str
    what: str
    calls: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Stats:
    """Statistics of a time; they outlive the calls that retention deletes. `latency` knows models only; so does not narrow by agent."""

    rows: tuple[StatsRow, ...]
    total: StatsRow
    latency: tuple[LatencyRow, ...]
    dearest_calls: tuple[CallRow, ...]
    """The most expensive calls that are still stored, at most 20."""
    dearest_traces: tuple[TraceRow, ...]


@dataclass(frozen=True, slots=True)
class SizeRow:
    """What takes room in the database: `kind` in words, bytes on disk."""

    kind: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A stored call whose request was put together again and compared with what was noted when it was recorded."""

    call_id: str
    bytes: int
    """Of its two bodies, as stored."""
    rebuilt: bool
    """The request stands in parts and was rebuilt from them; False: it was kept whole, or is empty."""
    is_part: bool
    """Only a part was kept (more than the cap, or records dropped): its size cannot be compared."""
    fault: str
    """What is wrong; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """A page of checked calls, oldest first."""

    items: tuple[Checked, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to delete: calls in all, those of them that ended and began before a moment, and bytes of the file in use."""

    calls: int
    expired: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class Priced:
    """A stored call with what its price depends on (everything else is left out of it), and the price it has."""

    call: Call
    cost: Cost


@dataclass(frozen=True, slots=True)
class PricedPage:
    """A page of priced calls, oldest first."""

    items: tuple[Priced, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A call that has ended, with all that `ports.Transaction.put_call` takes: put elsewhere, it is the same call.

    Left out is what no store keeps (digests of messages, `previous_response_id`) and what is `passing`: nobody comes late to an
    archive. `placement` names the trace's own evidence and name; its edges are in order of (from, type).
    """

    call: Call
    exchange: Exchange
    placement: Placement
    cost: Cost
    indexed: Indexed
    caller: Caller | None = None
    decisions: tuple[Decision, ...] = ()
