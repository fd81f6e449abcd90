"""Bodies of models that Bedrock invokes, as docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html gives them."""

import json
from base64 import b64encode
from typing import Any

import pytest
from tests.support.wire_corpus import exchange, read_in_pieces
from tests.unit.wire.test_eventstream import AWS, event, message

from modular_agents.proxy.model.call import Call, Status, UsageSource
from modular_agents.proxy.wire.bedrock import format_of, head_usage
from modular_agents.proxy.wire.reader import read_call

ARN = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc"
METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 4, "invocationLatency": 5}}
COUNTED = (("X-Amzn-Bedrock-Input-Token-Count", "9"), ("X-Amzn-Bedrock-Output-Token-Count", "4"))
Json = dict[str, Any]


def chunks(*given: Json) -> bytes:
    return b"".join(event("chunk", {"bytes": b64encode(json.dumps(one).encode()).decode()}) for one in given)


def asked(body: Json, answer: Json | bytes, model: str = "m", heads: tuple[tuple[str, str], ...] = ()) -> Call:
    if isinstance(answer, bytes):
        target = f"/model/{model}/invoke-with-response-stream"
        made = exchange(json.dumps(body), answer, target=target, content_type=AWS, upstream="bedrock")
        call = read_call(made)
        assert read_in_pieces(made, [answer[at : at + 1] for at in range(len(answer))])[0] == call
        return call
    return read_call(exchange(json.dumps(body), json.dumps(answer), target=f"/model/{model}/invoke", response_headers=heads))


TITAN = {"inputText": "Hi", "textGenerationConfig": {"maxTokenCount": 8}}
LLAMA = {"prompt": "<|begin_of_text|>Hi", "max_gen_len": 8}
PROMPT = {"prompt": "Hi", "max_tokens": 8}
COMMAND = {"message": "Hi", "chat_history": []}
WHOLE: dict[str, tuple[Json, Json]] = {
    "titan": (TITAN, {"inputTextTokenCount": 9, "results": [{"tokenCount": 4, "outputText": "Hello!", "completionReason": "stop"}]}),
    "llama": (LLAMA, {"generation": "Hello!", "prompt_token_count": 9, "generation_token_count": 4, "stop_reason": "stop"}),
    "mistral": (PROMPT, {"outputs": [{"text": "Hello!", "stop_reason": "stop"}]}),
    "deepseek": (PROMPT, {"choices": [{"text": "Hello!", "stop_reason": "stop"}]}),
    "command": (PROMPT, {"id": "g", "generations": [{"finish_reason": "stop", "id": "x", "text": "Hello!"}], "prompt": "Hi"}),
    "command r": (COMMAND, {"response_id": "r", "text": "Hello!", "generation_id": "g", "finish_reason": "stop"}),
    "jurassic": (PROMPT, {"id": 1, "completions": [{"data": {"text": "Hello!"}, "finishReason": {"reason": "stop"}}]}),
}
STREAMS: dict[str, tuple[Json, list[Json]]] = {
    "titan": (TITAN, [{"outputText": "Hel", "index": 0}, {"outputText": "lo!", "index": 0, "completionReason": "stop", **METRICS}]),
    "llama": (LLAMA, [{"generation": "Hel"}, {"generation": "lo!"}, {"generation": "", "stop_reason": "stop", **METRICS}]),
    "mistral": (PROMPT, [{"outputs": [{"text": "Hel"}]}, {"outputs": [{"text": "lo!", "stop_reason": "stop"}], **METRICS}]),
    "deepseek": (PROMPT, [{"choices": [{"text": "Hel"}]}, {"choices": [{"text": "lo!", "stop_reason": "stop"}], **METRICS}]),
    "command": (PROMPT, [
        {"text": "Hel", "is_finished": False},
        {"text": "lo!", "is_finished": False},
        {"finish_reason": "stop", "is_finished": True, "generations": [{"text": "Hello!"}], **METRICS},
    ]),
    "command r": (COMMAND, [
        {"event_type": "stream-start", "generation_id": "g", "is_finished": False},
        {"event_type": "text-generation", "text": "Hel", "is_finished": False},
        {"event_type": "text-generation", "text": "lo!", "is_finished": False},
        {"event_type": "stream-end", "finish_reason": "stop", "is_finished": True,
         "response": {"response_id": "r", "text": "Hello!", "finish_reason": "stop"}, **METRICS},
    ]),
}  # fmt: skip


