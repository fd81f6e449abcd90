"""Reading the store without a file: every answer is computed anew from all it holds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar
from zlib import crc32

import msgspec

from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import DeltaRow, Event, EventKind
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.query import (
    CallDetail,
    CallFilter,
    CallPage,
    CheckedPage,
    CostView,
    Kept,
    MessageView,
    Priced,
    PricedPage,
    RawExchange,
    Room,
    SizeRow,
    Snippet,
    Stats,
    StatsQuery,
    TraceDetail,
    TracePage,
    TraceRow,
)
from modular_agents.proxy.model.tools import ToolTurn, UserText
from modular_agents.proxy.model.trace import HELPERS, Evidence
from modular_agents.proxy.store import crossing, cursor, kept, partial, reading, recipe, snippets, terms
from modular_agents.proxy.store.checks import judge
from modular_agents.proxy.store.memory import statistics
from modular_agents.proxy.store.memory.matching import call_fits, has_words, trace_fits, trace_status
from modular_agents.proxy.store.memory.state import State, Stored
from modular_agents.proxy.store.rows import (
    SEARCH_CHARS,
    caller_view,
    edge_row,
    iso,
    make_answer,
    searched,
)
from modular_agents.proxy.store.toolturns import ANSWER_ROLE, Piece, first_of, may_be_result, may_tell, results_of, uses_of

Row = TypeVar("Row")
ID_PART_CHARS = 6


class MemoryReader:
    """A `ports.Reader`."""

    def __init__(self, state: Callable[[], State], now_ns: Callable[[], int]) -> None:
        self._now = state
        self._now_ns = now_ns

    def version(self) -> int:
        """Return the number of batches committed."""
        return self._now().version

    def seq(self) -> tuple[int, int]:
        """Return (floor, last); nothing is ever trimmed."""
        return 0, len(self._now().events)

    def events(self, after: int, limit: int) -> Sequence[Event]:
        """Return events after a number, oldest first; `call` and `trace` events bring their rows as they are now."""
        state = self._now()
        told = (self._told(state, event) for event in state.events[max(after, 0) : max(after, 0) + cursor.rows(limit)])
        return [event for event in told if event is not None]

    def traces(self, where: CallFilter, cursor: str | None, limit: int) -> TracePage:
        """Return a page of traces, newest first."""
        state = self._now()
        matches = (
            None if not (where.text or "").strip() else {stored.trace_id for stored in state.calls.values() if has_words(stored, where)}
        )
        found = []
        for trace_id, trace in state.traces.items():
            row = self._trace_row(state, trace_id)
            calls = state.of_trace(trace_id)
            if (matches is None or trace_id in matches) and trace_fits(row, calls, where):
                found.append((trace.number, row))
        items, after = _page("t", found, cursor, limit)
        return TracePage(tuple(items), after, len(state.events))

    def trace(self, trace_id: str) -> TraceDetail | None:
        """Return a trace with its calls and edges."""
        state = self._now()
        if trace_id not in state.traces:
            return None
        calls = state.of_trace(trace_id)
        place = {stored.call.call_id: stored.number for stored in calls}
        edges = [edge for stored in calls for edge in stored.placement.edges if edge.from_call_id in state.calls]
        edges.sort(key=lambda edge: (place[edge.to_call_id], state.calls[edge.from_call_id].number, edge.edge_type))
        return TraceDetail(
            self._trace_row(state, trace_id),
            tuple(stored.record.row(trace_id) for stored in calls),
            tuple(edge_row(edge, trace_id) for edge in edges),
            len(state.events),
        )

    def tool_turns(self, trace_id: str) -> Sequence[ToolTurn]:
        """Return what the calls of a trace say of tools, oldest first."""
        made = map(_tool_turn, self._now().of_trace(trace_id))
        return tuple(turn for turn in made if turn.uses or turn.results or turn.texts or turn.facts)

    def calls(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        """Return a page of calls, newest first."""
        state = self._now()
        found = [(stored.number, stored.record.row(stored.trace_id)) for stored in state.calls.values() if call_fits(stored, where)]
        items, after = _page("c", found, cursor, limit)
        words = terms.parse(where.text) if where.text else ()
        found_at = tuple(_snippet(state.calls[row.call_id], words) for row in items) if words else ()
        return CallPage(tuple(items), after, len(state.events), found_at)

    def ended(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        """Return a page of calls that have ended, oldest first."""
        state = self._now()
        ended = [stored for stored in state.calls.values() if not stored.record.is_running and call_fits(stored, where)]
        found = [(-stored.number, stored.record.row(stored.trace_id)) for stored in ended]
        items, after = _page("e", found, cursor, limit, sign=-1)
        return CallPage(tuple(items), after, len(state.events))

    def call(self, call_id: str) -> CallDetail | None:
        """Return everything understood about a call."""
        state = self._now()
        stored = _resolve(state, call_id)
        if stored is None:
            return None
        call, record, cost = stored.call, stored.record, stored.cost
        deltas = [event.body for event in state.events if event.kind == EventKind.DELTA and event.call_id == call.call_id]
        return CallDetail(
            call=record.row(stored.trace_id),
            system=_views("system", call, call.system),
            messages=_views("message", call, call.messages),
            tools=tuple(tool.decode("utf-8", "replace") for tool in call.tools),
            params=call.params.decode("utf-8", "replace"),
            answers=_views("message", call, call.answers),
            usage_raw=make_answer(call).usage_raw,
            cost=CostView(record.cost_usd, cost.model, cost.catalogue, cost.tier, cost.why),
            error_whose=record.error_whose,
            error_kind=record.error_kind,
            unreadable_where=record.unreadable_where,
            unreadable_reason=record.unreadable_reason,
            request_id=record.request_id,
            response_id=record.response_id,
            model_response=record.model_response,
            client=record.client,
            connection_id=record.connection_id,
            partial=partial.assemble(msgspec.json.decode(body, type=DeltaRow) for body in deltas) if record.is_running else (),
            seq=len(state.events),
            new_from=stored.new_from,
            caller=None if (found := state.callers.get(call.connection_id)) is None else caller_view(found),
        )

    def raw(self, call_id: str) -> RawExchange | None:
        """Return the exchange as it crossed."""
        stored = _resolve(self._now(), call_id)
        if stored is None:
            return None
        call, body = stored.call, stored.exchange.request.body
        messages, system = ([message.raw for message in group] for group in (call.messages, call.system))
        how = recipe.make(body, {recipe.MESSAGES: messages, recipe.SYSTEM: system, recipe.TOOLS: call.tools}) if body else None
        return crossing.raw(stored.exchange, rebuilt=how is not None)

    def exchange(self, call_id: str) -> Exchange | None:
        """Return the exchange as it was put."""
        stored = _resolve(self._now(), call_id)
        return stored.exchange if stored else None

    def kept(self, call_id: str) -> Kept | None:
        """Return a call that has ended as it was put."""
        state = self._now()
        stored = _resolve(state, call_id)
        if stored is None or stored.record.is_running:
            return None
        call, trace = stored.call, state.traces[stored.trace_id]
        source = Evidence(trace.source, trace.detail, trace.confidence)
        edges = (edge for edge in stored.placement.edges if edge.from_call_id in state.calls)
        said = kept.Said(
            kept.plain(call.system),
            kept.plain(call.messages),
            tuple(tool.decode("utf-8", "replace").encode() for tool in call.tools),
            call.params.decode("utf-8", "replace").encode(),
            kept.plain(call.answers),
        )
        return kept.kept(
            stored.record,
            stored.exchange,
            said,
            make_answer(call).usage_raw,
            kept.Standing(
                stored.trace_id,
                trace.name,
                source,
                edges,
                stored.indexed.tokens,
                stored.indexed.facts,
                state.callers.get(call.connection_id),
                tuple(self.decisions(call.call_id)),
            ),
        )

    def decisions(self, call_id: str | None = None) -> Sequence[Decision]:
        """Return what a person said of a call, or of any call; oldest first."""
        return [one for one in self._now().decisions if call_id in {None, one.call_id}]

    def stats(self, query: StatsQuery) -> Stats:
        """Return statistics of the calls that have ended."""
        return statistics.stats(self._now(), query, lambda trace_id: self._trace_row(self._now(), trace_id))

    def sizes(self) -> Sequence[SizeRow]:
        """Nothing is on a disk."""
        return ()

    def room(self, before_ns: int) -> Room:
        """Return what is there, and how much of it ended and began before a moment."""
        records = [stored.record for stored in self._now().calls.values()]
        return Room(len(records), sum(not record.is_running and record.started_ns < before_ns for record in records), 0)

    def priced(self, cursor: str | None, limit: int) -> PricedPage:
        """Return a page of calls that have ended, oldest first."""
        ended = [stored for stored in self._now().calls.values() if not stored.record.is_running]
        items, after = _page("p", [(-stored.number, Priced(stored.call, stored.cost)) for stored in ended], cursor, limit, sign=-1)
        return PricedPage(tuple(items), after)

    def checked(self, cursor: str | None, limit: int) -> CheckedPage:
        """Return a page of calls that have ended, oldest first. Nothing is taken apart here, so only sizes can be wrong."""
        ended = [stored for stored in self._now().calls.values() if not stored.record.is_running]
        found = [(-one.number, judge(one.exchange, crc32(one.exchange.request.body), rebuilt=False)) for one in ended]
        items, after = _page("k", found, cursor, limit, sign=-1)
        return CheckedPage(tuple(items), after)

    def damage(self) -> Sequence[str]:
        """Return nothing: there is no file."""
        return ()

    def close(self) -> None:
        """Release nothing. Idempotent."""

    def _told(self, state: State, event: Event) -> Event | None:
        if event.kind == EventKind.CALL and event.call_id is not None:
            stored = state.calls.get(event.call_id)
            return replace(event, trace_id=stored.trace_id, body=_json(stored.record.row(stored.trace_id))) if stored else None
        if event.kind == EventKind.TRACE and event.trace_id is not None:
            return replace(event, body=_json(self._trace_row(state, event.trace_id))) if event.trace_id in state.traces else None
        return event

    def _trace_row(self, state: State, trace_id: str) -> TraceRow:
        trace, calls = state.traces[trace_id], state.of_trace(trace_id)
        records = [stored.record for stored in calls]
        last_ns = max(max(record.started_ns, record.ended_ns or 0) for record in records)
        status = trace_status(records, last_ns, self._now_ns())
        inputs = [record.tokens_input for record in records if record.tokens_input is not None]
        outputs = [record.tokens_output for record in records if record.tokens_output is not None]
        costs = [record.cost_usd for record in records if record.cost_usd is not None]
        tasks = [record.task_description for record in records if record.task_description is not None and record.root_id == record.call_id]
        agents: dict[str, str | None] = {}
        for record in (record for record in records if record.kind not in HELPERS):
            agents[record.thread_id] = max(filter(None, (record.agent_name, agents.get(record.thread_id))), default=None)
        return TraceRow(
            trace_id=trace_id,
            created_at=iso(min(record.started_ns for record in records)),
            name=trace.name,
            task_description=tasks[0] if tasks else None,
            status=status,
            ended_at=None if status == "running" else iso(last_ns),
            last_activity_at=iso(last_ns),
            source=trace.source,
            call_count=len(records),
            running_count=sum(record.is_running for record in records),
            agent_count=len({("n", agent) if agent else ("t", thread) for thread, agent in agents.items()}),
            error_count=sum(record.is_error for record in records),
            tokens_input=sum(inputs) if inputs else None,
            tokens_output=sum(outputs) if outputs else None,
            cost_usd=sum(costs) if costs else None,
            unpriced_count=sum(record.is_unpriced for record in records),
        )


def _tool_turn(stored: Stored) -> ToolTurn:
    call, messages = stored.call, stored.call.messages
    last = max((number for number, message in enumerate(messages) if message.role == ANSWER_ROLE), default=-1)
    first = first_of(len(messages), stored.new_from, last)
    entries = [(number, messages[number].role, _pieces(messages[number])) for number in range(first, len(messages))]
    results = results_of(entries, last)
    goes_on = stored.record.parent_id is not None and stored.record.root_id != call.call_id
    texts = (
        UserText(part.text, entry[0], place)
        for entry in entries
        if goes_on and may_tell(entry, last) and not any(result.is_new for result in results)
        for place, part in enumerate(messages[entry[0]].parts)
        if part.kind == "text" and may_be_result(part.text)
    )
    is_opened = stored.record.root_id == call.call_id and stored.record.opener_id is not None
    uses = uses_of(_pieces(call.answers[0])) if call.answers else ()
    return ToolTurn(call.call_id, uses, results, tuple(texts), stored.indexed.facts if is_opened else b"")


def _pieces(message: Message) -> list[Piece]:
    return [(part.kind, part.tool_id, part.name, part.is_error) for part in message.parts]


def _page(kind: str, found: list[tuple[int, Row]], text: str | None, limit: int, sign: int = 1) -> tuple[list[Row], str | None]:
    """Return a page of numbered rows, the greatest number first (`sign` -1: numbers are given negative, the smallest first)."""
    after, size = cursor.decode(kind, text), cursor.rows(limit)
    rest = sorted((pair for pair in found if after is None or pair[0] < sign * after), key=lambda pair: -pair[0])
    return [row for _, row in rest[:size]], cursor.encode(kind, sign * rest[size - 1][0]) if len(rest) > size else None


def _snippet(stored: Stored, words: tuple[terms.Term, ...]) -> Snippet | None:
    said, answers = stored.call.messages[stored.new_from :], stored.call.answers
    places = (("prompt", said), ("answer", answers), ("prompt", stored.call.system))
    return snippets.make(words, [(where, searched(messages, SEARCH_CHARS)) for where, messages in places])


def _resolve(state: State, call_id: str) -> Stored | None:
    if call_id in state.calls or len(call_id) < ID_PART_CHARS:
        return state.calls.get(call_id)
    for part in dict.fromkeys((call_id, call_id.upper())):
        for found in ([name for name in state.calls if name.startswith(part)], [name for name in state.calls if name.endswith(part)]):
            if len(found) == 1:
                return state.calls[found[0]]
    return None


def _views(kind: str, call: Call, messages: Iterable[Message]) -> tuple[MessageView, ...]:
    return tuple(reading.view(message, f"{kind} {call.format} {hash(message.raw)}") for message in messages)


def _json(row: object) -> str:
    return msgspec.json.encode(row).decode()
