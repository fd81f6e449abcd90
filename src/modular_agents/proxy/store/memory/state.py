"""What the store without a file holds: the very values it was given. Every answer is computed from them."""

from dataclasses import dataclass, field, replace

from modular_agents.proxy.model.call import Call, Cost
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import Event
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.trace import Placement
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.rows import CallRecord


@dataclass(frozen=True, slots=True)
class Stored:
    """A call's newest version, with everything it was put with."""

    number: int
    call: Call
    exchange: Exchange
    placement: Placement
    cost: Cost
    record: CallRecord
    indexed: Indexed
    words: tuple[str, str]
    new_from: int
    system_is_new: bool

    @property
    def trace_id(self) -> str:
        """The trace in which it stands."""
        return self.placement.trace_id


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a trace beside its calls."""

    number: int
    name: str | None
    source: str
    confidence: float
    detail: str = ""


@dataclass(slots=True)
class State:
    """Everything. A batch works on a copy."""

    calls: dict[str, Stored] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    ended: dict[str, CallRecord] = field(default_factory=dict)
    """Every call that has ended, deleted ones too: statistics outlive them."""
    callers: dict[str, Caller] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    seen_systems: set[tuple[str, tuple[bytes, ...]]] = field(default_factory=set)
    position: JournalPosition = field(default_factory=JournalPosition)
    version: int = 0

    def copy(self) -> "State":
        """Return a copy that can be changed without changing this one."""
        return replace(
            self,
            calls=dict(self.calls),
            traces=dict(self.traces),
            events=list(self.events),
            ended=dict(self.ended),
            callers=dict(self.callers),
            seen_systems=set(self.seen_systems),
            version=self.version + 1,
        )

    def of_trace(self, trace_id: str) -> list[Stored]:
        """Return a trace's calls, oldest first."""
        return sorted((stored for stored in self.calls.values() if stored.trace_id == trace_id), key=lambda stored: stored.number)
