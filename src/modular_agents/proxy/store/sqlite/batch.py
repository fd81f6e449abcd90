"""One batch is one transaction: rows, words, keys, events, sums and the journal position land together or not at all.

What is remembered between batches (numbers of contents, open calls, the last event) is only ever a copy of what the file says;
a batch that fails forgets all of it. A final version is never replaced; a version that is already there changes nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import apsw
import msgspec

from modular_agents.proxy.model.call import Call, Cost, Delta
from modular_agents.proxy.model.event import EventKind, RemovedRow
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Candidate, Indexed, LinkKeys
from modular_agents.proxy.model.trace import Edge, Placement
from modular_agents.proxy.ports import JournalPosition, OpenCall
from modular_agents.proxy.store import crossing
from modular_agents.proxy.store.rows import CallRecord, delta_row, edge_row, make_record, searched, storable
from modular_agents.proxy.store.sqlite.contents import NO_NODE, Contents
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.links import Link, Links
from modular_agents.proxy.store.sqlite.requests import Request, Requests
from modular_agents.proxy.store.sqlite.rollups import Rollups, TraceSums

RING_EVENTS = 20_000
"""Events kept: 25 s of 200 calls/s for a page that reconnects; an older page fetches its lists again."""
TRIM_EVENTS = 1000
"""Trimmed at a time, so that not every batch deletes."""
SEARCH_CHARS = 256 * 1024
"""Words of one prompt and of one answer that search finds; more is kept, not indexed."""
OPEN_CALLS_MAX = 20_000
"""Open calls that are remembered; the others are read again."""

_FIELDS = tuple(field.name for field in fields(CallRecord))
_RECORD = attrgetter(*_FIELDS)


@dataclass(frozen=True, slots=True)
class Known:
    """A call's newest version, as the file has it."""

    number: int
    trace: int
    record: CallRecord
    request: Request
    links: frozenset[Link] = frozenset()


