"""A store of rows given by hand, behind `ports.Reader`: for testing what reads, never for testing a store."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.linking.toolspans import turn_of
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import DeltaRow, Event
from modular_agents.proxy.model.query import (
    CallDetail,
    CallFilter,
    CallPage,
    CallRow,
    CostView,
    MessageView,
    PartView,
    RawExchange,
    TraceDetail,
    TracePage,
    TraceRow,
)
from modular_agents.proxy.model.tools import ToolTurn

CALL = CallRow(
    call_id="01J0000000000000000000000A",
    trace_id="trace-1",
    thread_id="thread-1",
    parent_id=None,
    created_at="2026-11-22T09:30:00.000000Z",
    ended_at="2026-11-22T09:30:02.500000Z",
    status="completed",
    kind="turn",
    provider="claude",
    format="anthropic.messages",
    operation="chat",
    method="POST",
    path="/v1/messages",
    upstream="anthropic",
    model="claude-sonnet-4-5",
    agent_name="orchestrator",
    stream=True,
    duration_ms=2500.0,
    ttft_ms=310.0,
    tokens_input=1200,
    tokens_output=85,
    tokens_cache_read=1000,
    tokens_cache_write=None,
    tokens_reasoning=None,
    usage_source="reported",
    cost_usd=0.00213,
    finish_reason="end_turn",
    http_status=200,
    error=None,
    prompt_preview="Explore the repository",
    answer_preview="It has three modules",
    tool_names=(),
    replay_of=None,
    flags=(),
)
TRACE = TraceRow(
    trace_id="trace-1",
    created_at=CALL.created_at,
    name=None,
    task_description="Add a login page",
    status="completed",
    ended_at=CALL.ended_at,
    last_activity_at="2026-11-22T09:30:02.500000Z",
    source="header.x-trace-id",
    call_count=1,
    running_count=0,
    agent_count=1,
    error_count=0,
    tokens_input=1200,
    tokens_output=85,
    cost_usd=0.00213,
    unpriced_count=0,
)
RAW = RawExchange(
    call_id=CALL.call_id,
    method="POST",
    target="/v1/messages",
    target_received="/v1/v1/messages",
    upstream_url="https://api.anthropic.com",
    request_headers=(("Content-Type", "application/json"), ("X-Api-Key", "[redacted 1a2b3c4d]")),
    request_body=b'{"model":"claude-sonnet-4-5"}',
    request_body_size=29,
    request_rebuilt=True,
    status=200,
    reason="OK",
    response_headers=(("content-type", "text/event-stream"),),
    response_body=b"event: ping\ndata: {}\n\n",
    response_body_size=22,
    response_trailers=(),
    chunks=((310.0, 22),),
    outcome="complete",
    outcome_detail="",
    flags=(),
)


def message(role: str, text: str, kind: str = "text") -> MessageView:
    """Return a message of one part."""
    return MessageView(role, (PartView(kind, text, None, None, None, None, "{}"),), "00")


def detail(call: CallRow = CALL, **more: object) -> CallDetail:
    """Return everything understood about a call, a little of it."""
    whole = CallDetail(
        call=call,
        system=(message("system", "You are the Orchestrator Agent"),),
        messages=(message("user", "Explore the repository"),),
        tools=(),
        params="{}",
        answers=(message("assistant", "It has three modules"),),
        usage_raw=None,
        cost=CostView(0.00213, "claude-sonnet-4-5", "genai-prices 0.2.3", None, ""),
        error_whose=None,
        error_kind=None,
        unreadable_where=None,
        unreadable_reason=None,
        request_id="req_1",
        response_id="msg_1",
        model_response="claude-sonnet-4-5",
        client="127.0.0.1:50000",
        connection_id="c1",
        partial=(),
        seq=1,
    )
    return replace(whole, **more)


@dataclass
class FakeStore:
    """Rows and events; `reader()` gives a reader of them. Safe to change from another thread."""

    traces: list[TraceRow] = field(default_factory=lambda: [TRACE])
    calls: list[CallRow] = field(default_factory=lambda: [CALL])
    details: dict[str, CallDetail] = field(default_factory=lambda: {CALL.call_id: detail()})
    raws: dict[str, RawExchange] = field(default_factory=lambda: {CALL.call_id: RAW})
    events: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    floor: int = 0
    last: int = 0
    changes: int = 0
    asked: list[tuple[str, CallFilter, str | None, int]] = field(default_factory=list)
    failure: Exception | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int = 1, step: int = 1, text: str = "x") -> None:
        """Append events whose numbers are `step` apart."""
        with self.lock:
            for _ in range(count):
                self.last += step
                row = DeltaRow(CALL.call_id, CALL.created_at, 0, "text", text, None)
                self.events.append(Event(self.last, "delta", "trace-1", CALL.call_id, msgspec.json.encode(row).decode()))
            self.changes += 1

    def prune(self, floor: int) -> None:
        """Forget events up to `floor`."""
        with self.lock:
            self.floor = max(self.floor, min(floor, self.last))
            self.events = [event for event in self.events if event.seq > self.floor]
            self.changes += 1

    def lose_rows(self, count: int) -> None:
        """Let the newest events announce nothing, as when their rows are gone: they are read, and not told."""
        with self.lock:
            kept = len(self.events) - count
            self.events[kept:] = [replace(event, body="") for event in self.events[kept:]]

    def reader(self) -> "FakeReader":
        """Return a reader; raises what `failure` holds."""
        if self.failure is not None:
            raise self.failure
        return FakeReader(self)


class FakeReader:
    """`ports.Reader` over a `FakeStore`."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.closed = False

    def _check(self) -> None:
        if self.store.failure is not None:
            raise self.store.failure

    def version(self) -> int:
        self._check()
        return self.store.changes

    def seq(self) -> tuple[int, int]:
        self._check()
        with self.store.lock:
            return self.store.floor, self.store.last

    def events(self, after: int, limit: int) -> Sequence[Event]:
        self._check()
        with self.store.lock:
            return [event for event in [event for event in self.store.events if event.seq > after][:limit] if event.body]

    def traces(self, where: CallFilter, cursor: str | None, limit: int) -> TracePage:
        self._check()
        self._note("traces", where, cursor, limit)
        start = int(cursor or 0)
        more = len(self.store.traces) > start + limit
        return TracePage(tuple(self.store.traces[start : start + limit]), str(start + limit) if more else None, self.store.last)

    def trace(self, trace_id: str) -> TraceDetail | None:
        self._check()
        for row in self.store.traces:
            if row.trace_id == trace_id:
                return TraceDetail(row, tuple(call for call in self.store.calls if call.trace_id == trace_id), (), self.store.last)
        return None

    def tool_turns(self, trace_id: str) -> Sequence[ToolTurn]:
        self._check()
        return tuple(turn for detail in self.store.details.values() if detail.call.trace_id == trace_id for turn in [turn_of(detail)])

    def calls(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        self._check()
        self._note("calls", where, cursor, limit)
        start = int(cursor or 0)
        more = len(self.store.calls) > start + limit
        return CallPage(tuple(self.store.calls[start : start + limit]), str(start + limit) if more else None, self.store.last)

    def call(self, call_id: str) -> CallDetail | None:
        self._check()
        return self.store.details.get(call_id)

    def decisions(self, call_id: str | None = None) -> Sequence[Decision]:
        self._check()
        return [one for one in self.store.decisions if call_id in {None, one.call_id}]

    def raw(self, call_id: str) -> RawExchange | None:
        self._check()
        return self.store.raws.get(call_id)

    def close(self) -> None:
        self.closed = True

    def _note(self, what: str, where: CallFilter, cursor: str | None, limit: int) -> None:
        if cursor is not None and not cursor.isdigit():
            raise UsageError("That cursor is not ours.")
        self.store.asked.append((what, where, cursor, limit))
