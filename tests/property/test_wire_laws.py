"""The laws of reading, for every format: split, garbage, stream = whole, and an answer is known again when it comes back."""

import gzip
import json
import zlib
from dataclasses import replace

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from tests.support.wire_corpus import cuts, exchange, load, names, read_in_pieces
from tests.support.wire_streams import FORMATS, VALUES, Said

from modular_agents.proxy.model.call import Call, Message, Part, Status, Usage
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.wire.memo import Memo
from modular_agents.proxy.wire.reader import FORMATS as KNOWN
from modular_agents.proxy.wire.reader import read_call

CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
FORMAT = st.sampled_from(sorted(FORMATS))


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, str, Said]:
    """Format, target, answer."""
    name = draw(FORMAT)
    target, strategy, _ = FORMATS[name]
    return name, target, draw(strategy)


@given(answers(), st.data(), st.sampled_from([None, *CODINGS]))
def test_split(answer: tuple[str, str, Said], data: st.DataObject, coding: str | None) -> None:
    _, target, said = answer
    body = said.stream if coding is None else CODINGS[coding](said.stream)
    headers = (("Content-Encoding", coding),) if coding else ()
    whole = exchange("{}", body, target=target, content_type=said.content_type, response_headers=headers)
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=8))
    call, deltas = read_in_pieces(whole, cuts(body, *places))
    assert call == read_call(whole)
    assert call.status is Status.COMPLETED, call.error
    if said.content_type != "application/json":
        assert "".join(delta.text for delta in deltas if delta.kind == "text") == call.answer_text


@given(answers(), st.data(), st.sampled_from(sorted(CODINGS)))
def test_split_of_damaged_codings(answer: tuple[str, str, Said], data: st.DataObject, coding: str) -> None:
    _, target, said = answer
    body = bytearray(CODINGS[coding](said.stream))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=3)):
        body[at] ^= data.draw(st.integers(1, 255))
    headers = (("Content-Encoding", coding),)
    whole = exchange("{}", bytes(body), target=target, content_type=said.content_type, response_headers=headers)
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=8))
    assert read_in_pieces(whole, cuts(bytes(body), *places))[0] == read_call(whole)


def spoken(call: Call) -> Call:
    """A call without the exact bytes, which differ between the two forms of one answer."""

    def bare(message: Message) -> Message:
        return replace(message, raw=b"", parts=tuple(replace(part, raw=b"", arguments=plain(part)) for part in message.parts))

    usage = replace(call.usage, raw=None)
    return replace(call, answers=tuple(map(bare, call.answers)), usage=usage, stream=True, first_token_ns=None)


def plain(part: Part) -> str | None:
    """A tool use's arguments in one spelling."""
    return json.dumps(json.loads(part.arguments)) if part.arguments and part.arguments[:1] in "{[" else part.arguments


@given(answers())
def test_stream_is_whole(answer: tuple[str, str, Said]) -> None:
    name, target, said = answer
    streamed = read_call(exchange("{}", said.stream, target=target, content_type=said.content_type))
    whole = read_call(exchange("{}", said.whole, target=target))
    assert spoken(streamed) == spoken(whole)
    assert streamed.unreadable is None
    assert whole.usage.input_total is not None
    assert (name, whole.format) == (name, name)


@given(answers())
def test_the_folded_message_is_the_whole_one(answer: tuple[str, str, Said]) -> None:
    """Raw JSON of a folded answer says what the whole answer's says, block for block."""
    _, target, said = answer
    streamed = read_call(exchange("{}", said.stream, target=target, content_type=said.content_type)).answers[0]
    whole = read_call(exchange("{}", said.whole, target=target)).answers[0]
    folded, exact = json.loads(streamed.raw), json.loads(whole.raw)
    if target.startswith("/v1/chat"):
        folded.setdefault("content", None)
        assert (folded["content"] or None) == (exact["content"] or None)
        folded["content"] = exact["content"] = None
    assert folded == exact


