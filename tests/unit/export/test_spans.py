"""Spans as OpenTelemetry's own decoder reads them, by the GenAI conventions."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.support.stored import MS, T0, Given, given, message, put_all, tool_use

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export import messages, otlp, spans
from modular_agents.proxy.export.collector import pause_s, seconds_of, target_of
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.model.call import CallError, Message, Part, Status
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.store.memory import MemoryStore

W3C = "0af7651916cd43dd8448eb211c80319c"


def family(trace: str = "tr-1") -> list[Given]:
    """An orchestrator that delegates, its agent that fails, and the result that came back."""
    asked = (message("user", "Do it"),)
    first = given(1, agent="boss", messages=asked, trace=trace, task="Do it").finished(
        tool_use("delegate", {"to": "x"}, "toolu_1"), usd=0.25
    )
    failed = CallError("provider", "overloaded_error", "Overloaded")
    inner = given(2, agent="hand", thread="th-2", parent=first, edge=EdgeType.DELEGATION, trace=trace)
    inner = inner.finished("", status=Status.FAILED, error=failed, usd=None, tokens=(None, None))
    result = Message("user", (Part("tool_result", "it failed", "toolu_1", None, None, is_error=True, raw=b"{}"),), b'{"role":"user"}', b"r")
    last = given(5, agent="boss", parent=first, messages=(*asked, first.call.answers[0], result), trace=trace).finished("Sorry.")
    return [first, inner, last]


def made(*calls: Given, content: bool = False) -> dict[str, Span]:
    store = MemoryStore(lambda: T0)
    put_all(store, *(calls or family()))
    data = b"".join(otlp.write(Source(store.reader(), Wanted(), with_content=content)))
    request = ExportTraceServiceRequest.FromString(data)
    assert {one.resource.attributes[0].value.string_value for one in request.resource_spans} == {"anton-proxy"}
    return {span.name: span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans}


def attributes(span: Span) -> dict[str, Any]:
    found = {}
    for one in span.attributes:
        kind = one.value.WhichOneof("value")
        value = getattr(one.value, kind)
        found[one.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


def test_a_trace_is_a_tree_of_spans() -> None:
    found = made()
    assert sorted(found) == [
        "chat claude-sonnet-4-5",
        "execute_tool delegate",
        "invoke_agent boss",
        "invoke_agent hand",
        "invoke_workflow",
    ]
    whole, boss, hand = (found[name] for name in ("invoke_workflow", "invoke_agent boss", "invoke_agent hand"))
    assert (whole.parent_span_id, boss.parent_span_id, hand.parent_span_id) == (b"", whole.span_id, boss.span_id)
    assert {len(span.trace_id) for span in found.values()} == {16}
    assert len({span.trace_id for span in found.values()}) == 1
    (link,) = hand.links
    assert link.span_id == spans.call_span_id(family()[0].call_id)
    assert boss.end_time_unix_nano >= hand.end_time_unix_nano
    tool = found["execute_tool delegate"]
    assert (tool.parent_span_id, tool.status.code) == (boss.span_id, 2)
    assert tool.start_time_unix_nano == T0 + 1250 * MS
    assert tool.end_time_unix_nano == T0 + 5000 * MS


def test_a_call_says_what_the_conventions_ask() -> None:
    call = made(family()[0])["chat claude-sonnet-4-5"]
    assert call.kind == Span.SPAN_KIND_CLIENT
    assert (call.start_time_unix_nano, call.end_time_unix_nano) == (T0 + 1000 * MS, T0 + 1250 * MS)
    known = attributes(call)
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.finish_reasons": ["end_turn"],
        "gen_ai.response.time_to_first_chunk": 0.05,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.conversation.id": "th-1",
        "gen_ai.agent.name": "boss",
        "http.response.status_code": 200,
        "anton.cost.usd": 0.25,
    }
    assert {name: known[name] for name in wanted} == wanted
    assert not {name for name in known if "messages" in name or "instructions" in name}


def test_an_error_is_an_error_and_the_unknown_is_absent() -> None:
    first, inner, _ = family()
    store = MemoryStore(lambda: T0)
    put_all(store, first, inner)
    detail = store.reader().call(inner.call_id)
    assert detail is not None
    (span,) = spans.Spans(lambda _: None).of_call(detail)
    assert (span.status.code, span.status.message) == (2, "Overloaded")
    known = attributes(span)
    assert known["error.type"] == "overloaded_error"
    assert not {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "anton.cost.usd"} & set(known)


def test_what_was_said_comes_only_when_asked_for() -> None:
    call = attributes(made(family()[0], content=True)["chat claude-sonnet-4-5"])
    assert json.loads(call["gen_ai.input.messages"]) == [{"role": "user", "parts": [{"type": "text", "content": "Do it"}]}]
    (answer,) = json.loads(call["gen_ai.output.messages"])
    part = {"type": "tool_call", "id": "toolu_1", "name": "delegate", "arguments": {"to": "x"}}
    assert answer == {"role": "assistant", "parts": [part], "finish_reason": "end_turn"}
    tool = attributes(made(content=True)["execute_tool delegate"])
    assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == ('{"to": "x"}', "it failed")


def brings(*results: tuple[str | None, str | None, str]) -> Message:
    """A message with results as (id, name, text)."""
    parts = tuple(Part("tool_result", text, tool_id, name, raw=b"{}") for tool_id, name, text in results)
    return Message("user", parts, json.dumps(results).encode(), b"")


def asks(*uses: tuple[str | None, str]) -> Message:
    """An answer that uses tools as (id, name)."""
    parts = tuple(Part("tool_use", "", tool_id, name, "{}", None, b"{}") for tool_id, name in uses)
    return Message("assistant", parts, json.dumps(uses).encode(), b"a")


def tools_of(*calls: Given) -> list[tuple[str, Any, Any]]:
    """Name, result and span id of each run, in order."""
    store = MemoryStore(lambda: T0)
    put_all(store, *calls)
    data = b"".join(otlp.write(Source(store.reader(), Wanted(), with_content=True)))
    request = ExportTraceServiceRequest.FromString(data)
    found = [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]
    ran = [span for span in found if span.name.startswith("execute_tool")]
    return [(span.name, attributes(span).get("gen_ai.tool.call.result"), span.span_id) for span in ran]


def test_tools_without_ids_are_told_apart() -> None:
    """Gemini and Ollama: two runs of one tool are two spans, each with its own result."""
    first = given(1).finished(asks((None, "read"), (None, "read")))
    first = replace(first, call=replace(first.call, format="gemini.generate"))
    told = brings((None, "read", "one"), (None, "read", "two"))
    second = given(2, parent=first, messages=(*first.call.messages, first.call.answers[0], told)).finished()
    second = replace(second, call=replace(second.call, format="gemini.generate"))
    runs = tools_of(first, second)
    assert [(name, result) for name, result, _ in runs] == [("execute_tool read", "one"), ("execute_tool read", "two")]
    assert len({span_id for *_, span_id in runs}) == 2


def test_a_tool_is_named_where_the_history_is_not_sent_again() -> None:
    """`previous_response_id`: name and arguments stand in the answer before only."""
    first = given(1).finished(asks(("call_1", "search")))
    second = given(2, parent=first, messages=(brings(("call_1", None, "found it")),)).finished()
    assert [(name, result) for name, result, _ in tools_of(first, second)] == [("execute_tool search", "found it")]


def test_results_as_a_users_text_are_runs_too() -> None:
    first = given(1).finished(asks(("call_1", "search")))
    text = message("user", "Tool result from search: found it")
    second = given(2, parent=first, messages=(*first.call.messages, message("assistant", "I search."), text)).finished()
    assert [(name, result) for name, result, _ in tools_of(first, second)] == [("execute_tool search", "found it")]


def test_what_comes_again_ran_once() -> None:
    """A failed attempt brings the result first, its retry again; the next turn has both in its history."""
    first = given(1).finished(asks(("call_1", "search")))
    history = (*first.call.messages, first.call.answers[0], brings(("call_1", None, "found it")))
    failed = given(2, parent=first, messages=history).finished("", status=Status.FAILED, error=CallError("provider", "x", "y"))
    again = given(3, parent=failed, messages=history)
    again = replace(again, placement=replace(again.placement, kind="retry")).finished("Done.")
    later = given(4, parent=again, messages=(*history, again.call.answers[0], message("user", "And?"))).finished()
    assert [name for name, *_ in tools_of(first, failed, again, later)] == ["execute_tool search"]


def test_ids_are_stable_and_a_w3c_id_is_kept() -> None:
    assert {name: span.span_id for name, span in made().items()} == {name: span.span_id for name, span in made().items()}
    assert {span.trace_id.hex() for span in made(*family(W3C)).values()} == {W3C}
    for other in ("0" * 32, W3C.upper(), W3C + "0", "tr-1"):
        assert spans.trace_id_of(other).hex() != other.lower()
        assert len(spans.trace_id_of(other)) == 16


def test_batches_are_bounded_and_joined_they_are_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "BATCH_SPANS", 3)
    store = MemoryStore(lambda: T0)
    put_all(store, *(given(number).finished() for number in range(8)))
    batches = list(otlp.batches(Source(store.reader(), Wanted())))
    assert [batch.spans for batch in batches] == [3, 3, 3, 1]
    whole = ExportTraceServiceRequest.FromString(b"".join(batch.data for batch in batches))
    assert sum(len(scope.spans) for one in whole.resource_spans for scope in one.scope_spans) == 10


def test_long_conversations_keep_their_newest_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_CHARS", 300)
    store = MemoryStore()
    put_all(store, given(1, messages=[message("user", f"{number} {'x' * 100}") for number in range(9)]).finished())
    detail = store.reader().calls(spans_filter(), None, 1).items[0]
    found = store.reader().call(detail.call_id)
    assert found is not None
    kept = json.loads(messages.said(found.messages) or "[]")
    assert [one["parts"][0]["content"][0] for one in kept] == ["8"] or [one["parts"][0]["content"][0] for one in kept] == ["7", "8"]


def spans_filter() -> Any:  # noqa: ANN401 - a filter of nothing
    return Wanted().where


@pytest.mark.parametrize(
    ("environ", "endpoint", "where"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, None, ("http", "c", 4318, "/v1/traces")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp/"}, None, ("https", "c", 443, "/otlp/v1/traces")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d"}, None, ("http", "c", 1, "/x")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "http://[::1]:9/v1/traces", ("http", "::1", 9, "/v1/traces")),
    ],
)
def test_where_to_push(environ: dict[str, str], endpoint: str | None, where: tuple[str, str, int, str]) -> None:
    target = target_of(endpoint, environ)
    assert (target.scheme, target.host, target.port, target.path) == where


def test_headers_are_read_and_never_shown() -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=dummy%20key, x-team = a ", "OTEL_EXPORTER_OTLP_TIMEOUT": "2500"}
    target = target_of("http://c", environ)
    assert target.headers == (("api-key", "dummy key"), ("x-team", "a"))
    assert target.timeout_s == 2.5
    assert "dummy" not in repr(target) + target.shown


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({}, "c:4318"),
        ({}, "ftp://c"),
        ({}, "http://user:pass@c"),
        ({}, "http://c?key=1"),
        ({}, "http://c:99999"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://c"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "no equals"}, "http://c"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0aX: y"}, "http://c"),
    ],
)
def test_what_is_no_collector_is_said(environ: dict[str, str], endpoint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        target_of(endpoint, environ)
    assert "pass" not in str(caught.value).replace("passed", "")


def test_pauses_grow_and_obey() -> None:
    assert [pause_s(attempt, 0.0, 1.0) for attempt in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pause_s(3, 0.0, 0.0) == 4
    assert (pause_s(0, 7.0, 0.5), pause_s(0, 9999.0, 0.5)) == (7, 120)
    now = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert seconds_of("3", now) == 3
    assert seconds_of("Sun, 22 Nov 2026 09:30:05 GMT", now) == 5
    assert [seconds_of(text, now) for text in (None, "", "soon", "-1", "Sun, 22 Nov 2026 09:00:00 GMT", "1e3")] == [0] * 6
