"""Every block, event and delta that the official Anthropic SDK has a type for, beta included: read, kept, and folded like the whole.

A release of the SDK with a new type, or a new text in a type, fails here until it is said below what becomes of it.
"""

import json
from collections.abc import Iterator

import pytest
from anthropic import types as sdk
from anthropic.types import beta as sdk_beta
from tests.support.sdk_types import Json, Sampler, comparable, dumps, fields, lost, members, tag
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.wire.reader import read_call

KINDS = {
    "text": "text",
    "thinking": "thinking",
    "redacted_thinking": "redacted_thinking",
    "image": "image",
    "document": "document",
    "search_result": "document",
    "tool_use": "tool_use",
    "tool_result": "tool_result",
    "server_tool_use": "server_tool_use",
    "mcp_tool_use": "server_tool_use",
    "web_search_tool_result": "server_tool_result",
    "web_fetch_tool_result": "server_tool_result",
    "advisor_tool_result": "server_tool_result",
    "code_execution_tool_result": "server_tool_result",
    "bash_code_execution_tool_result": "server_tool_result",
    "text_editor_code_execution_tool_result": "server_tool_result",
    "tool_search_tool_result": "server_tool_result",
    "mcp_tool_result": "server_tool_result",
    # Neither said nor done: a file's name in a container, a summary of what was before, which model gave way to which,
    # and which tools there are.
    "container_upload": "other",
    "compaction": "other",
    "fallback": "other",
    "tool_addition": "other",
    "tool_removal": "other",
    "mcp_tool_listing": "other",
}
UNREAD = frozenset(
    {
        # for machines: signatures, what only the provider can read, encoded media, names of files elsewhere
        *("signature", "base64.data", "redacted_thinking.data", "encrypted_content", "encrypted_stdout", "file_id", "tab_id"),
        # where a picture or document can be fetched, and where a client's own search found something
        *("url.url", "search_result.source"),
        # a document's text stands for it, its title only where there is none
        "document.title",
        # citations stand beside the text and repeat what is cited; they stay in the block's raw JSON
        "citations",
        # what is said about a block rather than in it
        *("context", "page_age", "retrieved_at", "stop_reason", "toolset_name", "caller", "trigger", "state_changes", "server_name"),
        # of a tool that comes or goes, all but its name
        *("description", "input_schema"),
    }
)
EVENTS = {"message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "content_block_stop"}
DELTAS = {
    "text_delta": "text",
    "input_json_delta": "partial_json",
    "citations_delta": "citation",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "compaction_delta": "content",
}
"""Type of a delta → its member; `events_of` sends each of them."""
SENT = [*members(sdk.ContentBlockParam), *members(sdk_beta.BetaContentBlockParam)]
ANSWERED = [*members(sdk.ContentBlock), *members(sdk_beta.BetaContentBlock)]
SAMPLER = Sampler({"cache_control": ..., "definition": {"type": "custom", "name": "definition·0·", "input_schema": {}}})


def asked(block: Json) -> Message:
    call = read_call(exchange(dumps({"messages": [{"role": "user", "content": [block]}]}), None))
    assert call.unreadable is None
    return call.messages[0]


def answered(block: Json) -> Call:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [block],
        "stop_reason": "end_turn",
        "usage": {},
    }
    return read_call(exchange("{}", dumps(message)))


