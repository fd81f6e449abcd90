"""Every message, content part, tool call and delta that the official OpenAI SDK has a type for in Chat Completions.

A release of the SDK with a new type, or a new text in a type, fails here until it is said below what becomes of it.
"""

import json
from typing import Any

import pytest
from openai.types import chat as sdk
from openai.types.chat import chat_completion_assistant_message_param as assistant
from openai.types.chat import chat_completion_chunk as chunk
from tests.support.sdk_types import Json, Sampler, comparable, dumps, fields, lost, members, tag
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.wire.reader import read_call

PARTS = {"text": "text", "refusal": "refusal", "image_url": "image", "input_audio": "audio", "file": "document"}
UNREAD = frozenset(
    {
        # encoded media, where a picture can be fetched, names of files elsewhere, marks for the prompt cache
        *("image_url", "input_audio", "file_data", "file_id", "data", "prompt_cache_breakpoint"),
        # who speaks: several people in one role
        *("developer.name", "system.name", "user.name", "assistant.name"),
        # citations stand beside a text and repeat what is cited; they stay in the message's raw JSON
        "annotations",
    }
)
DELTA = {"role", "content", "refusal", "tool_calls", "function_call", "audio"}
"""Members of a delta; `deltas` sends each of them."""
CALLS = [*members(sdk.ChatCompletionMessageToolCallUnion), *members(sdk.ChatCompletionMessageToolCallUnionParam)]
CONTENT = [*members(sdk.ChatCompletionContentPartParam), *members(assistant.ContentArrayOfContentPart)]
SAMPLER = Sampler({"ChatCompletionMessage.role": "assistant"})


def asked(message: Json) -> Message:
    call = read_call(exchange(dumps({"model": "m", "messages": [message]}), None, target="/v1/chat/completions", upstream="openai"))
    assert call.unreadable is None
    return call.messages[0]


def answered(message: Json) -> Call:
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return read_call(exchange("{}", dumps(body), target="/v1/chat/completions", upstream="openai"))


def streamed(message: Json) -> Call:
    parts = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas(message)]
    events: list[tuple[str | None, object]] = [(None, {"id": "c", "model": "m", "choices": [part]}) for part in parts]
    events += [(None, {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), (None, "[DONE]")]
    return read_call(
        exchange("{}", sse(events), target="/v1/chat/completions", upstream="openai", content_type="text/event-stream"),
    )


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def deltas(message: Json) -> list[Json]:
    made: list[Json] = [{"role": message["role"]}]
    for member, value in message.items():
        if member in {"content", "refusal"}:
            made += [{member: piece} for piece in halves(value)]
        elif member == "tool_calls":
            for index, call in enumerate(value):
                inner, grows = call[call["type"]], "input" if call["type"] == "custom" else "arguments"
                first, *more = halves(inner[grows])
                made.append({"tool_calls": [{"index": index, **call, call["type"]: inner | {grows: first}}]})
                made += [{"tool_calls": [{"index": index, call["type"]: {grows: piece}}]} for piece in more]
        elif member == "function_call":
            first, second = halves(value["arguments"])
            made += [{member: value | {"arguments": first}}, {member: {"arguments": second}}]
        elif member == "audio":
            made += [{member: {"id": value["id"], "transcript": halves(value["transcript"])[0]}}]
            made += [{member: {"transcript": halves(value["transcript"])[1]}}]
            made += [{member: {"data": piece}} for piece in halves(value["data"])]
            made += [{member: {"expires_at": value["expires_at"]}}]
        elif member != "role":
            made.append({member: value})
    return made


@pytest.mark.parametrize("kind", members(sdk.ChatCompletionMessageParam), ids=lambda kind: kind.__name__)
def test_every_message_of_a_request(kind: type) -> None:
    for message in SAMPLER.variants(kind):
        read = asked(message)
        assert (read.role, read.raw) == (message["role"], dumps(message))
        assert lost(message, [read], UNREAD) == []
        result = message["role"] in {"tool", "function"}
        assert (read.parts[0].kind == "tool_result") == result
        if result:
            assert (read.parts[0].tool_id, read.parts[0].name) == (message.get("tool_call_id"), message.get("name"))


@pytest.mark.parametrize("kind", CONTENT, ids=lambda kind: kind.__name__)
def test_every_content_part(kind: type) -> None:
    for block in SAMPLER.variants(kind):
        for role in ("user", "assistant"):
            message = asked({"role": role, "content": [block]})
            assert [(part.kind, part.raw) for part in message.parts] == [(PARTS[tag(kind)], dumps(block))]
            assert lost(block, [message], UNREAD) == []


@pytest.mark.parametrize("kind", CALLS, ids=lambda kind: kind.__name__)
def test_every_tool_call(kind: type) -> None:
    call = SAMPLER.sample(kind)
    inner = call[call["type"]]
    (part,) = asked({"role": "assistant", "content": None, "tool_calls": [call]}).parts
    read = (part.kind, part.tool_id, part.name, part.arguments, part.raw)
    assert read == ("tool_use", call["id"], inner["name"], inner.get("arguments", inner.get("input")), dumps(call))


def test_every_answer_whole_and_streamed() -> None:
    for message in SAMPLER.variants(sdk.ChatCompletionMessage):
        whole, stream = answered(message), streamed(message)
        assert (whole.unreadable, stream.unreadable) == (None, None)
        assert whole.answers[0].raw == dumps(message)
        assert lost(message, whole.answers, UNREAD) == []
        assert json.loads(stream.answers[0].raw) == message
        assert list(map(comparable, stream.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))
        assert stream.answers[0].digest == whole.answers[0].digest
        assert sorted(part.kind for part in whole.answers[0].parts) == ["audio", "refusal", "text", "tool_use", "tool_use"]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (chunk.ChoiceDelta, DELTA),
        (chunk.ChoiceDeltaToolCall, {"index", "id", "function", "type"}),
        (chunk.ChoiceDeltaFunctionCall, {"name", "arguments"}),
        (sdk.ChatCompletionMessage, DELTA | {"annotations"}),
        # Probabilities stand beside a message; they stay in the answer's bytes.
        (chunk.Choice, {"index", "delta", "finish_reason", "logprobs"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_member_of_a_delta_is_known(kind: Any, known: set[str]) -> None:  # noqa: ANN401 - a model
    assert fields(kind).keys() == known
