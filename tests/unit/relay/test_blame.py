"""Whose fault a silence is: the side whose bytes are next."""

from tests.support.relay_in_memory import MemoryRelay

from modular_agents.proxy.config import Limits

HEAD = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
LIMITS = Limits(first_byte_s=5, stream_silence_s=2)


def begun(body: bytes) -> MemoryRelay:
    relay = MemoryRelay(LIMITS)
    relay.send(HEAD + body)
    return relay


def wait(relay: MemoryRelay, seconds: float) -> None:
    relay.now_ns += int(seconds * 1e9)
    relay.client.tick(relay.now_ns)


def end(relay: MemoryRelay) -> tuple[str, str]:
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    return taken.end.outcome, taken.end.detail


def test_a_client_that_stops_in_its_request_is_told_so() -> None:
    relay = begun(b"12345")
    wait(relay, 1.9)
    assert relay.received == b""
    wait(relay, 0.2)
    assert relay.received.startswith(b"HTTP/1.1 408 ")
    assert b"x-anton-error: client\r\n" in relay.received
    assert end(relay)[0] == "client_gone"
    assert (relay.counters.errors_client_total, relay.counters.errors_upstream_total) == (1, 0)


def test_a_provider_that_takes_no_more_of_a_request_is_named() -> None:
    relay = begun(b"12345")
    relay.pool.made[0].pause_writing()
    wait(relay, 2.1)
    assert relay.received.startswith(b"HTTP/1.1 504 ")
    assert b"x-anton-error: upstream\r\nx-anton-code: request_not_taken\r\n" in relay.received
    assert b"the provider openai took no more of the request for 2 s" in relay.received
    assert end(relay) == ("upstream_timeout", "the provider openai took no more of the request for 2 s")
    assert (relay.counters.errors_client_total, relay.counters.errors_upstream_total) == (0, 1)
    assert relay.upstream().closed


def test_a_provider_that_takes_again_ends_its_silence_and_then_it_is_the_clients() -> None:
    relay = begun(b"12345")
    relay.pool.made[0].pause_writing()
    wait(relay, 1.9)
    relay.pool.made[0].resume_writing()
    wait(relay, 1.9)
    assert relay.received == b""
    wait(relay, 0.2)
    assert relay.received.startswith(b"HTTP/1.1 408 ")


def test_an_early_answer_does_not_make_the_clients_silence_the_providers() -> None:
    relay = begun(b"12345")
    relay.provide(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    wait(relay, 2.1)
    assert relay.transport.closed
    assert end(relay)[0] == "client_gone"


def test_a_provider_that_does_not_answer_is_named() -> None:
    relay = begun(b"1234567890")
    wait(relay, 4.9)
    assert relay.received == b""
    wait(relay, 0.2)
    assert b"the provider openai did not begin to answer within 5 s" in relay.received
