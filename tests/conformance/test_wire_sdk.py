"""The official SDKs as oracle: what their accumulators make of a stream is what a folded answer says.

Each answer is invented by Hypothesis, served to the SDK from memory, and read by us from the same bytes.
"""

import json
from collections.abc import Mapping

import anthropic as anthropic_sdk
import httpx2
import openai as openai_sdk
from google.genai import types as google_types
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import Said, anthropic, chat, gemini, responses

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.wire.reader import read_call

FEW = settings(max_examples=60, deadline=None)
ASKED = json.dumps({"messages": [{"role": "user", "content": "hi"}]})


def serve(said: Said) -> httpx2.Client:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": said.content_type}, content=said.stream)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def streamed(said: Said, target: str) -> Call:
    return read_call(exchange(ASKED, said.stream, target=target, content_type=said.content_type))


def without_nothing(value: object) -> object:
    """SDKs add members that the answer did not have, as null; leave those and empty lists out on both sides."""
    if isinstance(value, Mapping):
        return {key: without_nothing(item) for key, item in value.items() if item is not None and item != []}
    if isinstance(value, list):
        return [without_nothing(item) for item in value]
    return value


@FEW
@given(anthropic())
def test_anthropic_final_message(said: Said) -> None:
    with (
        serve(said) as http,
        anthropic_sdk.Anthropic(api_key="sk-ant-dummy", http_client=http) as client,
        client.messages.stream(model="claude-opus-4-8", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        final = stream.get_final_message().to_dict()
    call = streamed(said, "/v1/messages")
    folded = json.loads(call.answers[0].raw)
    assert without_nothing(folded["content"]) == without_nothing(final["content"])
    assert (folded["role"], call.model_response, call.response_id) == (final["role"], final["model"], final["id"])
    assert call.finish_reason == final["stop_reason"]
    usage = final["usage"]
    assert isinstance(usage, dict)
    assert without_nothing(json.loads(call.usage.raw or b"")) == without_nothing(usage)
    assert call.usage.input_total == usage["input_tokens"] + usage["cache_read_input_tokens"]


@FEW
@given(chat())
def test_openai_chat_completion(said: Said) -> None:
    state = ChatCompletionStreamState()
    with serve(said) as http, openai_sdk.OpenAI(api_key="sk-dummy", http_client=http) as client:
        chunks = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True)
        for chunk in chunks:
            assert isinstance(chunk, ChatCompletionChunk)
            state.handle_chunk(chunk)
    final = state.get_final_completion()
    call = streamed(said, "/v1/chat/completions")
    folded, theirs = json.loads(call.answers[0].raw), final.choices[0].message.to_dict()
    for message in (folded, theirs):
        if not message.get("content"):
            message.pop("content", None)
        for tool_call in message.get("tool_calls") or ():
            tool_call.pop("index", None)
            tool_call["function"].pop("parsed_arguments", None)
    assert without_nothing(folded) == without_nothing({key: value for key, value in theirs.items() if key != "parsed"})
    assert (call.finish_reason, call.response_id, call.model_response) == (final.choices[0].finish_reason, final.id, final.model)
    assert final.usage is not None
    assert (call.usage.input_total, call.usage.output_total) == (final.usage.prompt_tokens, final.usage.completion_tokens)


@FEW
@given(responses())
def test_openai_response(said: Said) -> None:
    with (
        serve(said) as http,
        openai_sdk.OpenAI(api_key="sk-dummy", http_client=http) as client,
        client.responses.stream(model="gpt-5", input="hi") as stream,
    ):
        final = stream.get_final_response()
    call = streamed(said, "/v1/responses")
    items = [_item(item.to_dict()) for item in final.output]
    if items:  # where the last event has no output the SDK gives none; ours is what came before
        assert without_nothing([_item(item) for item in json.loads(call.answers[0].raw)]) == without_nothing(items)
        assert call.answer_text == final.output_text
    assert (call.response_id, call.model_response, call.finish_reason) == (final.id, final.model, final.status)
    assert final.usage is not None
    assert (call.usage.input_total, call.usage.output_total) == (final.usage.input_tokens, final.usage.output_tokens)


def _item(item: dict[str, object]) -> dict[str, object]:
    content = item.get("content")
    if isinstance(content, list):
        item = {**item, "content": [{key: value for key, value in block.items() if key != "parsed"} for block in content]}
    return {key: value for key, value in item.items() if key != "parsed_arguments"}


@FEW
@given(gemini())
def test_gemini_response(said: Said) -> None:
    """The SDK folds nothing: our fold of all chunks reads as its own type, and says what its chunks say."""
    if said.content_type == "application/json":
        chunks = json.loads(said.stream)
    else:
        chunks = [json.loads(line[6:]) for line in said.stream.split(b"\n") if line.startswith(b"data: ")]
    read = [google_types.GenerateContentResponse.model_validate(chunk) for chunk in chunks]
    call = streamed(said, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse")
    content = google_types.Content.model_validate_json(call.answers[0].raw)
    theirs = [
        part for chunk in read if chunk.candidates and chunk.candidates[0].content for part in chunk.candidates[0].content.parts or []
    ]
    for thought in (True, None):
        said_by_us = "".join(part.text or "" for part in content.parts or [] if part.thought is thought)
        assert said_by_us == "".join(part.text or "" for part in theirs if part.thought is thought)
    calls = [part.function_call for part in content.parts or [] if part.function_call]
    assert calls == [part.function_call for part in theirs if part.function_call]
    counts = read[-1].usage_metadata
    assert counts is not None
    assert call.usage.input_total == counts.prompt_token_count
    assert call.usage.output_total == (counts.candidates_token_count or 0) + (counts.thoughts_token_count or 0)
    assert call.finish_reason == "STOP"


@FEW
@given(st.sampled_from(["/v1/messages", "/v1/chat/completions", "/v1/responses"]), st.integers(400, 529), st.text(max_size=20))
def test_errors_are_the_sdks_errors(target: str, status: int, message: str) -> None:
    """What the SDK's exception shows as message is in our error."""
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message, "code": None, "param": None}}
    call = read_call(exchange(ASKED, json.dumps(body), target=target, status=status))
    assert call.error is not None
    assert (call.error.kind, call.error.message) == ("invalid_request_error", message)
    assert call.error.whose == ("provider" if status >= 500 or status in {408, 425, 429} else "client")
