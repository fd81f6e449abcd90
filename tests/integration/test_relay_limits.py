"""Every time limit, with small values: who is at fault is said, and nobody waits for ever."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread, until
from tests.support.script import Script

from modular_agents.proxy.config import Limits

CHAT = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}')
STREAM = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}')


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


def limited(provider: ProviderServer, folder: Path, **limits: float) -> RelayThread:
    """Return a relay with only the limit under test made short: no other one may pass on a slow machine."""
    provider.reset()
    return RelayThread({"openai": provider.url}, folder, limits=Limits(**limits))  # type: ignore[arg-type]


def test_a_head_that_drips_is_given_up(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path, request_head_s=0.3) as relay, RawClient(relay.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHo")
        answer = client.read_response()
        assert (answer.status, answer.header("x-anton-error")) == (408, "client")
        client.read_to_end()


def test_an_idle_connection_is_closed_silently(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path / "1", client_keepalive_s=0.6) as relay, RawClient(relay.port) as client:
        assert client.read_to_end() == b""
    with limited(provider, tmp_path / "2", client_keepalive_s=3) as relay, RawClient(relay.port) as client:
        client.send(CHAT)
        assert client.read_response().complete
        assert client.read_to_end() == b""


def test_a_provider_that_never_answers_is_a_504(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path, first_byte_s=1.0) as relay:
        provider.on(Script(stall_at=-1), path="/v1/chat")
        with RawClient(relay.port) as client:
            client.send(CHAT)
            answer = client.read_response()
            assert (answer.status, answer.header("x-anton-code")) == (504, "first_byte_timeout")
        taken = relay.ended()[0]
        assert taken.end is not None
        assert taken.end.outcome == "upstream_timeout"
        provider.wait_for(lambda: provider.requests[0].connection.gone_at)


def test_a_provider_silent_in_a_stream_breaks_it(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path, stream_silence_s=0.5) as relay:
        provider.on(Script(stall_at=2), path="/v1/chat")
        with RawClient(relay.port) as client:
            client.send(STREAM)
            answer = client.read_response()
            assert (answer.status, answer.complete) == (200, False)
        taken = relay.ended()[0]
        assert taken.end is not None
        assert (taken.end.outcome, taken.response_last) == ("upstream_timeout", False)


def test_a_stream_that_keeps_speaking_is_not_silent(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path, stream_silence_s=3) as relay, RawClient(relay.port) as client:
        provider.on(Script(chunks=12, gap_ms=300), path="/v1/chat")
        client.send(STREAM)
        assert client.read_response().complete


def test_a_client_that_does_not_read_is_not_the_providers_silence(provider: ProviderServer, tmp_path: Path) -> None:
    provider.reset()
    provider.on(Script(fill_bytes=20_000_000), path="/v1/chat")
    with RelayThread({"openai": provider.url}, tmp_path, limits=Limits(stream_silence_s=1.5)) as relay, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.connect(("127.0.0.1", relay.port))
        sock.sendall(CHAT)
        until(lambda: any(client.stalled for client in list(relay.worker._shared.clients)))
        time.sleep(2.5)  # longer than the limit that must not pass
        assert relay.worker.counters.requests_open == 1


def test_a_client_that_stops_in_its_body_is_given_up(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path, stream_silence_s=0.5) as relay, RawClient(relay.port) as client:
        client.send(CHAT[:-5])
        assert client.read_response().status == 408


def test_a_provider_that_cannot_be_reached_is_a_504(tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        with (
            RelayThread({"openai": f"http://127.0.0.1:{full.getsockname()[1]}"}, tmp_path, limits=Limits(connect_s=0.4)) as relay,
            RawClient(relay.port) as client,
        ):
            client.send(CHAT)
            answer = client.read_response()
            assert (answer.status, answer.header("x-anton-code")) == (504, "connect_timeout")
        for filler in fillers:
            filler.close()


def test_idle_provider_connections_are_closed(provider: ProviderServer, tmp_path: Path) -> None:
    with limited(provider, tmp_path, upstream_keepalive_s=0.3) as relay:
        with RawClient(relay.port) as client:
            client.send(CHAT)
            assert client.read_response().complete
        provider.wait_for(lambda: provider.requests[0].connection.gone_at)
        until(lambda: relay.worker.counters.upstream_idle == 0)


def test_a_body_beyond_the_limit_is_a_413_however_it_comes(tmp_path: Path, provider: ProviderServer) -> None:
    provider.reset()
    with RelayThread({"openai": provider.url}, tmp_path, limits=Limits(body_bytes=1000)) as relay:
        with RawClient(relay.port) as client:
            client.send(request_bytes("POST", "/v1/responses", b"x" * 1001))
            assert client.read_response().status == 413
            assert not provider.requests
        with RawClient(relay.port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(20):
                client.send(b"64\r\n" + b"x" * 100 + b"\r\n")
            assert client.read_response().status == 413
        provider.wait_for(lambda: all(request.connection.gone_at for request in provider.requests))
        assert all(request.complete_at is None for request in provider.requests)
