"""D5: what was cut never looks whole, to the client or in the journal, whatever says where it ends and whoever cut it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, RawResponse
from tests.support.relay_thread import RelayThread
from tests.support.script import Script

from modular_agents.proxy.config import Limits

IMPATIENT = Limits(stream_silence_s=0.4)
BODY = b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}'
FRAMINGS = ("chunked", "length", "close")


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture(scope="module")
def relay(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    with RelayThread({"openai": provider.url}, tmp_path_factory.mktemp("cuts")) as thread:
        yield thread


@pytest.fixture(scope="module")
def impatient(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    with RelayThread({"openai": provider.url}, tmp_path_factory.mktemp("silence"), limits=IMPATIENT) as thread:
        yield thread


def ask(relay: RelayThread, minor: int, head: bytes = b"", body: bytes = BODY) -> RawResponse:
    with RawClient(relay.port) as client:
        sized = b"" if b"chunked" in head else b"Content-Length: %d\r\n" % len(body)
        client.send(b"POST /v1/chat/completions HTTP/1.%d\r\nHost: x\r\n%b%b\r\n%b" % (minor, sized, head, body))
        return client.read_response()


def outcome(relay: RelayThread) -> str:
    last = relay.exchanges()[-1].end
    assert last is not None
    return last.outcome


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut_answer_reaches_the_client_broken(how: str, framing: str, minor: int, relay: RelayThread, provider: ProviderServer) -> None:
    if (how, framing) == ("fin", "close"):
        pytest.skip("an answer that ends with its connection is whole when the connection is closed: HTTP has no other sign")
    provider.reset()
    provider.on(Script(cut_pieces=2, rst=how == "rst", gap_ms=20, framing=framing), path="/v1/chat")
    answer = ask(relay, minor)
    assert (answer.status, answer.complete) == (200, False)
    assert outcome(relay) == "upstream_cut"


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_an_answer_that_falls_silent_reaches_the_client_broken(
    framing: str, minor: int, impatient: RelayThread, provider: ProviderServer
) -> None:
    provider.reset()
    provider.on(Script(stall_at=2, framing=framing), path="/v1/chat")
    answer = ask(impatient, minor)
    assert (answer.status, answer.complete) == (200, False)
    assert outcome(impatient) == "upstream_timeout"


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_stop_in_the_middle_reaches_the_client_broken(framing: str, minor: int, provider: ProviderServer, tmp_path: Path) -> None:
    provider.reset()
    provider.on(Script(stall_at=2, framing=framing), path="/v1/chat")
    with RelayThread({"openai": provider.url}, tmp_path) as relay:
        with RawClient(relay.port) as client:
            client.send(b"POST /v1/chat/completions HTTP/1.%d\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (minor, len(BODY), BODY))
            client.read_until(b"data: ")
            client._read_to = 0
            for _ in range(2):
                relay._loop.call_soon_threadsafe(relay.worker.stop)
            assert not client.read_response().complete
        assert outcome(relay) == "interrupted"


def test_a_request_that_breaks_after_its_head_reaches_neither_side_as_whole(relay: RelayThread, provider: ProviderServer) -> None:
    provider.reset()
    chunked = b"Transfer-Encoding: chunked\r\n"
    for broken in (b"-1\r\n", b"2\r\nabc\r\n", b"3\nabc\r\n0\r\n\r\n", b"0\r\nbad trailer: 1\r\n\r\n", b"0\r\nHost: y\r\n\r\n"):
        answer = ask(relay, 1, chunked, b"2\r\n{}\r\n" + broken)
        assert (answer.status, answer.header("x-anton-error"), answer.complete) == (400, "client", True)
        assert outcome(relay) == "refused"
    provider.wait_for(lambda: all(request.connection.gone_at for request in provider.requests))
    assert [request.complete_at for request in provider.requests if request.complete_at is not None] == []


def test_a_request_that_breaks_while_its_answer_streams_breaks_the_answer(relay: RelayThread, provider: ProviderServer) -> None:
    provider.reset()
    provider.on(Script(expect="final", stall_at=0, framing="chunked"), path="/v1/chat")
    with RawClient(relay.port) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        client._read_to = 0
        client.send(b"2\r\n{}\r\nzz\r\n")
        assert not client.read_response().complete
    provider.wait_for(lambda: provider.requests[0].connection.gone_at)
    assert outcome(relay) == "refused"


def test_what_is_cut_while_many_clients_stream_is_cut_for_each(relay: RelayThread, provider: ProviderServer) -> None:
    provider.reset()
    provider.on(Script(chunks=20, gap_ms=10, cut_pieces=9), path="/v1/chat")
    answers: list[RawResponse] = []
    asking = [threading.Thread(target=lambda: answers.append(ask(relay, 1))) for _ in range(12)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [answer.complete for answer in answers] == [False] * 12