class SqliteBatch:
    """A `ports.Transaction`; the store reuses one, so that what it remembers outlives a batch."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._answer = _taken_by(self._sql["finish_call"])
        self._request = _taken_by(self._sql["move_call"])
        self._contents = Contents(db)
        self._requests = Requests(db, self._contents)
        self._links = Links(db)
        self._rollups = Rollups(db)
        self._events: list[tuple[int, str, int, int, str | None]] = []
        self._open: dict[str, Known] = {}
        self._traces: dict[str, int] = {}
        self.position = JournalPosition()
        self._wanted: JournalPosition | None = None
        self.forget()

    def forget(self) -> None:
        """Read again what the file says."""
        self._contents.forget()
        self._rollups = Rollups(self._db)
        self._events.clear()
        self._open.clear()
        self._traces.clear()
        self._wanted = None
        self._seq: int = self._db.execute(self._sql["last_seq"]).get
        self._floor: int = self._db.execute(self._sql["event_floor"]).get
        self.position = JournalPosition(
            dict(self._db.execute(self._sql["segments"])),
            tuple(OpenCall(*row) for row in self._db.execute(self._sql["open_calls"])),
        )

    def committed(self) -> None:
        """Note that the batch has landed."""
        if self._wanted is not None:
            self.position, self._wanted = self._wanted, None

    def find(self, keys: LinkKeys) -> Sequence[Candidate]:
        """Return earlier calls that match any key (see `Links.find`)."""
        return self._links.find(keys)

    def put_call(self, call: Call, exchange: Exchange, placement: Placement, cost: Cost, indexed: Indexed) -> None:
        """Write a version of a call (see `ports.Transaction`)."""
        record = make_record(call, exchange, placement, cost)
        try:
            "".join([value for value in _RECORD(record) if isinstance(value, str)]).encode()
            crossed = crossing.encode(exchange)
        except UnicodeEncodeError:
            self.put_call(*storable((call, exchange, placement, cost)), indexed)
            return
        before = self._known(call.call_id)
        if before is not None and (not before.record.is_running or record.is_running):
            return
        request = self._requests.put(call, exchange, self._continued(placement), before.request if before else None)
        trace = self._place(record, placement)
        answers = self._contents.messages(f"message {call.format}", call.answers)
        self._contents.hold(answers)
        number = self._put_row(record, request, answers, trace, before)
        self._db.execute(self._sql["put_exchange"], (number, request.recipe, request.body, crossed))
        links = self._links.put(number, indexed, before.links if before else frozenset())
        self._rollups.count(trace, number, record, before.record if before and before.trace == trace else None)
        if not record.is_running:
            self._put_words(number, call, request)
            if self._floor:
                self._db.execute(self._sql["trim_deltas"], (number, self._floor))
        self._announce(EventKind.CALL, trace, number)
        self._put_edges(placement)
        if record.is_running:
            if len(self._open) >= OPEN_CALLS_MAX:
                self._open.clear()
            self._open[call.call_id] = Known(number, trace, record, request, links)
        else:
            self._open.pop(call.call_id, None)

    def put_deltas(self, deltas: Sequence[Delta]) -> None:
        """Write pieces of running answers; pieces of a call that is not running are dropped."""
        for delta in deltas:
            known = self._known(delta.call_id)
            if known is not None and known.record.is_running:
                text = delta.text.encode("utf-8", "replace").decode()
                body = delta_row(delta.call_id, delta.at_ns, delta.part, delta.kind, text, delta.name)
                self._announce(EventKind.DELTA, known.trace, known.number, body)

    def set_position(self, position: JournalPosition) -> None:
        """Record how far the journal is contained in the store."""
        was = self._wanted or self.position
        self._db.executemany(self._sql["drop_segment"], [(name,) for name in was.offsets if name not in position.offsets])
        self._db.executemany(self._sql["put_segment"], [(name, at) for name, at in position.offsets.items() if was.offsets.get(name) != at])
        then, now = set(was.open_calls), set(position.open_calls)
        stay = {call.call_id for call in now}
        self._db.executemany(self._sql["drop_open_call"], [(call.call_id,) for call in then if call.call_id not in stay])
        self._db.executemany(self._sql["put_open_call"], [(call.call_id, call.segment, call.offset) for call in now - then])
        self._wanted = position

    def flush(self) -> None:
        """Write what was gathered: counts of contents, sums, events, the floor of the ring."""
        self._contents.flush()
        for trace in self._rollups.flush():
            self._announce(EventKind.TRACE, trace, 0)
        self._db.executemany(self._sql["add_event"], self._events)
        self._events.clear()
        if self._seq - self._floor > RING_EVENTS + TRIM_EVENTS:
            self._floor = self._seq - RING_EVENTS
            self._db.execute(self._sql["trim_events"], (self._floor,))
            self._db.execute(self._sql["set_event_floor"], (self._floor,))

    def _known(self, call_id: str) -> Known | None:
        """Return a call's newest version, remembered or read."""
        known = self._open.get(call_id)
        if known is not None:
            return known
        row = self._db.execute(self._sql["stored_call"], (call_id,)).get
        if row is None:
            return None
        number, trace, messages, count, new, system, tools, params, _answers, *values = row
        recipe_node, body = self._db.execute(self._sql["stored_exchange"], (number,)).get or (NO_NODE, 0)
        request = Request(messages, count, new, system, tools, params, recipe_node, body)
        return Known(number, trace, CallRecord(*values), request)

    def _continued(self, placement: Placement) -> int | None:
        """Return how many messages the call had that this one continues; None when it continues none."""
        if placement.parent_id is None:
            return None
        row = self._db.execute(self._sql["message_count"], (placement.parent_id,)).get
        return row[0] if row is not None and row[1] == placement.thread_id else None

    def _put_row(self, record: CallRecord, request: Request, answers: int, trace: int, before: Known | None) -> int:
        if before is None:
            number = self._free("call", record.started_ns)
            self._db.execute(self._sql["add_call"], (number, 1, trace, *_RECORD(record), *request.columns, answers))
            return number
        number = before.number
        self._db.execute(self._sql["finish_call"], (*self._answer(record), answers, number))
        if before.request != request or before.trace != trace or self._request(before.record) != self._request(record):
            self._db.execute(self._sql["move_call"], (*self._request(record), trace, *request.columns, number))
        if before.trace != trace:
            self._leave(before)
        return number

    def _leave(self, before: Known) -> None:
        """Count again the trace that a call has left; an empty one goes."""
        trace_id = self._rollups.trace(before.trace).trace_id
        if not self._rollups.recount(before.trace):
            self._traces.pop(trace_id, None)
            body = msgspec.json.encode(RemovedRow(trace_id, None, None)).decode()
            self._announce(EventKind.REMOVED, before.trace, 0, body)

    def _place(self, record: CallRecord, placement: Placement) -> int:
        """Return the number of the trace a call stands in; a new trace is opened."""
        name = placement.trace_id
        number = self._traces.get(name) or self._db.execute(self._sql["find_trace"], (name,)).get
        if number is None:
            number = self._free("trace", record.started_ns)
            evidence = placement.trace_evidence
            self._rollups.open_trace(
                TraceSums(
                    id=number,
                    trace_id=name,
                    created_ns=record.started_ns,
                    last_ns=record.started_ns,
                    name=placement.trace_name,
                    task_description=placement.task_description,
                    source=evidence.rule,
                    source_detail=evidence.detail,
                    source_confidence=evidence.confidence,
                )
            )
        self._rollups.trace(number).learn(placement)
        if len(self._traces) >= OPEN_CALLS_MAX:
            self._traces.clear()
        self._traces[name] = number
        return number

    def _free(self, table: str, time_ns: int) -> int:
        """Return the first free number from a time on."""
        number = time_ns // 1_000_000
        if self._db.execute(self._sql[f"{table}_id_taken"], (number,)).get:
            number = self._db.execute(self._sql[f"free_{table}_id"], (number,)).get
        return number

    def _put_edges(self, placement: Placement) -> None:
        for edge in placement.edges:
            self._put_edge(edge)

    def _put_edge(self, edge: Edge) -> None:
        """Write an edge between two calls; one that names a call we do not hold says nothing and is left out."""
        numbers = [self._db.execute(self._sql["call_place"], (call_id,)).get for call_id in (edge.to_call_id, edge.from_call_id)]
        if None in numbers:
            return
        (to_call, trace, trace_id), (from_call, *_) = numbers
        evidence = edge.evidence
        edge_type = str(edge.edge_type)
        self._db.execute(self._sql["add_edge"], (to_call, from_call, edge_type, evidence.rule, evidence.detail, float(evidence.confidence)))
        if not self._db.changes():
            return
        self._announce(EventKind.EDGE, trace, to_call, msgspec.json.encode(edge_row(edge, trace_id)).decode())

    def _put_words(self, number: int, call: Call, request: Request) -> None:
        """Make the words of what this turn adds findable: its new messages, a system prompt not seen before, the answer."""
        said = call.messages[request.new_from :]
        prompt = searched((*call.system, *said) if request.system_is_new else said, SEARCH_CHARS)
        self._db.execute(self._sql["add_search"], (number, prompt, searched(call.answers, SEARCH_CHARS)))

    def _announce(self, kind: str, trace: int, call: int, body: str | None = None) -> None:
        self._seq += 1
        self._events.append((self._seq, str(kind), trace, call, body))


def _taken_by(statement: str) -> Callable[[CallRecord], tuple[Any, ...]]:
    """Return what takes from a record the values of the columns that an UPDATE sets, in its order."""
    return attrgetter(*(name for name in re.findall(r"(\w+) = \?", statement) if name in _FIELDS))
