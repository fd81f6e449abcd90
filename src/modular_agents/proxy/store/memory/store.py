"""The store without a file, for tests and demonstrations. It keeps what it is given and computes every answer anew.

Nothing here is shared with the SQLite engine but the making of rows, so that the two check each other: the conformance suite
holds them to the same answers.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from modular_agents.proxy.errors import NotFound, StoreUnavailable
from modular_agents.proxy.model.call import Call, Cost, Delta
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import Event, EventKind, RemovedRow
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import (
    CALLS_BESIDE,
    CALLS_PER_THREAD,
    CALLS_PER_TOKEN,
    CALLS_TOLD,
    NO_PASSING,
    Candidate,
    Indexed,
    LinkChanges,
    Lookup,
)
from modular_agents.proxy.model.quick import changed
from modular_agents.proxy.model.trace import Edge, Evidence, Placement
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.memory.reader import MemoryReader
from modular_agents.proxy.store.memory.state import State, Stored, Trace
from modular_agents.proxy.store.rows import SEARCH_CHARS, delta_row, edge_row, make_record, new_from, placed, priced, searched, storable


class MemoryStore:
    """A `ports.Store`; `reader()` gives a `ports.Reader` of the same calls."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._state = State()
        self._now_ns = now_ns
        self._closed = False

    def position(self) -> JournalPosition:
        """Return the committed position."""
        return self._state.position

    @contextmanager
    def batch(self) -> Iterator["MemoryBatch"]:
        """Open a batch: what it wrote is seen when the block ends."""
        if self._closed:
            msg = "the store is closed"
            raise StoreUnavailable(msg)
        batch = MemoryBatch(self._state.copy())
        yield batch
        batch.end()
        self._state = batch.state

    def reader(self) -> MemoryReader:
        """Return a reader."""
        return MemoryReader(lambda: self._state, self._now_ns)

    def purge(self, before_ns: int | None, max_bytes: int | None) -> int:
        """Delete the ended calls that began before `before_ns`. There is no file that could be too large."""
        del max_bytes
        expired = [
            stored
            for stored in self._state.calls.values()
            if before_ns is not None and stored.call.started_ns < before_ns and not stored.record.is_running
        ]
        with self.batch() as batch:
            for stored in expired:
                batch.delete(stored)
        return len(expired)

    def tidy(self, *, is_idle: bool = True) -> bool:  # noqa: ARG002 - as the port has it
        """There is nothing to tidy."""
        return False

    def close(self) -> None:
        """Release nothing. Idempotent."""
        self._closed = True


