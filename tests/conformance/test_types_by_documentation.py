"""Formats whose official SDK is not installed here: the members that its documentation names, each read, kept, and folded like the whole.

Bedrock Converse: docs.aws.amazon.com/bedrock/latest/APIReference, ContentBlock, ContentBlockStart, ContentBlockDelta (2026-11).
Ollama: docs.ollama.com/api, `message` of /api/chat and the answer of /api/generate (2026-11).
"""

import json

import pytest
from tests.support.sdk_types import Json, comparable, dumps, lost
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.wire.reader import read_call

CITATION = {"title": "title·1·", "source": "source·2·", "sourceContent": [{"text": "cited·3·"}], "location": {"web": {"url": "url·4·"}}}
BLOCKS: dict[str, tuple[str, Json]] = {
    "text": ("text", {"text": "text·1·"}),
    "image": ("image", {"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
    "document": ("document", {"document": {"name": "name·1·", "format": "pdf", "source": {"bytes": "AAAA"}}}),
    "document of text": ("document", {"document": {"name": "n", "format": "txt", "source": {"text": "text·1·"}}}),
    "document of blocks": ("document", {"document": {"name": "n", "source": {"content": [{"text": "text·1·"}, {"text": "text·2·"}]}}}),
    "video": ("document", {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://x"}}}}),
    "audio": ("audio", {"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}),
    "toolUse": ("tool_use", {"toolUse": {"toolUseId": "id·1·", "name": "name·2·", "input": {"key": "input·3·"}}}),
    "toolUse of Amazon's": ("server_tool_use", {"toolUse": {"toolUseId": "id·1·", "name": "n·2·", "input": {}, "type": "server_tool_use"}}),
    "toolResult": (
        "tool_result",
        {"toolResult": {"toolUseId": "id·1·", "content": [{"text": "text·2·"}, {"json": {"key": "json·3·"}}], "status": "error"}},
    ),
    "toolResult with pictures": (
        "tool_result",
        {
            "toolResult": {
                "toolUseId": "id·1·",
                "content": [{"image": {"format": "png"}}, {"searchResult": {"title": "t·2·", "content": []}}],
            }
        },
    ),
    "toolResult that says whose": ("tool_result", {"toolResult": {"toolUseId": "id·1·", "content": [], "type": "tool_use"}}),
    "toolResult of Amazon's": (
        "server_tool_result",
        {"toolResult": {"toolUseId": "id·1·", "type": "nova_grounding_result", "content": [{"text": "text·2·"}], "status": "success"}},
    ),
    "reasoningContent": ("thinking", {"reasoningContent": {"reasoningText": {"text": "text·1·", "signature": "s"}}}),
    "reasoningContent that is encrypted": ("redacted_thinking", {"reasoningContent": {"redactedContent": "AAAA"}}),
    "guardContent": ("text", {"guardContent": {"text": {"text": "text·1·", "qualifiers": ["query"]}}}),
    "guardContent with a picture": ("image", {"guardContent": {"image": {"format": "png", "source": {"bytes": "AAAA"}}}}),
    "citationsContent": ("text", {"citationsContent": {"content": [{"text": "text·5·"}], "citations": [CITATION]}}),
    "searchResult": ("document", {"searchResult": {"title": "title·1·", "source": "s", "content": [{"text": "text·2·"}], "citations": {}}}),
    # A block that nobody documents yet.
    "unknown": ("other", {"newContent": {"text": "?"}}),
}
"""Each member of a content block (and its kinds) → what it is read as. `cachePoint` is a mark and no block: left out."""
DOCUMENTED = {
    *("text", "image", "document", "video", "audio", "toolUse", "toolResult", "guardContent", "cachePoint", "reasoningContent"),
    *("citationsContent", "searchResult"),
}
UNREAD = frozenset({"citations"})
"""Citations stand beside a text and repeat what is cited."""


def asked(block: Json, path: str = "/model/m/converse") -> Message:
    call = read_call(exchange(dumps({"messages": [{"role": "user", "content": [block]}]}), None, target=path, upstream="bedrock"))
    assert call.unreadable is None
    return call.messages[0]


def answered(block: Json) -> Call:
    body = {"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": "end_turn", "usage": {}}
    return read_call(exchange("{}", dumps(body), target="/model/m/converse", upstream="bedrock"))


def streamed(block: Json) -> Call:
    """Invoked Nova's way: an event is the one member of an object. The binary framing has tests of its own."""
    steps: list[Json] = [{"messageStart": {"role": "assistant"}}, *steps_of(block), {"contentBlockStop": {"contentBlockIndex": 0}}]
    events = sse([(None, dumps(step).decode()) for step in [*steps, {"messageStop": {"stopReason": "end_turn"}}]])
    body = '{"inferenceConfig":{},"messages":[]}'
    target = "/model/amazon.nova-pro-v1:0/invoke-with-response-stream"
    return read_call(exchange(body, events, target=target, upstream="bedrock", content_type="text/event-stream"))


def steps_of(block: Json) -> list[Json]:
    ((kind, value),) = block.items()
    start, deltas = None, [block]
    if kind == "text":
        deltas = [{"text": value[:3]}, {"text": value[3:]}]
    elif kind == "toolUse":
        start, text = {key: inner for key, inner in value.items() if key != "input"}, dumps(value["input"]).decode()
        deltas = [{"toolUse": {"input": piece}} for piece in (text[:1], text[1:])]
    elif kind == "toolResult":
        start = {key: inner for key, inner in value.items() if key != "content"}
        deltas = [
            {"toolResult": [piece]}
            for one in value["content"]
            for piece in ([{"text": c} for c in one["text"]] if "text" in one else [one])
        ]
    elif "reasoningText" in str(value):
        said = value["reasoningText"]
        deltas = [{"reasoningContent": {"text": piece}} for piece in said["text"]] + [
            {"reasoningContent": {"signature": said["signature"]}}
        ]
    elif kind == "citationsContent":
        deltas = [*({"text": piece} for piece in value["content"][0]["text"]), *({"citation": one} for one in value["citations"])]
    elif kind == "image":
        start, deltas = {"format": value["format"]}, [{"image": {"source": value["source"]}}]
    begun = [] if start is None else [{"contentBlockStart": {"contentBlockIndex": 0, "start": {kind: start}}}]
    return [*begun, *({"contentBlockDelta": {"contentBlockIndex": 0, "delta": delta}} for delta in deltas)]


def test_every_documented_block_is_known() -> None:
    assert {kind for _, block in BLOCKS.values() for kind in block} == DOCUMENTED - {"cachePoint"} | {"newContent"}
    assert asked({"cachePoint": {"type": "default"}}).parts == ()


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_of_converse(name: str) -> None:
    kind, block = BLOCKS[name]
    whole, stream = answered(block), streamed(block)
    assert (whole.unreadable, stream.unreadable) == (None, None)
    for message in (asked(block), whole.answers[0]):
        first, (value,) = message.parts[0], block.values()
        assert (first.kind, first.raw) == (kind, dumps(block))
        assert lost(block, [message], UNREAD) == []
        if "tool" in kind:
            assert {part.tool_id for part in message.parts} == {"id·1·"}
            assert first.is_error is {"error": True, "success": False}.get(value.get("status"))
    assert list(map(comparable, stream.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))
    assert stream.answers[0].digest == whole.answers[0].digest


@pytest.mark.parametrize("kind", ["toolResult", "citationsContent", "searchResult", "document"])
def test_content_that_is_no_list_leaves_the_call_readable(kind: str) -> None:
    for odd in ("text", {"a": 1}, None, 3):
        inner = {"source": {"content": odd}} if kind == "document" else {"content": odd}
        for message in (asked({kind: inner}), answered({kind: inner}).answers[0]):
            assert (message.parts[0].text, message.parts[0].raw) == ("", dumps({kind: inner}))


def test_media_inside_a_result_of_converse_follow_it() -> None:
    _, picture, found = asked(BLOCKS["toolResult with pictures"][1]).parts
    assert [(picture.kind, picture.tool_id), (found.kind, found.text)] == [("image", "id·1·"), ("document", "t·2·")]


CALL = {"id": "id·5·", "function": {"name": "name·6·", "arguments": {"key": "arguments·7·"}}}
TURN = {"role": "assistant", "content": "content·1·", "thinking": "thinking·2·", "images": ["AAAA"], "tool_calls": [CALL]}


def ollama(body: Json, *lines: Json, path: str = "/api/chat") -> Call:
    content_type = "application/x-ndjson" if len(lines) > 1 else "application/json"
    return read_call(exchange(dumps(body), b"\n".join(map(dumps, lines)), target=path, upstream="ollama", content_type=content_type))


def test_every_message_of_ollama() -> None:
    result = {"role": "tool", "content": "content·1·", "tool_name": "name·2·", "tool_call_id": "id·3·"}
    user = {"role": "user", "content": "content·1·", "images": ["AAAA", "BBBB"]}
    for message, kinds in (
        (TURN, ["thinking", "text", "image", "tool_use"]),
        (result, ["tool_result"]),
        (user, ["text", "image", "image"]),
    ):
        (read,) = ollama({"messages": [message]}, {}).messages
        assert [part.kind for part in read.parts] == kinds
        assert read.raw == dumps(message)
        assert lost(message, [read], frozenset()) == []
        for part in read.parts:
            assert part.kind != "tool_use" or (part.tool_id, part.name, part.raw) == ("id·5·", "name·6·", dumps(CALL))


def test_every_answer_of_ollama_whole_and_streamed() -> None:
    last = {"done": True, "done_reason": "stop", "eval_count": 1}
    whole = ollama({}, {"message": TURN} | last)
    pieces: list[Json] = [{"thinking": "thinking"}, {"thinking": "·2·"}, {"content": "content"}, {"content": "·1·"}]
    pieces += [{"content": "", "images": ["AAAA"]}, {"content": "", "tool_calls": [CALL]}]
    stream = ollama({}, *({"message": {"role": "assistant", "content": ""} | piece, "done": False} for piece in pieces), last)
    assert (whole.unreadable, stream.unreadable) == (None, None)
    assert lost(TURN, whole.answers, frozenset()) == []
    assert list(map(comparable, stream.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))
    assert json.loads(stream.answers[0].raw) == TURN
    assert stream.answers[0].digest == whole.answers[0].digest


def test_every_answer_to_generate_of_ollama() -> None:
    last = {"done": True, "done_reason": "stop"}
    said = {"response": "response·1·", "thinking": "thinking·2·", "tool_calls": [CALL]}
    whole = ollama({"prompt": "hi"}, said | last, path="/api/generate")
    pieces: list[Json] = [{"response": "", "thinking": "thinking·2·"}, {"response": "response·1·"}, {"response": "", "tool_calls": [CALL]}]
    stream = ollama({"prompt": "hi"}, *pieces, last, path="/api/generate")
    for call in (whole, stream):
        assert [part.kind for part in call.answers[0].parts] == ["thinking", "text", "tool_use"]
        assert lost(said, call.answers, frozenset()) == []
