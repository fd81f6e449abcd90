"""A stored call becomes again what it was made of, so that another store can make the same of it.

`make_record` read backwards: whatever engine keeps a call, the values given back are the ones that lead to the same row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from modular_agents.proxy.model.call import Call, CallError, Cost, Message, Part, Status, Unreadable, Usage, UsageSource
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.query import Kept, MessageView
from modular_agents.proxy.model.trace import Edge, Evidence, Placement
from modular_agents.proxy.store.rows import CallRecord


@dataclass(frozen=True, slots=True)
class Said:
    """What was asked and answered."""

    system: tuple[Message, ...]
    messages: tuple[Message, ...]
    tools: tuple[bytes, ...]
    params: bytes
    answers: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a call stands, beside what its record says of it. `source` and `name` are the trace's."""

    trace_id: str
    name: str | None
    source: Evidence
    edges: Iterable[Edge]
    tokens: tuple[int, ...]
    facts: bytes
    caller: Caller | None
    decisions: tuple[Decision, ...] = ()


def kept(record: CallRecord, exchange: Exchange, said: Said, usage_raw: str | None, stands: Standing) -> Kept:
    """Return a stored call as `put_call` takes it."""
    return Kept(
        _call(record, exchange, said, usage_raw),
        exchange,
        _placement(record, stands),
        Cost(record.cost_usd, record.cost_model, record.cost_catalogue, record.cost_tier, record.cost_why),
        Indexed(stands.tokens, stands.facts),
        stands.caller,
        stands.decisions,
    )


def usage(record: CallRecord, usage_raw: str | None) -> Usage:
    """Return the token counts of a record."""
    return Usage(
        UsageSource(record.usage_source),
        record.tokens_input,
        record.tokens_input_uncached,
        record.tokens_cache_read,
        record.tokens_cache_write_5m,
        record.tokens_cache_write_1h,
        record.tokens_output,
        record.tokens_reasoning,
        None if usage_raw is None else usage_raw.encode(),
    )


def message(view: MessageView, raw: str) -> Message:
    """Return a stored message as it was given, but for its digest."""
    parts = (Part(part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw.encode()) for part in view.parts)
    return Message(view.role, tuple(parts), raw.encode(), b"")


def plain(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return messages as a store gives them back: without digests, and UTF-8 throughout."""
    return tuple(
        replace(
            one,
            parts=tuple(replace(part, raw=part.raw.decode("utf-8", "replace").encode()) for part in one.parts),
            raw=one.raw.decode("utf-8", "replace").encode(),
            digest=b"",
        )
        for one in messages
    )


def _call(record: CallRecord, exchange: Exchange, said: Said, usage_raw: str | None) -> Call:
    return Call(
        record.call_id,
        Status(record.status),
        record.started_ns,
        record.provider,
        record.upstream,
        record.format,
        record.operation,
        record.method,
        record.path,
        record.client,
        record.connection_id,
        replace(exchange.hints, replay_of=record.replay_of),
        exchange.request.headers,
        stream=bool(record.stream),
        model=record.model,
        model_response=record.model_response,
        system=said.system,
        messages=said.messages,
        tools=said.tools,
        params=said.params,
        answers=said.answers,
        finish_reason=record.finish_reason,
        usage=usage(record, usage_raw),
        error=_error(record),
        unreadable=_unreadable(record),
        http_status=record.http_status,
        request_id=record.request_id,
        response_id=record.response_id,
        service_tier=record.service_tier,
        ended_ns=record.ended_ns,
        first_token_ns=record.first_token_ns,
        flags=frozenset(record.row("").flags),
    )


def _error(record: CallRecord) -> CallError | None:
    if record.error is None:
        return None
    return CallError(record.error_whose or "", record.error_kind or "", record.error)


def _unreadable(record: CallRecord) -> Unreadable | None:
    return None if record.unreadable_reason is None else Unreadable(record.unreadable_where or "", record.unreadable_reason)


def _placement(record: CallRecord, stands: Standing) -> Placement:
    return Placement(
        stands.trace_id,
        record.thread_id,
        stands.source,
        agent_name=record.agent_name,
        parent_id=record.parent_id,
        edges=tuple(sorted(stands.edges, key=lambda edge: (edge.from_call_id, str(edge.edge_type)))),
        trace_name=stands.name,
        task_description=record.task_description,
        kind=record.kind,
        root_id=record.root_id,
        opener_id=record.opener_id,
        agent_given=bool(record.agent_given),
    )
