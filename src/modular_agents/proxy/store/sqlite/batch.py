"""One batch is one transaction: rows, words, tokens, events, sums and the journal position land together or not at all.

What is remembered between batches (numbers of contents, open calls, the last event) is only ever a copy of what the file says;
a batch that fails forgets all of it. A final version is never replaced; a version that is already there changes nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import apsw
import msgspec

from modular_agents.proxy.errors import NotFound, NotStored, ProxyError
from modular_agents.proxy.model.call import Call, Cost, Delta
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import EventKind, RemovedRow
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Lookup, Replaced, ThreadMove, Told
from modular_agents.proxy.model.trace import Evidence, Placement
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store import crossing
from modular_agents.proxy.store.rows import CallRecord, delta_row, make_record, placed, priced, storable
from modular_agents.proxy.store.sqlite import details
from modular_agents.proxy.store.sqlite.calls import Calls, Stored, Waiting
from modular_agents.proxy.store.sqlite.contents import Contents
from modular_agents.proxy.store.sqlite.decisions import Decisions, said
from modular_agents.proxy.store.sqlite.edges import Edges
from modular_agents.proxy.store.sqlite.engine import statements, translated
from modular_agents.proxy.store.sqlite.events import Events
from modular_agents.proxy.store.sqlite.hours import Hours
from modular_agents.proxy.store.sqlite.links import Links
from modular_agents.proxy.store.sqlite.parts import Parts, Version, at_most, parts_of
from modular_agents.proxy.store.sqlite.progress import Progress
from modular_agents.proxy.store.sqlite.requests import Requests
from modular_agents.proxy.store.sqlite.traces import Gone, Traces
from modular_agents.proxy.store.sqlite.words import Words

HELD_BYTES = 4 * 1024 * 1024
"""Requests and records held back for the end of a batch: hundreds of some KB; a batch with larger ones writes them in between."""
CONNECTION_NS = 7 * 86_400 * 10**9
"""No client keeps one connection for longer than a week: calls younger than that may belong to it."""


class SqliteBatch:
    """A `ports.Transaction`; the store reuses one, so that what it remembers outlives a batch."""

    def __init__(self, db: apsw.Connection, monotonic_ns: Callable[[], int]) -> None:
        self._db = db
        self._sql = statements()
        self.contents = Contents(db)
        self._requests = Requests(db, self.contents)
        self._calls = Calls(db, self._settle)
        self._links = Links(db, self._told, self._settle)
        self._events = Events(db)
        self._edges = Edges(db, self._calls, self._events)
        self._traces = Traces(db)
        self._decisions = Decisions(db)
        self._hours = Hours(db)
        self.words = Words(db, monotonic_ns)
        self.progress = Progress(db)
        self._placements: dict[str, Placement] = {}
        """Of open calls, as they were put."""
        self._parts: dict[str, Parts] = {}
        """Of versions that are expected."""
        self._waiting: dict[str, Waiting] = {}
        """By call id. Linking goes through a batch first, then come the rows: one kind of work at a time."""
        self._asked: list[tuple[int, int, int, bytes]] = []
        self._ended: list[tuple[int, int, str | None, str, str, bytes]] = []
        """Rows of `asked` and `answer` whose records are not packed yet, as large as `_held_bytes`."""
        self._held_bytes = 0
        self._deleted: list[tuple[int, str, str]] = []
        """Calls that this batch deleted, with their traces."""
        self.forget()

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        """Return the calls that the look-up finds, each once, in any order. What waits may be written for it, hence its errors."""
        with translated():
            return self._links.find(lookup)

    def expect(self, versions: Sequence[Version]) -> None:
        """Read what versions say themselves. A text that is not fit to store shows again when its version is put, and is mended there."""
        with suppress(UnicodeEncodeError):
            parts = parts_of(at_most(versions, HELD_BYTES), self._calls.is_open)
            for part in parts:
                self._requests.expect(part)
                self.contents.expect(f"message {part.call.format}", [message.raw for message in part.call.answers])
            self.contents.look_up()
            self._parts = {part.call.call_id: part for part in parts}

    def put_call(self, call: Call, exchange: Exchange, placement: Placement, cost: Cost, indexed: Indexed) -> None:
        """Write a version of a call (see `ports.Transaction`): it is found from now on, its rows wait."""
        record = make_record(call, exchange, placement, cost)
        try:  # nothing is written before every text has been found fit to store
            before = self._stored(call.call_id)
            if before is not None and (not before.record.is_running or record.is_running):
                return
            parts = self._parts_of(call, exchange)
            same = before.request if before is not None and before.request.is_of(call, exchange.request.body, parts.crc) else None
            msgspec.json.encode((record, parts.answer, placement))
            if same is None:
                parts.read_asked()
        except UnicodeEncodeError:
            self.put_call(*storable((call, exchange, placement, cost)), indexed)
            return
        number = self._calls.new_number(record) if before is None else before.number
        self._links.put(number, record, placement.trace_id, indexed)
        self._waiting[call.call_id] = Waiting(number, record, placement, parts, before, same)
        self._held_bytes += len(parts.ended) + (len(exchange.request.body) if same is None else 0)
        if self._held_bytes + self.contents.waiting_bytes > HELD_BYTES:
            self._settle()

    def put_callers(self, callers: Sequence[Caller]) -> None:
        """Write whose connections are."""
        for caller in map(storable, callers):
            texts = (caller.executable, caller.command, caller.directory)
            self._db.execute(self._sql["add_caller"], (caller.connection_id, caller.seen_ns, caller.pid, caller.started_ns, *texts))

    def forget_callers(self) -> None:
        """Delete whose connections were that no call can belong to any more."""
        self._db.execute(self._sql["drop_callers"], (CONNECTION_NS,))

    def relink(self, changes: LinkChanges) -> None:
        """Move earlier calls as told."""
        with translated():
            self._put_rows()
            for change in changes.replaced:
                self._replace(change)
            for move in changes.moves:
                self._move_thread(move)

    def decisions(self, call_id: str) -> Sequence[Decision]:
        """Return what a person said of a call, oldest first."""
        self._settle()
        return said(self._db, call_id)

    def put_decision(self, decision: Decision) -> Decision:
        """Keep what a person said of a call (see `ports.Transaction`)."""
        stored = self._stored(decision.call_id)
        if stored is None:
            raise NotFound(f"There is no call {decision.call_id!r}.")
        self._events.announce(EventKind.CALL, stored.trace, stored.number)
        self._settle()
        return self._decisions.put(stored.number, storable(decision))

    def drop_decision(self, decision_id: int) -> Decision | None:
        """Keep a decision no longer."""
        self._settle()
        decision = self._decisions.drop(decision_id)
        stored = self._calls.stored(decision.call_id) if decision else None
        if stored is not None:
            self._events.announce(EventKind.CALL, stored.trace, stored.number)
        return decision

    def set_cost(self, call_id: str, cost: Cost) -> bool:
        """Give a call that has ended another price."""
        before = self._stored(call_id)
        if before is None or before.record.is_running:
            return False
        record = priced(before.record, storable(cost))
        if record == before.record:
            return False
        self._calls.price(before, record)
        self._traces.change(before.trace, before.number, before.record, record)
        self._hours.count(before.record, -1)
        self._hours.count(record, 1)
        self._events.announce(EventKind.CALL, before.trace, before.number)
        return True

    def expired(self, before_ns: int, limit: int) -> list[str]:
        """Return the ids of the oldest calls that have ended and began before a moment."""
        return self._calls.expired(before_ns, limit)

    def delete(self, call_id: str) -> None:
        """Delete a call that has ended, with all that only it holds."""
        self._settle()
        stored = self._calls.stored(call_id)
        if stored is None:
            return
        number = stored.number
        answer = self._db.execute(self._sql["answer"], (number,)).get
        if answer is not None:
            self.contents.release(answer[0])
        self._requests.release(stored.request)
        self._edges.drop(number)
        self._links.drop(number, call_id, stored.record.started_ns)
        self.words.drop(number)
        for statement in ("drop_asked", "drop_answer", "drop_decisions"):
            self._db.execute(self._sql[statement], (number,))
        self._calls.drop(stored)
        self._deleted.append((stored.trace, self._traces.sums(stored.trace).trace_id, call_id))
        self._traces.take(stored.trace, stored.record, None)
        self.contents.flush()  # at once, not with the batch: whoever deletes looks at the clock after each call

    def put_deltas(self, deltas: Sequence[Delta]) -> None:
        """Write pieces of running answers; pieces of a call that is not running are dropped."""
        for delta in deltas:
            stored = self._stored(delta.call_id)
            if stored is not None and stored.record.is_running:
                try:
                    row = delta_row(delta)
                except UnicodeEncodeError:
                    row = delta_row(storable(delta))
                self._events.announce(EventKind.DELTA, stored.trace, stored.number, row)

    def set_position(self, position: JournalPosition) -> None:
        """Record how far the journal is contained in the store."""
        self.progress.set(position)

    def flush(self) -> None:
        """Write what was gathered: rows, records, counts of contents, sums, events."""
        self._put_rows()
        self._parts.clear()
        self._calls.write()
        self.contents.flush()
        self._write_records()
        self.words.flush()
        self._hours.flush()
        self._links.flush()
        gone = self._traces.flush()
        for trace in self._traces.changed:
            self._events.announce(EventKind.TRACE, trace)
        self._announce_gone(gone)
        self._events.flush()

    def land(self) -> None:
        """Note that the batch has been committed."""
        self.progress.land()

    def forget(self) -> None:
        """Read again what the file says: the batch was rolled back."""
        self._links.forget()
        self.look_again()

    def look_again(self) -> None:
        """Read again what another process may have written."""
        self._links.look_again()
        self._placements.clear()
        self._parts.clear()
        self._waiting.clear()
        self._asked.clear()
        self._ended.clear()
        self._held_bytes = 0
        self._deleted.clear()
        self.contents.forget()
        self._calls.forget()
        self._hours.forget()
        self.words.forget()
        self._traces.forget()
        self._events.forget()
        self.progress.forget()

    def _told(self, number: int) -> Told:
        with translated():
            self._settle()
            return details.told(self._db, number)

    def _settle(self) -> None:
        """Put and write everything that waits of calls that were put: it can be read from now on."""
        self._put_rows()
        self.contents.write()
        self._traces.write()
        self._calls.write()
        self._write_records()

    def _put_rows(self) -> None:
        """Put the rows of the versions that wait for it. Raises `NotStored` for one on which that fails."""
        waiting, self._waiting = self._waiting, {}
        for call_id, version in waiting.items():
            try:
                with translated():
                    self._put_version(version)
            except ProxyError:
                raise
            except Exception as error:  # boundary "one batch": whoever asked for the rows is not to blame
                raise NotStored(call_id) from error

    def _put_version(self, version: Waiting) -> None:
        number, record, placement, parts, before = version.number, version.record, version.placement, version.parts, version.before
        call, answer, request = parts.call, parts.answer, version.request
        if request is None:
            continued = None if placement.parent_id is None else self._calls.messages_of(placement.parent_id, placement.thread_id)
            request = self._requests.put(call, parts.exchange.request.body, parts, continued)
            self._asked.append((number, request.recipe, request.body, parts.read_asked()))
            if before is not None:
                self._requests.release(before.request)
        trace = self._traces.enter(placement.trace_id, record.started_ns, placement.trace_evidence, placement.trace_name)
        if before is None:
            self._calls.add(Stored(number, trace, record, request))
            self._traces.add(trace, number, record)
            self._edges.add(trace, number, placement.trace_id, placement.edges)
        else:
            self._calls.finish(before, record, request)
            self._follow(before, trace, placement, record)
        self._events.announce(EventKind.CALL, trace, number)
        if answer is None:
            self._placements[call.call_id] = placement
            return
        answers = self.contents.messages(f"message {call.format}", call.answers)
        self.contents.hold(answers)
        self._ended.append((number, answers, answer.usage_raw, answer.tool_calls, answer.response, parts.ended))
        said = call.messages[request.new_from :]
        self.words.add(number, (*call.system, *said) if request.system_is_new else said, call.answers)
        self._hours.count(record, 1)
        self._events.end_deltas(number)

    def _stored(self, call_id: str) -> Stored | None:
        """Return a call's newest version, its rows put."""
        if call_id in self._waiting:
            self._put_rows()
        return self._calls.stored(call_id)

    def _write_records(self) -> None:
        """Pack and write what crossed, of many calls at once: the compressor and one statement stay in the processor's caches."""
        asked, ended = self._asked, self._ended
        if not asked and not ended:
            return
        self._db.executemany(self._sql["put_asked"], [(*places, crossing.pack_asked(record)) for *places, record in asked])
        self._db.executemany(self._sql["add_answer"], [(*said, crossing.pack_ended(record)) for *said, record in ended])
        asked.clear()
        ended.clear()
        self._held_bytes = 0

    def _parts_of(self, call: Call, exchange: Exchange) -> Parts:
        parts = self._parts.pop(call.call_id, None)
        if parts is not None and parts.call is call and parts.exchange is exchange:
            return parts
        return parts_of([(call, exchange)], self._calls.is_open)[0]

    def _follow(self, before: Stored, trace: int, placement: Placement, record: CallRecord) -> None:
        """Let a call's next version stand where its placement says, if that is elsewhere."""
        known = self._placements.pop(record.call_id, None)
        self._recount(before, trace, placement.trace_id, record)
        if known is None or known.edges != placement.edges:
            self._edges.replace(trace, before.number, placement.trace_id, before.record.call_id, placement.edges)

    def _recount(self, before: Stored, trace: int, trace_id: str, record: CallRecord) -> None:
        """Count a call as `record` in `trace`, no longer as it was."""
        if before.trace == trace:
            self._traces.change(trace, before.number, before.record, record)
        else:
            self._traces.take(before.trace, before.record, trace_id)
            self._traces.add(trace, before.number, record)
        if before.trace != trace or not self._calls.stands_alike(before.record, record):
            self._calls.place(before, trace, record)

    def _replace(self, change: Replaced) -> None:
        before = self._calls.stored(change.call_id)
        if before is None:
            return
        placement = storable(change.placement)
        record = placed(before.record, placement)
        self._place(before, record, placement.trace_id, placement.trace_evidence, placement.trace_name)
        trace = self._traces.enter(placement.trace_id, before.record.started_ns, placement.trace_evidence, None)
        self._edges.replace(trace, before.number, placement.trace_id, before.record.call_id, placement.edges)
        self._links.put(before.number, record, placement.trace_id, change.indexed)
        self._placements.pop(change.call_id, None)

    def _move_thread(self, move: ThreadMove) -> None:
        self._settle()
        members = [str(call_id) for (call_id,) in self._db.execute(self._sql["thread_members"], (move.thread_id,))]
        for call_id in members:
            before = self._calls.stored(call_id)
            if before is None:
                continue
            record = msgspec.structs.replace(
                before.record,
                thread_id=move.into,
                root_id=move.root_id,
                opener_id=move.opener_id,
                agent_name=move.named(before.record.agent_name, is_given=bool(before.record.agent_given)),
            )
            self._place(before, record, move.trace_id, self._traces.source(before.trace), None)

    def _place(self, before: Stored, record: CallRecord, trace_id: str, evidence: Evidence, name: str | None) -> None:
        """Let a stored call stand elsewhere; nothing happens when it stands there already."""
        trace = self._traces.enter(trace_id, record.started_ns, evidence, name)
        if trace == before.trace and record == before.record:
            return
        if record.agent_name != before.record.agent_name:
            self._hours.count(before.record, -1)
            self._hours.count(record, 1)
        self._recount(before, trace, trace_id, record)
        self._links.moved(before.number)
        self._events.announce(EventKind.CALL, trace, before.number)
        if trace != before.trace:
            self._edges.announce(trace, before.number, trace_id, before.record.call_id)

    def _announce_gone(self, gone: Sequence[Gone]) -> None:
        """Tell of traces that are gone, and of deleted calls of those that are not."""
        for trace in gone:
            self._remove(trace.number, RemovedRow(trace.trace_id, None, trace.merged_into))
        numbers = {trace.number for trace in gone}
        for number, trace_id, call_id in self._deleted:
            if number not in numbers:
                self._remove(number, RemovedRow(trace_id, call_id, None))
        self._deleted.clear()

    def _remove(self, trace: int, row: RemovedRow) -> None:
        self._events.announce(EventKind.REMOVED, trace, 0, msgspec.json.encode(row).decode())
