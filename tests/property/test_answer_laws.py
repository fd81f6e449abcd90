"""Whatever a provider answers, and wherever it stops: another parser behind us takes nothing for whole that we do not, nor for other."""

from collections.abc import Iterator
from dataclasses import dataclass

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.framing_corpus import AWKWARD
from tests.support.relay_in_memory import GatheringTurn, MemoryRelay, turns

from modular_agents.proxy.relay.turn import Turn


@pytest.fixture(scope="module", autouse=True, params=[Turn, GatheringTurn])
def _turns(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is said here holds for a relay with little to do and for a busy one."""
    with turns(request.param):
        yield


ASK = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n00005\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup to the end",
    b"HTTP/1.0 200 OK\r\n\r\nup to the end",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 529 \r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
)


@dataclass(frozen=True)
class Heard:
    """What a client's parser made of its bytes. `whole`: it saw the end of the message."""

    status: int | None
    body: bytes
    whole: bool


def hear(data: bytes, *, closed: bool) -> Heard | None:
    """Let h11 read an answer; None when it refuses the bytes."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=200_000)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "2")]))
    client.send(h11.Data(data=b"{}"))
    client.send(h11.EndOfMessage())
    status, body, whole = None, b"", False
    try:
        if data:
            client.receive_data(data)
        if closed:
            client.receive_data(b"")
        while not whole:
            event = client.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            whole = isinstance(event, h11.EndOfMessage)
    except h11.RemoteProtocolError:
        return None
    return Heard(status, body, whole)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, tuple[int, ...]]:
    raw = bytearray(draw(st.sampled_from(ANSWERS)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(raw)))
        raw[at : at + draw(st.integers(0, 3))] = draw(st.sampled_from(AWKWARD) | st.binary(max_size=2))
    if draw(st.booleans()):
        del raw[draw(st.integers(0, len(raw))) :]
    return bytes(raw), tuple(draw(st.lists(st.integers(1, max(len(raw), 1)), max_size=4)))


@settings(max_examples=600)
@given(answers(), st.booleans())
def test_a_client_hears_what_we_heard_and_nothing_broken_as_whole(case: tuple[bytes, tuple[int, ...]], reset: bool) -> None:
    raw, cuts = case
    relay = MemoryRelay()
    relay.send(ASK)
    relay.provide(raw, cuts)
    if not relay.upstream().closed and relay.journal.exchanges()[0].end is None:
        relay.provider_closes(ConnectionResetError() if reset else None)
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None, "every call ends"
    ended = relay.transport.closed or relay.transport.eof
    heard = hear(relay.received, closed=ended)
    direct = hear(raw, closed=True)
    if taken.end.outcome == "complete":
        if direct is not None:
            assert heard is not None
            assert (heard.whole, heard.body) == (True, taken.response_body)
            assert heard == Heard(direct.status, direct.body, whole=True), "what it would have understood without us"
    elif taken.response_head.startswith(b"HTTP/1.1 502 "):
        assert heard is not None
        assert (heard.status, heard.whole) == (502, True)
    elif taken.response_head and not ends_with_close(taken.response_head):
        assert heard is None or not heard.whole


def ends_with_close(head: bytes) -> bool:
    """Return whether the body is one that the end of the connection ends: cut short, it is a reset that tells (see test_truncation)."""
    return b"\r\ncontent-length:" not in head.lower() and b"\r\ntransfer-encoding:" not in head.lower()
