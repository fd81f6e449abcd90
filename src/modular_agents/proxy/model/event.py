"""What the live page is told: numbered events, each carrying the row it announces.

`body` is the row as JSON text, with the names of its class:

    kind      row
    call      model.query.CallRow
    trace     model.query.TraceRow
    edge      model.query.EdgeRow
    delta     DeltaRow
    removed   RemovedRow
"""

from dataclasses import dataclass
from enum import StrEnum

from modular_agents.proxy.model.quick import quick


class EventKind(StrEnum):
    """The kinds of events, each with its own row."""

    CALL = "call"
    TRACE = "trace"
    EDGE = "edge"
    DELTA = "delta"
    REMOVED = "removed"


@quick
@dataclass(frozen=True, slots=True)
class Event:
    """`kind`: `call`, `trace`, `delta`, `edge` or `removed`; `body` is the row as JSON text."""

    seq: int
    kind: str
    trace_id: str | None
    call_id: str | None
    body: str


@quick
@dataclass(frozen=True, slots=True)
class DeltaRow:
    """A piece of a running answer: appended to part `part` of the answer, counted from 0."""

    call_id: str
    at: str
    """ISO 8601 UTC, as every time in a row."""
    part: int
    kind: str
    """The part's kind: `text`, `thinking`, `tool_use` …"""
    text: str
    name: str | None
    """Tool name, on the first piece of a tool use."""


@quick
@dataclass(frozen=True, slots=True)
class RemovedRow:
    """Something left the store: by retention, in a trace that was merged into another, or an edge that no longer holds."""

    trace_id: str | None
    """The trace that is gone, or the trace of the call or edge that is gone."""
    call_id: str | None
    """The call that is gone; None when the whole trace or an edge is."""
    merged_into: str | None
    """The trace that took over its calls, when it was merged."""
    edge_id: str | None = None
    """The edge that is gone: then nothing else is."""
