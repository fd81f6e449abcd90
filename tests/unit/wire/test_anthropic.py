"""Anthropic Messages beyond what the laws prove: every block, errors inside a 200, cumulative usage, what nobody knows."""
# ruff: noqa: E501 - one case per line reads as a table

import json
from dataclasses import replace

import pytest
from tests.support.link_memory import LinkMemory
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Status, UsageSource
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.wire.reader import read_call

START = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "claude", "role": "assistant", "usage": {"input_tokens": 10, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}


def stream(*events: object, outcome: Outcome = Outcome.COMPLETE) -> Call:
    body = sse([(str(event["type"]) if isinstance(event, dict) else None, event) for event in events])
    return read_call(exchange("{}", body, content_type="text/event-stream", outcome=outcome))


def block(index: int, start: object, *deltas: object) -> list[object]:
    events: list[object] = [{"type": "content_block_start", "index": index, "content_block": start}]
    events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [*events, {"type": "content_block_stop", "index": index}]


def delta(stop: str | None = "end_turn", **usage: object) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}


def parts(content: object) -> list[tuple[str, str, str | None, str | None, str | None]]:
    (message,) = read_call(exchange(json.dumps({"messages": [{"role": "user", "content": content}]}), None)).messages
    return [(part.kind, part.text, part.tool_id, part.name, part.arguments) for part in message.parts]


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("hi", [("text", "hi", None, None, None)]),
        ([{"type": "text", "text": "hi"}], [("text", "hi", None, None, None)]),
        ([{"type": "image", "source": {"type": "url", "url": "x"}}], [("image", "", None, None, None)]),
        ([{"type": "document", "title": "T", "source": {"type": "base64"}}], [("document", "T", None, None, None)]),
        ([{"type": "document", "title": "T", "source": {"type": "text", "data": "body"}}], [("document", "body", None, None, None)]),
        ([{"type": "search_result", "title": "T", "source": "https://x"}], [("document", "T", None, None, None)]),
        ([{"type": "thinking", "thinking": "hm", "signature": "s"}], [("thinking", "hm", None, None, None)]),
        ([{"type": "redacted_thinking", "data": "x"}], [("redacted_thinking", "", None, None, None)]),
        ([{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}], [("tool_use", "", "t", "n", '{"a": 1}')]),
        ([{"type": "tool_use", "id": "t", "name": "n"}], [("tool_use", "", "t", "n", "{}")]),
        ([{"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}], [("server_tool_use", "", "t", "web_search", "{}")]),
        ([{"type": "mcp_tool_use", "id": "t", "name": "n", "input": {}}], [("server_tool_use", "", "t", "n", "{}")]),
        ([{"type": "web_search_tool_result", "tool_use_id": "t", "content": []}], [("server_tool_result", "", "t", "web_search_tool_result", None)]),
        ([{"type": "tool_result", "tool_use_id": "t", "content": "ok"}], [("tool_result", "ok", "t", None, None)]),
        ([{"type": "tool_result", "tool_use_id": "t"}], [("tool_result", "", "t", None, None)]),
        (
            [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}, {"type": "image"}, "b"]}],
            [("tool_result", "a\nb", "t", None, None), ("image", "", "t", None, None)],
        ),
        ([{"type": "container_upload", "file_id": "f"}], [("other", "", None, "container_upload", None)]),
        ([{"type": "compaction", "content": "summary"}], [("other", "summary", None, "compaction", None)]),
        ([{"type": 3}, "x", None], [("other", "", None, "other", None), ("other", "", None, None, None), ("other", "", None, None, None)]),
        (None, []),
        (3, []),
    ],
)  # fmt: skip
def test_blocks(content: object, read: object) -> None:
    assert parts(content) == read


