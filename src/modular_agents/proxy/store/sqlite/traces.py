"""A trace's sums are kept as calls come, change and move, so that a list of traces reads one row each.

A call counts from its first version on; a later version replaces what the earlier one brought. What cannot be taken back by
subtraction (who came first, who last, what was said last) is asked of the calls again when one has left. Rows are written once
per batch. A trace without calls is gone.
"""

import json
from dataclasses import dataclass, fields
from operator import attrgetter

import apsw

from modular_agents.proxy.model.query import TraceRow
from modular_agents.proxy.model.trace import HELPERS, Evidence
from modular_agents.proxy.store.rows import TRACE_IDLE_NS, CallRecord, iso
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.known import forget_oldest
from modular_agents.proxy.store.sqlite.numbers import Numbers

KNOWN_MAX = 20_000
"""Traces whose number is remembered."""
SUMS_KNOWN_MAX = 2_000
"""Traces whose sums and threads are remembered, about 4 MB."""
Speakers = dict[tuple[str, str], int]
"""Calls of one trace by thread and name."""


@dataclass(slots=True)
class TraceSums:
    """A trace's row while a batch changes it. Field for field the columns of `trace`."""

    id: int
    trace_id: str
    created_ns: int
    last_ns: int
    name: str | None
    task_description: str | None
    source: str
    source_detail: str
    source_confidence: float
    call_count: int = 0
    running_count: int = 0
    agent_count: int = 0
    error_count: int = 0
    tokens_input: int = 0
    tokens_input_calls: int = 0
    tokens_output: int = 0
    tokens_output_calls: int = 0
    cost_usd: float = 0.0
    cost_calls: int = 0
    unpriced_count: int = 0
    oldest_call: int = 0
    root_thread: str = ""
    newest_call: int = 0
    newest_thread: str = ""
    newest_failed: int = 0
    answered_ns: int = 0
    asks_tool: int = 0
    described_by: int = 0

    def count(self, call: CallRecord, sign: int) -> None:
        """Add what a call brings (`sign` 1) or take it out again (-1)."""
        self.call_count += sign
        self.running_count += sign * call.is_running
        self.error_count += sign * call.is_error
        self.unpriced_count += sign * call.is_unpriced
        if call.tokens_input is not None:
            self.tokens_input += sign * call.tokens_input
            self.tokens_input_calls += sign
        if call.tokens_output is not None:
            self.tokens_output += sign * call.tokens_output
            self.tokens_output_calls += sign
        if call.cost_usd is not None:
            self.cost_usd += sign * call.cost_usd
            self.cost_calls += sign

    def see(self, number: int, call: CallRecord, *, speaks: bool = True) -> None:
        """Note who came first, who last, what the last answer asked for, and who described it. `number` is `call.id`.

        A helper beside a conversation does not speak for the trace: a title that was made after a failure is no success.
        """
        self.created_ns = min(self.created_ns, call.started_ns)
        self.last_ns = max(self.last_ns, call.started_ns, call.ended_ns or 0)
        if not speaks:
            return
        if not self.oldest_call or number <= self.oldest_call:
            self.oldest_call, self.root_thread = number, call.thread_id
        if number >= self.newest_call:
            self.newest_call, self.newest_thread = number, call.thread_id
            self.newest_failed = int(call.status == "failed")
        if call.ended_ns is not None and call.ended_ns >= self.answered_ns:
            self.answered_ns, self.asks_tool = call.ended_ns, int(call.asks_tool)
        if call.task_description is not None and call.root_id == call.call_id and (not self.described_by or number <= self.described_by):
            self.described_by, self.task_description = number, call.task_description

    def row(self, now_ns: int) -> TraceRow:
        """Return the row that lists show, as it is at `now_ns`."""
        status = self.status(now_ns)
        return TraceRow(
            trace_id=self.trace_id,
            created_at=iso(self.created_ns),
            name=self.name,
            task_description=self.task_description,
            status=status,
            ended_at=None if status == "running" else iso(self.last_ns),
            last_activity_at=iso(self.last_ns),
            source=self.source,
            call_count=self.call_count,
            running_count=self.running_count,
            agent_count=self.agent_count,
            error_count=self.error_count,
            tokens_input=self.tokens_input if self.tokens_input_calls else None,
            tokens_output=self.tokens_output if self.tokens_output_calls else None,
            cost_usd=self.cost_usd if self.cost_calls else None,
            unpriced_count=self.unpriced_count,
        )

    def status(self, now_ns: int) -> str:
        """Running while a call is open or a tool may still be at work; failed when the root thread's failure was the last word."""
        if self.running_count:
            return "running"
        if self.newest_failed and self.newest_thread == self.root_thread:
            return "failed"
        return "running" if self.asks_tool and self.last_ns > now_ns - TRACE_IDLE_NS else "completed"


