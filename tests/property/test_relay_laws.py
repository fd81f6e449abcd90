"""Two laws of the relay, over random heads, codings and cuttings: *transparent* (bytes out = bytes in) and *split*."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.relay_in_memory import GatheringTurn, MemoryRelay, turns

from modular_agents.proxy.relay.fields import _KINDS
from modular_agents.proxy.relay.turn import Turn


@pytest.fixture(scope="module", autouse=True, params=[Turn, GatheringTurn])
def _turns(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is said here holds for a relay with little to do and for a busy one."""
    with turns(request.param):
        yield


TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcdefXYZ", min_size=1, max_size=12)
NAME = TOKEN.filter(lambda name: name.lower() not in {kind.decode() for kind in _KINDS} and not name.lower().startswith("x-anton-"))
KNOWN = st.sampled_from(
    ["Content-Type", "accept", "ANTHROPIC-BETA", "x-stainless-lang", "Cookie", "Authorization", "X-Api-Key", "Date", "ETag"]
)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20).filter(
    lambda text: not any(0x7F <= ord(ch) < 0x80 for ch in text)
)
SPACE = st.sampled_from(["", " ", "\t", "  "])
TARGET = st.text("abc/%.;:=&?-_~!$'()*+,@0F", max_size=20).map(lambda text: "/v9/" + text)
CUTS = st.lists(st.integers(1, 3000), max_size=8).map(tuple)


@dataclass(frozen=True)
class Body:
    framing: bytes
    wire: bytes
    payload: bytes
    trailers: bytes = b""


@st.composite
def headers(draw: st.DrawFn) -> list[bytes]:
    lines = draw(st.lists(st.tuples(NAME | KNOWN, SPACE, VALUE, SPACE), max_size=12))
    return [f"{name}:{before}{value}{after}".encode("latin-1") for name, before, value, after in lines]


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    pieces = draw(st.lists(st.binary(max_size=40), max_size=6))
    payload = b"".join(pieces)
    if draw(st.booleans()):
        return Body(b"Content-Length: %d" % len(payload), payload, payload)
    wire = b""
    for piece in pieces:
        if piece:
            size = draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(piece)
            wire += size + draw(st.sampled_from([b"", b";a", b';b="c d"'])) + b"\r\n" + piece + b"\r\n"
    trailers = b"".join(line + b"\r\n" for line in draw(st.lists(st.sampled_from([b"X-T: 1", b"x-sum:", b"Digest:\tabc"]), max_size=2)))
    return Body(b"Transfer-Encoding: chunked", wire + b"0\r\n" + trailers + b"\r\n", payload, trailers)


def placed(draw: st.DrawFn, lines: list[bytes], *more: bytes) -> list[bytes]:
    for line in more:
        lines.insert(draw(st.integers(0, len(lines))), line)
    return lines


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, list[bytes], Body, bytes]:
    body = draw(bodies())
    host = draw(st.sampled_from([b"Host", b"host", b"HOST"])) + b": proxy:8000"
    lines = placed(draw, draw(headers()), host, body.framing)
    start = f"{draw(st.sampled_from(['POST', 'PUT', 'get', 'M-X']))} {draw(TARGET)} HTTP/1.1".encode()
    return start, lines, body, host


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, Body]:
    body = draw(bodies())
    reason = draw(st.sampled_from([b" OK", b" ", b"", b" Sehr g\xfct", b" Too  many"]))
    start = b"HTTP/1.1 %d" % draw(st.sampled_from([200, 201, 206, 301, 400, 404, 429, 500, 529, 599])) + reason
    lines = placed(draw, draw(headers()), body.framing)
    if draw(st.booleans()):
        lines = placed(draw, lines, b"Connection: keep-alive")
    return b"\r\n".join([start, *lines]) + b"\r\n\r\n", body


