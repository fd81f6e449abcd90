"""What providers do wrong, and what is merely unusual: the client is never told that a broken answer was whole."""

from collections.abc import Iterator

import pytest
from tests.support.relay_in_memory import GatheringTurn, MemoryRelay, turns

from modular_agents.proxy.config import Limits
from modular_agents.proxy.relay.turn import Turn


@pytest.fixture(scope="module", autouse=True, params=[Turn, GatheringTurn])
def _turns(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is said here holds for a relay with little to do and for a busy one."""
    with turns(request.param):
        yield


GET = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


def ask(request: bytes = POST, limits: Limits | None = None) -> MemoryRelay:
    relay = MemoryRelay(limits)
    relay.send(request)
    return relay


BROKEN_HEADS = {
    "cl-and-te": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "two-cl": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "cl-sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "te-gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "te-on-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "http-2": b"HTTP/2 200\r\n\r\n",
    "no-version": b"200 OK\r\n\r\n",
    "status-text": b"HTTP/1.1 OK\r\n\r\n",
    "status-4-digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "bare-lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "fold": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
    "space-before-colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "nul": b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 2\r\n\r\nok",
    "unasked-101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "garbage": b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
    "chunk-sign-at-once": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n",
    "1xx-flood": b"HTTP/1.1 102 Processing\r\n\r\n" * 40,
    "head-too-long": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 140_000 + b"\r\n\r\n",
    "too-many-fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 201 + b"\r\n",
}


@pytest.mark.parametrize("name", BROKEN_HEADS)
@pytest.mark.parametrize("bytewise", [False, True])
def test_a_broken_head_is_a_502_and_the_connection_is_not_used_again(name: str, bytewise: bool) -> None:
    data = BROKEN_HEADS[name]
    if bytewise and (len(data) > 2000 or name == "chunk-sign-at-once"):
        return
    relay = ask()
    relay.provide(data, tuple(range(len(data))) if bytewise else ())
    answer = relay.received.removeprefix(b"HTTP/1.1 102 Processing\r\n\r\n" * 32)
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"x-anton-error: upstream\r\n" in answer
    assert b"HTTP/1.1" not in answer[8:], "nothing else is said"
    assert relay.pool.made[0].transport.is_closing()
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "upstream_cut"
    assert b'"upstream_broke_http"' in taken.response_body


BROKEN_BODIES = {
    "chunk-sign": b"-2\r\nok\r\n0\r\n\r\n",
    "chunk-0x": b"0x2\r\nok\r\n0\r\n\r\n",
    "chunk-long": b"2\r\nokk\r\n0\r\n\r\n",
    "chunk-17-digits": b"00000000000000002\r\nok\r\n0\r\n\r\n",
    "chunk-lf": b"2\nok\r\n0\r\n\r\n",
    "chunk-line-too-long": b"2;" + b"a" * 300 + b"\r\nok\r\n0\r\n\r\n",
    "trailer-bad": b"2\r\nok\r\n0\r\nX A: 1\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_a_broken_body_is_broken_for_the_client_too(name: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    relay = ask()
    relay.provide(head + b"3\r\nabc\r\n")
    relay.provide(BROKEN_BODIES[name])
    assert relay.received.startswith(head + b"3\r\nabc\r\n")
    assert not relay.received.endswith(b"0\r\n\r\n")
    assert b"502" not in relay.received
    assert relay.transport.closed
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "upstream_cut"
    assert taken.response_body.startswith(b"abc")


def test_bytes_behind_an_answer_go_nowhere() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert relay.received == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert relay.pool.made[0].transport.is_closing()
    relay.send(POST)
    assert len(relay.pool.made) == 2


def test_bytes_on_an_idle_connection_close_it() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    relay.provide(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert relay.pool.made[0].transport.is_closing()
    assert relay.received.endswith(b"ok")


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (GET, b"HTTP/1.1 204 No Content\r\n\r\n"),
        (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
        (GET, b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (GET, b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body_end_with_their_head(request_bytes: bytes, answer: bytes) -> None:
    relay = ask(request_bytes)
    relay.provide(answer)
    assert relay.received == answer
    relay.send(GET)
    assert len(relay.pool.made) == 1, "the connection is used again"
    first = relay.journal.exchanges()[0]
    assert first.response_last
    assert first.end is not None


def test_informational_heads_pass_and_are_recorded() -> None:
    relay = ask(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert relay.forwarded.endswith(b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    relay.provide(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert relay.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    relay.send(b"{}")
    relay.provide(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert relay.received.endswith(b"Link: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    (taken,) = relay.journal.exchanges()
    assert taken.informational == [b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"]


def test_a_final_answer_instead_of_100_closes_the_connection() -> None:
    relay = ask(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    relay.provide(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    assert relay.received == b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert relay.transport.eof
    assert relay.pool.made[0].transport.is_closing(), "a body that never came would be read as the next request"


def test_a_body_up_to_the_close_stays_one() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabc")
    relay.provide(b"def")
    relay.provider_closes()
    assert relay.received == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nabcdef"
    assert relay.transport.eof or relay.transport.closed
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert (taken.end.outcome, taken.response_body) == ("complete", b"abcdef")


def test_a_body_up_to_the_close_that_is_reset_is_not_whole() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.1 200 OK\r\n\r\nabc")
    relay.provider_closes(ConnectionResetError())
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "upstream_cut"


def test_an_http_1_0_client_gets_no_chunks() -> None:
    relay = ask(b"GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert relay.forwarded == b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n"
    relay.provide(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n2\r\nab\r\n3\r\n")
    relay.provide(b"cde\r\n0\r\nX-T: 1\r\n\r\n")
    assert relay.received == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\nabcde"


def test_an_http_1_0_provider_is_understood() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    assert relay.received == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert relay.pool.made[0].transport.is_closing()


def test_hop_by_hop_fields_end_here() -> None:
    relay = ask(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: X-Hop, authorization, close\r\nX-Hop: 1\r\nAuthorization: Bearer k\r\n"
        b"Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\nX-End: 1\r\n\r\n"
    )
    assert relay.forwarded == b"GET / HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer k\r\nX-End: 1\r\n\r\n"
    relay.provide(
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, x-up\r\nX-Up: 1\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n"
    )
    assert relay.received == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\nConnection: close\r\n\r\n"


def test_what_is_ours_ends_here_and_is_recorded() -> None:
    relay = ask(
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Trace-ID: t1\r\nx-agent-name: planner\r\nX-Parent-Call-ID: p\r\nX-Task-ID: task\r\n"
        b"X-Anton-Replay-Of: r\r\nX-Anton-Anything: 1\r\nTraceparent: 00-a-b-01\r\n\r\n"
    )
    assert relay.forwarded == b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\nTraceparent: 00-a-b-01\r\n\r\n"
    head = relay.journal.exchanges()[0].request
    assert (head.trace, head.agent, head.parent_call, head.replay_of) == ("t1", "planner", "p", "r")
    assert "X-Task-ID: task\r\n" in head.head


def test_the_keep_alive_a_provider_announces_is_respected() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\nContent-Length: 0\r\n\r\n")
    relay.now_ns += 4_500_000_000
    relay.pool.sweep(relay.now_ns)
    assert relay.pool.made[0].transport.is_closing()


def test_a_connection_closed_at_reuse_is_our_502_and_nothing_is_sent_twice() -> None:
    relay = ask()
    relay.provide(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    relay.send(POST)
    relay.provider_closes()
    assert relay.forwarded.count(b"{}") == 2
    assert b"stale_connection" in relay.received
    last = relay.journal.exchanges()[-1]
    assert last.end is not None
    assert last.end.outcome == "upstream_unreachable"
    relay.send(POST)
    assert len(relay.pool.made) == 2


def test_the_record_of_a_body_is_capped_with_its_true_size_and_digest() -> None:
    import hashlib  # noqa: PLC0415 - only here

    limits = Limits(recorded_body_bytes=10)
    for framing, wire in ((b"Content-Length: 30", b"x" * 30), (b"Transfer-Encoding: chunked", b"1e\r\n" + b"x" * 30 + b"\r\n0\r\n\r\n")):
        relay = MemoryRelay(limits)
        relay.send(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n" + wire, (70, 80, 90))
        relay.provide(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + wire, (60, 65, 70))
        (taken,) = relay.journal.exchanges()
        assert (taken.request_body, taken.response_body) == (b"x" * 10, b"x" * 10)
        assert taken.end is not None
        digest = hashlib.sha256(b"x" * 30).hexdigest()
        assert (taken.end.request_size, taken.end.response_size) == (30, 30)
        assert (taken.end.request_sha256, taken.end.response_sha256) == (digest, digest)
        assert taken.flags & 2
        assert relay.forwarded.endswith(wire)
        assert relay.received.endswith(wire)


def test_oauth_bodies_are_not_recorded() -> None:
    relay = ask(b"POST /v1/oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsecret")
    relay.provide(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden")
    (taken,) = relay.journal.exchanges()
    assert (taken.request_body, taken.response_body) == (b"", b"")
    assert not any(word in b"".join(relay.journal.appends) for word in (b"secret", b"hidden"))
    assert taken.end is not None
    assert (taken.end.request_size, taken.end.response_size) == (6, 6)