def test_raw_blocks_are_exact() -> None:
    body = '{"messages":[ {"role":"user", "content":[ {"type":"text" , "text":"h\\u00e9"} ]} ], "system":"be \\n brief","tools":[{"name": "a"}], "max_tokens" : 9}'
    call = read_call(exchange(body, None))
    assert call.messages[0].raw == b'{"role":"user", "content":[ {"type":"text" , "text":"h\\u00e9"} ]}'
    assert call.messages[0].parts[0].raw == b'{"type":"text" , "text":"h\\u00e9"}'
    assert (call.system[0].raw, call.system[0].parts[0].text) == (b'"be \\n brief"', "be \n brief")
    assert (call.tools, call.params) == ((b'{"name": "a"}',), b'{"max_tokens":9}')


def test_system_messages_in_the_middle_stay_in_the_list() -> None:
    body = {
        "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}],
    }
    call = read_call(exchange(json.dumps(body), None))
    assert [message.parts[0].text for message in call.system] == ["a", "b"]
    assert [message.role for message in call.messages] == ["user", "system"]


def test_usage_is_cumulative_and_the_last_word_counts() -> None:
    start = {
        **START,
        "message": {
            **START["message"],
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    }  # type: ignore[dict-item]
    usage = stream(
        start, delta(None, output_tokens=4), delta(output_tokens=9, input_tokens=12, server_tool_use={"web_search_requests": 1}), STOP
    ).usage
    assert (usage.source, usage.input_total, usage.input_uncached) == (UsageSource.REPORTED, 24, 12)
    assert (usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output_total) == (5, 3, 4, 9)
    assert json.loads(usage.raw or b"")["server_tool_use"] == {"web_search_requests": 1}
    renewed = stream(start, delta(output_tokens=9, cache_creation_input_tokens=9), STOP).usage
    assert (renewed.cache_write_5m, renewed.cache_write_1h, renewed.input_total) == (5, 4, 24)


def test_thinking_tokens_and_tiers() -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 6},
        "speed": "fast",
        "service_tier": "standard",
    }
    call = stream({**START, "message": {"usage": usage}}, STOP)
    assert (call.usage.reasoning, call.usage.output_total, call.service_tier) == (6, 9, "fast")


def test_a_cut_stream_keeps_what_was_counted() -> None:
    call = stream(START, *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hel"})[:2], outcome=Outcome.CLIENT_GONE)
    assert (call.status, call.answer_text, call.usage.source, call.usage.input_total, call.usage.output_total) == (
        Status.CANCELLED,
        "Hel",
        UsageSource.PARTIAL,
        10,
        1,
    )
    words = {"type": "text_delta", "text": "word " * 60}
    longer = stream(START, *block(0, {"type": "text", "text": ""}, words)[:2], outcome=Outcome.CLIENT_GONE)
    assert (longer.usage.source, longer.usage.input_total, longer.usage.output_total) == (UsageSource.PARTIAL, 10, 75)
    counted = stream(START, *block(0, {"type": "text", "text": ""}, words), delta(output_tokens=61), outcome=Outcome.CLIENT_GONE)
    assert (counted.usage.source, counted.usage.output_total) == (UsageSource.REPORTED, 61)


def test_an_error_inside_a_200() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    call = stream(START, *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hel"}), error)
    assert (call.status, call.answer_text, call.http_status) == (Status.FAILED, "Hel", 200)
    assert call.error is not None
    assert (call.error.kind, call.error.message, call.error.whose) == ("overloaded_error", "Overloaded", "provider")


def test_citations_signatures_and_unknown_deltas_are_folded() -> None:
    call = stream(
        START,
        *block(
            0,
            {"type": "text", "text": "a"},
            {"type": "citations_delta", "citation": {"n": 1}},
            {"type": "text_delta", "text": "b"},
            {"type": "citations_delta", "citation": {"n": 2}},
        ),
        *block(
            1,
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": "sum"},
            {"type": "compaction_delta", "content": "mary", "flag": True},
        ),
        *block(
            2,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "s"},
        ),
        delta(output_tokens=3),
        STOP,
    )
    assert json.loads(call.answers[0].raw)["content"] == [
        {"type": "text", "text": "ab", "citations": [{"n": 1}, {"n": 2}]},
        {"type": "compaction", "content": "summary", "flag": True},
        {"type": "thinking", "thinking": "hm", "signature": "s"},
    ]


def test_a_tool_input_that_was_cut_is_kept_as_text() -> None:
    use = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
    call = stream(START, *block(0, use, {"type": "input_json_delta", "partial_json": '{"a": [1, '}), outcome=Outcome.UPSTREAM_CUT)
    assert json.loads(call.answers[0].raw)["content"][0]["input"] == '{"a": [1, '
    whole = stream(START, *block(0, use, {"type": "input_json_delta", "partial_json": '{"a": 1.50}'}), STOP)
    assert whole.answers[0].parts[0].arguments == '{"a": 1.50}'
    empty = stream(START, *block(0, use, {"type": "input_json_delta", "partial_json": ""}), STOP)
    assert empty.answers[0].parts[0].arguments == "{}"


def test_halves_of_a_character_in_two_deltas_are_joined() -> None:
    halves = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "\ud83d"}, {"type": "text_delta", "text": "\ude00"})
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in (START, *halves, STOP))
    call = read_call(exchange("{}", body, content_type="text/event-stream"))
    assert call.answer_text == "😀"