@settings(max_examples=300, deadline=None)
@given(requests(), CUTS, st.sampled_from([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 204 No Content\r\n\r\n"]))
def test_a_request_reaches_the_provider_as_it_was_sent(
    request: tuple[bytes, list[bytes], Body, bytes], cuts: tuple[int, ...], answer: bytes
) -> None:
    start, lines, body, host = request
    relay = MemoryRelay()
    relay.send(b"\r\n".join([start, *lines]) + b"\r\n\r\n" + body.wire, cuts)
    named = [host[:4] + b": " + relay.pool.made[0].destination.host_line if line == host else line for line in lines]
    assert relay.forwarded == b"\r\n".join([start, *named]) + b"\r\n\r\n" + body.wire
    (taken,) = relay.journal.exchanges()
    assert (taken.request_body, taken.request_last) == (body.payload, True)
    relay.provide(answer)
    end = relay.journal.exchanges()[0].end
    assert end is not None
    assert (end.outcome, end.request_trailers.encode("latin-1")) == ("complete", body.trailers)


@settings(max_examples=300, deadline=None)
@given(responses(), CUTS)
def test_an_answer_reaches_the_client_as_it_was_given(response: tuple[bytes, Body], cuts: tuple[int, ...]) -> None:
    head, body = response
    relay = MemoryRelay()
    relay.send(b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    relay.provide(head + body.wire, cuts)
    assert relay.received == head + body.wire
    (taken,) = relay.journal.exchanges()
    assert (taken.response_body, taken.response_last) == (body.payload, True)
    assert taken.end is not None
    assert (taken.end.outcome, taken.end.response_size) == ("complete", len(body.payload))
    assert taken.end.trailers.encode("latin-1") == body.trailers
    assert len(relay.pool._idle[relay.pool.made[0].way]) == 1, "and the connection is used again"


@settings(max_examples=200, deadline=None)
@given(responses(), st.integers(0, 4000), st.booleans())
def test_an_answer_cut_anywhere_never_looks_whole(response: tuple[bytes, Body], at: int, reset: bool) -> None:
    head, body = response
    data = head + body.wire
    at %= len(data)
    relay = MemoryRelay()
    relay.send(b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    relay.provide(data[:at])
    if relay.journal.exchanges()[0].end is not None:
        assert at >= len(head), "whole without its last byte: there was no body to wait for"
        return
    relay.provider_closes(ConnectionResetError() if reset else None)
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "upstream_cut"
    if at < len(head):
        assert relay.received.startswith(b"HTTP/1.1 502 ")
    else:
        assert data.startswith(relay.received)
        assert len(relay.received) < len(data)
        assert relay.transport.closed


@settings(max_examples=200, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=4), CUTS)
def test_requests_sent_ahead_are_passed_on_one_by_one_in_order(
    ahead: list[tuple[bytes, list[bytes], Body, bytes]], cuts: tuple[int, ...]
) -> None:
    relay = MemoryRelay()
    relay.send(b"".join(b"\r\n".join([start, *lines]) + b"\r\n\r\n" + body.wire for start, lines, body, _ in ahead), cuts)
    answers = b""
    for number in range(len(ahead)):
        taken = relay.journal.exchanges()
        assert len(taken) == number + 1, "the next one waits for the answer to this one"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number
        relay.provide(answer)
        answers += answer
    assert [taken.request_body for taken in relay.journal.exchanges()] == [body.payload for _, _, body, _ in ahead]
    assert relay.received == answers
    assert len(relay.pool.made) <= len({taken.request.upstream for taken in relay.journal.exchanges()})


@settings(max_examples=400, deadline=None)
@given(responses(), st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=2), st.integers(0, 2)), max_size=2))
def test_what_a_provider_said_before_changes_nothing(response: tuple[bytes, Body], changes: list[tuple[int, bytes, int]]) -> None:
    """Heads are compared with earlier ones instead of being read: that must be the same as reading."""
    head, body = response
    usual = head[:-4] + b"\r\nDate: Sun, 22 Nov 2026 07:44:52 GMT\r\nrequest-id: req_1\r\nx-ratelimit-remaining: 7\r\n\r\n"
    other = bytearray(usual.replace(b"07:44:52", b"07:44:53").replace(b"req_1", b"req_22") + body.wire)
    for place, put, drop in changes:
        at = place % len(other)
        other[at : at + drop] = put
    ask = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    used, fresh = MemoryRelay(), MemoryRelay()
    for _ in range(3):
        used.send(ask)
        used.provide(usual + body.wire)
    already = len(used.received)
    used.send(ask)
    fresh.send(ask)
    used.provide(bytes(other))
    fresh.provide(bytes(other))
    assert used.received[already:] == fresh.received
    now, then = used.journal.exchanges()[-1], fresh.journal.exchanges()[-1]
    assert (now.response_head, now.response_body, now.response_last) == (then.response_head, then.response_body, then.response_last)
    assert (now.end is None) == (then.end is None)
    assert now.end is None or then.end is None or (now.end.outcome, now.end.trailers) == (then.end.outcome, then.end.trailers)
    assert used.transport.closed == fresh.transport.closed
