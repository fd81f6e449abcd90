import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modular_agents.proxy.wire import jsonvalue as js

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON, st.sampled_from([None, 0, 2]), st.booleans())
def test_what_the_standard_library_writes_is_read(value: object, indent: int | None, ensure_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)
    data = text.encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ValueError, match="UTF-8"):
            js.parse(data)
        return
    assert js.parse(data) == json.loads(data)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.lists(JSON, max_size=4), st.sampled_from([None, 1]))
def test_slices_are_exact(members: dict[str, object], elements: list[object], indent: int | None) -> None:
    data = json.dumps(members, indent=indent).encode()
    found = js.members(data)
    assert {key: json.loads(value) for key, value in found.items()} == {js.mend(key): value for key, value in members.items()}
    assert all(value in data for value in found.values())
    listed = json.dumps(elements, indent=indent).encode()
    assert [json.loads(value) for value in js.elements(listed)] == elements
    assert all(value in listed for value in js.elements(listed))


def test_what_strict_readers_refuse() -> None:
    assert js.parse(b'{"a":NaN,"b":-Infinity,"c":1e999}') == {"a": None, "b": None, "c": None}
    assert js.parse('{"a":"x\ty"}') == {"a": "x\ty"}
    assert js.parse(b"\xef\xbb\xbf{}") == {}
    assert js.parse(b"9" * 5000) == "9" * 5000
    assert js.parse(b"9" * 30) == int("9" * 30)
    assert js.parse(b'{"a":1,"a":2}') == {"a": 2}
    assert js.string(js.parse(b'"\\ud83d"')) == "\ufffd"
    assert js.members(b' { "a" : NaN , "\\ud800" : [ "\\ud800" ] } ') == {"a": b"NaN", "\ufffd": b'[ "\\ud800" ]'}
    assert js.elements(b'[ NaN , "\\ud800",{"b":1} ]') == [b"NaN", b'"\\ud800"', b'{"b":1}']
    assert js.elements(b" [ \n ] ") == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1", b"[1,", b"[1 2]", b"[] x", b"tru", b'{"a"}', b'{"a" 1}', b"{1:2}", b"\xff", b"[NaN", b"[NaN]]"]
)
def test_what_is_not_json_says_so(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not (JSON|UTF-8)|nested"):
        js.parse(data)
    for read in (js.members, js.elements):
        with pytest.raises(ValueError, match=r"not (JSON|UTF-8)|nested"):
            read(data)


@pytest.mark.parametrize("deep", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000, b"[NaN," + b"[" * 100_000])
def test_depth_is_refused(deep: bytes) -> None:
    for read in (js.parse, js.parse_plainly, js.parse_strictly, js.members, js.elements):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError will do
            read(deep)


def test_writing_never_fails() -> None:
    assert js.compact({"a": "\ud83d\ude00", "\ud800": ["\udc00"]}) == '{"a":"😀","\ufffd":["\ufffd"]}'.encode()
    nested: object = []
    for _ in range(100_000):
        nested = [nested]
    assert js.compact(nested) == js.canonical(nested) == b"null"
    assert js.canonical({"b": {"d": 1, "c": 2}, "a": 3}) == b'{"a":3,"b":{"c":2,"d":1}}'
    assert js.compact({"a": js.raw(b'{"x": 1}')}) == b'{"a":{"x": 1}}'
    while nested:  # taken apart by hand: a list this deep would overflow the interpreter's own stack
        assert isinstance(nested, list)
        nested = nested.pop()


def test_members_are_joined_into_valid_json() -> None:
    assert js.join_members(js.members(b'{"a": [1], "b":2 , "c":3}'), frozenset("b")) == b'{"a":[1],"c":3}'
    assert js.join_members(js.members(b'{"a":NaN,"b":"x\x00"}')) == b'{"a":null,"b":"x\\u0000"}'


def test_counts_are_counts() -> None:
    assert [js.count(value) for value in (0, 7, 7.0, 2**63 - 1)] == [0, 7, 7, 2**63 - 1]
    assert [js.count(value) for value in (True, -1, 1.5, 2**63, "7", None, float("inf"), float("nan"), [])] == [None] * 9


def test_types_are_asked_for() -> None:
    assert (js.obj([]), js.arr({}), js.string(3), js.fragment(None), js.text(b"3"), js.text(None), js.text(b'"x"')) == (
        {},
        [],
        None,
        "",
        None,
        None,
        "x",
    )
    assert js.list_of(None) == js.list_of(b"null") == []
    assert js.parse_plainly('{"a":1.0,"b":[2.5,1e400]}') == {"a": 1, "b": [2.5, None]}
    assert js.parse_plainly("NaN") is None
