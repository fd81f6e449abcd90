"""Responses, Ollama, embeddings, completions and everything else, beyond what the laws prove."""
# ruff: noqa: E501 - one case per line reads as a table

import json

import pytest
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Status, UsageSource
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.pricing.price import price
from modular_agents.proxy.wire.reader import read_call


def asked(target: str, body: object) -> Call:
    return read_call(exchange(json.dumps(body), None, target=target))


def responses(*events: dict[str, object], outcome: Outcome = Outcome.COMPLETE) -> Call:
    body = sse([(str(event["type"]), event) for event in events])
    return read_call(exchange("{}", body, target="/v1/responses", content_type="text/event-stream", outcome=outcome))


@pytest.mark.parametrize(
    ("item", "role", "parts"),
    [
        ("hi", "user", [("text", "hi", None, None, None)]),
        ({"role": "user", "content": "hi"}, "user", [("text", "hi", None, None, None)]),
        ({"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "x"}, {"type": "input_file"}]}, "user", [("text", "hi", None, None, None), ("image", "", None, None, None), ("document", "", None, None, None)]),
        ({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}, "x", {"type": "new"}]}, "assistant", [("refusal", "no", None, None, None), ("text", "x", None, None, None), ("other", "", None, "new", None)]),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}], "content": [{"type": "reasoning_text", "text": "b"}]}, "assistant", [("thinking", "a\nb", None, None, None)]),
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, "assistant", [("tool_use", "", "c", "f", "{}")]),
        ({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "free"}, "assistant", [("tool_use", "", "c", "f", "free")]),
        ({"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}}, "assistant", [("tool_use", "", "c", "local_shell", '{"command": ["ls"]}')]),
        ({"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file"}}, "assistant", [("tool_use", "", "c", "apply_patch", '{"type": "delete_file"}')]),
        ({"type": "web_search_call", "id": "w", "action": {"query": "q"}}, "assistant", [("server_tool_use", "", "w", "web_search_call", '{"query": "q"}')]),
        ({"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}"}, "assistant", [("server_tool_use", "", "m", "f", "{}")]),
        ({"type": "image_generation_call", "id": "i", "result": "AAAA"}, "assistant", [("server_tool_use", "", "i", "image_generation_call", None), ("image", "", "i", None, None)]),
        ({"type": "function_call_output", "call_id": "c", "output": "ok"}, "tool", [("tool_result", "ok", "c", None, None)]),
        ({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "ok"}, {"type": "input_image"}]}, "tool", [("tool_result", "ok", "c", None, None), ("image", "", "c", None, None)]),
        ({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}}, "tool", [("tool_result", "", "c", None, None), ("image", "", "c", None, None)]),
        ({"type": "compaction", "encrypted_content": "x"}, "assistant", [("other", "", None, "compaction", None)]),
        ({"type": "additional_tools", "role": "developer", "tools": []}, "developer", [("other", "", None, "additional_tools", None)]),
        ({"type": "agent_message", "author": "/root", "content": [{"type": "input_text", "text": "Payload:\n"}, {"type": "encrypted_content", "encrypted_content": "Count them"}]}, "user", [("text", "Payload:\n", None, None, None), ("text", "Count them", None, None, None)]),
        ({"type": "agent_message", "content": [{"type": "encrypted_content", "encrypted_content": "gAAAAB=="}]}, "user", [("other", "", None, "encrypted_content", None)]),
        ({"type": "item_reference", "id": "msg_1"}, "assistant", [("other", "", None, "item_reference", None)]),
        (3, "unknown", [("other", "", None, None, None)]),
        ({}, "unknown", []),
    ],
)  # fmt: skip
def test_items_of_responses(item: object, role: str, parts: object) -> None:
    (message,) = asked("/v1/responses", {"input": [item]}).messages
    read = [(part.kind, part.text, part.tool_id, part.name, part.arguments) for part in message.parts]
    assert (message.role, read) == (role, parts)


def test_requests_of_responses() -> None:
    call = asked(
        "/v1/responses",
        {"model": "gpt-5", "input": "hi", "instructions": "be", "previous_response_id": "resp_0", "store": False, "service_tier": "flex"},
    )
    assert (call.model, call.previous_response_id, call.service_tier, call.params) == (
        "gpt-5",
        "resp_0",
        "flex",
        b'{"store":false,"service_tier":"flex"}',
    )
    assert (call.messages[0].raw, call.system[0].parts[0].text) == (b'"hi"', "be")
    assert asked("/v1/responses", {"instructions": [1]}).system[0].parts[0].kind == "other"
    assert asked("/openai/deployments/d/responses", {}).model == "d"


def test_tools_that_stand_among_the_input_are_tools() -> None:
    spaces = [
        {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}, {"name": "wait"}]},
        {"name": "alone"},
    ]
    item = {"type": "additional_tools", "role": "developer", "tools": spaces}
    call = asked(
        "/v1/responses",
        {"tools": [{"name": "given"}], "input": [item, "additional_tools", {"type": "message", "content": "additional_tools"}]},
    )
    assert [json.loads(tool)["name"] for tool in call.tools] == ["given", "exec", "wait", "alone"]
    assert asked("/v1/responses", {"input": "additional_tools"}).tools == ()


