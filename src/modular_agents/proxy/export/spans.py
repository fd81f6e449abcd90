"""Calls as OpenTelemetry spans, by the GenAI semantic conventions (github.com/open-telemetry/semantic-conventions-genai, August 2026).

A trace is one `invoke_workflow` span, each agent's thread an `invoke_agent` span in it, each call a client span named after its
operation and model, each tool that ran between two calls an `execute_tool` span. Ids are made from ours: the same call has the same span
whenever and however often it is exported. What was said is left out unless asked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from modular_agents.proxy.export.messages import instructions, said
from modular_agents.proxy.linking.outline import Branch, outline
from modular_agents.proxy.linking.toolspans import runs_between, text_results, turn_of
from modular_agents.proxy.model.query import CallDetail, CallRow, TraceDetail
from modular_agents.proxy.model.tools import FAILED, ToolRun
from modular_agents.proxy.model.trace import HELPERS

PROVIDERS = {
    "claude": "anthropic",
    "gemini": "gcp.gemini",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "moonshot": "moonshot_ai",
}
"""Our names of providers where the conventions have others; the rest is as it is."""
OPERATIONS = {"completion": "text_completion"}
_WHOLE = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "seed": "seed",
    "n": "choice.count",
}
_AMOUNT = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")
_W3C_TRACE = re.compile(r"(?!0{32})[0-9a-f]{32}")
MESSAGE_CHARS = 1000
"""Of an error's words, in a span's status."""
_INT64 = 1 << 63

Value = str | bool | int | float | Sequence[str] | None


def trace_id_of(trace_id: str) -> bytes:
    """Return the W3C trace id of a trace: its own id where that is one, else one made from it."""
    if _W3C_TRACE.fullmatch(trace_id):
        return bytes.fromhex(trace_id)
    return _made("trace", trace_id, size=16)


def call_span_id(call_id: str) -> bytes:
    """Return the span id of a call."""
    return _made("call", call_id)


class Spans:
    """Makes spans. `call` gives another call, of which only the row and the answers are read; `content`: with what was said."""

    def __init__(self, call: Callable[[str], CallDetail | None], *, content: bool = False) -> None:
        self._call, self._content = call, content

    def of_call(self, detail: CallDetail) -> list[Span]:
        """Return the span of a call that has ended, after those of the tools whose results it brings."""
        call = detail.call
        operation = OPERATIONS.get(call.operation, call.operation)
        span = Span(
            trace_id=trace_id_of(call.trace_id),
            span_id=call_span_id(call.call_id),
            parent_span_id=_agent_id(call.trace_id, call.thread_id) if call.kind not in HELPERS else _workflow_id(call.trace_id),
            name=f"{operation} {call.model}" if call.model else operation,
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=_ns(call.created_at),
            end_time_unix_nano=_ns(call.ended_at or call.created_at),
            attributes=_attributes(_of_call(detail, operation) | (_content(detail) if self._content else {})),
        )
        if call.replay_of:
            link = Span.Link(trace_id=span.trace_id, span_id=call_span_id(call.replay_of), attributes=_attributes({"anton.link": "replay"}))
            span.links.append(link)
        if call.error is not None or call.status in {"failed", "interrupted"}:
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=(call.error or call.status)[:MESSAGE_CHARS]))
        return [*self._tools(detail), span]

    def of_agents(self, detail: TraceDetail) -> list[Span]:
        """Return the spans of a trace and of its agents, as far as they have come."""
        drawn = outline(detail)
        first = min((call.created_at for call in detail.calls), default=detail.trace.created_at)
        name = detail.trace.name or detail.trace.task_description or ""
        known: dict[str, Value] = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name or None}
        known |= {"anton.trace.id": detail.trace.trace_id, "anton.trace.source": detail.trace.source}
        if self._content:
            known["anton.task"] = detail.trace.task_description
        whole = Span(
            trace_id=trace_id_of(detail.trace.trace_id),
            span_id=_workflow_id(detail.trace.trace_id),
            name="invoke_workflow",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=_ns(first),
            end_time_unix_nano=_ns(detail.trace.last_activity_at),
            attributes=_attributes(known),
        )
        if detail.trace.name:
            whole.name = f"invoke_workflow {detail.trace.name}"
        return [whole, *(span for branch in drawn.branches for span in self._agents(detail, branch, _workflow_id(detail.trace.trace_id)))]

    def _agents(self, detail: TraceDetail, branch: Branch, parent: bytes) -> Iterator[Span]:
        trace_id = detail.trace.trace_id
        span_id = _agent_id(trace_id, branch.thread_id)
        calls = [call for call in detail.calls if call.thread_id == branch.thread_id]
        named = next((call.agent_name for call in calls if call.agent_name), None)
        known: dict[str, Value] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": named,
            "gen_ai.agent.id": branch.thread_id,
            "gen_ai.conversation.id": branch.thread_id,
            "gen_ai.provider.name": _provider(calls[0]),
            "gen_ai.request.model": next((call.model for call in calls if call.model), None),
            "anton.cost.usd": branch.own.cost_usd,
            "anton.cost.whole_usd": branch.whole.cost_usd,
            "anton.task": branch.task if self._content else None,
        }
        span = Span(
            trace_id=trace_id_of(trace_id),
            span_id=span_id,
            parent_span_id=parent,
            name=f"invoke_agent {named}" if named else "invoke_agent",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=_ns(branch.whole.started_at),
            end_time_unix_nano=_ns(branch.whole.ended_at),
            attributes=_attributes(known),
        )
        for edge in detail.edges:
            if edge.to_call_id == calls[0].call_id and edge.edge_type == "delegation":
                told: dict[str, Value] = {"anton.link": "delegation", "anton.evidence": edge.evidence, "anton.confidence": edge.confidence}
                span.links.append(Span.Link(trace_id=span.trace_id, span_id=call_span_id(edge.from_call_id), attributes=_attributes(told)))
        yield span
        for inner in branch.branches:
            yield from self._agents(detail, inner, span_id)

    def _tools(self, detail: CallDetail) -> Iterator[Span]:
        """Yield a span for each tool whose result a call is the first to bring: from the answer's end to the call's start."""
        call = detail.call
        turn = turn_of(detail)
        if call.parent_id is None or call.kind == "retry" or not (turn.results or any(text_results(turn.texts))):
            return  # what a retry brings again ran once
        asked = self._call(call.parent_id)
        if asked is None or asked.call.thread_id != call.thread_id:
            return
        for run in runs_between(asked, detail):
            yield self._tool(call, run)

    def _tool(self, call: CallRow, run: ToolRun) -> Span:
        ran = run.span
        known: dict[str, Value] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": ran.name or None,
            "gen_ai.tool.call.id": ran.tool_id,
            "gen_ai.tool.type": "function",
            "gen_ai.agent.name": call.agent_name,
            "gen_ai.conversation.id": call.thread_id,
            "error.type": "tool_error" if ran.state == FAILED else None,
            "anton.call.id": call.call_id,
        }
        if self._content:
            result = run.result[0].text if run.result else None
            known |= {"gen_ai.tool.call.arguments": run.arguments or None, "gen_ai.tool.call.result": result}
        span = Span(
            trace_id=trace_id_of(call.trace_id),
            span_id=_made("tool", ran.span_id),
            parent_span_id=_agent_id(call.trace_id, call.thread_id),
            name=f"execute_tool {ran.name}" if ran.name else "execute_tool",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=_ns(ran.started_at),
            end_time_unix_nano=_ns(ran.ended_at or call.created_at),
            attributes=_attributes(known),
        )
        if ran.state == FAILED:
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR))
        return span


def _of_call(detail: CallDetail, operation: str) -> dict[str, Value]:
    call = detail.call
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _provider(call),
        "gen_ai.request.model": call.model,
        "gen_ai.request.stream": True if call.stream else None,
        **_parameters(detail.params),
        "gen_ai.response.id": detail.response_id,
        "gen_ai.response.model": detail.model_response,
        "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": call.ttft_ms / 1000 if call.stream and call.ttft_ms is not None else None,
        "gen_ai.usage.input_tokens": call.tokens_input,
        "gen_ai.usage.output_tokens": call.tokens_output,
        "gen_ai.usage.cache_read.input_tokens": call.tokens_cache_read,
        "gen_ai.usage.cache_creation.input_tokens": call.tokens_cache_write,
        "gen_ai.usage.reasoning.output_tokens": call.tokens_reasoning,
        "gen_ai.conversation.id": call.thread_id,
        "gen_ai.agent.name": call.agent_name,
        "error.type": _error_type(detail),
        "http.request.method": call.method,
        "http.response.status_code": call.http_status,
        "url.path": call.path.partition("?")[0],
        "anton.call.id": call.call_id,
        "anton.trace.id": call.trace_id,
        "anton.kind": call.kind,
        "anton.status": call.status,
        "anton.upstream": call.upstream,
        "anton.usage.source": call.usage_source,
        "anton.cost.usd": call.cost_usd,
        "anton.cost.why": detail.cost.why or None,
        "anton.provider.request_id": detail.request_id,
        "anton.flags": call.flags or None,
    }


def _content(detail: CallDetail) -> dict[str, Value]:
    return {
        "gen_ai.system_instructions": instructions(detail.system),
        "gen_ai.input.messages": said(detail.messages),
        "gen_ai.output.messages": said(detail.answers, detail.call.finish_reason),
    }


def _parameters(params: str) -> dict[str, Value]:
    """Return what the request set, by the conventions' names; what is of another type than they say is left out."""
    try:
        given = msgspec.json.decode(params)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    if not isinstance(given, Mapping):
        return {}
    nested = given.get("generationConfig")
    sources = (given, nested if isinstance(nested, Mapping) else {})
    found: dict[str, Value] = {}
    for source in sources:
        for name, as_named in _WHOLE.items():
            value = source.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and not (name == "n" and value == 1):
                found[f"gen_ai.request.{as_named}"] = value
        for name in _AMOUNT:
            value = source.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[f"gen_ai.request.{name}"] = float(value)
        stops = source.get("stop_sequences") or source.get("stop")
        stops = [stops] if isinstance(stops, str) else stops
        if isinstance(stops, list) and all(isinstance(stop, str) for stop in stops):
            found["gen_ai.request.stop_sequences"] = stops
    return found


