"""The framing corpus through a real relay in front of real servers: nowhere do they disagree about where a request ends.

What a server may do with a request that we let through is take it for exactly what we took it for, or refuse it; after
each one a second request on the same connections must be understood as what it is.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from tests.support.framing_corpus import mutated, read_corpus
from tests.support.origins import Aiohttp, Nginx, Origin, Understood, Uvicorn, find_nginx
from tests.support.raw_client import RawClient
from tests.support.relay_in_memory import MemoryRelay
from tests.support.relay_thread import RelayThread, until

REFUSED = read_corpus("refused")
ALLOWED = read_corpus("allowed")
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-dummy\r\n\r\n"
UNDERSTOOD_NEXT = Understood("GET", "/next", b"")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DEADLINE_S = 30.0
EXAMPLES = 60
SERVERS = ("aiohttp", "uvicorn-h11", "uvicorn-httptools", "nginx")


@pytest.fixture(scope="module", params=SERVERS)
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    name: str = request.param
    with ExitStack() as stack:
        if name == "nginx":
            if find_nginx() is None:
                pytest.skip("nginx is not installed (`make test` installs it where it can)")
            yield stack.enter_context(Nginx(tmp_path_factory.mktemp("nginx")))
        elif name == "aiohttp":
            yield stack.enter_context(Aiohttp())
        else:
            yield stack.enter_context(Uvicorn(name.removeprefix("uvicorn-")))


@pytest.fixture(scope="module")
def relay(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    names = ("openai", "anthropic", "gemini", "ollama")
    with RelayThread(dict.fromkeys(names, origin.url), tmp_path_factory.mktemp("relay"), default="openai") as thread:
        yield thread


def ours(raw: bytes) -> list[Understood]:
    """Return the whole requests that our relay takes a client's bytes for, in order."""
    relay = MemoryRelay()
    relay.send(raw)
    for _ in range(10):
        waiting = [made for made in relay.pool.made if made._exchange is not None and made._exchange.request_done]
        if not waiting:
            break
        relay.provide(ANSWER, which=relay.pool.made.index(waiting[0]))
    return [
        Understood(taken.request.method, taken.request.target, taken.request_body)
        for taken in relay.journal.exchanges()
        if taken.request.upstream and taken.request_last
    ]


def talk(relay: RelayThread, raw: bytes, step: int = 0) -> bytes:
    """Send, say that no more comes, return all that came back."""
    with RawClient(relay.port, timeout_s=DEADLINE_S) as client:
        try:
            client.send(raw, step=step)
            client.half_close()
        except OSError:
            pass  # refused before all of it was sent
        return client.read_to_end()


def ask_next(relay: RelayThread, origin: Origin) -> None:
    """Whatever was left on a connection would now be the beginning of this request."""
    assert talk(relay, NEXT).startswith(b"HTTP/1.1 200")
    until(lambda: UNDERSTOOD_NEXT in origin.understood, DEADLINE_S)


def test_allowed_requests_are_understood_as_we_did(relay: RelayThread, origin: Origin) -> None:
    taken, disagreed = 0, {}
    for name, raw in ALLOWED.items():
        origin.forget()
        answer = talk(relay, raw)
        ask_next(relay, origin)
        understood = origin.understood[:-1]
        taken += len(understood)
        refused = not understood and answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")) and b"x-anton-error" not in answer
        if not refused and understood != ours(raw):
            disagreed[name] = (understood, ours(raw), answer)
    assert disagreed == {}
    assert taken >= 0.8 * len(ALLOWED), "a server that refuses everything would agree with anybody"


def test_refused_requests_reach_no_server(relay: RelayThread, origin: Origin) -> None:
    origin.forget()
    counters = relay.worker.counters
    reached = {}
    for name, raw in REFUSED.items():
        before = (counters.requests_total, counters.upstream_connections_total)
        answer = talk(relay, raw)
        after = (counters.requests_total, counters.upstream_connections_total)
        if before != after or not answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")):
            reached[name] = (before, after, answer)
    assert reached == {}, "0 bytes upstream"
    ask_next(relay, origin)
    assert origin.understood == [UNDERSTOOD_NEXT]


def test_a_body_refused_half_way_is_never_taken_for_whole(relay: RelayThread, origin: Origin) -> None:
    """The head came alone and was passed on: what is wrong with the body shows only later."""
    origin.forget()
    counters = relay.worker.counters
    begun = [name for name in REFUSED if name.startswith(("chunk-", "trailer"))]
    for name in begun:
        head, empty, body = REFUSED[name].partition(b"\r\n\r\n")
        with RawClient(relay.port, timeout_s=DEADLINE_S) as client:
            before = counters.requests_total
            client.send(head + empty)
            until(lambda before=before: counters.requests_total > before, DEADLINE_S)  # type: ignore[misc]
            client.send(body)
            assert client.read_response().status in {400, 413}, name
    ask_next(relay, origin)
    assert origin.understood == [UNDERSTOOD_NEXT]


def check_mutated(raw: bytes, relay: RelayThread, origin: Origin) -> None:
    origin.forget()
    talk(relay, raw)
    ask_next(relay, origin)
    understood = origin.understood[:-1]
    assert understood == ours(raw)[: len(understood)]


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=mutated())
def test_a_mutated_request_is_understood_alike_or_not_at_all(
    case: tuple[bytes, tuple[int, ...]], relay: RelayThread, origin: Origin
) -> None:
    check_mutated(case[0], relay, origin)


@pytest.mark.soak
@settings(max_examples=2000, derandomize=False, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=mutated())
def test_thousands_of_mutated_requests(case: tuple[bytes, tuple[int, ...]], relay: RelayThread, origin: Origin) -> None:
    check_mutated(case[0], relay, origin)