def test_responses_that_fail_stop_early_or_wait() -> None:
    failed = responses({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "oops"}}})
    assert (failed.status, failed.error.kind if failed.error else None, failed.finish_reason) == (Status.FAILED, "server_error", "failed")
    short = responses(
        {"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}}
    )
    assert (short.status, short.finish_reason) == (Status.COMPLETED, "max_output_tokens")
    error = responses({"type": "error", "code": "rate_limit", "message": "wait"})
    assert (error.status, error.error.message if error.error else None) == (Status.FAILED, "wait")
    queued = read_call(
        exchange('{"background":true}', '{"id":"resp_1","status":"queued","output":[],"usage":null}', target="/v1/responses")
    )
    assert (queued.status, queued.finish_reason, queued.response_id, queued.usage.source) == (
        Status.COMPLETED,
        "queued",
        "resp_1",
        UsageSource.UNKNOWN,
    )
    plain = read_call(exchange("{}", '{"status":"failed","error":"text"}', target="/v1/responses"))
    assert plain.error is not None
    cut = responses({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}, outcome=Outcome.UPSTREAM_CUT)
    assert (cut.status, cut.finish_reason, cut.response_id) == (Status.FAILED, None, "r")


def test_pieces_of_items_that_never_began_are_kept() -> None:
    call = responses(
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"},
        {"type": "response.output_text.delta", "output_index": "0", "content_index": 0, "delta": "lo"},
        {"type": "response.reasoning_summary_text.delta", "output_index": 1, "summary_index": 0, "delta": "hm"},
        {"type": "response.output_text.delta", "output_index": 10**9, "content_index": 0, "delta": "no"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 10**9, "delta": "no"},
        {"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": {"url": "x"}},
        outcome=Outcome.CLIENT_GONE,
    )
    assert (call.answer_text, call.answers[0].parts[1].text) == ("Hello", "hm")
    assert json.loads(call.answers[0].raw)[0]["content"][0]["annotations"] == [{"url": "x"}]


def test_compaction_and_stored_responses() -> None:
    compacted = read_call(
        exchange(
            '{"model":"m","input":[]}',
            '{"id":"r","output":[{"type":"compaction"}],"usage":{"input_tokens":9,"output_tokens":1}}',
            target="/v1/responses/compact",
        )
    )
    assert (compacted.operation, compacted.usage.input_total) == ("compact", 9)
    stored = read_call(
        exchange("", '{"id":"r","output":[],"usage":{"input_tokens":9,"output_tokens":1}}', target="/v1/responses/r", method="GET")
    )
    assert (stored.format, stored.operation, stored.usage.source) == ("openai.responses", "stored", UsageSource.UNKNOWN)
    assert price(stored).usd == 0


def test_a_background_response_is_paid_for_where_it_is_fetched() -> None:
    body = {"id": "r", "background": True, "model": "gpt-5", "status": "in_progress", "output": [], "usage": None}
    done = body | {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Done."}]}],
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    waiting, fetched = (
        read_call(exchange("", json.dumps(answer), target="/v1/responses/r", method="GET", upstream="openai")) for answer in (body, done)
    )
    assert (waiting.usage.source, price(waiting).usd) == (UsageSource.UNKNOWN, 0)
    assert (fetched.answer_text, fetched.usage.input_total, fetched.model_response) == ("Done.", 9, "gpt-5")
    assert (price(fetched).usd or 0) > 0


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("/v1/realtime?model=gpt-realtime&x=1", "gpt-realtime"),
        ("/v1/realtime?x=model", None),
        ("/model/meta.llama3-70b-instruct-v1%3A0/invoke", "meta.llama3-70b-instruct-v1:0"),
    ],
)
def test_a_model_in_the_target(target: str, model: str | None) -> None:
    assert asked(target, {"prompt": "hi"}).model == model


def test_ollama_generate_embed_and_errors() -> None:
    lines = [
        {"model": "m", "response": "Hel", "done": False},
        {"model": "m", "response": "lo", "thinking": "hm", "done": False},
        {"done": True, "done_reason": "stop", "eval_count": 2},
    ]
    body = "\n".join(map(json.dumps, lines))
    for content_type in ("application/x-ndjson", "application/json"):
        call = read_call(
            exchange(
                '{"model":"m","prompt":"hi","system":"be","images":["AA"]}',
                body,
                target="/api/generate",
                content_type=content_type,
                upstream="ollama",
            )
        )
        assert (call.answer_text, call.finish_reason, call.stream, call.messages[0].parts[0].text) == ("Hello", "stop", True, "hi")
        assert (call.usage.input_total, call.usage.output_total, call.status) == (None, 2, Status.COMPLETED)
    cut = read_call(exchange('{"model":"m"}', body[:30] + "\n", target="/api/generate", content_type="application/x-ndjson"))
    assert cut.status is Status.FAILED
    error = read_call(exchange("{}", '{"error":"no such model"}', target="/api/chat", status=404))
    assert (error.error.message if error.error else None) == "no such model"
    late = read_call(
        exchange("{}", '{"message":{"content":"a"}}\n{"error":"died"}\n', target="/api/chat", content_type="application/x-ndjson")
    )
    assert (late.status, late.answer_text) == (Status.FAILED, "a")
    embedded = read_call(exchange('{"model":"m","input":["a","b"]}', '{"embeddings":[[0.1]],"prompt_eval_count":4}', target="/api/embed"))
    assert (embedded.operation, embedded.stream, embedded.usage.input_total, len(embedded.messages)) == ("embeddings", False, 4, 2)