@given(answers(), st.booleans())
def test_an_answer_is_known_again_when_it_comes_back(answer: tuple[str, str, Said], ensure_ascii: bool) -> None:
    name, target, said = answer
    got = read_call(exchange("{}", said.stream, target=target, content_type=said.content_type)).answers[0]
    key = FORMATS[name][2]
    asked = {"gemini.generate": {"role": "user", "parts": [{"text": "hi"}]}}.get(name, {"role": "user", "content": "hi"})
    back = said.back if isinstance(said.back, list) else [said.back]
    body = json.dumps({"model": "m", key: [asked, *back, asked]}, indent=1, ensure_ascii=ensure_ascii, sort_keys=True)
    sent = read_call(exchange(body, None, target=target)).messages
    if not back:
        return
    assert [message.digest for message in sent[1:-1]] == [b""] * (len(back) - 1) + [got.digest]
    assert sent[0].digest == sent[-1].digest


@given(answers(), st.data())
def test_a_memo_changes_nothing(answer: tuple[str, str, Said], data: st.DataObject) -> None:
    name, target, said = answer
    back = said.back if isinstance(said.back, list) else [said.back]
    body = json.dumps({FORMATS[name][2]: back * data.draw(st.integers(1, 3))})
    memo = Memo()
    asked = exchange(body, said.stream, target=target, content_type=said.content_type)
    assert read_call(asked, memo) == read_call(asked, memo) == read_call(asked)


HOSTILE: list[object] = [
    *(None, True, -1, 0, 2**63, 10**30, 1.5, float("nan"), float("inf"), "", "\ud800", "\x00", "a" * 5000),
    *([], {}, [[]], {"type": "text"}, {"text": 3}, "[DONE]", {"error": 3}, {"error": {"message": []}}, {"__proto__": {}}, [None], [{}]),
]