@pytest.mark.parametrize("maker", sorted(WHOLE))
def test_a_whole_answer(maker: str) -> None:
    body, answer = WHOLE[maker]
    call = asked(body, answer, heads=COUNTED)
    assert (call.format, call.operation, call.status, call.model) == ("bedrock.invoke", "chat", Status.COMPLETED, "m")
    assert (call.answer_text, call.finish_reason, call.unreadable) == ("Hello!", "stop", None)
    assert [(one.role, one.parts[0].text.endswith("Hi")) for one in call.messages] == [("user", True)]
    assert (call.usage.source, call.usage.input_total, call.usage.output_total) == (UsageSource.REPORTED, 9, 4)


@pytest.mark.parametrize("maker", sorted(STREAMS))
def test_a_stream_says_what_the_whole_answer_says(maker: str) -> None:
    body, events = STREAMS[maker]
    call, whole = asked(body, chunks(*events)), asked(*WHOLE[maker])
    assert (call.format, call.status, call.stream) == ("bedrock.invoke", Status.COMPLETED, True)
    assert (call.answers, call.finish_reason) == (whole.answers, whole.finish_reason)
    assert (call.usage.source, call.usage.input_total, call.usage.output_total) == (UsageSource.REPORTED, 9, 4)


def test_a_stream_without_its_last_event_has_failed_and_keeps_what_came() -> None:
    call = asked(LLAMA, chunks({"generation": "Hel", "prompt_token_count": 9}))
    assert call.error is not None
    assert (call.status, call.error.kind, call.answer_text) == (Status.FAILED, "incomplete_stream", "Hel")
    assert (call.usage.source, call.usage.input_total, call.usage.output_total) == (UsageSource.PARTIAL, 9, None)


def test_an_exception_inside_the_stream_is_an_error() -> None:
    thrown = message({"message": "slow down"}, **{":message-type": "exception", ":exception-type": "throttlingException"})
    call = asked(TITAN, chunks({"outputText": "Hel"}) + thrown)
    assert call.error is not None
    assert (call.status, call.error.kind, call.error.message) == (Status.FAILED, "throttlingException", "slow down")


