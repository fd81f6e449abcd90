"""A store whose rows are played by a script: the dashboard in front of it is real, what it shows is made up.

For looking at the page and for its tests where a whole proxy would be in the way. Rows change only through the verbs of
`Stage`, each of which tells the event that a real store would tell.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from modular_agents.proxy.linking.toolspans import turn_of
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import DeltaRow, Event, RemovedRow
from modular_agents.proxy.model.query import (
    CallDetail,
    CallFilter,
    CallPage,
    CallRow,
    EdgeRow,
    MessageView,
    PartView,
    RawExchange,
    Snippet,
    TraceDetail,
    TracePage,
    TraceRow,
)
from modular_agents.proxy.model.tools import ToolTurn

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(at_ms: float) -> str:
    """Return a time of ours for milliseconds of UTC since 1970."""
    return (EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def part(kind: str, text: str = "", **more: object) -> PartView:
    """Return a part; its `raw` is made from what is given."""
    whole = PartView(kind, text, None, None, None, None, "")
    whole = replace(whole, **more)
    return whole if whole.raw else replace(whole, raw=msgspec.json.encode({"type": kind, "text": text}).decode())


def message(role: str, *parts: PartView) -> MessageView:
    """Return a message whose node is the hash of its content."""
    return MessageView(role, parts, hashlib.sha256(msgspec.json.encode((role, parts))).hexdigest()[:16])


@dataclass
class Stage:
    """Everything the page can be shown."""

    traces: dict[str, TraceRow] = field(default_factory=dict)
    calls: dict[str, dict[str, CallRow]] = field(default_factory=dict)
    edges: dict[str, list[EdgeRow]] = field(default_factory=dict)
    details: dict[str, CallDetail] = field(default_factory=dict)
    raws: dict[str, RawExchange] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    floor: int = 0
    failure: Exception | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _trace_of: dict[str, str] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)

    @property
    def last(self) -> int:
        """Number of the newest event."""
        return self.events[-1].seq if self.events else self.floor

    def put_trace(self, row: TraceRow, *, quiet: bool = False) -> None:
        """Show a trace; `quiet` tells nobody."""
        with self.lock:
            self.traces[row.trace_id] = row
            if not quiet:
                self._tell("trace", row.trace_id, None, row)

    def put_call(self, detail: CallDetail, raw: RawExchange | None = None) -> None:
        """Show a version of a call, and its trace's new sums."""
        row = detail.call
        with self.lock:
            self.calls.setdefault(row.trace_id, {})[row.call_id] = row
            self._trace_of[row.call_id] = row.trace_id
            self.details[row.call_id] = detail
            if raw is not None:
                self.raws[row.call_id] = raw
            self._tell("call", row.trace_id, row.call_id, row)
            self.put_trace(self._summed(self.traces[row.trace_id]))

    def put_edge(self, edge: EdgeRow) -> None:
        """Join two calls."""
        with self.lock:
            self.edges.setdefault(edge.trace_id, []).append(edge)
            self._tell("edge", edge.trace_id, edge.from_call_id, edge)

    def grow(self, row: DeltaRow) -> None:
        """Let a running answer grow."""
        with self.lock:
            detail = self.details[row.call_id]
            self.details[row.call_id] = replace(detail, partial=_grown(detail.partial, row))
            self._tell("delta", self._trace_of[row.call_id], row.call_id, row)

    def remove_trace(self, trace_id: str, merged_into: str | None = None) -> None:
        """Take a trace away, as retention does."""
        with self.lock:
            del self.traces[trace_id]
            for call_id in self.calls.pop(trace_id, {}):
                self.details.pop(call_id, None)
            self._tell("removed", trace_id, None, RemovedRow(trace_id, None, merged_into))

    def newest_first(self) -> list[TraceRow]:
        """Return the traces in the order of the list; sorted anew only when there are others."""
        if len(self._order) != len(self.traces):
            self._order = sorted(self.traces, key=lambda trace_id: (self.traces[trace_id].created_at, trace_id), reverse=True)
        return [self.traces[trace_id] for trace_id in self._order]

    def forget_events(self) -> None:
        """Raise the floor to the newest event: whoever missed any must begin anew."""
        with self.lock:
            self.floor = self.last
            self.events.clear()

    def reader(self) -> "StageReader":
        """Return a reader of what is shown."""
        if self.failure is not None:
            raise self.failure
        return StageReader(self)

    def _tell(self, kind: str, trace_id: str | None, call_id: str | None, row: object) -> None:
        self.events.append(Event(self.last + 1, kind, trace_id, call_id, msgspec.json.encode(row).decode()))

    def _summed(self, row: TraceRow) -> TraceRow:
        calls = list(self.calls.get(row.trace_id, {}).values())
        running = sum(call.status == "running" for call in calls)
        priced = [call.cost_usd for call in calls if call.cost_usd is not None]
        ended = [call.ended_at for call in calls if call.ended_at is not None]
        return replace(
            row,
            status="running" if running else row.status if row.status != "running" else ("failed" if calls[-1].error else "completed"),
            ended_at=None if running else max(ended, default=None),
            last_activity_at=max([*ended, *(call.created_at for call in calls)]),
            call_count=len(calls),
            running_count=running,
            agent_count=len({call.thread_id for call in calls}),
            error_count=sum(call.error is not None for call in calls),
            tokens_input=sum(call.tokens_input or 0 for call in calls),
            tokens_output=sum(call.tokens_output or 0 for call in calls),
            cost_usd=sum(priced) if priced else None,
            unpriced_count=sum(call.cost_usd is None and call.status != "running" for call in calls),
        )