class MemoryBatch:
    """A `ports.Transaction`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._changed: dict[str, None] = {}
        self._deleted: list[Stored] = []
        self._went: dict[str, str | None] = {}
        """Traces that calls have left, and where to."""

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        """Return the calls that the look-up finds, each once, in any order."""
        calls, at_ns = self.state.calls, lookup.at_ns
        found: list[Stored] = []
        for tokens, sign in ((lookup.earlier, -1), (lookup.ever, -1), (lookup.later, 1), (lookup.ever_later, 1)):
            for token in tokens:
                holding = (one for one in calls.values() if token in one.indexed.tokens or token in one.indexed.recent)
                found += _near(holding, at_ns, sign, CALLS_PER_TOKEN)
        for token, sign in ((token, sign) for token in lookup.beside for sign in (-1, 1)):
            left = (one for one in calls.values() if token in one.indexed.recent and one.call.call_id != lookup.but)
            found += _near(left, at_ns, sign, CALLS_BESIDE)
        if lookup.thread is not None:
            found += _near(self._members(lookup.thread), at_ns, -1, CALLS_PER_THREAD)
        if lookup.asking:
            asking = set(lookup.asking)
            found += [one for one in calls.values() if _asks(one, asking, at_ns)]
        for pair in {pair for some in lookup.pairs for pair in some}:
            found += _near((one for one in calls.values() if pair in one.indexed.pairs), at_ns, -1, CALLS_PER_TOKEN)
        if lookup.holding:
            told = [one for one in calls.values() if one.indexed.texts and one.call.started_ns > at_ns]
            told.sort(key=lambda one: (one.call.started_ns, one.number))
            found += [
                one
                for one in told[-CALLS_TOLD:]
                if any(f" {said} " in f" {text} " for text in one.indexed.texts for said in lookup.holding)
            ]
        found += [calls[call_id] for call_id in (*lookup.calls, lookup.new or "") if call_id in calls]
        for thread in lookup.members:
            found += [one for one in self._members(thread) if one.call.started_ns >= at_ns]
        found += [stored for stored in calls.values() if stored.trace_id in lookup.roots and stored.record.root_id == stored.call.call_id]
        return [_candidate(one) for one in {one.call.call_id: one for one in found}.values()]

    def expect(self, versions: Sequence[tuple[Call, Exchange]]) -> None:
        """Read nothing before its time."""

    def put_call(self, call: Call, exchange: Exchange, placement: Placement, cost: Cost, indexed: Indexed) -> None:
        """Write a version of a call (see `ports.Transaction`)."""
        call, exchange, placement, cost = storable((call, exchange, placement, cost))
        record = make_record(call, exchange, placement, cost)
        before = self.state.calls.get(call.call_id)
        if before is not None and (not before.record.is_running or record.is_running):
            return
        number = before.number if before else _free({stored.number for stored in self.state.calls.values()}, call.started_ns)
        is_new = before.system_is_new if before else self._sees_system(call)
        self._enter(placement.trace_id, call.started_ns, placement.trace_evidence, placement.trace_name)
        start = before.new_from if before and before.call.messages == call.messages else self._new_from(call, placement)
        said = (*call.system, *call.messages[start:]) if is_new else call.messages[start:]
        words = searched(said, SEARCH_CHARS), searched(call.answers, SEARCH_CHARS)
        self._put(Stored(number, call, exchange, placement, cost, record, _kept(indexed, before), words, start, is_new), before)
        self._announce_edges(placement.edges, before.placement.edges if before else ())

    def relink(self, changes: LinkChanges) -> None:
        """Move earlier calls as told."""
        for change in changes.replaced:
            before = self.state.calls.get(change.call_id)
            if before is not None:
                placement = storable(change.placement)
                self._enter(placement.trace_id, before.call.started_ns, placement.trace_evidence, placement.trace_name)
                self._move(before, placement, _kept(change.indexed, before))
                self._announce_edges(placement.edges, before.placement.edges)
        for move in changes.moves:
            for before in self._members(move.thread_id):
                source = self.state.traces[before.trace_id]
                self._enter(move.trace_id, before.call.started_ns, Evidence(source.source, source.detail, source.confidence), None)
                placement = replace(
                    before.placement,
                    thread_id=move.into,
                    trace_id=move.trace_id,
                    root_id=move.root_id,
                    opener_id=move.opener_id,
                    agent_name=move.named(before.placement.agent_name, is_given=before.placement.agent_given),
                )
                self._move(before, placement, before.indexed)

    def decisions(self, call_id: str) -> Sequence[Decision]:
        """Return what a person said of a call, oldest first."""
        return [one for one in self.state.decisions if one.call_id == call_id]

    def put_decision(self, decision: Decision) -> Decision:
        """Keep what a person said of a call (see `ports.Transaction`)."""
        if decision.call_id not in self.state.calls:
            raise NotFound(f"There is no call {decision.call_id!r}.")
        last = max((one.decision_id for one in self.state.decisions), default=0)
        decision = replace(storable(decision), decision_id=max(decision.made_ns // 1_000_000, last + 1))
        self.state.decisions = (*(one for one in self.state.decisions if not decision.replaces(one)), decision)
        self._announce(EventKind.CALL, self.state.calls[decision.call_id].trace_id, decision.call_id)
        return decision

    def drop_decision(self, decision_id: int) -> Decision | None:
        """Keep a decision no longer."""
        decision = next((one for one in self.state.decisions if one.decision_id == decision_id), None)
        self.state.decisions = tuple(one for one in self.state.decisions if one is not decision)
        if decision is not None:
            self._announce(EventKind.CALL, self.state.calls[decision.call_id].trace_id, decision.call_id)
        return decision

    def set_cost(self, call_id: str, cost: Cost) -> bool:
        """Give a call that has ended another price."""
        before = self.state.calls.get(call_id)
        if before is None or before.record.is_running:
            return False
        cost = storable(cost)
        after = replace(before, cost=cost, record=priced(before.record, cost))
        if after.record == before.record:
            return False
        self._put(after, before)
        return True

    def delete(self, stored: Stored) -> None:
        """Delete a call that has ended."""
        del self.state.calls[stored.call.call_id]
        self.state.decisions = tuple(one for one in self.state.decisions if one.call_id != stored.call.call_id)
        self._deleted.append(stored)
        self._went[stored.trace_id] = None
        self._changed[stored.trace_id] = None

    def put_deltas(self, deltas: Sequence[Delta]) -> None:
        """Write pieces of running answers; pieces of a call that is not running are dropped."""
        for delta in storable(tuple(deltas)):
            stored = self.state.calls.get(delta.call_id)
            if stored is not None and stored.record.is_running:
                self._announce(EventKind.DELTA, stored.trace_id, delta.call_id, delta_row(delta))

    def put_callers(self, callers: Sequence[Caller]) -> None:
        """Write whose connections are."""
        for caller in callers:
            self.state.callers.setdefault(caller.connection_id, storable(caller))

    def set_position(self, position: JournalPosition) -> None:
        """Record how far the journal is contained in the store."""
        self.state.position = position

    def end(self) -> None:
        """Drop traces without calls, and tell of every trace that changed, once."""
        left = {stored.trace_id for stored in self.state.calls.values()}
        for trace_id in self._changed:
            if trace_id in left:
                self._announce(EventKind.TRACE, trace_id, None)
        for trace_id, into in self._went.items():
            if trace_id not in left:
                del self.state.traces[trace_id]
                self._remove(RemovedRow(trace_id, None, into))
        for stored in self._deleted:
            if stored.trace_id in left:
                self._remove(RemovedRow(stored.trace_id, stored.call.call_id, None))

    def _remove(self, row: RemovedRow) -> None:
        self._announce(EventKind.REMOVED, row.trace_id or "", row.call_id, msgspec.json.encode(row).decode())

    def _put(self, stored: Stored, before: Stored | None) -> None:
        self.state.calls[stored.call.call_id] = stored
        self._changed[stored.trace_id] = None
        if not stored.record.is_running:
            self.state.ended[stored.call.call_id] = stored.record
        if before is not None and before.trace_id != stored.trace_id:
            self._went[before.trace_id] = stored.trace_id
            self._changed[before.trace_id] = None
        self._announce(EventKind.CALL, stored.trace_id, stored.call.call_id)

    def _move(self, before: Stored, placement: Placement, indexed: Indexed) -> None:
        after = replace(before, placement=placement, indexed=indexed, record=placed(before.record, placement))
        if (after.record, after.trace_id) == (before.record, before.trace_id):
            self.state.calls[before.call.call_id] = after
        else:
            self._put(after, before)
        if after.trace_id != before.trace_id:
            self._announce_edges(sorted(before.placement.edges, key=lambda edge: (edge.from_call_id, edge.edge_type)), ())

    def _enter(self, trace_id: str, started_ns: int, evidence: Evidence, name: str | None) -> None:
        """Open a trace if need be. The last name holds, the surest evidence is kept."""
        trace = self.state.traces.get(trace_id)
        if trace is None:
            number = _free({other.number for other in self.state.traces.values()}, started_ns)
            trace = Trace(number, None, evidence.rule, evidence.confidence, evidence.detail)
        if evidence.confidence > trace.confidence:
            trace = replace(trace, source=evidence.rule, confidence=evidence.confidence, detail=evidence.detail)
        self.state.traces[trace_id] = replace(trace, name=name or trace.name)
        self._changed[trace_id] = None

    def _members(self, thread_id: str) -> list[Stored]:
        return [stored for stored in self.state.calls.values() if stored.record.thread_id == thread_id]

    def _announce_edges(self, edges: Sequence[Edge], before: Sequence[Edge]) -> None:
        wanted = {(edge.from_call_id, edge.edge_type) for edge in edges}
        for edge in sorted(before, key=lambda edge: (edge.from_call_id, edge.edge_type)):
            if (edge.from_call_id, edge.edge_type) not in wanted and edge.from_call_id in self.state.calls:
                trace_id = self.state.calls[edge.to_call_id].trace_id
                self._remove(RemovedRow(trace_id, None, None, edge_row(edge, trace_id).edge_id))
        for edge in edges:
            if edge not in before and edge.from_call_id in self.state.calls:
                trace_id = self.state.calls[edge.to_call_id].trace_id
                body = msgspec.json.encode(edge_row(edge, trace_id)).decode()
                self._announce(EventKind.EDGE, trace_id, edge.to_call_id, body)

    def _new_from(self, call: Call, placement: Placement) -> int:
        parent = self.state.calls.get(placement.parent_id or "")
        continued = len(parent.call.messages) if parent and parent.record.thread_id == placement.thread_id else None
        return new_from(call.messages, continued)

    def _sees_system(self, call: Call) -> bool:
        """Say whether these system blocks come for the first time; the beginning of a longer list has been seen with it."""
        blocks = tuple(message.raw for message in call.system)
        is_new = (call.format, blocks) not in self.state.seen_systems
        self.state.seen_systems.update((call.format, blocks[:count]) for count in range(len(blocks) + 1))
        return is_new

    def _announce(self, kind: EventKind, trace_id: str, call_id: str | None, body: str = "") -> None:
        self.state.events.append(Event(len(self.state.events) + 1, str(kind), trace_id, call_id, body))


def _near(calls: Iterable[Stored], at_ns: int, sign: int, limit: int) -> list[Stored]:
    """Return the calls nearest to a moment: at or before it (`sign` -1), or at or after it (1)."""
    in_order = sorted(calls, key=lambda stored: (stored.call.started_ns, stored.number), reverse=sign < 0)
    return [stored for stored in in_order if sign * (stored.call.started_ns - at_ns) >= 0][:limit]


def _asks(one: Stored, tokens: set[int], at_ns: int) -> bool:
    passing = one.indexed.passing or NO_PASSING
    return not tokens.isdisjoint(passing.watched) or (one.call.started_ns >= at_ns and not tokens.isdisjoint(passing.asked))


def _candidate(stored: Stored) -> Candidate:
    record = stored.record
    return Candidate(
        record.call_id,
        stored.indexed.facts,
        stored.trace_id,
        record.thread_id,
        record.root_id,
        record.opener_id,
        record.agent_name,
        stored.indexed.passing,
        None,
        (lambda: (stored.call.system, stored.call.messages)) if stored.indexed.is_told else None,
    )


def _kept(indexed: Indexed, before: Stored | None) -> Indexed:
    """Let what was passing stay where a later version says nothing of it. Nothing is ever dropped here."""
    if indexed.passing is not None:
        return indexed
    if before is None:
        return changed(indexed, passing=NO_PASSING)
    return changed(indexed, passing=before.indexed.passing, texts=before.indexed.texts, is_told=before.indexed.is_told)


def _free(taken: set[int], time_ns: int) -> int:
    """Return the first number that is not taken, from the millisecond of a time on."""
    number = max(1, time_ns // 1_000_000)
    while number in taken:
        number += 1
    return number
