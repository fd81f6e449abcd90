"""Chat Completions beyond what the laws prove, and the dialects (docs/formats/openai-chat.md names each with its source)."""
# ruff: noqa: E501 - one case per line reads as a table

import json

import pytest
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Status, UsageSource
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.wire.reader import read_call

TARGET = "/v1/chat/completions"


def stream(*chunks: object, outcome: Outcome = Outcome.COMPLETE) -> Call:
    body = sse([(None, chunk) for chunk in chunks])
    return read_call(exchange("{}", body, target=TARGET, content_type="text/event-stream", outcome=outcome, upstream="openai"))


def chunk(finish: str | None = None, index: int = 0, **delta: object) -> dict[str, object]:
    return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def calls(*pieces: object) -> list[tuple[str | None, str | None, str | None]]:
    call = stream(*[chunk(tool_calls=[piece]) for piece in pieces], chunk("tool_calls"), "[DONE]")
    return [(part.tool_id, part.name, part.arguments) for part in call.answers[0].parts]


def parts(**message: object) -> list[tuple[str, str, str | None, str | None, str | None]]:
    (read,) = read_call(exchange(json.dumps({"messages": [message]}), None, target=TARGET)).messages
    return [(part.kind, part.text, part.tool_id, part.name, part.arguments) for part in read.parts]


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ({"role": "user", "content": "hi"}, [("text", "hi", None, None, None)]),
        ({"role": "user", "content": [{"type": "text", "text": "hi"}, "ho"]}, [("text", "hi", None, None, None), ("text", "ho", None, None, None)]),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, [("image", "", None, None, None)]),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, [("audio", "", None, None, None)]),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, [("document", "", None, None, None)]),
        ({"role": "user", "content": [{"type": "video_url"}]}, [("other", "", None, "video_url", None)]),
        ({"role": "assistant", "content": None, "refusal": "no"}, [("refusal", "no", None, None, None)]),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, [("refusal", "no", None, None, None)]),
        ({"role": "assistant", "content": None, "audio": {"id": "a1", "transcript": "hi", "data": "AA"}}, [("audio", "hi", "a1", None, None)]),
        ({"role": "assistant", "content": "a", "reasoning": "hm"}, [("thinking", "hm", None, None, None), ("text", "a", None, None, None)]),
        ({"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, [("thinking", "hm", None, None, None)]),
        ({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}, [("tool_use", "", None, "f", "{}")]),
        ({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]}, [("tool_use", "", "c", "f", '{"a": 1}')]),
        ({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "free"}}]}, [("tool_use", "", "c", "f", "free")]),
        ({"role": "assistant", "tool_calls": [{"id": "c"}, 3]}, [("tool_use", "", "c", None, ""), ("other", "", None, None, None)]),
        ({"role": "tool", "tool_call_id": "c", "content": "ok"}, [("tool_result", "ok", "c", None, None)]),
        ({"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "ok"}, {"type": "image_url"}]}, [("tool_result", "ok", "c", None, None), ("image", "", None, None, None)]),
        ({"role": "function", "name": "f", "content": "ok"}, [("tool_result", "ok", None, "f", None)]),
        ({"content": 3}, []),
    ],
)  # fmt: skip
def test_messages(message: dict[str, object], read: object) -> None:
    assert parts(**message) == read


