"""The elements of an array come out when they are whole, however the bytes are cut."""

import json

import pytest

from modular_agents.proxy.wire.array import ArrayDecoder

VALUES = [{"a": 'quotes \\" \\\\ [ ] { }'}, {"b": [1, [2, {"c": "}]"}]]}, [], {"d": "\\\\"}, {"é": "žluť 🐎"}]
WRITTEN = [json.dumps(value, ensure_ascii=False).encode() for value in VALUES]
BODY = b" [" + b",\r\n".join(WRITTEN) + b"]\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(BODY)])
def test_elements_are_the_same_however_they_are_cut(size: int) -> None:
    decoder = ArrayDecoder()
    assert [element for at in range(0, len(BODY), size) for element in decoder.feed(BODY[at : at + size])] == WRITTEN


def test_an_element_comes_out_with_its_last_byte() -> None:
    decoder = ArrayDecoder()
    assert [decoder.feed(data) for data in (b'[{"a', b"", b'": "\\', b'""', b"}", b', {"b"')] == [[], [], [], [], [b'{"a": "\\""}'], []]


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"[1, true]", b"]]]", b'["[{"]', b"\\", b"[" * 1000])
def test_what_holds_no_element_gives_none(body: bytes) -> None:
    assert ArrayDecoder().feed(body) == []