def test_coheres_talk_comes_back_with_its_tools() -> None:
    call_a = {"name": "look", "parameters": {"a": 1}}
    body = {
        "message": "And?",
        "preamble": "Be brief.",
        "tools": [{"name": "look", "description": "", "parameter_definitions": {}}],
        "chat_history": [
            {"role": "USER", "message": "Hi"},
            {"role": "CHATBOT", "message": "Looking.", "tool_calls": [call_a]},
            {"role": "TOOL", "tool_results": [{"call": call_a, "outputs": [{"b": 2}]}]},
        ],
        "temperature": 0.3,
    }
    answer = {
        "text": "Looking.",
        "tool_calls": [call_a],
        "finish_reason": "COMPLETE",
        "meta": {"billed_units": {"input_tokens": 5, "output_tokens": 2}},
    }
    call = asked(body, answer)
    assert [one.role for one in (*call.system, *call.messages)] == ["system", "user", "assistant", "tool", "user"]
    assert [part.kind for one in call.messages for part in one.parts] == ["text", "text", "tool_use", "tool_result", "text"]
    assert (call.answers[0].parts[1].name, call.answers[0].parts[1].arguments) == ("look", '{"a":1}')
    assert call.messages[1].digest == call.answers[0].digest
    assert (len(call.tools), json.loads(call.params)) == (1, {"temperature": 0.3})
    assert (call.usage.input_total, call.usage.output_total) == (5, 2)
    events = [{"event_type": "text-generation", "text": "Looking."}, {"event_type": "tool-calls-generation", "tool_calls": [call_a]}]
    end = {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": answer}
    assert asked(body, chunks(*events, end)).answers == call.answers


def test_embeddings() -> None:
    titan = asked({"inputText": "Hi"}, {"embedding": [0.1], "inputTextTokenCount": 2}, "amazon.titan-embed-text-v2%3A0")
    cohere = asked({"texts": ["Hi", "you"], "input_type": "search_document"}, {"embeddings": [[0.1], [0.2]]}, "cohere.embed-english-v3")
    assert [(call.operation, call.status, len(call.messages), call.answers) for call in (titan, cohere)] == [
        ("embeddings", Status.COMPLETED, 1, ()),
        ("embeddings", Status.COMPLETED, 2, ()),
    ]
    assert (titan.usage.input_total, cohere.usage.source) == (2, UsageSource.UNKNOWN)


@pytest.mark.parametrize(
    ("body", "written_in"),
    [
        ({"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": "Hi"}]}, "anthropic.messages"),
        ({"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "bedrock.converse"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "bedrock.converse"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, "openai.chat"),
        ({"messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 8}, "openai.chat"),
        ({"messages": []}, "openai.chat"),
        ({"prompt": "Hi"}, "bedrock.invoke"),
        ({}, "bedrock.invoke"),
    ],
)
def test_the_body_tells_whose_format_it_is_where_an_arn_hides_the_model(body: Json, written_in: str) -> None:
    call = asked(body, {}, ARN)
    assert (call.format, call.operation) == (written_in, "chat")
    assert call.model == "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
    assert all(message.parts[0].text == "Hi" for message in call.messages)


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'{"messages": [', b'{"messages": 3}'])
def test_what_is_no_body_of_anyone_is_nobodys(body: bytes) -> None:
    assert format_of(body) in {"bedrock.invoke", "openai.chat"}


def test_models_of_openai_and_others_answer_as_in_chat_completions() -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    stream = chunks({"choices": [{"index": 0, "delta": {"content": "Hello!"}, "finish_reason": "stop"}]}, {"choices": [], **METRICS})
    for answer in (stream, {"choices": [{"message": {"role": "assistant", "content": "Hello!"}, "stop_reason": "stop"}]}):
        call = asked(body, answer, "openai.gpt-oss-120b-1%3A0", COUNTED)
        assert (call.format, call.answer_text, call.finish_reason, call.model) == (
            "openai.chat",
            "Hello!",
            "stop",
            "openai.gpt-oss-120b-1:0",
        )
        assert (call.usage.source, call.usage.input_total, call.usage.output_total) == (UsageSource.REPORTED, 9, 4)


def test_counts_in_the_head_leave_the_cache_out_of_the_input() -> None:
    cached = (("x-amzn-bedrock-cache-read-input-token-count", "90"), ("x-amzn-bedrock-cache-write-input-token-count", "1"))
    usage = head_usage((*COUNTED, *cached))
    assert (usage.input_total, usage.input_uncached, usage.cache_read, usage.cache_write_5m, usage.output_total) == (100, 9, 90, 1, 4)
    for wrong in ("", "-1", "x", "1" * 30, "٣"):
        assert head_usage((("x-amzn-bedrock-input-token-count", wrong),)).source is UsageSource.UNKNOWN


def test_an_answer_nobody_documented_is_kept_and_no_failure() -> None:
    call = asked(
        {"mediaSource": {"s3Location": {}}, "inputPrompt": "what happens?"}, {"message": "A dog runs."}, "twelvelabs.pegasus-1-2-v1%3A0"
    )
    assert (call.status, call.error, call.unreadable, call.answers) == (Status.COMPLETED, None, None, ())


def test_answers_beyond_the_first_are_kept() -> None:
    answer = {"results": [{"outputText": "a", "tokenCount": 1}, {"outputText": "b", "tokenCount": 2}], "inputTextTokenCount": 3}
    call = asked(TITAN, answer)
    assert [one.parts[0].text for one in call.answers] == ["a", "b"]
    assert call.usage.output_total == 3