@pytest.mark.parametrize(
    ("pieces", "read"),
    [
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}, {"index": 0, "function": {"arguments": "{}"}}], [("a", "f", "{}")]),
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}, {"index": 1, "id": "b", "function": {"name": "g", "arguments": "["}}, {"index": 0, "function": {"arguments": "}"}}, {"index": 1, "function": {"arguments": "]"}}], [("a", "f", "{}"), ("b", "g", "[]")]),
        ([{"id": "a", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}}], [("a", "f", "{}")]),
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}, {"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}}], [("a", "f", "{}"), ("b", "f", "{}")]),
        ([{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g", "arguments": "{}"}}], [("a", "f", "{}"), ("b", "g", "{}")]),
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}, {"index": 0, "id": "a", "function": {"name": "f", "arguments": "}"}}], [("a", "f", "{}")]),
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}, {"index": 0, "id": "", "function": {"name": "", "arguments": "}"}}], [("a", "f", "{}")]),
        ([{"index": 0, "id": "a", "function": {"name": "get_"}}, {"index": 0, "function": {"name": "time", "arguments": "{}"}}], [("a", "get_time", "{}")]),
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 1}}}], [("a", "f", '{"a":1}')]),
        ([{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "fr"}}, {"index": 0, "custom": {"input": "ee"}}], [("a", "f", "free")]),
    ],
    ids=["pieces", "two at once", "no index", "one index for all", "whole calls without index", "repeated name", "empty name and id", "name in pieces", "arguments as object", "custom"],
)  # fmt: skip
def test_tool_calls_in_pieces(pieces: list[object], read: object) -> None:
    assert calls(*pieces) == read


def test_the_pieces_of_a_tool_call_are_shown_with_its_name_once() -> None:
    from tests.support.wire_corpus import read_in_pieces  # noqa: PLC0415 - used once

    first = {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}
    body = [
        sse([(None, chunk(content="x"))]),
        sse([(None, chunk(tool_calls=[first]))]),
        sse([(None, chunk(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]))]),
    ]
    whole = exchange("{}", b"".join(body), target=TARGET, content_type="text/event-stream")
    deltas = read_in_pieces(whole, body)[1]
    assert [(delta.part, delta.kind, delta.text, delta.name) for delta in deltas] == [
        (0, "text", "x", None),
        (1, "tool_use", "", "f"),
        (1, "tool_use", "{}", None),
    ]


def test_several_choices() -> None:
    call = stream(chunk(content="a"), chunk(index=1, content="b"), chunk("stop"), chunk("length", index=1), "[DONE]")
    assert [answer.parts[0].text for answer in call.answers] == ["a", "b"]
    assert (call.answer_text, call.finish_reason) == ("a", "stop")


def test_refusals_functions_audio_and_unknown_members_are_folded() -> None:
    call = stream(
        chunk(role="assistant", refusal="I "),
        chunk(refusal="can't"),
        chunk(function_call={"name": "f", "arguments": "{"}),
        chunk(function_call={"arguments": "}"}),
        chunk(audio={"id": "a1", "transcript": "he", "data": "AA"}),
        chunk(audio={"transcript": "y", "data": "BB"}),
        chunk(reasoning_details=[{"a": 1}]),
        chunk("stop", reasoning_details=[{"b": 2}]),
    )
    assert json.loads(call.answers[0].raw) == {
        "role": "assistant",
        "content": None,
        "refusal": "I can't",
        "function_call": {"name": "f", "arguments": "{}"},
        "audio": {"id": "a1", "transcript": "hey", "data": "AABB"},
        "reasoning_details": [{"a": 1}, {"b": 2}],
    }
    assert call.answer_text == "I can't"
    assert call.status is Status.COMPLETED


def test_reasoning_in_both_spellings_is_one_thought() -> None:
    call = stream(chunk(reasoning="h", reasoning_content="h"), chunk(reasoning="m", reasoning_content="m"), chunk("stop", content="a"))
    assert [(part.kind, part.text) for part in call.answers[0].parts] == [("thinking", "hm"), ("text", "a")]
    mistral = stream(
        chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
        chunk("stop", content=[{"type": "text", "text": "a"}]),
    )
    assert [(part.kind, part.text) for part in mistral.answers[0].parts] == [("thinking", "hm"), ("text", "a")]