def _error_type(detail: CallDetail) -> str | None:
    call = detail.call
    if call.error is None and call.status == "completed":
        return None
    return detail.error_kind or (str(call.http_status) if call.http_status and call.http_status >= 400 else call.status)  # noqa: PLR2004 - an error


def _provider(call: CallRow) -> str:
    return PROVIDERS.get(call.provider, call.provider)


def _agent_id(trace_id: str, thread_id: str) -> bytes:
    return _made("agent", trace_id, thread_id)


def _workflow_id(trace_id: str) -> bytes:
    return _made("workflow", trace_id)


def _made(kind: str, *parts: str, size: int = 8) -> bytes:
    """Return an id made from ours."""
    text = "\0".join(parts).encode("utf-8", "replace")
    return blake2b(text, digest_size=size, person=f"anton {kind}".encode()[:16]).digest()


def _ns(moment: str) -> int:
    whole = datetime.fromisoformat(moment)
    return int(whole.replace(microsecond=0).timestamp()) * 10**9 + whole.microsecond * 1000


def _attributes(known: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any(value)) for name, value in known.items() if value is not None]


def _any(value: Any) -> AnyValue:  # noqa: ANN401 - a Value that is not None
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value) if -_INT64 <= value < _INT64 else AnyValue(string_value=str(value))
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value.encode("utf-8", "replace").decode())
        case _:
            return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