def test_ollama_counts_its_cache() -> None:
    answer = '{"message":{"content":"a"},"done":true,"prompt_eval_count":10,"prompt_eval_cached_count":7,"eval_count":2}'
    usage = read_call(exchange("{}", answer, target="/api/chat")).usage
    assert (usage.input_total, usage.input_uncached, usage.cache_read, usage.output_total) == (10, 3, 7, 2)


def test_ollama_messages() -> None:
    messages = [
        {"role": "user", "content": "hi", "images": ["AA"]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "g", "arguments": "{}"}}, 3],
        },
        {"role": "tool", "tool_name": "f", "content": "ok"},
        7,
    ]
    call = asked("/api/chat", {"model": "m", "stream": False, "messages": messages})
    read = [[(part.kind, part.text, part.name, part.arguments) for part in message.parts] for message in call.messages]
    assert call.stream is False
    assert read == [
        [("text", "hi", None, None), ("image", "", None, None)],
        [("thinking", "hm", None, None), ("tool_use", "", "f", '{"a": 1}'), ("tool_use", "", "g", "{}"), ("tool_use", "", None, "")],
        [("tool_result", "ok", "f", None)],
        [("other", "", None, None)],
    ]


def test_embeddings() -> None:
    answer = '{"data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":5,"total_tokens":5}}'
    for given, texts in (("a", ["a"]), (["a", "b"], ["a", "b"]), ([[1, 2], [3]], [""]), ([1, 2], [""])):
        call = read_call(exchange(json.dumps({"model": "e", "input": given}), answer, target="/v1/embeddings"))
        assert [message.parts[0].text for message in call.messages] == texts
        assert (call.usage.input_total, call.usage.output_total, call.usage.source) == (5, None, UsageSource.REPORTED)
    assert asked("/v1/embeddings", {"model": "e"}).messages == ()
    failed = read_call(exchange("{}", '{"error":{"type":"x","message":"no"}}', target="/v1/embeddings", status=400))
    assert (failed.error.kind if failed.error else None) == "x"


def test_legacy_completions() -> None:
    events: list[tuple[str | None, object]] = [
        (None, {"id": "c", "model": "m", "choices": [{"index": 0, "text": "a"}]}),
        (None, {"choices": [{"index": 0, "text": "b", "finish_reason": "stop"}, {"index": 1, "text": "c"}]}),
        (None, {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}),
        (None, "[DONE]"),
    ]
    call = read_call(
        exchange('{"model":"m","prompt":["x","y"],"stream":true}', sse(events), target="/v1/completions", content_type="text/event-stream")
    )
    assert ([answer.parts[0].text for answer in call.answers], call.finish_reason, call.usage.output_total) == (["ab", "c"], "stop", 3)
    assert len(call.messages) == 2
    whole = read_call(exchange('{"prompt":[1,2]}', '{"choices":[{"text":"z"}]}', target="/v1/completions"))
    assert (whole.answer_text, whole.messages[0].parts[0].kind, whole.usage.source) == ("z", "other", UsageSource.ESTIMATED)
    assert read_call(exchange("{}", '{"error":"no"}', target="/v1/completions", status=500)).status is Status.FAILED


def test_everything_else_is_raw() -> None:
    images = '{"created":1,"data":[],"usage":{"input_tokens":50,"output_tokens":1056}}'
    call = read_call(exchange('{"model":"gpt-image-1","prompt":"x"}', images, target="/v1/images/generations"))
    assert (call.format, call.operation, call.model, call.params, call.usage.output_total) == (
        "raw",
        "images",
        "gpt-image-1",
        b'{"prompt":"x"}',
        1056,
    )
    spoken = read_call(exchange("{}", '{"text":"hi","usage":{"prompt_tokens":4,"completion_tokens":1}}', target="/v1/audio/transcriptions"))
    assert spoken.usage.input_total == 4
    failed = read_call(exchange("--boundary", '{"error":{"type":"t","message":"m"}}', target="/v1/files", status=400))
    assert (failed.error.kind if failed.error else None) == "t"
    probe = read_call(exchange("", "", target="/", method="HEAD"))
    assert (probe.operation, probe.status, probe.model, probe.unreadable) == ("other", Status.COMPLETED, None, None)
    for body in (b"\xff\xfe", b"[1]", b"{", b"{}"):
        assert read_call(exchange(body, body, target="/v1/whatever")).unreadable is None