def mangled(draw: st.DrawFn, value: object) -> object:
    """Put hostile values somewhere into a value."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(HOSTILE) | VALUES)
    if isinstance(value, dict):
        return {key: mangled(draw, item) for key, item in value.items() if draw(st.integers(0, 9))}
    if isinstance(value, list):
        return [mangled(draw, item) for item in value]
    return value


@st.composite
def mangled_bodies(draw: st.DrawFn) -> tuple[str, bytes, str]:
    """Target, body, content type: an answer in which some values are not what they should be."""
    name = draw(FORMAT)
    target, strategy, _ = FORMATS[name]
    said = draw(strategy)
    out = []
    for line in said.stream.split(b"\n") if draw(st.booleans()) else [said.whole]:
        head, colon, data = line.partition(b": ") if line.startswith(b"data: ") else (b"", b"", line)
        try:
            value = json.loads(data)
        except ValueError:
            out.append(line)
            continue
        out.append(head + colon + json.dumps(mangled(draw, value)).encode())
    return target, b"\n".join(out), said.content_type


@given(mangled_bodies())
def test_garbage_in_an_answer(case: tuple[str, bytes, str]) -> None:
    target, body, content_type = case
    call = read_call(exchange("{}", body, target=target, content_type=content_type))
    assert_sound(call)
    whole = exchange("{}", body, target=target, content_type=content_type)
    assert read_in_pieces(whole, [body[i : i + 13] for i in range(0, len(body), 13)])[0] == call


@st.composite
def mangled_requests(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(names()))
    capture = load(name)
    value = json.loads(capture.request.body or b"{}")
    return capture.request.target, json.dumps(mangled(draw, value)).encode()


@given(mangled_requests())
def test_garbage_in_a_request(case: tuple[str, bytes]) -> None:
    target, body = case
    assert_sound(read_call(exchange(body, None, target=target, outcome=None)))


TARGETS = [
    "/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1beta/models/x:generateContent",
    "/api/chat", "/api/generate", "/api/embed", "/model/anthropic.claude/invoke-with-response-stream", "/model/m/converse",
    "/model/m/converse-stream", "/model/m/invoke", "/model/m/invoke-with-response-stream", "/v1/models", "/", "", "*", "/%2F%ff?a=%zz",
]  # fmt: skip
TYPES = ["application/json", "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream", "", "text/html"]


STATUSES = st.sampled_from([100, 200, 404, 529])
OUTCOMES = st.sampled_from([None, *Outcome])
STACKS = st.sampled_from(["", "gzip", "br", "zstd", "deflate", "gzip, br", "x", "gzip,gzip,gzip,gzip"])
BYTES = st.binary(max_size=300)


@given(BYTES, BYTES, st.sampled_from(TARGETS), st.sampled_from(TYPES), STATUSES, OUTCOMES, STACKS)
def test_any_bytes_give_a_call(
    sent: bytes, got: bytes, target: str, content_type: str, status: int, outcome: Outcome | None, coding: str
) -> None:
    head = (("Content-Encoding", coding),)
    made = exchange(sent, got, target=target, content_type=content_type, status=status, outcome=outcome, response_headers=head)
    whole = replace(made, request=replace(made.request, headers=head))
    call = read_call(whole)
    assert_sound(call)
    assert read_in_pieces(whole, [got[i : i + 1] for i in range(len(got))])[0] == call


def assert_sound(call: Call) -> None:
    """What every call must be, whatever it was made of: text that can be stored, digests of one size, counts that are counts."""
    assert call.format in KNOWN
    for message in (*call.system, *call.messages, *call.answers):
        assert len(message.digest) in {0, 16}
        for part in message.parts:
            for text in (part.text, part.tool_id or "", part.name or "", part.arguments or ""):
                text.encode()
    for text in (call.model, call.model_response, call.response_id, call.finish_reason, call.service_tier, call.previous_response_id):
        (text or "").encode()
    if call.error:
        f"{call.error.kind}{call.error.message}{call.error.whose}".encode()
    if call.unreadable:
        call.unreadable.reason.encode()
    json.loads(call.params, parse_int=str)
    assert isinstance(call.usage, Usage)
    for count in (call.usage.input_total, call.usage.output_total, call.usage.cache_read, call.usage.reasoning):
        assert count is None or 0 <= count < 2**63
    assert all(len(answer.digest) == 16 for answer in call.answers)


ASKED = b'"messages":[{"role":"user","content":'
HORRORS = [
    b'{"messages":' + b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000,
    b"{" + ASKED + b"[" * 900 + b"]" * 900 + b"}]}",
    b'{"model":' + b"9" * 5000 + b"," + ASKED + b'"hi"}],"usage":{"input_tokens":' + b"9" * 5000 + b"}}",
    b'{"model":"\\ud800",' + ASKED + b'"\\ud83d"}],"choices":[{"message":{"content":"\\ud83d"}}]}',
    b'{"messages":NaN,"temperature":NaN,"choices":Infinity}',
    b'{"a":1,"a":2,"messages":[],' + ASKED + b'"x"}]}',
    b'{"messages":"\x00"}',
    *(b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b"null", b"[]", b'"', b"{", b"", b"\n\n\n", b"<html>", b'{"messages":{"a":1}}'),
    b'{"messages":[null,3,"x",[],{}],"input":[null,3,"x",[],{}],"contents":[null,3,"x",[],{}]}',
    b'{"contents":{"parts":"x"},"system":3,"tools":{}}',
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("body", HORRORS, ids=range(len(HORRORS)))
def test_json_horrors(body: bytes, target: str) -> None:
    assert_sound(read_call(exchange(body, body, target=target)))
    assert_sound(read_call(exchange(body, b"data: " + body + b"\n\n", target=target, content_type="text/event-stream")))
    assert_sound(read_call(exchange(body, body + b"\n", target=target, content_type="application/x-ndjson")))
