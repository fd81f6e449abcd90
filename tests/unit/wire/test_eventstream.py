import json
import struct
from base64 import b64encode
from zlib import crc32

from tests.support.wire_corpus import exchange, read_in_pieces

from modular_agents.proxy.model.call import Status, UsageSource
from modular_agents.proxy.wire.eventstream import EventStreamDecoder
from modular_agents.proxy.wire.reader import read_call

AWS = "application/vnd.amazon.eventstream"


def message(payload: object, **headers: str) -> bytes:
    packed = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode() for name, value in headers.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 12 + len(packed) + len(body) + 4, len(packed))
    whole = prelude + struct.pack(">I", crc32(prelude)) + packed + body
    return whole + struct.pack(">I", crc32(whole))


def event(name: str, payload: object) -> bytes:
    return message(payload, **{":message-type": "event", ":event-type": name, ":content-type": "application/json"})


def test_messages_however_they_are_cut() -> None:
    stream = event("a", {"x": 1}) + event("b", {})
    for pieces in ([stream], [stream[i : i + 1] for i in range(len(stream))]):
        decoder = EventStreamDecoder()
        found = [found for piece in pieces for found in decoder.feed(piece)]
        assert [(one.headers[":event-type"], one.payload) for one in found] == [("a", b'{"x": 1}'), ("b", b"{}")]
        assert decoder.failure is None


def test_damage_ends_the_reading() -> None:
    good = event("a", {})
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 255
        decoder = EventStreamDecoder()
        found = decoder.feed(good + bytes(bad) + good)
        assert len(found) == 1
        assert decoder.failure
        assert decoder.feed(good) == []


def test_headers_of_every_type() -> None:
    packed = (
        b"\x01a\x00\x01b\x01\x01c\x02x\x01d\x03xx\x01e\x04xxxx\x01f\x05xxxxxxxx\x01g\x06\x00\x02xx\x01h\x07\x00\x01y\x01i\x08xxxxxxxx\x01j\x09"
        + b"x" * 16
    )
    for extra, count in ((b"", 1), (b"\x01k\x63", 0), (b"\x09", 0)):
        prelude = struct.pack(">II", 16 + len(packed + extra), len(packed + extra))
        whole = prelude + struct.pack(">I", crc32(prelude)) + packed + extra
        decoder = EventStreamDecoder()
        found = decoder.feed(whole + struct.pack(">I", crc32(whole)))
        assert len(found) == count
        assert bool(decoder.failure) is not bool(count)
    assert [one.headers for one in found] == []


CONVERSE = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hel"}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "lo"}}),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "look"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a":'}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "1}"}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 90, "cacheWriteInputTokens": 3}, "metrics": {}}),
]
WHOLE = {
    "output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"text": "Hello"},
        {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": 1}}},
    ]}},
    "stopReason": "tool_use",
    "usage": {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 90, "cacheWriteInputTokens": 3},
}  # fmt: skip


def test_converse_stream_is_whole_and_comes_back() -> None:
    model = "us.amazon.nova-pro-v1%3A0"
    stream = b"".join(event(name, payload) for name, payload in CONVERSE)
    asked = {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "system": [{"text": "be"}, {"cachePoint": {}}],
        "toolConfig": {"tools": [{"toolSpec": {}}]},
    }
    whole = exchange(json.dumps(asked), stream, target=f"/model/{model}/converse-stream", content_type=AWS, upstream="bedrock")
    call = read_call(whole)
    assert read_in_pieces(whole, [stream[i : i + 1] for i in range(len(stream))])[0] == call
    assert (call.status, call.model, call.stream, call.finish_reason, call.answer_text) == (
        Status.COMPLETED,
        "us.amazon.nova-pro-v1:0",
        True,
        "tool_use",
        "Hello",
    )
    assert (call.usage.input_total, call.usage.cache_read, call.usage.cache_write_5m, call.usage.output_total) == (103, 90, 3, 5)
    assert [part.kind for part in call.answers[0].parts] == ["thinking", "text", "tool_use"]
    assert json.loads(call.answers[0].raw) == WHOLE["output"]["message"]  # type: ignore[index]
    assert len(call.tools) == 1
    assert [message.parts[0].text for message in call.system if message.parts] == ["be"]
    once = read_call(exchange(json.dumps(asked), json.dumps(WHOLE), target=f"/model/{model}/converse", upstream="bedrock"))
    assert once.answers[0].digest == call.answers[0].digest
    back = {
        "messages": [
            WHOLE["output"]["message"],
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "t1", "content": [{"text": "x"}, {"json": {"y": 1}}, {"image": {}}], "status": "error"}}
                ],
            },
        ]
    }  # type: ignore[index]
    again = read_call(exchange(json.dumps(back), None, target=f"/model/{model}/converse"))
    assert again.messages[0].digest == call.answers[0].digest
    result = again.messages[1].parts
    assert [(part.kind, part.text, part.is_error) for part in result] == [("tool_result", 'x\n{"y": 1}', True), ("image", "", None)]


def test_claude_on_bedrock_is_wrapped_in_base64() -> None:
    events = [
        {
            "type": "message_start",
            "message": {"id": "m", "model": "claude", "role": "assistant", "usage": {"input_tokens": 3, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    stream = b"".join(event("chunk", {"bytes": b64encode(json.dumps(one).encode()).decode(), "p": "abc"}) for one in events)
    target = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream"
    call = read_call(exchange('{"anthropic_version":"bedrock-2023-05-31","messages":[]}', stream, target=target, content_type=AWS))
    assert (call.format, call.status, call.answer_text, call.stream) == ("anthropic.messages", Status.COMPLETED, "hi", True)
    assert call.model == "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert (call.usage.input_total, call.usage.output_total, call.usage.source) == (3, 2, UsageSource.REPORTED)


def test_an_exception_inside_the_stream_is_an_error() -> None:
    exception = message({"message": "slow down"}, **{":message-type": "exception", ":exception-type": "throttlingException"})
    for target in ("/model/m/converse-stream", "/model/anthropic.claude/invoke-with-response-stream"):
        call = read_call(exchange("{}", event("messageStart", {}) + exception, target=target, content_type=AWS))
        assert call.status is Status.FAILED
        assert call.error is not None
        assert (call.error.kind, call.error.message) == ("throttlingException", "slow down")


def test_a_broken_stream_is_said_to_be_unreadable() -> None:
    call = read_call(exchange("{}", b"not an event stream at all", target="/model/m/converse-stream", content_type=AWS))
    assert call.unreadable is not None
    assert "damaged" in call.unreadable.reason