@pytest.mark.parametrize(
    ("extra", "counts"),
    [
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}}, (10, 6, 4, None, 5, 2)),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}}, (10, 6, 4, None, 5, None)),
        ({"usage": {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 94}}}, (32, 32, None, None, 103, 94)),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}}, (10, 3, 4, 3, 5, None)),
        ({"x_groq": {"id": "r", "usage": {"prompt_tokens": 10, "completion_tokens": 5}}}, (10, 10, None, None, 5, None)),
        ({"timings": {"prompt_n": 6, "cache_n": 4, "predicted_n": 5}}, (10, 6, 4, None, 5, None)),
        ({"usage": {"prompt_tokens": 10}}, (10, 10, None, None, None, None)),
    ],
    ids=["openai", "deepseek", "xai", "openrouter", "groq", "llama.cpp", "input only"],
)  # fmt: skip
def test_usage_in_every_dialect(extra: dict[str, object], counts: tuple[int | None, ...]) -> None:
    usage = stream(chunk("stop", content="a"), {"choices": [], **extra}, "[DONE]").usage
    read = (usage.input_total, usage.input_uncached, usage.cache_read, usage.cache_write_5m, usage.output_total, usage.reasoning)
    assert (usage.source, read) == (UsageSource.REPORTED, counts)
    assert usage.raw is not None


def test_usage_in_every_chunk_is_partial_until_the_end() -> None:
    counted = {**chunk(content="a"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    assert stream(counted, outcome=Outcome.CLIENT_GONE).usage.source is UsageSource.PARTIAL


def test_errors_inside_a_200() -> None:
    call = stream(chunk(content="a"), {"error": {"message": "upstream died", "code": 502}})
    assert (call.status, call.answer_text, call.error.message if call.error else None) == (Status.FAILED, "a", "upstream died")
    assert stream({"error": "just text"}).error is not None


def test_azure() -> None:
    target = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    body = sse([(None, {"choices": [], "model": "", "prompt_filter_results": []}), (None, chunk("stop", content="a"))])
    call = read_call(exchange('{"messages":[]}', body, target=target, content_type="text/event-stream", upstream="azure"))
    assert (call.model, call.model_response, call.provider, call.status) == ("my-gpt", "m", "azure", Status.COMPLETED)


def test_parameters_keep_their_exact_values() -> None:
    body = '{"model":"m","messages":[],"temperature":1.0,"seed":9007199254740993,"service_tier":"flex","stream_options":{"include_usage":true},"functions":[{"name":"f"}]}'
    call = read_call(exchange(body, None, target=TARGET))
    assert call.params == b'{"temperature":1.0,"seed":9007199254740993,"service_tier":"flex","stream_options":{"include_usage":true}}'
    assert (call.tools, call.service_tier) == ((b'{"name":"f"}',), "flex")
    assert read_call(exchange('{"service_tier":"auto"}', None, target=TARGET)).service_tier is None


def test_choices_and_calls_are_bounded() -> None:
    many = stream(*[chunk("stop", index=index, content="a") for index in range(200)])
    assert len(many.answers) == 128
    calls_ = stream(*[chunk(tool_calls=[{"id": str(n), "function": {"name": "f", "arguments": "{}"}}]) for n in range(1100)], chunk("stop"))
    assert len(calls_.answers[0].parts) == 1024


@pytest.mark.parametrize(
    ("last", "kind", "message"),
    [
        ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, "BadRequestError", "too long"),
        ({"error": {"code": 502, "message": "upstream"}, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}, "502", "upstream"),
    ],
    ids=["vLLM", "OpenRouter"],
)  # fmt: skip
def test_an_error_in_the_middle_of_a_stream(last: dict[str, object], kind: str, message: str) -> None:
    call = stream(chunk(content="Hel"), last, "[DONE]")
    assert (call.status, call.answer_text) == (Status.FAILED, "Hel")
    assert call.error is not None
    assert (call.error.whose, call.error.kind, call.error.message) == ("provider", kind, message)


def test_blank_lines_before_a_whole_answer_keep_the_connection_alive() -> None:
    body = "\n\n\n" + json.dumps({"id": "c", "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]})
    assert read_call(exchange("{}", body, target=TARGET, upstream="deepseek")).answer_text == "hi"
