"""The framing corpus on bare sockets: a real kernel cuts and joins as it likes; the provider counts what it gets."""

from collections.abc import Iterator

import pytest
from tests.support.framing_corpus import read_corpus
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient
from tests.support.relay_thread import RelayThread

REFUSED = read_corpus("refused")
ALLOWED = read_corpus("allowed")


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture(scope="module")
def relay(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    names = ("openai", "anthropic", "gemini", "ollama")
    with RelayThread(dict.fromkeys(names, provider.url), tmp_path_factory.mktemp("relay")) as thread:
        yield thread


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_nothing_sent(name: str, relay: RelayThread, provider: ProviderServer) -> None:
    provider.reset()
    with RawClient(relay.port) as client:
        client.send(REFUSED[name])
        answer = client.read_response()
        assert answer.status in {400, 413}
        assert answer.header("x-anton-error") == "client"
        client.read_to_end()
        assert client.eof
    assert not provider.requests
    assert not any(connection.received for connection in provider.connections)


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_exactly_once(name: str, relay: RelayThread, provider: ProviderServer) -> None:
    provider.reset()
    with RawClient(relay.port) as client:
        client.send(ALLOWED[name])
        answer = client.read_response()
        assert answer.complete
        assert answer.header("x-anton-error") is None
    assert len(provider.wait_requests(1)) == 1


def test_twenty_requests_in_one_write_are_answered_in_order(relay: RelayThread, provider: ProviderServer) -> None:
    provider.reset()
    with RawClient(relay.port) as client:
        client.send(b"".join(b"GET /v1/models/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(20)))
        answers = [client.read_response() for _ in range(20)]
    assert all(answer.complete for answer in answers)
    assert [request.target for request in provider.requests] == [f"/v1/models/{number}" for number in range(20)]


def test_a_thousand_own_answers_in_one_write(relay: RelayThread) -> None:
    with RawClient(relay.port) as client:
        client.send(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert all(client.read_response().body == b"ok\n" for _ in range(1000))