def _grown(partial: tuple[MessageView, ...], row: DeltaRow) -> tuple[MessageView, ...]:
    parts = list(partial[0].parts) if partial else []
    while len(parts) <= row.part:
        parts.append(PartView(row.kind, "", None, row.name, None, None, ""))
    old = parts[row.part]
    if row.kind == "tool_use":
        parts[row.part] = replace(old, arguments=(old.arguments or "") + row.text)
    else:
        parts[row.part] = replace(old, text=old.text + row.text)
    return (MessageView("assistant", tuple(parts), ""),)


class StageReader:
    """`ports.Reader` over a `Stage`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def _check(self) -> None:
        if self.stage.failure is not None:
            raise self.stage.failure

    def version(self) -> int:
        self._check()
        return self.stage.last

    def seq(self) -> tuple[int, int]:
        self._check()
        with self.stage.lock:
            return self.stage.floor, self.stage.last

    def events(self, after: int, limit: int) -> Sequence[Event]:
        self._check()
        with self.stage.lock:
            skip = max(0, after - self.stage.floor)
            return self.stage.events[skip : skip + limit]

    def traces(self, where: CallFilter, cursor: str | None, limit: int) -> TracePage:
        self._check()
        with self.stage.lock:
            rows = self.stage.newest_first()
            if where != CallFilter():
                rows = [row for row in rows if self._fits(row, where)]
            start = int(cursor or 0)
            more = str(start + limit) if len(rows) > start + limit else None
            return TracePage(tuple(rows[start : start + limit]), more, self.stage.last)

    def trace(self, trace_id: str) -> TraceDetail | None:
        self._check()
        with self.stage.lock:
            row = self.stage.traces.get(trace_id)
            if row is None:
                return None
            calls = sorted(self.stage.calls.get(trace_id, {}).values(), key=lambda call: (call.created_at, call.call_id))
            return TraceDetail(row, tuple(calls), tuple(self.stage.edges.get(trace_id, ())), self.stage.last)

    def tool_turns(self, trace_id: str) -> Sequence[ToolTurn]:
        self._check()
        with self.stage.lock:
            return tuple(turn_of(self.stage.details[call_id]) for call_id in self.stage.calls.get(trace_id, {}))

    def calls(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        self._check()
        with self.stage.lock:
            rows = [call for calls in self.stage.calls.values() for call in calls.values() if _call_fits(call, where)]
            rows.sort(key=lambda call: call.created_at, reverse=True)
            start = int(cursor or 0)
            more = str(start + limit) if len(rows) > start + limit else None
            shown = tuple(rows[start : start + limit])
            return CallPage(shown, more, self.stage.last, tuple(_snippet(call, where.text) for call in shown) if where.text else ())

    def ended(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        newest_first = self.calls(where, cursor, limit)
        return replace(newest_first, items=tuple(call for call in reversed(newest_first.items) if call.status != "running"))

    def call(self, call_id: str) -> CallDetail | None:
        self._check()
        with self.stage.lock:
            detail = self.stage.details.get(call_id)
            return None if detail is None else replace(detail, seq=self.stage.last)

    def decisions(self, call_id: str | None = None) -> Sequence[Decision]:
        self._check()
        return [one for one in self.stage.decisions if call_id in {None, one.call_id}]

    def raw(self, call_id: str) -> RawExchange | None:
        self._check()
        return self.stage.raws.get(call_id)

    def close(self) -> None:
        """Nothing is held."""

    def _fits(self, row: TraceRow, where: CallFilter) -> bool:
        calls = self.stage.calls.get(row.trace_id, {}).values()
        if where.status is not None and row.status != where.status:
            return False
        if where.has_error is not None and (row.error_count > 0) != where.has_error:
            return False
        if where.since_ns is not None and row.created_at < iso(where.since_ns / 1e6):
            return False
        if where.min_cost_usd is not None and (row.cost_usd or 0) < where.min_cost_usd:
            return False
        narrowed = replace(where, status=None, has_error=None, since_ns=None, min_cost_usd=None)
        if narrowed == CallFilter():
            return True
        if where.text and where.text.lower() in (row.task_description or "").lower():
            return True
        return any(_call_fits(call, narrowed) for call in calls)


def _snippet(call: CallRow, text: str) -> Snippet | None:
    """Return where a row's own words hold the text that was looked for."""
    for where, words in (("answer", call.answer_preview), ("prompt", call.prompt_preview)):
        before, hit, after = words.lower().partition(text.lower())
        if hit:
            at = len(before)
            return Snippet(where, ((words[:at], False), (words[at : at + len(hit)], True), (words[len(words) - len(after) :], False)))
    return None


def _call_fits(call: CallRow, where: CallFilter) -> bool:
    named = ((where.model, call.model), (where.agent, call.agent_name), (where.provider, call.provider), (where.status, call.status))
    if any(wanted is not None and wanted != given for wanted, given in named):
        return False
    if where.trace_id is not None and call.trace_id != where.trace_id:
        return False
    if where.has_error is not None and (call.error is not None) != where.has_error:
        return False
    return where.text is None or where.text.lower() in f"{call.prompt_preview} {call.answer_preview}".lower()
