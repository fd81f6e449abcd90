"""A line of an export becomes the values it was made of. What the request says is read from its bytes, as when it was recorded."""

import base64
import sys
from array import array
from dataclasses import replace

from modular_agents.proxy.export.jsonl import NO_PARAMS
from modular_agents.proxy.export.lines import CallLine, DecisionLine, MessageLine, Pieces, RequestLine, ResponseLine, bytes_of, ns_of
from modular_agents.proxy.model.call import Call, CallError, Cost, Message, Part, Status, Unreadable, Usage, UsageSource
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.model.exchange import Chunk, Exchange, Hints, Outcome, RequestSide, ResponseSide, TunnelFrame
from modular_agents.proxy.model.ids import MAX_OPAQUE_ID_CHARS
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.query import Kept
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence, Placement
from modular_agents.proxy.wire.reader import CallReader

_US = 1000
_TOKEN_BYTES = 8


def kept_of(line: CallLine) -> tuple[Kept, bool]:
    """Return the call of a line, and whether its request is read otherwise now than when it was recorded. Raises ValueError."""
    for name, text in (("call_id", line.call_id), ("trace_id", line.trace_id), ("thread_id", line.thread_id)):
        if not 0 < len(text) <= 2 * MAX_OPAQUE_ID_CHARS:
            raise ValueError(f"{name} is empty or too long")
    status = Status(line.status)
    if status is Status.RUNNING:
        raise ValueError("a call that still runs cannot be imported")
    exchange = _exchange(line)
    asked = _asked(line, exchange)
    counts = len(asked.messages), len(asked.system), len(asked.tools)
    call = replace(_call(line, status, exchange), messages=asked.messages, system=asked.system, tools=asked.tools, params=asked.params)
    decisions = tuple(_decision(line.call_id, said) for said in line.links.decisions)
    kept = Kept(call, exchange, _placement(line), _cost(line), _indexed(line), _caller(line), decisions)
    return kept, counts != (line.read.messages, line.read.system, line.read.tools)


def _asked(line: CallLine, exchange: Exchange) -> Call:
    """Return what was asked, read from the request; nothing of it when nothing was read at the time."""
    if line.read.nothing:
        return replace(_call(line, Status.RUNNING, exchange), params=NO_PARAMS)
    return CallReader(exchange).request(exchange)


def _exchange(line: CallLine) -> Exchange:
    wire, started_ns = line.wire, ns_of(line.created_at)
    return Exchange(
        line.call_id,
        line.connection_id,
        line.client,
        line.upstream,
        wire.upstream_url,
        Hints(wire.hint_trace, wire.hint_agent, wire.hint_parent, wire.hint_replay_of),
        started_ns,
        _request(wire.request, line.method, started_ns),
        None if wire.response is None else _response(wire.response, started_ns),
        tuple((ns_of(at), text) for at, text in wire.informational),
        tuple(TunnelFrame(ns_of(frame.at), frame.up, bytes_of(frame.data)) for frame in wire.tunnel),
        None if wire.outcome is None else Outcome(wire.outcome),
        wire.outcome_detail,
        _ns(wire.ended_at),
        frozenset(wire.flags),
    )


def _request(side: RequestLine, method: str, started_ns: int) -> RequestSide:
    return RequestSide(
        method,
        side.target,
        side.target_received,
        side.headers,
        bytes_of(side.body),
        side.body_size,
        side.body_sha256,
        _ns(side.complete_at),
        _chunks(side.chunks, started_ns),
    )


def _response(side: ResponseLine, started_ns: int) -> ResponseSide:
    return ResponseSide(
        side.status,
        side.reason,
        side.headers,
        ns_of(side.head_at),
        bytes_of(side.body),
        side.body_size,
        side.body_sha256,
        side.trailers,
        _chunks(side.chunks, started_ns),
    )


def _call(line: CallLine, status: Status, exchange: Exchange) -> Call:
    return Call(
        line.call_id,
        status,
        exchange.started_ns,
        line.provider,
        line.upstream,
        line.format,
        line.operation,
        line.method,
        line.path,
        line.client,
        line.connection_id,
        replace(exchange.hints, replay_of=line.replay_of),
        exchange.request.headers,
        stream=line.stream,
        model=line.model,
        model_response=line.model_response,
        answers=tuple(_message(answer) for answer in line.answers),
        finish_reason=line.finish_reason,
        usage=_usage(line),
        error=None if line.error is None else CallError(line.error_whose, line.error_kind, line.error),
        unreadable=None if line.unreadable_reason is None else Unreadable(line.unreadable_where, line.unreadable_reason),
        http_status=line.http_status,
        request_id=line.request_id,
        response_id=line.response_id,
        service_tier=line.service_tier,
        ended_ns=_ns(line.ended_at),
        first_token_ns=_ns(line.first_token_at),
        flags=frozenset(line.flags),
    )


def _usage(line: CallLine) -> Usage:
    return Usage(
        UsageSource(line.usage_source),
        line.tokens_input,
        line.tokens_input_uncached,
        line.tokens_cache_read,
        line.tokens_cache_write_5m,
        line.tokens_cache_write_1h,
        line.tokens_output,
        line.tokens_reasoning,
        None if line.usage_raw is None else line.usage_raw.encode(),
    )


def _cost(line: CallLine) -> Cost:
    return Cost(line.cost_usd, line.cost_model, line.cost_catalogue, line.cost_tier, line.cost_why)


def _placement(line: CallLine) -> Placement:
    trace = line.trace
    return Placement(
        line.trace_id,
        line.thread_id,
        Evidence(trace.source, trace.source_detail, trace.source_confidence),
        agent_name=line.agent_name,
        parent_id=line.parent_id,
        edges=tuple(
            Edge(edge.from_call_id, line.call_id, EdgeType(edge.edge_type), Evidence(edge.evidence, edge.detail, edge.confidence))
            for edge in line.edges
        ),
        trace_name=trace.name,
        task_description=line.task_description,
        kind=line.kind,
        root_id=line.root_id,
        opener_id=line.opener_id,
        agent_given=line.agent_given,
    )


def _caller(line: CallLine) -> Caller | None:
    said = line.caller
    if said is None:
        return None
    started_ns = _ns(said.started_at)
    return Caller(line.connection_id, ns_of(said.seen_at), said.pid, started_ns, said.executable, said.command, said.directory)


def _decision(call_id: str, said: DecisionLine) -> Decision:
    return Decision(call_id, DecisionKind(said.kind), said.other, said.edge_type, said.beside, said.made_by, ns_of(said.made_at))


def _indexed(line: CallLine) -> Indexed:
    packed = base64.b64decode(line.links.tokens, validate=True)
    if len(packed) % _TOKEN_BYTES:
        raise ValueError("links.tokens is no row of 8-byte numbers")
    numbers = array("q", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return Indexed(tuple(numbers), base64.b64decode(line.links.facts, validate=True))


def _message(line: MessageLine) -> Message:
    parts = (Part(part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw.encode()) for part in line.parts)
    return Message(line.role, tuple(parts), line.raw.encode(), b"")


def _chunks(pieces: Pieces, started_ns: int) -> tuple[Chunk, ...]:
    return tuple(Chunk(started_ns + us * _US, size) for us, size in pieces)


def _ns(text: str | None) -> int | None:
    return None if text is None else ns_of(text)
