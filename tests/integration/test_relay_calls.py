"""Ordinary calls through a real relay on loopback: what goes in comes out, and the journal tells the same story."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient
from tests.support.relay_thread import RelayThread
from tests.support.script import Script

from modular_agents.proxy.model.exchange import Outcome

CHAT = b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}'
STREAM = b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}'


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture(scope="module")
def relay(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    with RelayThread({"openai": provider.url, "anthropic": provider.url}, tmp_path_factory.mktemp("relay")) as thread:
        yield thread


@pytest.fixture(autouse=True)
def clean(provider: ProviderServer) -> None:
    provider.reset()


def post(body: bytes, target: str = "/v1/chat/completions", extra: str = "") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: proxy:8000\r\nauthorization: Bearer sk-dummy-0123456789\r\n"
    return f"{head}{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_head_and_body_reach_the_provider_as_sent(relay: RelayThread, provider: ProviderServer) -> None:
    extra = "X-Weird-CASE:  spaced \r\nx-dup: 1\r\nX-Dup: 2\r\n"
    with RawClient(relay.port) as client:
        client.send(post(CHAT, extra=extra))
        assert client.read_response().status == 200
    head = provider.requests[0].head
    assert head == post(CHAT, extra=extra).removesuffix(CHAT).replace(b"proxy:8000", f"127.0.0.1:{provider.port}".encode())
    assert provider.requests[0].body == CHAT


def test_the_answer_is_the_same_as_without_the_relay(relay: RelayThread, provider: ProviderServer) -> None:
    answers = []
    for port in (provider.port, relay.port):
        with RawClient(port) as client:
            client.send(post(STREAM))
            answers.append(client.read_response())
    direct, relayed = answers
    assert relayed.head == direct.head
    assert relayed.wire_body == direct.wire_body


def test_the_first_event_passes_while_the_rest_is_not_yet_written(relay: RelayThread, provider: ProviderServer) -> None:
    provider.on(Script(stall_at=1), path="/v1/chat/completions")
    with RawClient(relay.port) as client:
        client.send(post(STREAM))
        client.read_until(b"data: ")
        provider.release()
        client.read_until(b"0\r\n\r\n")
        assert not client.eof


def test_the_journal_tells_the_call(relay: RelayThread) -> None:
    before = len(relay.exchanges())
    with RawClient(relay.port) as client:
        client.send(post(STREAM, target="/t/task%201/a/planner/v1/chat/completions?key=sk-dummy-0123456789"))
        answer = client.read_response()
    taken = relay.ended(before + 1)[-1]
    assert taken.request_body == STREAM
    assert taken.request_last
    assert taken.response_body == answer.body
    assert taken.response_last
    assert (taken.request.trace, taken.request.agent) == ("task 1", "planner")
    assert taken.request.target == "/v1/chat/completions?key=[redacted:" + taken.request.target[-9:]
    assert taken.end is not None
    assert (taken.end.outcome, taken.end.request_size, taken.end.response_size) == (Outcome.COMPLETE, len(STREAM), len(answer.body))
    assert b"sk-dummy" not in b"".join(path.read_bytes() for path in relay.journal.glob("*.seg"))


def test_one_client_connection_serves_many_calls_and_one_upstream_connection_too(relay: RelayThread, provider: ProviderServer) -> None:
    opened = len(provider.connections)
    with RawClient(relay.port) as client:
        for _ in range(5):
            client.send(post(CHAT))
            assert client.read_response().complete
    assert len(provider.connections) - opened <= 1


def test_an_event_of_50_mb_without_an_end_passes(relay: RelayThread, provider: ProviderServer) -> None:
    """No newline for 50 MB: nothing here waits for one. The record is capped and has the true size and digest."""
    event = b"data: " + b"x" * 50_000_000
    provider.on(Script(framing="chunked", body=event.decode(), headers=(("Content-Type", "text/event-stream"),)), path="/v1/endless")
    before = len(relay.exchanges())
    with RawClient(relay.port) as client:
        client.send(post(STREAM, target="/v1/endless"))
        answer = client.read_response()
    assert answer.complete
    assert answer.body == event
    taken = relay.ended(before + 1)[-1]
    assert taken.end is not None
    assert (taken.end.response_size, taken.end.response_sha256) == (len(event), hashlib.sha256(event).hexdigest())
    assert len(taken.response_body) == relay.settings.limits.recorded_body_bytes


def test_an_unknown_upstream_is_said_in_the_clients_language(relay: RelayThread, provider: ProviderServer) -> None:
    with RawClient(relay.port) as client:
        client.send(post(CHAT, target="/u/groq/v1/chat/completions"))
        answer = client.read_response()
    assert (answer.status, answer.header("x-anton-error")) == (404, "client")
    assert b"--upstream" in answer.body
    assert not provider.requests


def test_a_refused_connection_is_a_502_of_ours(tmp_path: Path, provider: ProviderServer) -> None:
    with RelayThread({"anthropic": "http://127.0.0.1:9"}, tmp_path) as relay, RawClient(relay.port) as client:
        client.send(post(CHAT, target="/v1/messages"))
        answer = client.read_response()
        assert (answer.status, answer.header("x-anton-error")) == (502, "upstream")
        assert answer.body.startswith(b'{"type":"error","error":{"type":"api_error","message":"anton proxy: cannot connect')
        client.send(post(CHAT, target="/v1/messages"))
        assert client.read_response().status == 502, "the client's connection lives on"
        taken = relay.ended(2)[0]
    assert taken.end is not None
    assert taken.end.outcome == Outcome.UPSTREAM_UNREACHABLE
    assert taken.response_body == answer.body
