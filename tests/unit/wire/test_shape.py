import json

import msgspec
import pytest
from tests.support.wire_corpus import exchange

from modular_agents.proxy.wire.reader import read_call
from modular_agents.proxy.wire.shape import ABSENT, Content, Elements, Shape


class Thing(msgspec.Struct):
    name: str | None = None
    count: int | None = None
    content: Content = None
    parts: Elements = None
    raw: msgspec.Raw = ABSENT


SHAPE = Shape(Thing)


def read(data: bytes) -> tuple[object, ...]:
    thing = SHAPE.read(data)
    content = [bytes(one) for one in thing.content] if isinstance(thing.content, list) else thing.content
    return thing.name, thing.count, content, thing.parts and [bytes(one) for one in thing.parts], bytes(thing.raw)


@pytest.mark.parametrize("odd", [b"", b',"odd":NaN', b',"count":"x"', b',"odd":"\\ud800"'])
def test_the_lenient_way_reads_what_the_quick_one_reads(odd: bytes) -> None:
    body = b'{"name":"n","content":[1, {"a": 2}],"parts":[ "x" ],"raw":{"b": [3]}' + odd + b"}"
    assert read(body) == ("n", None, [b"1", b'{"a": 2}'], [b'"x"'], b'{"b": [3]}')


def test_what_does_not_fit_is_absent() -> None:
    assert read(b'{"name":3,"count":true,"content":{},"parts":"x","raw":null}') == (None, None, None, None, b"null")
    assert read(b'{"name":"\\ud83d","content":"\\ud83d\\ude00"}') == ("\ufffd", None, "\U0001f600", None, b"")
    for data in (b"[]", b"3", b"", b"{"):
        with pytest.raises(ValueError, match="not JSON"):
            SHAPE.read(data)


def test_a_lone_surrogate_anywhere_loses_nothing_else() -> None:
    use = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "a\ud83d", "tool_calls": [use]}
    call = read_call(exchange("{}", json.dumps({"choices": [{"message": message}]}), target="/v1/chat/completions"))
    assert (call.answer_text, call.answers[0].parts[1].name) == ("a\ufffd", "f")
    blocks = [{"type": "text", "text": "a\ud83d"}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]
    whole = read_call(exchange("{}", json.dumps({"content": blocks, "usage": {"input_tokens": 1}})))
    assert (whole.answer_text, whole.answers[0].parts[1].name, whole.usage.input_total) == ("a\ufffd", "f", 1)
    local = read_call(exchange("{}", json.dumps({"message": message, "done": True}), target="/api/chat"))
    assert local.answers[0].parts[1].name == "f"
