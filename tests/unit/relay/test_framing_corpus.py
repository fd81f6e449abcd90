"""One request in, one request out: the corpus through the whole relay in memory, in every cutting."""

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.framing_corpus import SHORT_BYTES, mutated, read_corpus
from tests.support.relay_in_memory import MemoryRelay

REFUSED = read_corpus("refused")
ALLOWED = read_corpus("allowed")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_the_corpus_is_large_enough() -> None:
    assert len(REFUSED) + len(ALLOWED) >= 60


def is_refused(relay: MemoryRelay) -> bool:
    return relay.received.split(b" ", 2)[1] in {b"400", b"413"} and (relay.transport.eof or relay.transport.closed)


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_requests_are_refused_with_nothing_sent(name: str) -> None:
    relay = MemoryRelay()
    relay.send(REFUSED[name])
    assert is_refused(relay), relay.received
    assert not relay.pool.made
    assert b"x-anton-error: client" in relay.received


@pytest.mark.parametrize("name", [name for name in REFUSED if len(REFUSED[name]) < SHORT_BYTES])
def test_ambiguous_requests_never_become_whole_in_any_cutting(name: str) -> None:
    relay = MemoryRelay()
    relay.send(REFUSED[name], tuple(range(len(REFUSED[name]))))
    assert is_refused(relay), relay.received
    assert not any(taken.request_last for taken in relay.journal.exchanges() if taken.request.upstream)
    for connection in relay.pool.made:
        assert connection.transport.is_closing(), "what was begun is broken off"


@pytest.mark.parametrize("name", ALLOWED)
def test_clear_requests_pass_exactly_once(name: str) -> None:
    raw = ALLOWED[name]
    for cuts in ((), tuple(range(len(raw))) if len(raw) < SHORT_BYTES else (17, 16_000, 60_000)):
        relay = MemoryRelay()
        relay.send(raw, cuts)
        assert not relay.received
        assert len(relay.pool.made) == 1
        requests = read_requests(relay.forwarded)
        assert len(requests) == 1
        body = requests[0][1]
        relay.provide(ANSWER)
        assert relay.received.startswith(b"HTTP/1.1 200 OK\r\n")
        (taken,) = relay.journal.exchanges()
        assert taken.request_body == body
        assert taken.request_last


def read_requests(data: bytes) -> list[tuple[h11.Request, bytes]]:
    """Let another parser read what went to the provider: it must see whole requests and nothing else."""
    requests = []
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
        connection.receive_data(data)
        event = connection.next_event()
        assert isinstance(event, h11.Request), event
        body = b""
        while not isinstance(part := connection.next_event(), h11.EndOfMessage):
            assert isinstance(part, h11.Data), part
            body += part.data
        requests.append((event, body))
        data = connection.trailing_data[0]
    return requests


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_whatever_comes_what_goes_up_is_clear_http(case: tuple[bytes, tuple[int, ...]]) -> None:
    raw, cuts = case
    relay = MemoryRelay()
    relay.send(raw, cuts)
    taken = [exchange for exchange in relay.journal.exchanges() if exchange.request.upstream]
    if not taken:
        assert not relay.forwarded
        return
    assert len(relay.pool.made) == 1
    if taken[0].request_last:
        ((request, body),) = read_requests(relay.forwarded)
        assert body == taken[0].request_body
        assert request.target.decode("latin-1") == taken[0].request.target
    else:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
        connection.receive_data(relay.forwarded)
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        while isinstance(event := connection.next_event(), h11.Data):
            pass
        assert event is h11.NEED_DATA


def told(relay: MemoryRelay, skip: int) -> object:
    """What became of the requests after the first `skip`, but for what differs each time."""
    taken = relay.journal.exchanges()[skip:]
    facts = [(t.request.method, t.request.target, t.request.head, t.request_body, t.request_last, t.response_head) for t in taken]
    return facts, relay.transport.closed, relay.transport.eof


@settings(max_examples=400, deadline=None)
@given(mutated(), st.sampled_from([raw for raw in ALLOWED.values() if len(raw) < SHORT_BYTES]))
def test_what_came_before_on_the_connection_changes_nothing(case: tuple[bytes, tuple[int, ...]], first: bytes) -> None:
    """Heads are compared with earlier ones instead of being read: that must be the same as reading."""
    raw, cuts = case
    used, fresh = MemoryRelay(), MemoryRelay()
    for _ in range(2):
        used.send(first)
        used.provide(ANSWER)
    if used.transport.eof or used.transport.closed:
        return
    default = used.pool.made[0].destination.name
    fresh = MemoryRelay(default=default)
    before, already = len(used.forwarded), len(used.received)
    used.send(raw, cuts)
    fresh.send(raw, cuts)
    assert told(used, 2) == told(fresh, 0)
    assert used.received[already:] == fresh.received
    if len(used.pool.made) == 1:
        assert used.forwarded[before:] == fresh.forwarded


@settings(max_examples=200, deadline=None)
@given(mutated(), st.lists(st.integers(1, 600), max_size=6))
def test_the_cutting_changes_nothing(case: tuple[bytes, tuple[int, ...]], other: list[int]) -> None:
    raw, cuts = case
    results = []
    for places in ((), cuts, tuple(other)):
        relay = MemoryRelay()
        relay.send(raw, places)
        whole = [taken for taken in relay.journal.exchanges() if taken.request_last and taken.request.upstream]
        refused = relay.received[:12]
        results.append((refused, [(taken.request.method, taken.request.target, taken.request.head, taken.request_body) for taken in whole]))
    assert results[0] == results[1] == results[2]
