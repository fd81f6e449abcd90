"""Sums are kept as calls come, so that no list or statistic ever adds up a million rows.

A call counts in its trace from its first version on, and in its hour once it is final. A new version takes out what the earlier
one put in. Changes are gathered in a batch and written once per trace and per hour when it ends.
"""

from dataclasses import dataclass, fields
from math import log2
from operator import attrgetter
from typing import Any

import apsw

from modular_agents.proxy.model.query import TraceRow
from modular_agents.proxy.model.trace import Placement
from modular_agents.proxy.store.rows import NS, TRACE_IDLE_NS, CallRecord, iso
from modular_agents.proxy.store.sqlite.engine import statements

HOUR_NS = 3600 * NS
BUCKETS_PER_DOUBLING = 4
"""Latency buckets: 19 % wide, so a percentile read from them is within 10 %."""


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

    def see(self, number: int, call: CallRecord) -> None:
        """Note who came first, who last, and what the last answer asked for. `number` is `call.id`."""
        self.created_ns = min(self.created_ns, call.started_ns)
        self.last_ns = max(self.last_ns, call.started_ns, call.ended_ns or 0)
        if not self.oldest_call or number <= self.oldest_call:
            self.oldest_call, self.root_thread = number, call.thread_id
        if number >= self.newest_call:
            self.newest_call, self.newest_thread = number, call.thread_id
            self.newest_failed = int(call.status == "failed")
        if call.ended_ns is not None and call.ended_ns >= self.answered_ns:
            self.answered_ns, self.asks_tool = call.ended_ns, int(call.asks_tool)

    def learn(self, placement: Placement) -> None:
        """Take names: the first description stays, the last name holds, the surest source is kept."""
        self.name = placement.trace_name or self.name
        self.task_description = self.task_description or placement.task_description
        evidence = placement.trace_evidence
        if evidence.confidence > self.source_confidence:
            self.source, self.source_detail, self.source_confidence = evidence.rule, evidence.detail, evidence.confidence

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


_COLUMNS = attrgetter(*(field.name for field in fields(TraceSums)))


class Rollups:
    """The sums of one batch."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._traces: dict[int, TraceSums] = {}
        self._agents_changed: set[int] = set()
        self._hours: dict[tuple[int, str, str, str], list[float]] = {}
        self._latencies: dict[tuple[int, str, str, int], int] = {}

    def trace(self, number: int) -> TraceSums:
        """Return a trace's sums, to be changed."""
        sums = self._traces.get(number)
        if sums is None:
            sums = self._traces[number] = TraceSums(*self._db.execute(self._sql["trace_by_id"], (number,)).get)
        return sums

    def open_trace(self, sums: TraceSums) -> None:
        """Write a new trace's row."""
        self._db.execute(self._sql["add_trace"], _COLUMNS(sums))
        self._traces[sums.id] = sums

    def count(self, trace: int, number: int, call: CallRecord, before: CallRecord | None) -> None:
        """Count a version of a call, in place of the one before it."""
        sums = self.trace(trace)
        if before is not None:
            sums.count(before, -1)
        sums.count(call, 1)
        sums.see(number, call)
        if before is None or (before.thread_id, before.agent_name) != (call.thread_id, call.agent_name):
            self.count_thread(trace, call, 1)
            if before is not None:
                self.count_thread(trace, before, -1)
        if not call.is_running and (before is None or before.is_running):
            self.count_hour(call, 1)

    def recount(self, trace: int) -> bool:
        """Count a trace anew from its calls; delete it and return False when it has none. Its hours stay."""
        old = self.trace(trace)
        sums = TraceSums(*_COLUMNS(old)[:9])
        self._db.execute(self._sql["drop_threads"], (trace,))
        calls = [(number, CallRecord(*values)) for number, *values in self._db.execute(self._sql["trace_records"], (trace,))]
        if not calls:
            self._db.execute(self._sql["drop_trace"], (trace,))
            del self._traces[trace]
            return False
        sums.created_ns = sums.last_ns = calls[0][1].started_ns
        self._traces[trace] = sums
        for number, call in calls:
            sums.count(call, 1)
            sums.see(number, call)
            self.count_thread(trace, call, 1)
        self._agents_changed.add(trace)
        return True

    def count_thread(self, trace: int, call: CallRecord, sign: int) -> None:
        """Add a call to its thread, or take it out."""
        same = self._db.execute(self._sql["same_agent"], (trace, call.thread_id, call.agent_name)).get
        self._db.execute(self._sql["count_thread"], (trace, call.thread_id, call.agent_name, sign))
        if sign < 0 or not same:
            self._agents_changed.add(trace)

    def count_hour(self, call: CallRecord, sign: int) -> None:
        """Add a final call to its hour, or take it out."""
        hour, model = call.started_ns // HOUR_NS, call.model or ""
        answering_ns = call.ended_ns - call.first_token_ns if call.ended_ns is not None and call.first_token_ns is not None else 0
        sums = self._hours.setdefault((hour, call.provider, model, call.agent_name or ""), [0] * 12)
        for at, number in enumerate(
            (
                1,
                call.is_error,
                call.tokens_input,
                call.tokens_output,
                call.tokens_cache_read,
                (call.tokens_cache_write_5m or 0) + (call.tokens_cache_write_1h or 0),
                call.tokens_reasoning,
                call.cost_usd,
                call.is_unpriced,
                (call.ended_ns or call.started_ns) - call.started_ns,
                answering_ns,
                call.tokens_output if answering_ns else 0,
            )
        ):
            sums[at] += sign * (number or 0)
        for what, end_ns in (("duration", call.ended_ns), ("ttft", call.first_token_ns)):
            if end_ns is not None:
                key = (hour, model, what, bucket((end_ns - call.started_ns) / 1e6))
                self._latencies[key] = self._latencies.get(key, 0) + sign

    def flush(self) -> list[int]:
        """Write everything; return the numbers of the traces that changed."""
        for number in self._agents_changed:
            if number in self._traces:
                self._traces[number].agent_count = self._db.execute(self._sql["count_agents"], (number,)).get
        changed = list(self._traces)
        self._db.executemany(self._sql["update_trace"], ((*_COLUMNS(sums)[1:], sums.id) for sums in self._traces.values()))
        self._db.executemany(self._sql["count_hour"], (_hour_row(key, sums) for key, sums in self._hours.items()))
        self._db.executemany(self._sql["count_latency"], ((*key, calls) for key, calls in self._latencies.items()))
        self._traces, self._hours, self._latencies = {}, {}, {}
        self._agents_changed = set()
        return changed


def bucket(ms: float) -> int:
    """Return the latency bucket of a duration; below 1 ms is bucket 0."""
    return int(log2(ms) * BUCKETS_PER_DOUBLING) if ms > 1 else 0


def _hour_row(key: tuple[int, str, str, str], sums: list[float]) -> tuple[Any, ...]:
    """STRICT tables take whole numbers where they expect them: only the cost is none."""
    return (*key, *(number if at == 7 else int(number) for at, number in enumerate(sums)))  # noqa: PLR2004 - place of cost_usd
