"""The store without a file, for tests and demonstrations. It keeps what it is given and computes every answer anew.

Nothing here is shared with the SQLite engine but the making of rows, so that the two check each other: the conformance suite
holds them to the same answers.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.call import Call, Cost, Delta
from modular_agents.proxy.model.event import Event, EventKind, RemovedRow
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Candidate, Indexed, LinkKeys
from modular_agents.proxy.model.trace import Edge, Placement
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.memory.reader import MemoryReader
from modular_agents.proxy.store.memory.state import State, Stored, Trace
from modular_agents.proxy.store.rows import (
    delta_row,
    edge_row,
    make_record,
    new_from,
    searched,
    storable,
)

CANDIDATES_PER_KEY = 8
CANDIDATES_MAX = 32
SEARCH_CHARS = 256 * 1024


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
        batch.announce_traces()
        self._state = batch.state

    def reader(self) -> "MemoryReader":
        """Return a reader."""
        return MemoryReader(lambda: self._state, self._now_ns)

    def close(self) -> None:
        """Release nothing. Idempotent."""
        self._closed = True


class MemoryBatch:
    """A `ports.Transaction`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._changed: dict[str, None] = {}

    def find(self, keys: LinkKeys) -> Sequence[Candidate]:
        """Return earlier calls that match any key: tips, histories, named keys, as given; newest first within a key."""
        wanted: list[tuple[str, bytes | str]] = [("tip", key) for key in keys.tips]
        wanted += [("history", key) for key in keys.histories]
        wanted += keys.named
        found = []
        for matched, key in wanted:
            calls = [stored for stored in self.state.calls.values() if (matched, key) in stored.keys]
            calls.sort(key=lambda stored: -stored.number)
            found += [_candidate(stored, matched, key) for stored in calls[:CANDIDATES_PER_KEY]]
        return found[:CANDIDATES_MAX]

    def put_call(self, call: Call, exchange: Exchange, placement: Placement, cost: Cost, indexed: Indexed) -> None:
        """Write a version of a call (see `ports.Transaction`)."""
        call, exchange, placement, cost = storable((call, exchange, placement, cost))
        record = make_record(call, exchange, placement, cost)
        before = self.state.calls.get(call.call_id)
        if before is not None and (not before.record.is_running or record.is_running):
            return
        number = before.number if before else _free({stored.number for stored in self.state.calls.values()}, call.started_ns)
        system_is_new = before.system_is_new if before else self._sees_system(call)
        self._place(call, placement)
        self.state.calls[call.call_id] = Stored(
            number,
            placement.trace_id,
            call,
            exchange,
            placement,
            cost,
            record,
            _keys(call, indexed) | (before.keys if before else frozenset()),
            self._words(call, placement, system_is_new=system_is_new),
            system_is_new,
        )
        if before is not None and before.trace_id != placement.trace_id:
            self._leave(before.trace_id)
        self._changed[placement.trace_id] = None
        self._announce(EventKind.CALL, placement.trace_id, call.call_id, "")
        for edge in placement.edges:
            self._put_edge(edge)

    def put_deltas(self, deltas: Sequence[Delta]) -> None:
        """Write pieces of running answers; pieces of a call that is not running are dropped."""
        for delta in storable(tuple(deltas)):
            stored = self.state.calls.get(delta.call_id)
            if stored is not None and stored.record.is_running:
                body = delta_row(delta.call_id, delta.at_ns, delta.part, delta.kind, delta.text, delta.name)
                self._announce(EventKind.DELTA, stored.trace_id, delta.call_id, body)

    def set_position(self, position: JournalPosition) -> None:
        """Record how far the journal is contained in the store."""
        self.state.position = position

    def announce_traces(self) -> None:
        """Tell of every trace that changed, once."""
        for trace_id in self._changed:
            self._announce(EventKind.TRACE, trace_id, None, "")

    def _place(self, call: Call, placement: Placement) -> None:
        evidence = placement.trace_evidence
        trace = self.state.traces.get(placement.trace_id)
        if trace is None:
            number = _free({other.number for other in self.state.traces.values()}, call.started_ns)
            trace = Trace(number, None, None, evidence.rule, evidence.confidence)
            self.state.traces[placement.trace_id] = trace
        trace.name = placement.trace_name or trace.name
        trace.task_description = trace.task_description or placement.task_description
        if evidence.confidence > trace.confidence:
            trace.source, trace.confidence = evidence.rule, evidence.confidence
        trace.agents[placement.thread_id] = placement.agent_name or trace.agents.get(placement.thread_id)

    def _leave(self, trace_id: str) -> None:
        if any(stored.trace_id == trace_id for stored in self.state.calls.values()):
            self._changed[trace_id] = None
            return
        del self.state.traces[trace_id]
        self._changed.pop(trace_id, None)
        self._announce(EventKind.REMOVED, trace_id, None, msgspec.json.encode(RemovedRow(trace_id, None, None)).decode())

    def _put_edge(self, edge: Edge) -> None:
        """Write an edge between two calls; one that names a call we do not hold says nothing and is left out."""
        place = (edge.to_call_id, edge.from_call_id, str(edge.edge_type))
        if edge.from_call_id not in self.state.calls or edge.to_call_id not in self.state.calls or self.state.edges.get(place) == edge:
            return
        self.state.edges[place] = edge
        trace_id = self.state.calls[edge.to_call_id].trace_id
        self._announce(EventKind.EDGE, trace_id, edge.to_call_id, msgspec.json.encode(edge_row(edge, trace_id)).decode())

    def _words(self, call: Call, placement: Placement, *, system_is_new: bool) -> tuple[str, str]:
        parent = self.state.calls.get(placement.parent_id or "")
        continued = len(parent.call.messages) if parent and parent.record.thread_id == placement.thread_id else None
        said = call.messages[new_from(call.messages, continued) :]
        return searched((*call.system, *said) if system_is_new else said, SEARCH_CHARS), searched(call.answers, SEARCH_CHARS)

    def _sees_system(self, call: Call) -> bool:
        """Say whether these system blocks come for the first time; the beginning of a longer list has been seen with it."""
        blocks = tuple(message.raw for message in call.system)
        is_new = (call.format, blocks) not in self.state.seen_systems
        self.state.seen_systems.update((call.format, blocks[:count]) for count in range(len(blocks) + 1))
        return is_new

    def _announce(self, kind: EventKind, trace_id: str, call_id: str | None, body: str) -> None:
        self.state.events.append(Event(len(self.state.events) + 1, str(kind), trace_id, call_id, body))


def _keys(call: Call, indexed: Indexed) -> frozenset[tuple[str, bytes | str]]:
    keys: set[tuple[str, bytes | str]] = {("call", call.call_id), *indexed.named}
    if indexed.history is not None:
        keys.add(("history", indexed.history))
    if indexed.tip is not None:
        keys.add(("tip", indexed.tip))
    return frozenset(keys)


def _candidate(stored: Stored, matched: str, key: bytes | str) -> Candidate:
    record = stored.record
    return Candidate(
        record.call_id,
        matched,
        key,
        stored.trace_id,
        record.thread_id,
        record.agent_name,
        record.started_ns,
        record.ended_ns,
        record.status,
        record.connection_id,
    )


def _free(taken: set[int], time_ns: int) -> int:
    """Return the first number that is not taken, from the millisecond of a time on."""
    number = time_ns // 1_000_000
    while number in taken:
        number += 1
    return number