def test_events_out_of_place_do_no_harm() -> None:
    stray: list[object] = [
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_start", "index": 2**40, "content_block": {}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": "a"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "b"}},
        {"type": "new_event", "x": 1},
        {"type": "error"},
    ]
    call = stream(START, *stray, STOP)
    assert (call.answer_text, call.status) == ("ab", Status.FAILED)


def test_token_counts_and_models_in_paths() -> None:
    counted = read_call(exchange('{"model":"claude","messages":[]}', '{"input_tokens":2095}', target="/v1/messages/count_tokens"))
    assert (counted.operation, counted.status, counted.usage.source, counted.unreadable) == (
        "count_tokens",
        Status.COMPLETED,
        UsageSource.UNKNOWN,
        None,
    )
    vertex = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-8@20260101:streamRawPredict"
    call = read_call(exchange('{"messages":[]}', None, target=vertex))
    assert (call.model, call.stream) == ("claude-opus-4-8@20260101", True)
    assert read_call(exchange('{"messages":[]}', None)).model is None


def test_content_that_is_a_string_in_an_answer() -> None:
    call = read_call(exchange("{}", '{"type":"message","role":"assistant","content":"plain","usage":{}}'))
    assert (call.answer_text, call.answers[0].raw) == ("plain", b'{"role":"assistant","content":"plain"}')


def test_a_prefilled_answer_is_continued_by_the_turn_that_repeats_it_whole() -> None:
    asked = [{"role": "user", "content": "Give JSON, please."}, {"role": "assistant", "content": "{"}]
    answer = {"id": "msg_1", "role": "assistant", "content": [{"type": "text", "text": '"a": 1}'}], "stop_reason": "end_turn"}
    next_turn = [asked[0], {"role": "assistant", "content": '{ "a": 1}'}, {"role": "user", "content": "Thanks."}]
    first, second = (
        replace(read_call(exchange(json.dumps({"model": "m", "messages": messages}), json.dumps(answer))), call_id=call_id, started_ns=at)
        for call_id, messages, at in (("one", asked, 1), ("two", next_turn, 10**12))
    )
    assert (first.answer_text, first.messages[-1].digest) == ('"a": 1}', b"")
    memory = LinkMemory()
    memory.link(replace(first, ended_ns=2))
    memory.link(replace(second, ended_ns=10**12 + 1))
    (edge,) = memory.rows["two"].placement.edges
    assert (edge.from_call_id, edge.evidence.rule) == ("one", "continuation")
