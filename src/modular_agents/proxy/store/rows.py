"""A stored call is one row of plain values, made here and nowhere else, whatever engine keeps it.

Every engine stores a `CallRecord`, and every list shows `CallRecord.row(…)`. What cannot be stored (a number beyond 64 bits,
half a surrogate pair, not-a-number) is mended here, before an engine sees it: hostile text is data, never an error.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Any, TypeVar

import msgspec

from modular_agents.proxy.model.call import Call, Cost, Delta, Message, Part, Status
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.event import DeltaRow
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.query import CallerView, CallRow, EdgeRow, MessageView
from modular_agents.proxy.model.trace import Edge, Placement

Value = TypeVar("Value")

PREVIEW_CHARS = 200
"""As `CallRow` promises."""
TRACE_IDLE_NS = 300 * 10**9
"""How long a trace whose last answer asked for a tool counts as running: most tools end within five minutes. Stands in views.sql too."""
NS = 10**9
SEARCH_CHARS = 256 * 1024
"""Words of one prompt and of one answer that search finds; more is kept, not indexed."""
_TOKENS_MAX = 1 << 40
"""No call has as many tokens, and eight million of them can be summed up in 64 bits: a provider's nonsense would end sums, not one call."""
_ANSWERING_ROLES = frozenset({"assistant", "model"})
_RUNNING = str(Status.RUNNING)
"""As plain text: an attribute of an enum costs ten times a global."""
_FAILED = frozenset({Status.FAILED, Status.INTERRUPTED})
_TEXT_KINDS = frozenset({"text", "refusal"})


