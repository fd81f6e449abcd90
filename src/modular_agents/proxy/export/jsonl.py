"""The lossless format: one JSON object per call and line, whole in itself, so that a file can be cut, filtered and joined.

What goes in comes out: an import into an empty database and another export give the same bytes.
"""

import base64
import sys
from array import array
from collections.abc import Iterator
from typing import Any

import msgspec

from modular_agents.proxy.export.lines import (
    CALLS,
    END,
    CallerLine,
    CallLine,
    DecisionLine,
    EdgeLine,
    FrameLine,
    LinksLine,
    Mark,
    MessageLine,
    PartLine,
    ReadLine,
    RequestLine,
    ResponseLine,
    TraceLine,
    WireLine,
    blob,
    time_of,
)
from modular_agents.proxy.export.source import Source
from modular_agents.proxy.model.call import Message
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.exchange import Chunk, Exchange
from modular_agents.proxy.model.query import CallRow, Kept

_US = 1000
_OF_CALL = (
    *("call_id", "provider", "upstream", "format", "operation", "method", "path", "client", "connection_id", "stream", "model"),
    *("model_response", "finish_reason", "http_status", "request_id", "response_id", "service_tier"),
)
"""Fields of a call that go under their own names."""
_OF_PLACE = ("trace_id", "thread_id", "root_id", "kind", "parent_id", "opener_id", "agent_name", "agent_given", "task_description")
NO_PARAMS = b"{}"
_ENCODER = msgspec.json.Encoder()


def write(source: Source) -> Iterator[bytes]:
    """Yield the lines."""
    yield _line(Mark(CALLS))
    count = 0
    for row, kept in source.kept():
        count += 1
        yield _line(line_of(row, kept))
    yield _line(Mark(END, calls=count))


def line_of(row: CallRow, kept: Kept) -> CallLine:
    """Return a call as its line."""
    call, place = kept.call, kept.placement
    return CallLine(
        **{name: getattr(call, name) for name in _OF_CALL},
        **{name: getattr(place, name) for name in _OF_PLACE},
        **_figures(kept),
        created_at=time_of(call.started_ns),
        ended_at=_time(call.ended_ns),
        first_token_at=_time(call.first_token_ns),
        duration_ms=row.duration_ms,
        ttft_ms=row.ttft_ms,
        status=str(call.status),
        error=call.error.message if call.error else None,
        error_whose=call.error.whose if call.error else "",
        error_kind=call.error.kind if call.error else "",
        unreadable_where=call.unreadable.where if call.unreadable else "",
        unreadable_reason=call.unreadable.reason if call.unreadable else None,
        replay_of=call.hints.replay_of,
        flags=tuple(sorted(call.flags)),
        response=call.answer_text,
        answers=tuple(_message(message) for message in call.answers),
        edges=tuple(
            EdgeLine(edge.from_call_id, str(edge.edge_type), edge.evidence.rule, edge.evidence.detail, edge.evidence.confidence)
            for edge in place.edges
        ),
        caller=_caller(kept.caller),
        trace=_trace(kept),
        read=_read(kept),
        links=_links(kept),
        wire=_wire(kept.exchange),
    )


def _figures(kept: Kept) -> dict[str, Any]:
    """Return tokens and cost."""
    usage, cost = kept.call.usage, kept.cost
    return {
        "tokens_input": usage.input_total,
        "tokens_input_uncached": usage.input_uncached,
        "tokens_cache_read": usage.cache_read,
        "tokens_cache_write_5m": usage.cache_write_5m,
        "tokens_cache_write_1h": usage.cache_write_1h,
        "tokens_output": usage.output_total,
        "tokens_reasoning": usage.reasoning,
        "usage_source": str(usage.source),
        "usage_raw": None if usage.raw is None else usage.raw.decode(),
        "cost_usd": cost.usd,
        "cost_model": cost.model,
        "cost_catalogue": cost.catalogue,
        "cost_tier": cost.tier,
        "cost_why": cost.why,
    }


def _caller(caller: Caller | None) -> CallerLine | None:
    if caller is None:
        return None
    return CallerLine(time_of(caller.seen_ns), caller.pid, _time(caller.started_ns), caller.executable, caller.command, caller.directory)


def _read(kept: Kept) -> ReadLine:
    call = kept.call
    counts = len(call.messages), len(call.system), len(call.tools)
    return ReadLine(*counts, nothing=not any(counts) and call.params == NO_PARAMS and bool(kept.exchange.request.body))


def _wire(exchange: Exchange) -> WireLine:
    hints, response = exchange.hints, exchange.response
    return WireLine(
        exchange.upstream_url,
        _request(exchange),
        None if response is None else _response(exchange),
        hints.trace,
        hints.agent,
        hints.parent_call,
        hints.replay_of,
        tuple((time_of(at_ns), text) for at_ns, text in exchange.informational),
        tuple(FrameLine(time_of(frame.at_ns), frame.up, blob(frame.data)) for frame in exchange.tunnel),
        None if exchange.outcome is None else str(exchange.outcome),
        exchange.outcome_detail,
        _time(exchange.ended_ns),
        tuple(sorted(exchange.flags)),
    )


def _request(exchange: Exchange) -> RequestLine:
    side = exchange.request
    return RequestLine(
        side.target,
        side.target_received,
        side.headers,
        blob(side.body),
        side.body_size,
        side.body_sha256,
        _time(side.complete_ns),
        _chunks(side.chunks, exchange.started_ns),
    )


def _response(exchange: Exchange) -> ResponseLine | None:
    side = exchange.response
    if side is None:
        return None
    return ResponseLine(
        side.status,
        side.reason,
        side.headers,
        time_of(side.head_ns),
        blob(side.body),
        side.body_size,
        side.body_sha256,
        side.trailers,
        _chunks(side.chunks, exchange.started_ns),
    )


def _trace(kept: Kept) -> TraceLine:
    place = kept.placement
    return TraceLine(place.trace_name, place.trace_evidence.rule, place.trace_evidence.detail, place.trace_evidence.confidence)


def _links(kept: Kept) -> LinksLine:
    numbers = array("q", kept.indexed.tokens)
    if sys.byteorder == "big":
        numbers.byteswap()
    decisions = tuple(
        DecisionLine(str(one.kind), one.other, one.edge_type, one.beside, one.made_by, time_of(one.made_ns)) for one in kept.decisions
    )
    facts = base64.b64encode(kept.indexed.facts).decode("ascii")
    return LinksLine(base64.b64encode(numbers.tobytes()).decode("ascii"), facts, decisions)


def _message(message: Message) -> MessageLine:
    parts = (
        PartLine(part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw.decode()) for part in message.parts
    )
    return MessageLine(message.role, tuple(parts), message.raw.decode())


def _chunks(chunks: tuple[Chunk, ...], started_ns: int) -> tuple[tuple[int, int], ...]:
    return tuple(((chunk.at_ns - started_ns) // _US, chunk.size) for chunk in chunks)


def _time(ns: int | None) -> str | None:
    return None if ns is None else time_of(ns)


def _line(shape: CallLine | Mark) -> bytes:
    return _ENCODER.encode(shape) + b"\n"
