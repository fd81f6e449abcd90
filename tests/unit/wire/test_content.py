"""When two messages are the same: the six rules of `wire.content`, each with what it makes equal and what it keeps apart."""

import json

import pytest
from tests.support.wire_corpus import exchange

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.model.chain import ROOT, chain
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.reader import read_call

CLAUDE, CHAT, RESPONSES, GEMINI = "/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/models/m:generateContent"
KEYS = {CLAUDE: "messages", CHAT: "messages", RESPONSES: "input", GEMINI: "contents"}


def digests(target: str, *entries: object) -> list[bytes]:
    """Digests of a history, before one more question: an answer at the very end would be a prefilled one."""
    body = json.dumps({KEYS[target]: [*entries, {"role": "user"}]})
    return [message.digest for message in read_call(exchange(body, None, target=target)).messages[:-1]]


def tip(target: str, *entries: object) -> bytes:
    return [ROOT, *chain(digests(target, *entries))][-1]


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def assistant(content: object, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": content, **more}


def text(value: str, **more: object) -> dict[str, object]:
    return {"type": "text", "text": value, **more}


USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1, "b": [1.5]}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def result(content: object, tool_id: str = "t", **more: object) -> dict[str, object]:
    return user([{"type": "tool_result", "tool_use_id": tool_id, "content": content, **more}])


