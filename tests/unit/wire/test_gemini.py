"""Gemini beyond what the laws prove: both spellings, wrapped results, arrays that stream, candidates, errors, Code Assist."""

import json

import pytest
from tests.support.wire_corpus import exchange, read_in_pieces
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.wire.reader import read_call

GEMINI = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"


def asked(target: str, body: object) -> Call:
    return read_call(exchange(json.dumps(body), None, target=target))


def test_gemini_contents_in_both_spellings() -> None:
    body = {
        "system_instruction": {"parts": [{"text": "be"}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "hi"},
                    {"inline_data": {"mime_type": "image/png"}},
                    {"fileData": {"mimeType": "audio/mp3"}},
                    {"inlineData": {"mimeType": "application/pdf"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"functionCall": {"name": "f", "args": {"a": 1}, "id": "x"}},
                    {"executableCode": {}},
                    {"newThing": {}},
                ],
            },
            {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"ok": 1}}}]},
            {"parts": {"text": "single"}},
            {"role": "user", "parts": ["bare", 3]},
        ],
        "tools": [{"functionDeclarations": []}],
        "generationConfig": {"temperature": 0},
    }
    call = asked(GEMINI, body)
    assert (call.model, call.stream, call.system[0].parts[0].text, len(call.tools)) == ("gemini-2.5-flash", True, "be", 1)
    kinds = [(message.role, [part.kind for part in message.parts]) for message in call.messages]
    assert kinds == [
        ("user", ["text", "image", "audio", "document"]),
        ("assistant", ["thinking", "tool_use", "server_tool_use", "other"]),
        ("tool", ["tool_result"]),
        ("user", ["text"]),
        ("user", ["text", "text"]),
    ]
    assert (call.messages[1].parts[1].arguments, call.messages[1].parts[1].tool_id) == ('{"a": 1}', "x")
    assert (call.messages[2].parts[0].text, call.messages[2].parts[0].name) == ('{"ok": 1}', "f")
    assert asked(GEMINI, {"contents": "hi", "systemInstruction": "be"}).system[0].parts[0].text == "be"
    assert asked(GEMINI, {"contents": {"parts": [{"text": "one"}]}}).messages[0].parts[0].text == "one"


@pytest.mark.parametrize(
    ("response", "text"),
    [({"output": "a\nb"}, "a\nb"), ({"ok": 1}, '{"ok": 1}'), ({"a": "x", "b": "y"}, '{"a": "x", "b": "y"}'), ("x", '"x"'), ({}, "{}")],
)
def test_a_result_that_gemini_wraps_reads_as_its_text(response: object, text: str) -> None:
    parts = [{"functionResponse": {"name": "f", "response": response}}]
    assert asked(GEMINI, {"contents": [{"parts": parts}]}).messages[0].parts[0].text == text


def test_an_array_is_shown_as_it_comes() -> None:
    objects = [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}, "index": 0}]},
        {
            "candidates": [{"content": {"role": "model", "parts": [{"text": "lo"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 3},
        },
    ]
    pieces = [(b"[" if at == 0 else b",\n") + json.dumps(one).encode() for at, one in enumerate(objects)] + [b"]"]
    whole = exchange("{}", b"".join(pieces), target=GEMINI, upstream="gemini")
    call, deltas = read_in_pieces(whole, pieces)
    assert [delta.text for delta in deltas] == ["Hel", "lo"]
    assert (call.answer_text, call.finish_reason, call.usage.input_total, call.stream) == ("Hello", "STOP", 3, True)
    assert read_in_pieces(whole, [bytes([byte]) for byte in b"".join(pieces)])[0] == call
    cut = read_call(exchange("{}", b"".join(pieces[:1]), target=GEMINI))
    assert (cut.status, cut.answer_text, cut.error.kind if cut.error else None) == (Status.FAILED, "Hel", "incomplete_stream")
    refused = read_call(exchange("{}", '[{"error": {"message": "no", "status": "NOT_FOUND"}}]', target=GEMINI, status=404))
    assert refused.error is not None
    assert (refused.error.kind, refused.error.message, refused.stream) == ("NOT_FOUND", "no", True)


def test_code_assist_wraps_both_sides() -> None:
    inner = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    body = sse(
        [
            (
                None,
                {
                    "response": {
                        "candidates": [{"content": {"parts": [{"text": "ho"}]}, "finishReason": "STOP"}],
                        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1},
                    }
                },
            )
        ]
    )
    call = read_call(
        exchange(
            json.dumps({"model": "gemini-2.5-pro", "project": "p", "request": inner}),
            body,
            target="/v1internal:streamGenerateContent?alt=sse",
            content_type="text/event-stream",
        )
    )
    assert (call.model, call.answer_text, call.messages[0].parts[0].text, call.usage.input_total) == ("gemini-2.5-pro", "ho", "hi", 3)


def test_gemini_blocks_errors_and_candidates() -> None:
    blocked = read_call(exchange("{}", '{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}', target=GEMINI))
    assert (blocked.status, blocked.finish_reason, blocked.answers, blocked.usage.input_total) == (Status.COMPLETED, "SAFETY", (), 4)
    error = read_call(exchange("{}", '[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]', target=GEMINI, status=429))
    assert error.error is not None
    assert (error.error.kind, error.error.message) == ("RESOURCE_EXHAUSTED", "quota")
    two = {
        "candidates": [
            {"index": 0, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
            {"index": 1, "content": {"parts": [{"text": "b"}]}},
        ]
    }
    assert [answer.parts[0].text for answer in read_call(exchange("{}", json.dumps(two), target=GEMINI)).answers] == ["a", "b"]
    counted = {
        "usageMetadata": {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 6,
            "toolUsePromptTokenCount": 5,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 3,
            "serviceTier": "flex",
        }
    }
    call = read_call(exchange("{}", json.dumps(counted), target=GEMINI))
    usage = call.usage
    assert (usage.input_total, usage.input_uncached, usage.cache_read, usage.output_total, usage.reasoning, call.service_tier) == (
        15,
        9,
        6,
        5,
        3,
        "flex",
    )


def test_what_googles_own_tools_found_is_kept_beside_the_answer() -> None:
    grounding = {"webSearchQueries": ["weather"], "groundingChunks": [{"web": {"uri": "https://x.invalid", "title": "x"}}]}
    pages = {"urlMetadata": [{"retrievedUrl": "https://y.invalid"}]}
    last = {
        "content": {"role": "model", "parts": [{"text": "ny."}]},
        "finishReason": "STOP",
        "groundingMetadata": grounding,
        "urlContextMetadata": pages,
        "citationMetadata": {},
    }
    events = [{"candidates": [{"content": {"role": "model", "parts": [{"text": "Sun"}]}}]}, {"candidates": [last]}]
    streamed = read_call(exchange("{}", sse([(None, one) for one in events]), target=GEMINI, content_type="text/event-stream"))
    whole = {**last, "content": {"role": "model", "parts": [{"text": "Sunny."}]}}
    once = read_call(exchange("{}", json.dumps({"candidates": [whole]}), target=GEMINI.replace("streamG", "g")))
    for call in (streamed, once):
        text, *found = call.answers[0].parts
        assert (text.text, [(part.kind, part.name) for part in found]) == (
            "Sunny.",
            [("server_tool_result", "groundingMetadata"), ("server_tool_result", "urlContextMetadata")],
        )
        assert [json.loads(part.raw) for part in found] == [grounding, pages]
    back = asked(GEMINI, {"contents": [whole["content"]]})
    assert back.messages[0].digest == streamed.answers[0].digest == once.answers[0].digest