def iso(ns: int) -> str:
    """Return a time as every row shows it: UTC, ISO 8601, microseconds, `Z`."""
    seconds, rest = divmod(ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest // 1000:06d}Z"


class CallSummary(msgspec.Struct, frozen=True, gc=False):
    """What lists read of a stored call. Lists inside are JSON text; truths are 0 and 1."""

    call_id: str
    status: str
    thread_id: str
    parent_id: str | None
    kind: str
    started_ns: int
    ended_ns: int | None
    first_token_ns: int | None
    provider: str
    format: str
    operation: str
    method: str
    path: str
    upstream: str
    model: str | None
    agent_name: str | None
    stream: int
    tokens_input: int | None
    tokens_input_uncached: int | None
    tokens_cache_read: int | None
    tokens_cache_write_5m: int | None
    tokens_cache_write_1h: int | None
    tokens_output: int | None
    tokens_reasoning: int | None
    usage_source: str
    cost_usd: float | None
    finish_reason: str | None
    http_status: int | None
    error: str | None
    is_error: int
    prompt_preview: str
    answer_preview: str
    tool_names: str
    replay_of: str | None
    flags: str

    @property
    def is_running(self) -> bool:
        """The end has not been seen."""
        return self.status == _RUNNING

    @property
    def is_unpriced(self) -> bool:
        """It used tokens and nobody knows what they cost."""
        return self.cost_usd is None and not self.is_running and (self.tokens_input is not None or self.tokens_output is not None)

    @property
    def asks_tool(self) -> bool:
        """Its answer asks for a tool: more will follow."""
        return self.tool_names != "[]"

    def row(self, trace_id: str) -> CallRow:
        """Return the row that lists show."""
        return CallRow(
            call_id=self.call_id,
            trace_id=trace_id,
            thread_id=self.thread_id,
            parent_id=self.parent_id,
            created_at=iso(self.started_ns),
            ended_at=None if self.ended_ns is None else iso(self.ended_ns),
            status=self.status,
            kind=self.kind,
            provider=self.provider,
            format=self.format,
            operation=self.operation,
            method=self.method,
            path=self.path,
            upstream=self.upstream,
            model=self.model,
            agent_name=self.agent_name,
            stream=bool(self.stream),
            duration_ms=_ms(self.started_ns, self.ended_ns),
            ttft_ms=_ms(self.started_ns, self.first_token_ns),
            tokens_input=self.tokens_input,
            tokens_output=self.tokens_output,
            tokens_cache_read=self.tokens_cache_read,
            tokens_cache_write=_sum(self.tokens_cache_write_5m, self.tokens_cache_write_1h),
            tokens_reasoning=self.tokens_reasoning,
            usage_source=self.usage_source,
            cost_usd=self.cost_usd,
            finish_reason=self.finish_reason,
            http_status=self.http_status,
            error=self.error,
            prompt_preview=self.prompt_preview,
            answer_preview=self.answer_preview,
            tool_names=tuple(msgspec.json.decode(self.tool_names)) if self.asks_tool else (),
            replay_of=self.replay_of,
            flags=tuple(msgspec.json.decode(self.flags)) if self.flags != "[]" else (),
        )


class CallRecord(CallSummary, frozen=True, gc=False):
    """One version of a call as it is stored: what lists show, then what only its detail shows."""

    model_response: str | None
    request_id: str | None
    response_id: str | None
    service_tier: str | None
    client: str
    connection_id: str
    cost_model: str | None
    cost_catalogue: str | None
    cost_tier: str | None
    cost_why: str
    error_whose: str | None
    error_kind: str | None
    unreadable_where: str | None
    unreadable_reason: str | None
    root_id: str
    opener_id: str | None
    agent_given: int
    task_description: str | None


class AnswerRecord(msgspec.Struct, frozen=True, gc=False):
    """What the end of a call brings beside its row: the provider's usage as sent, the tools it asked for (JSON list), its text."""

    usage_raw: str | None
    tool_calls: str
    response: str


def make_record(call: Call, exchange: Exchange, placement: Placement, cost: Cost) -> CallRecord:
    """Return the row of one version of a call. Pure."""
    usage, error, unreadable = call.usage, call.error, call.unreadable
    return CallRecord(
        call_id=call.call_id,
        status=str(call.status),
        thread_id=placement.thread_id,
        parent_id=placement.parent_id,
        kind=placement.kind,
        started_ns=call.started_ns,
        ended_ns=call.ended_ns,
        first_token_ns=call.first_token_ns,
        provider=call.provider,
        format=call.format,
        operation=call.operation,
        method=call.method,
        path=call.path,
        upstream=call.upstream,
        model=call.model or call.model_response,
        agent_name=placement.agent_name,
        stream=int(call.stream),
        tokens_input=_count(usage.input_total),
        tokens_input_uncached=_count(usage.input_uncached),
        tokens_cache_read=_count(usage.cache_read),
        tokens_cache_write_5m=_count(usage.cache_write_5m),
        tokens_cache_write_1h=_count(usage.cache_write_1h),
        tokens_output=_count(usage.output_total),
        tokens_reasoning=_count(usage.reasoning),
        usage_source=str(usage.source),
        cost_usd=_amount(cost),
        finish_reason=call.finish_reason,
        http_status=call.http_status,
        error=(error.message or error.kind) if error else None,
        is_error=int(call.status in _FAILED or (error is not None and call.status != Status.CANCELLED)),
        prompt_preview=_prompt_preview(call.messages),
        answer_preview=_preview(call.answer_text),
        tool_names=_json([part.name or "" for part in tools]) if (tools := _tools(call)) else "[]",
        replay_of=call.hints.replay_of,
        flags=_json(sorted(call.flags | exchange.flags)) if call.flags or exchange.flags else "[]",
        model_response=call.model_response,
        request_id=call.request_id,
        response_id=call.response_id,
        service_tier=call.service_tier,
        client=call.client,
        connection_id=call.connection_id,
        cost_model=cost.model,
        cost_catalogue=cost.catalogue,
        cost_tier=cost.tier,
        cost_why=cost.why,
        error_whose=error.whose if error else None,
        error_kind=error.kind if error else None,
        unreadable_where=unreadable.where if unreadable else None,
        unreadable_reason=unreadable.reason if unreadable else None,
        root_id=placement.root_id or call.call_id,
        opener_id=placement.opener_id,
        agent_given=int(placement.agent_given),
        task_description=placement.task_description,
    )


def make_answer(call: Call) -> AnswerRecord:
    """Return what the end of a call brings beside its row. Pure."""
    raw = call.usage.raw
    tools = [{"id": part.tool_id, "name": part.name, "arguments": part.arguments} for part in _tools(call)]
    return AnswerRecord(None if raw is None else raw.decode("utf-8", "replace"), _json(tools) if tools else "[]", call.answer_text)


def placed(record: CallRecord, placement: Placement) -> CallRecord:
    """Return the record of a call that stands where `placement` says."""
    return msgspec.structs.replace(
        record,
        thread_id=placement.thread_id,
        parent_id=placement.parent_id,
        kind=placement.kind,
        agent_name=placement.agent_name,
        root_id=placement.root_id or record.call_id,
        opener_id=placement.opener_id,
        agent_given=int(placement.agent_given),
        task_description=placement.task_description,
    )


def priced(record: CallRecord, cost: Cost) -> CallRecord:
    """Return the record of a call that costs otherwise."""
    return msgspec.structs.replace(
        record,
        cost_usd=_amount(cost),
        cost_model=cost.model,
        cost_catalogue=cost.catalogue,
        cost_tier=cost.tier,
        cost_why=cost.why,
    )


def delta_row(delta: Delta) -> str:
    """Return the body of a `delta` event."""
    row = DeltaRow(delta.call_id, iso(delta.at_ns), delta.part, delta.kind, delta.text, delta.name)
    return msgspec.json.encode(row).decode()


def edge_id(start: str, edge_type: str, end: str) -> str:
    """Return the name of an edge: its ends, so that writing it twice is writing it once."""
    return f"{start}-{edge_type}-{end}"


def edge_row(edge: Edge, trace_id: str) -> EdgeRow:
    """Return an edge for showing."""
    edge_type = str(edge.edge_type)
    return EdgeRow(
        edge_id=edge_id(edge.from_call_id, edge_type, edge.to_call_id),
        trace_id=trace_id,
        from_call_id=edge.from_call_id,
        to_call_id=edge.to_call_id,
        edge_type=edge_type,
        evidence=edge.evidence.rule,
        confidence=float(edge.evidence.confidence),
    )


def caller_view(caller: Caller) -> CallerView:
    """Return whose a connection is, for showing."""
    started = None if caller.started_ns is None else iso(caller.started_ns)
    return CallerView(caller.pid, started, caller.executable, caller.command, caller.directory)


def new_from(messages: tuple[Message, ...], continued: int | None) -> int:
    """Return the index of the first message that this turn adds; `continued` is the message count of the call it continues, if any.

    The answer of the continued call, which comes back as an entry of the history, is not new. A call that adds nothing
    (a retry) is new from its last answer on.
    """
    count = len(messages)
    if continued is None:
        return 0
    start = continued
    if start >= count:
        start = count
        while start and messages[start - 1].role not in _ANSWERING_ROLES:
            start -= 1
    while start < count and messages[start].role in _ANSWERING_ROLES:
        start += 1
    return start


def searched(messages: Sequence[Message | MessageView], limit_chars: int) -> str:
    """Return the words of messages that search finds: texts, tool names and arguments; at most `limit_chars`."""
    words: list[str] = []
    size = 0
    for message in messages:
        for part in message.parts:
            for text in (part.text, part.name if part.kind == "tool_use" else None, part.arguments):
                if text:
                    words.append(text[: limit_chars - size])
                    size += len(text)
                    if size >= limit_chars:
                        return "\n".join(words)
    return "\n".join(words)


def storable(value: Value) -> Value:
    """Return `value` with every text in it made fit to store: half a surrogate pair becomes `?`. Values nest freely."""
    mended: Value = _storable(value)
    return mended


def _storable(value: Any) -> Any:  # noqa: ANN401 - any value of the model
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, tuple):
        return tuple(_storable(item) for item in value)
    if isinstance(value, frozenset):
        return frozenset(_storable(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _storable(getattr(value, field.name)) for field in fields(value)})
    return value


def _tools(call: Call) -> list[Part]:
    return [part for part in call.answers[0].parts if part.kind == "tool_use"] if call.answers else []


def _count(number: int | None) -> int | None:
    return number if number is not None and -_TOKENS_MAX < number < _TOKENS_MAX else None


def _amount(cost: Cost) -> float | None:
    return cost.usd if cost.usd is not None and isfinite(cost.usd) else None


def _ms(start_ns: int, end_ns: int | None) -> float | None:
    return None if end_ns is None else (end_ns - start_ns) / 1e6


def _sum(*numbers: int | None) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _preview(text: str) -> str:
    """Return the beginning of a text on one line."""
    start = text[:PREVIEW_CHARS]
    if start.isprintable() and "  " not in start:
        return start.strip()
    return " ".join(text[: 4 * PREVIEW_CHARS].split())[:PREVIEW_CHARS]


def _prompt_preview(messages: tuple[Message, ...]) -> str:
    """The last user text: clients put their own reminders before it."""
    for message in reversed(messages):
        if message.role != "user":
            continue
        for part in reversed(message.parts):
            if part.kind in _TEXT_KINDS and (shown := _preview(part.text)):
                return shown
    return ""