def called(**more: object) -> dict[str, object]:
    return {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", **more}


def model(**part: object) -> dict[str, object]:
    return {"role": "model", "parts": [part]}


def function_response(value: int) -> dict[str, object]:
    return {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": value}}}]}


TOLD = {"role": "tool", "tool_call_id": "c"}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
EQUAL = [
    (CLAUDE, user("hi"), user([text("hi")])),
    (CLAUDE, user("hi"), user([text("hi", cache_control={"type": "ephemeral"})])),
    (CLAUDE, user("hi there"), user([text("hi "), text("there")])),
    (CLAUDE, user(" hi\n"), user([text("hi"), text("")])),
    (CLAUDE, user([IMAGE]), user([{**IMAGE, "cache_control": {"type": "ephemeral"}}])),
    (CLAUDE, assistant("a b"), assistant([{"type": "thinking", "thinking": "hm", "signature": "x"}, text("a"), text("\nb")])),
    (CLAUDE, assistant([text("a"), USE]), assistant([USE, text("a ", citations=[{"url": "x"}])])),
    (CLAUDE, assistant([USE]), assistant([{**USE, "input": {"b": [1.5], "a": 1.0}}])),
    (CLAUDE, assistant([text("a"), SEARCH]), assistant("a")),
    (CLAUDE, assistant([text("a"), {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}]), assistant("a")),
    (CLAUDE, result("ok"), result([text("ok")], is_error=False)),
    (CHAT, assistant(None, tool_calls=[CALL]), assistant("", tool_calls=[{**CALL, "index": 0}])),
    (CHAT, assistant("a", reasoning_content="hm", refusal=None, annotations=[]), assistant([text("a")])),
    (CHAT, assistant("", tool_calls=[CALL]), assistant("", tool_calls=[{**CALL, "function": {"name": "look", "arguments": '{ "a":1.0}'}}])),
    (CHAT, {**TOLD, "content": "ok"}, {**TOLD, "name": "look", "content": [text("ok")]}),
    (RESPONSES, user("hi"), {"type": "message", "id": "msg_1", **user([{"type": "input_text", "text": "hi"}])}),
    (RESPONSES, called(id="fc_1"), called(arguments="{ }", status="completed")),
    (
        GEMINI,
        model(functionCall={"name": "f", "args": {}, "id": "x"}),
        model(function_call={"name": "f", "args": {}}, thoughtSignature="s"),
    ),
]
DIFFERENT = [
    (CLAUDE, user("hi"), user("ho")),
    (CLAUDE, user("hi"), assistant("hi")),
    (CLAUDE, user("a  b"), user("a b")),
    (CLAUDE, user([IMAGE]), user([{**IMAGE, "source": {"type": "base64", "media_type": "image/png", "data": "BBBB"}}])),
    (CLAUDE, assistant([USE]), assistant([{**USE, "id": "toolu_2"}])),
    (CLAUDE, assistant([USE]), assistant([{**USE, "name": "other"}])),
    (CLAUDE, assistant([USE]), assistant([{**USE, "input": {"a": 2}}])),
    (CLAUDE, assistant([USE, {**USE, "id": "2"}]), assistant([{**USE, "id": "2"}, USE])),
    (CLAUDE, result("ok"), result("ok", "u")),
    (CLAUDE, result("ok"), result("ok", is_error=True)),
    (CLAUDE, result([text("ok")]), result([text("ok"), IMAGE])),
    (CLAUDE, user([{"type": "container_upload", "file_id": "a"}]), user([{"type": "container_upload", "file_id": "b"}])),
    (CHAT, user([{"type": "image_url", "image_url": {"url": "a"}}]), user([{"type": "image_url", "image_url": {"url": "b"}}])),
    (CHAT, {"role": "system", "content": "x"}, {"role": "developer", "content": "x"}),
    (GEMINI, function_response(1), function_response(2)),
]


@pytest.mark.parametrize(("target", "one", "other"), EQUAL, ids=range(len(EQUAL)))
def test_spellings_of_one_message(target: str, one: object, other: object) -> None:
    assert digests(target, one) == digests(target, other)
    assert len(digests(target, one)[0]) == 16


@pytest.mark.parametrize(("target", "one", "other"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_different_messages(target: str, one: object, other: object) -> None:
    assert digests(target, one) != digests(target, other)


def test_a_run_of_assistant_entries_is_one_answer() -> None:
    parts = assistant([text("a"), USE])
    split = [assistant([text("a")]), assistant([USE])]
    assert digests(CLAUDE, user("x"), *split, user("y")) == [
        digests(CLAUDE, user("x"))[0],
        b"",
        digests(CLAUDE, parts)[0],
        digests(CLAUDE, user("y"))[0],
    ]
    assert tip(CLAUDE, user("x"), *split, user("y")) == tip(CLAUDE, user("x"), parts, user("y"))


def test_dropped_reasoning_items_leave_the_history_as_it_was() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "ok"}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    full = [user("x"), reasoning, said, call, output, user("y")]
    bare = [user("x"), said, call, output, user("y")]
    assert tip(RESPONSES, *full) == tip(RESPONSES, *bare)
    assert tip(RESPONSES, *full) != tip(RESPONSES, *bare[:1], call, output, user("y"))


def test_an_answer_of_nothing_but_server_tools_is_still_told_apart() -> None:
    def search(query: str) -> dict[str, object]:
        return assistant([{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": query}}])

    assert digests(CLAUDE, search("a")) != digests(CLAUDE, search("b"))
    assert digests(CLAUDE, assistant([{"type": "thinking", "thinking": "a"}])) == digests(CLAUDE, assistant([]))


def test_arguments_that_are_not_json_stand_for_themselves() -> None:
    def use(arguments: str | None) -> bytes:
        return digest("assistant", [Part("tool_use", tool_id="t", name="n", arguments=arguments)])

    assert use(" cut off {") == use("cut off {")
    assert len({use(one) for one in ('{"a":', '{"b":', "", "x", "[")}) == 5
    assert use("[" * 100_000) != use("[" * 100_001)


def test_depth_beyond_measure_is_not_compared_and_not_fatal() -> None:
    deep = b'{"type":"x","v":' + b"[" * 300 + b"]" * 300 + b"}"
    deeper = b'{"type":"x","v":' + b"[" * 400 + b"]" * 400 + b"}"
    one, other = (digest("user", [Part("other", raw=raw)]) for raw in (deep, deeper))
    assert one == other