_HELPERS = json.dumps([*HELPERS])
_COLUMNS = attrgetter(*(field.name for field in fields(TraceSums)))
_INDEXED = {"id", "trace_id", "cost_usd"}
_CHANGING = attrgetter(*(field.name for field in fields(TraceSums) if field.name not in _INDEXED), "id")
"""As `update_trace` names them."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A trace that lost its last call; `merged_into` took them over, if they were moved."""

    number: int
    trace_id: str
    merged_into: str | None


class Traces:
    """The traces that one batch changes."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._free = Numbers(db, "trace")
        self._numbers: dict[str, int] = {}
        self._greatest_id = ""
        """Of all trace ids that the file has or has had: those that are made here are born in order."""
        self._sums: dict[int, TraceSums] = {}
        """Of the traces that this batch changes."""
        self._known: dict[int, TraceSums] = {}
        self._costs: dict[int, float] = {}
        """The costs that the file has, of some of them: they are indexed, so what is unchanged is not written."""
        self._speakers: dict[int, Speakers] = {}
        """Of those and of earlier ones: copies of what the file says."""
        self._unsure: dict[int, str | None] = {}
        """Traces that a call has left, with the trace it went to."""
        self.changed: tuple[int, ...] = ()
        """Numbers of the traces that the last flush wrote."""
        self._spoken: set[int] = set()
        """Traces with a turn in this batch."""
        self._threads: dict[int, Speakers] = {}
        """Changes of how many calls a thread has under a name, by trace."""
        self._new: set[int] = set()
        """Traces without a row: it is written with what the batch brings them, which is all that many of them ever hold."""

    def enter(self, trace_id: str, started_ns: int, evidence: Evidence, name: str | None) -> int:
        """Return the number of a trace; it is opened if need be. The last name holds, the surest evidence is kept."""
        number = self._numbers.get(trace_id)
        if number is None and trace_id <= self._greatest_id:
            number = self._db.execute(self._sql["find_trace"], (trace_id,)).get
        if number is None:
            self._greatest_id = max(self._greatest_id, trace_id)
            number = self._free.take(started_ns)
            self._open(TraceSums(number, trace_id, started_ns, started_ns, name, None, evidence.rule, evidence.detail, evidence.confidence))
        self._numbers[trace_id] = number
        sums = self.sums(number)
        sums.name = name or sums.name
        if evidence.confidence > sums.source_confidence:
            sums.source, sums.source_detail, sums.source_confidence = evidence.rule, evidence.detail, evidence.confidence
        return number

    def source(self, number: int) -> Evidence:
        """Return how a trace was recognised."""
        sums = self.sums(number)
        return Evidence(sums.source, sums.source_detail, sums.source_confidence)

    def sums(self, number: int) -> TraceSums:
        """Return a trace's sums, to be changed."""
        sums = self._sums.get(number)
        if sums is None:
            sums = self._known.get(number) or TraceSums(*self._db.execute(self._sql["trace_by_id"], (number,)).get)
            self._sums[number] = self._known[number] = sums
        return sums

    def add(self, trace: int, number: int, call: CallRecord) -> None:
        """Count a call that is new here."""
        sums = self.sums(trace)
        sums.count(call, 1)
        self._see(trace, number, call)
        self._count_thread(trace, call, 1)

    def change(self, trace: int, number: int, before: CallRecord, call: CallRecord) -> None:
        """Count a call otherwise than before."""
        sums = self.sums(trace)
        sums.count(before, -1)
        sums.count(call, 1)
        self._see(trace, number, call)
        if (before.thread_id, before.agent_name) != (call.thread_id, call.agent_name):
            self._count_thread(trace, before, -1)
            self._count_thread(trace, call, 1)
        if (before.thread_id, before.root_id, before.task_description) != (call.thread_id, call.root_id, call.task_description):
            self._unsure.setdefault(trace, None)

    def take(self, trace: int, call: CallRecord, into: str | None) -> None:
        """Count a call no longer; it went to the trace `into`, or was deleted."""
        self.sums(trace).count(call, -1)
        self._count_thread(trace, call, -1)
        self._unsure[trace] = into

    def write(self) -> None:
        """Write the rows of new traces as they are so far: others can refer to them from now on."""
        if self._new:
            new = [self._sums[number] for number in self._new]
            self._db.executemany(self._sql["add_trace"], map(_COLUMNS, new))
            self._costs.update((sums.id, sums.cost_usd) for sums in new)
            self._free.written(self._new)
            self._new.clear()

    def flush(self) -> list[Gone]:
        """Write every trace that changed (then named in `changed`); return those that are gone."""
        gone = []
        for number, into in self._unsure.items():
            sums = self.sums(number)
            if sums.call_count > 0:
                self._look_again(sums)
                continue
            del self._sums[number], self._known[number]
            self._new.discard(number)
            self._free.written((number,))
            self._costs.pop(number, None)
            self._speakers.pop(number, None)
            self._threads.pop(number, None)
            self._numbers.pop(sums.trace_id, None)
            self._db.execute(self._sql["drop_threads"], (number,))
            self._db.execute(self._sql["drop_trace"], (number,))
            gone.append(Gone(number, sums.trace_id, into if into != sums.trace_id else None))
        self._flush_threads()
        self._db.executemany(self._sql["update_trace"], [_CHANGING(sums) for sums in self._sums.values() if sums.id not in self._new])
        self.write()
        changed = [(sums.cost_usd, sums.id) for sums in self._sums.values() if sums.cost_usd != self._costs.get(sums.id)]
        self._db.executemany(self._sql["update_trace_cost"], changed)
        self._costs.update((number, usd) for usd, number in changed)
        self.changed = tuple(self._sums)
        self._drop_changes()
        while len(self._numbers) > KNOWN_MAX:
            forget_oldest(self._numbers)
        while len(self._known) > SUMS_KNOWN_MAX:
            for number in forget_oldest(self._known):
                self._costs.pop(number, None)
                self._speakers.pop(number, None)
        return gone

    def forget(self) -> None:
        """Drop what was not written: the batch was rolled back."""
        for known in (self._numbers, self._known, self._costs, self._speakers):
            known.clear()
        self._free.forget()
        self._greatest_id = self._db.execute(self._sql["greatest_trace_id"]).get or ""
        self._drop_changes()

    def _drop_changes(self) -> None:
        self._sums, self._unsure, self._threads, self._spoken = {}, {}, {}, set()
        self._new = set()

    def _see(self, trace: int, number: int, call: CallRecord) -> None:
        """Let a turn speak for its trace, and a helper among helpers; when the first turn joins helpers, the calls are asked again."""
        sums = self.sums(trace)
        if call.kind in HELPERS:
            sums.see(number, call, speaks=not sums.agent_count and trace not in self._spoken)
            return
        self._spoken.add(trace)
        sums.see(number, call)
        if not sums.agent_count and sums.call_count > 1:
            self._unsure.setdefault(trace, None)

    def _open(self, sums: TraceSums) -> None:
        self._new.add(sums.id)
        self._sums[sums.id] = self._known[sums.id] = sums
        self._speakers[sums.id] = {}

    def _count_thread(self, trace: int, call: CallRecord, sign: int) -> None:
        if call.kind in HELPERS:
            return
        spoken = self._threads.setdefault(trace, {})
        key = (call.thread_id, call.agent_name or "")
        spoken[key] = spoken.get(key, 0) + sign

    def _flush_threads(self) -> None:
        """Write how many calls the threads have; count the agents of a trace in which a thread or name came or went."""
        written, gone = [], []
        for trace, spoken in self._threads.items():
            speakers = self._speakers_of(trace)
            before = len(speakers)
            for key, change in spoken.items():
                if not change:
                    continue
                count = speakers.get(key, 0) + change
                if count > 0:
                    speakers[key] = count
                    written.append((trace, *key, count))
                elif speakers.pop(key, None) is not None:
                    before = -1
                    gone.append((trace, *key))
            if len(speakers) != before:
                self.sums(trace).agent_count = _agents(speakers)
        self._db.executemany(self._sql["put_thread"], written)
        self._db.executemany(self._sql["drop_thread"], gone)

    def _speakers_of(self, trace: int) -> Speakers:
        speakers = self._speakers.get(trace)
        if speakers is None:
            rows = self._db.execute(self._sql["threads_of_trace"], (trace,))
            speakers = self._speakers[trace] = {(thread_id, name): count for thread_id, name, count in rows}
        return speakers

    def _look_again(self, sums: TraceSums) -> None:
        """Ask the calls what subtraction cannot tell."""
        ask, key = self._db.execute, (sums.id,)
        has_turns = ask(self._sql["trace_has_turns"], (sums.id, _HELPERS)).get is not None
        speaking = (sums.id, _HELPERS if has_turns else "[]")
        sums.created_ns, sums.last_ns = ask(self._sql["times_of_trace"], key).get
        sums.oldest_call, sums.root_thread = ask(self._sql["oldest_of_trace"], speaking).get
        sums.newest_call, sums.newest_thread, sums.newest_failed = ask(self._sql["newest_of_trace"], speaking).get
        sums.answered_ns, sums.asks_tool = ask(self._sql["answered_of_trace"], speaking).get or (0, 0)
        sums.described_by, sums.task_description = ask(self._sql["task_of_trace"], key).get or (0, None)


def _agents(speakers: Speakers) -> int:
    """Return how many agents speak: threads of one name are one agent, a thread without a name is one of its own."""
    if len(speakers) == 1:
        return 1
    names: dict[str, str] = {}
    for thread_id, name in speakers:
        names[thread_id] = max(name, names.get(thread_id, ""))
    return len({(bool(name), name or thread_id) for thread_id, name in names.items()})