def streamed(block: Json) -> Call:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "stop_reason": None, "usage": {}}
    events = [
        {"type": "message_start", "message": message},
        *events_of(block),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return read_call(exchange("{}", sse([(event["type"], event) for event in events]), content_type="text/event-stream"))


def events_of(block: Json) -> Iterator[Json]:
    """Send a block as the API does: texts, inputs, signatures and citations in deltas, anything else with its start."""
    start, deltas = dict(block), []
    for member, kind in (("text", "text_delta"), ("thinking", "thinking_delta")):
        if block["type"] == member:
            start[member] = ""
            half = len(block[member]) // 2
            deltas += [{"type": kind, member: piece} for piece in (block[member][:half], block[member][half:])]
    if block["type"] == "thinking":
        start["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    if block.get("citations") and block["type"] == "text":
        del start["citations"]
        deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
    if block["type"].endswith("tool_use"):
        start["input"], text = {}, dumps(block["input"]).decode()
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:5], text[5:])]
    if block["type"] == "compaction":
        start["content"] = start["encrypted_content"] = None
        deltas.append({"type": "compaction_delta", "content": block["content"], "encrypted_content": block["encrypted_content"]})
    assert {delta["type"] for delta in deltas} <= DELTAS.keys()
    yield {"type": "content_block_start", "index": 0, "content_block": start}
    yield from ({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas)
    yield {"type": "content_block_stop", "index": 0}


def failed(block: Json) -> bool | None:
    """Return what a result says of itself: it has an error for content, or says so."""
    content = block.get("content")
    has_error = isinstance(content, dict) and content["type"].endswith("_error")
    return True if has_error else block.get("is_error")


def check(block: Json, message: Message) -> None:
    first = message.parts[0]
    assert first.kind == KINDS[block["type"]]
    assert first.raw == dumps(block)
    assert lost(block, [message], UNREAD) == []
    if "tool_use" in first.kind:
        assert (first.tool_id, first.name, json.loads(first.arguments or "")) == (block["id"], block["name"], block["input"])
    if first.kind.endswith("tool_result"):
        assert first.tool_id == block["tool_use_id"]
        assert first.is_error == failed(block)
        assert {part.tool_id for part in message.parts} == {first.tool_id}


@pytest.mark.parametrize("kind", SENT, ids=lambda kind: kind.__name__)
def test_every_block_of_a_request(kind: type) -> None:
    for block in SAMPLER.variants(kind):
        check(block, asked(block))


@pytest.mark.parametrize("kind", ANSWERED, ids=lambda kind: kind.__name__)
def test_every_block_of_an_answer_whole_and_streamed(kind: type) -> None:
    for block in SAMPLER.variants(kind):
        whole, stream = answered(block), streamed(block)
        assert (whole.unreadable, stream.unreadable) == (None, None)
        check(block, whole.answers[0])
        assert list(map(comparable, stream.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))
        assert json.loads(stream.answers[0].raw) == json.loads(whole.answers[0].raw)
        assert stream.answers[0].digest == whole.answers[0].digest


@pytest.mark.parametrize("kind", [sdk.ToolResultBlockParam, sdk_beta.BetaToolResultBlockParam], ids=lambda kind: kind.__name__)
def test_what_is_no_text_inside_a_tool_result_follows_it(kind: type) -> None:
    seen = set()
    for block in SAMPLER.variants(kind):
        inner = [item for item in block["content"] if item["type"] != "text"] if isinstance(block["content"], list) else []
        seen |= {item["type"] for item in inner}
        assert [part.raw for part in asked(block).parts[1:]] == [dumps(item) for item in inner]
    # A tool's name stands for it, and a browser's tabs for what it shows: the text of an `other` part.
    assert seen <= {"image", "document", "search_result", "tool_reference", "browser_state"}


@pytest.mark.parametrize("union", [sdk.RawMessageStreamEvent, sdk_beta.BetaRawMessageStreamEvent], ids=["stable", "beta"])
def test_every_event_is_known(union: object) -> None:
    assert {tag(kind) for kind in members(union)} == EVENTS


@pytest.mark.parametrize("union", [sdk.RawContentBlockDelta, sdk_beta.BetaRawContentBlockDelta], ids=["stable", "beta"])
def test_every_delta_is_known(union: object) -> None:
    kinds = {tag(kind): kind for kind in members(union)}
    assert kinds.keys() <= DELTAS.keys()
    assert [name for name, kind in kinds.items() if DELTAS[name] not in fields(kind)] == []


def test_a_model_that_took_over_is_the_one_that_answered() -> None:
    """The SDK's own snapshot takes the model of the last `fallback` block, as an answer that is not streamed does."""
    block = {"type": "fallback", "from": {"model": "first"}, "to": {"model": "second"}, "trigger": {"type": "refusal"}}
    call = streamed(block)
    assert (call.model_response, call.answers[0].parts[0].text) == ("second", "first\nsecond")
