"""What a person said about the graph: it outranks whatever the wire tells, and stands until it is taken back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class DecisionKind(StrEnum):
    """What can be said of a call, and of all that goes on from it."""

    OPENED_BY = "opened_by"
    """It opens a thread, and the call `other` asked for it."""
    TRACE = "trace"
    """It opens a thread that belongs to the trace `other`."""
    APART = "apart"
    """It opens a thread that is a trace of its own."""
    CUT = "cut"
    """The edge of `edge_type` that leads to it from the call `other` is wrong."""


PLACING = frozenset({DecisionKind.OPENED_BY, DecisionKind.TRACE, DecisionKind.APART})
"""Of these one stands per call: the last. Each edge is cut by itself."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing said. `decision_id` 0: not stored yet."""

    call_id: str
    kind: DecisionKind
    other: str = ""
    """A call or a trace, by its full id."""
    edge_type: str = ""
    """Of a cut: `request`, `response` or `delegation`."""
    beside: str = ""
    """Of a trace: the call that stood for it when this was said, so that the thread follows when the trace is named anew."""
    made_by: str = ""
    made_ns: int = 0
    decision_id: int = 0

    def replaces(self, other: "Decision") -> bool:
        """Return whether the other one does not stand beside this one."""
        if self.call_id != other.call_id:
            return False
        if self.kind in PLACING:
            return other.kind in PLACING
        return (self.kind, self.other, self.edge_type) == (other.kind, other.other, other.edge_type)

    @property
    def made_at(self) -> str:
        """When it was said, as every time is written."""
        return f"{datetime.fromtimestamp(self.made_ns // 1000 / 1e6, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What a person said of a call, for showing."""

    decision_id: str
    """Names it when it is to be taken back."""
    call_id: str
    kind: str
    """`opened_by`, `trace`, `apart` or `cut`."""
    other: str
    """The call that opened it, the trace to which it belongs, or the call from which the wrong edge leads."""
    edge_type: str
    """Of a wrong edge."""
    made_by: str
    made_at: str


@dataclass(frozen=True, slots=True)
class DecisionList:
    """What people said, newest first."""

    items: tuple[DecisionView, ...]
