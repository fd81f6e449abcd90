"""The small Protocols that rooms speak through. An engine behind one of them is named in `app.py` only.

Writing goes through one `Transaction` per batch: what a batch wrote is found again by the same batch, and rows, events,
roll-ups and the journal position land together or not at all. Any call of a store may raise `StoreUnavailable`
(try again) or `StoreDamaged`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from modular_agents.proxy.model.call import Call, Cost, Delta
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import Event
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Lookup
from modular_agents.proxy.model.query import (
    CallDetail,
    CallFilter,
    CallPage,
    CheckedPage,
    Kept,
    PricedPage,
    RawExchange,
    Room,
    SizeRow,
    Stats,
    StatsQuery,
    TraceDetail,
    TracePage,
)
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.tools import ToolTurn
from modular_agents.proxy.model.trace import Placement


class Clock(Protocol):
    """The time, given."""

    def now_ns(self) -> int:
        """Nanoseconds of UTC since 1970."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back."""


@quick
@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call whose end the store has not seen: its first frame is in `segment` at byte `offset`."""

    call_id: str
    segment: str
    offset: int


@quick
@dataclass(frozen=True, slots=True)
class JournalPosition:
    """How far the store has come: bytes committed of each segment, and the calls that are still open there."""

    offsets: Mapping[str, int] = field(default_factory=dict)
    open_calls: tuple[OpenCall, ...] = ()


class Transaction(Protocol):
    """One batch being written. Later calls see earlier ones."""

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        """Return the calls that the look-up finds, each once, in any order."""

    def expect(self, versions: Sequence[tuple[Call, Exchange]]) -> None:
        """Hear which versions will be put, unless they change: what can be read of them alone may be read now, all at once."""

    def put_call(self, call: Call, exchange: Exchange, placement: Placement, cost: Cost, indexed: Indexed) -> None:
        """Write a version of a call: its first (running), a later one, or its final one. Same id and status again: no change.

        The final version stores the exchange's bodies; a running one stores the request only. A final version is never
        replaced by a running one. Emits `call`, `trace` and `edge` events. The placement and `indexed` of the last version
        stand; roll-ups follow a call that moves to another trace, and a trace without calls is gone (`removed` event).
        Rows may wait until they are read or the batch ends: `NotStored` then names the call whose row is not taken.
        """

    def relink(self, changes: LinkChanges) -> None:
        """Move earlier calls: their placements, edges, tokens and facts are replaced as told. Emits events for what really changed."""

    def decisions(self, call_id: str) -> Sequence[Decision]:
        """Return what a person said of a call, oldest first."""

    def put_decision(self, decision: Decision) -> Decision:
        """Keep what a person said of a stored call, instead of whatever `decision.replaces`; return it with its id.

        Where the call stands is for `relink` to say. Emits a `call` event. Raises `NotFound`.
        """

    def drop_decision(self, decision_id: int) -> Decision | None:
        """Keep a decision no longer; return it, None when there is none. Emits a `call` event."""

    def set_cost(self, call_id: str, cost: Cost) -> bool:
        """Give a call that has ended another price; sums and statistics follow. Return whether anything changed."""

    def put_deltas(self, deltas: Sequence[Delta]) -> None:
        """Write pieces of running answers as `delta` events; nothing else changes."""

    def put_callers(self, callers: Sequence[Caller]) -> None:
        """Write whose connections are; the first answer for a connection stands. No events: a call's detail shows it from now on."""

    def set_position(self, position: JournalPosition) -> None:
        """Record how far the journal is contained in the store."""


class Store(Protocol):
    """The writing side: one per database, in the recorder."""

    def position(self) -> JournalPosition:
        """Return the committed position."""

    def batch(self) -> AbstractContextManager[Transaction]:
        """Open a batch: commits when the block ends, rolls back when it raises."""

    def purge(self, before_ns: int | None, max_bytes: int | None) -> int:
        """Delete the oldest ended calls: those that began before `before_ns`, and as many as the file is larger than `max_bytes`.

        One small batch of at most some 30 ms: return how many went; 0 when there is none left to delete. What only they
        held (messages, bodies, words) goes with them; statistics stay.
        """

    def tidy(self, *, is_idle: bool = True) -> bool:
        """Do a slice of housekeeping, at most some 50 ms; return whether there is more to do at once.

        To be called whenever there is nothing to write, and now and then under load (`is_idle` False): words that wait are
        indexed, under load by the batches that follow; what has expired is deleted, space is given back.
        """

    def close(self) -> None:
        """Release the database. Idempotent."""


class Reader(Protocol):
    """The reading side: any number, in any process; never blocks the writer for longer than one short read."""

    def version(self) -> int:
        """Return a number that changes when something was committed. Cheap: polled about 20 times a second."""

    def seq(self) -> tuple[int, int]:
        """Return (floor, last): events after `floor` can still be read; `last` is the newest number."""

    def events(self, after: int, limit: int) -> Sequence[Event]:
        """Return events with `seq > after`, oldest first."""

    def traces(self, where: CallFilter, cursor: str | None, limit: int) -> TracePage:
        """Return a page of traces, newest first. Raises `UsageError` for a cursor that is not ours."""

    def trace(self, trace_id: str) -> TraceDetail | None:
        """Return a trace with its calls and edges."""

    def tool_turns(self, trace_id: str) -> Sequence[ToolTurn]:
        """Return what the calls of a trace say of tools, oldest first; calls that say nothing are left out. Reads no body for most."""

    def calls(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        """Return a page of calls, newest first."""

    def ended(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        """Return a page of calls that have ended, oldest first, without snippets. Raises `UsageError` for a cursor that is not ours."""

    def call(self, call_id: str) -> CallDetail | None:
        """Return everything understood about a call. A unique prefix or suffix of ≥ 6 characters of an id will do."""

    def raw(self, call_id: str) -> RawExchange | None:
        """Return the exchange as it crossed."""

    def exchange(self, call_id: str) -> Exchange | None:
        """Return the exchange as the journal had it, to be read again by a better reader. Times of chunks are exact to 1 µs."""

    def kept(self, call_id: str) -> Kept | None:
        """Return a call that has ended as it was put; None when there is no such call, or when it still runs."""

    def decisions(self, call_id: str | None = None) -> Sequence[Decision]:
        """Return what a person said of a call, or of any call; oldest first."""

    def stats(self, query: StatsQuery) -> Stats:
        """Return statistics of the calls that have ended."""

    def sizes(self) -> Sequence[SizeRow]:
        """Return what takes room in the database, largest first. Reads all of it: half a minute for 10 GB."""

    def room(self, before_ns: int) -> Room:
        """Return what is there, and how much of it ended and began before `before_ns`."""

    def priced(self, cursor: str | None, limit: int) -> PricedPage:
        """Return a page of calls that have ended, oldest first, for pricing them anew."""

    def checked(self, cursor: str | None, limit: int) -> CheckedPage:
        """Return a page of calls that have ended, oldest first, each put together again and checked. A fault is a value, never raised."""

    def damage(self) -> Sequence[str]:
        """Return what the engine itself finds wrong with its file; nothing when it is sound. Reads all of it: seconds for a large one."""

    def close(self) -> None:
        """Release the database. Idempotent."""
