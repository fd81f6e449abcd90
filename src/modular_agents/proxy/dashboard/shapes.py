"""Every shape that leaves the dashboard, and nothing else leaves it: the rows of `model.query` and what is wrapped around them.

One list, three readers: msgspec encodes these classes, `tools/make_types.py` writes them as TypeScript, `openapi.py` as JSON Schema.
"""

from dataclasses import dataclass
from typing import Literal

from modular_agents.proxy.linking.outline import Sums
from modular_agents.proxy.model.comparison import Comparison
from modular_agents.proxy.model.decision import DecisionList, DecisionView
from modular_agents.proxy.model.event import DeltaRow, RemovedRow
from modular_agents.proxy.model.query import (
    CallDetail,
    CallPage,
    CallRow,
    EdgeRow,
    TraceDetail,
    TracePage,
    TraceRow,
)
from modular_agents.proxy.model.status import ProxyStatus
from modular_agents.proxy.model.tools import ToolRun, ToolSpan, ToolSums


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent's conversation and what its delegation came to."""

    thread_id: str
    parent: str | None
    """Thread of the agent that opened it; None where nobody did."""
    opened_by: str | None
    """The call from which the edge that opened it leads."""
    name: str
    task: str
    status: str
    own: Sums
    whole: Sums
    """With everything that it delegated further."""
    evidence: str
    confidence: float
    handed_back: int | None
    """Tokens of its last answer, where that came back."""
    tools: tuple[ToolSums, ...]


@dataclass(frozen=True, slots=True)
class GraphView:
    """A trace as a graph: one node per call (oldest first), one per run of a tool, and the edges between calls."""

    trace: TraceRow
    nodes: tuple[CallRow, ...]
    edges: tuple[EdgeRow, ...]
    tools: tuple[ToolSpan, ...]
    agents: tuple[AgentView, ...]
    """Each before those it opened."""
    seq: int
    """Events up to here are contained in this answer."""


@dataclass(frozen=True, slots=True)
class ToolsView:
    """The tools that ran in a trace, in the order of the answers that asked for them."""

    trace_id: str
    items: tuple[ToolSpan, ...]
    seq: int
    """Events up to here are contained in this answer."""


@dataclass(frozen=True, slots=True)
class ToolRunsView:
    """The tools that one call's answer set off, each with its arguments and its result."""

    call_id: str
    items: tuple[ToolRun, ...]
    seq: int
    """Events up to here are contained in this answer."""


@dataclass(frozen=True, slots=True)
class DecodedBody:
    """A body with its content coding removed, for reading; capped."""

    encoding: Literal["utf8", "base64"]
    data: str
    coding: str
    """The content coding that was removed, as `gzip`."""
    truncated: bool
    """The cap was reached, or the coded bytes are damaged: what is here is the beginning."""
    reason: str
    """Why it was cut, in words; empty when it was not."""


@dataclass(frozen=True, slots=True)
class BodyView:
    """A body exactly as it crossed. `base64` when the bytes are no UTF-8 text."""

    encoding: Literal["utf8", "base64"]
    data: str
    truncated: bool
    """Only the beginning is here; the download has all that was recorded."""
    decoded: DecodedBody | None
    """None when no content coding was in use, or one that we cannot remove."""


@dataclass(frozen=True, slots=True)
class RawView:
    """`model.query.RawExchange` with its bodies made fit for JSON."""

    call_id: str
    method: str
    target: str
    target_received: str
    upstream_url: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: BodyView
    request_body_size: int
    """True size in bytes, also when the record was capped."""
    request_rebuilt: bool
    """True when the body was rebuilt from its recipe, False when it was kept whole."""
    status: int | None
    reason: str | None
    response_headers: tuple[tuple[str, str], ...]
    response_body: BodyView
    response_body_size: int
    response_trailers: tuple[tuple[str, str], ...]
    chunks: tuple[tuple[float, int], ...]
    """(ms since the call began, bytes) for each piece of the response body."""
    outcome: str | None
    outcome_detail: str
    flags: tuple[str, ...]
    request_trailers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DecisionAsked:
    """What a person says of a call, as it is sent."""

    call_id: str
    """The call; it and all that goes on from it follow. A unique part of an id will do."""
    kind: Literal["opened_by", "trace", "apart", "cut"]
    other: str = ""
    """`opened_by`: the call that asked for it. `trace`: the trace to which it belongs. `cut`: the call from which the edge leads."""
    edge_type: Literal["", "request", "response", "delegation"] = ""
    """`cut`: the type of the edge."""
    by: str = "dashboard"
    """Who says so, in at most 80 characters."""


@dataclass(frozen=True, slots=True)
class StatusView:
    """How the dashboard and the proxy beside it are doing."""

    version: str
    db: str
    proxy: ProxyStatus | None
    """None when no proxy has run on this database."""
    journal_lag_bytes: int | None
    """Bytes in the journal that the store does not have yet; None when that cannot be told."""
    records_dropped: int
    """Frames that could not be kept since the proxy started; 0 when there is none."""
    floor: int
    """Events after this number can still be read."""
    seq: int
    """Number of the newest event."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """Whose fault, what happened, what to do."""

    whose: Literal["caller", "dashboard", "store"]
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ErrorView:
    """Every answer with a status of 400 or more."""

    error: ErrorBody


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A call appeared, moved on or ended: its whole row."""

    seq: int
    kind: Literal["call"]
    trace_id: str | None
    call_id: str | None
    row: CallRow


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """A trace appeared or its sums changed: its whole row."""

    seq: int
    kind: Literal["trace"]
    trace_id: str | None
    call_id: str | None
    row: TraceRow


@dataclass(frozen=True, slots=True)
class EdgeEvent:
    """An edge appeared."""

    seq: int
    kind: Literal["edge"]
    trace_id: str | None
    call_id: str | None
    row: EdgeRow


@dataclass(frozen=True, slots=True)
class DeltaEvent:
    """A running answer grew."""

    seq: int
    kind: Literal["delta"]
    trace_id: str | None
    call_id: str | None
    row: DeltaRow


@dataclass(frozen=True, slots=True)
class RemovedEvent:
    """A call, a trace or an edge is gone."""

    seq: int
    kind: Literal["removed"]
    trace_id: str | None
    call_id: str | None
    row: RemovedRow


LiveEvent = CallEvent | TraceEvent | EdgeEvent | DeltaEvent | RemovedEvent
"""One item of an `events` message; `kind` says which."""


@dataclass(frozen=True, slots=True)
class HelloMessage:
    """First message on every WebSocket: which events can be read now."""

    type: Literal["hello"]
    floor: int
    last: int


@dataclass(frozen=True, slots=True)
class EventsMessage:
    """Events in the order of their numbers, each exactly once."""

    type: Literal["events"]
    items: tuple[LiveEvent, ...]


@dataclass(frozen=True, slots=True)
class ResetMessage:
    """What was missed cannot be told event by event: fetch the lists again; events after `last` follow on this connection."""

    type: Literal["reset"]
    floor: int
    last: int


@dataclass(frozen=True, slots=True)
class PingMessage:
    """Nothing happened; the connection is alive and up to date."""

    type: Literal["ping"]
    last: int


LiveMessage = HelloMessage | EventsMessage | ResetMessage | PingMessage
"""What the WebSocket sends; `type` says which."""

ANSWERS: tuple[type, ...] = (
    TracePage,
    TraceDetail,
    GraphView,
    ToolsView,
    ToolRunsView,
    CallPage,
    CallDetail,
    Comparison,
    RawView,
    StatusView,
    DecisionView,
    DecisionList,
    ErrorView,
    HelloMessage,
    EventsMessage,
    ResetMessage,
    PingMessage,
)
"""The outermost shapes; everything else is reached from them."""

UNIONS: dict[str, tuple[type, ...]] = {
    "LiveEvent": (CallEvent, TraceEvent, EdgeEvent, DeltaEvent, RemovedEvent),
    "LiveMessage": (HelloMessage, EventsMessage, ResetMessage, PingMessage),
}
"""Named unions, told apart by a literal field."""
