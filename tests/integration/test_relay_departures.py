"""Clients that go away, and those that only stop sending; nothing is left behind."""

import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread, Taken, until
from tests.support.script import Script

from modular_agents.proxy.relay import server

CHAT = b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}'
STREAM = b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}'
ON_LINUX = sys.platform.startswith("linux")
PATIENCE_S = 30.0
"""D4 promises 1 s, which `test_ten_thousand_cancels_leave_nothing` measures; here a loaded machine may take longer. A relay that does
not notice never ends: the provider stalls, so there is no write to fail."""


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def relay(provider: ProviderServer, tmp_path: Path) -> Iterator[RelayThread]:
    provider.reset()
    with RelayThread({"openai": provider.url}, tmp_path) as thread:
        yield thread


def leave(client: RawClient, how: str) -> None:
    if how == "rst":
        client.abort()
    else:
        client.close()


def outcome(taken: Taken) -> str:
    assert taken.end is not None
    return taken.end.outcome


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("moment", ["in-request", "before-head", "after-head", "in-stream"])
def test_a_client_that_goes_closes_the_provider_connection(how: str, moment: str, relay: RelayThread, provider: ProviderServer) -> None:
    stall = {"in-request": None, "before-head": -1, "after-head": 0, "in-stream": 2}[moment]
    provider.on(Script(stall_at=stall), path="/v1/chat")
    body = STREAM if moment in {"after-head", "in-stream"} else CHAT
    raw = request_bytes("POST", "/v1/chat/completions", body)
    client = RawClient(relay.port)
    client.send(raw[:-10] if moment == "in-request" else raw)
    provider.wait_for(lambda: provider.requests)
    if moment == "in-stream":
        client.read_until(b"data: ")
    elif moment == "after-head":
        client.read_until(b"\r\n\r\n")
    elif moment == "before-head":
        provider.wait_requests(1)
    leave(client, how)
    provider.wait_for(lambda: provider.requests[0].connection.gone_at, PATIENCE_S)
    (taken,) = relay.ended()
    assert outcome(taken) == "client_gone"
    assert taken.request_last == (moment != "in-request")
    if moment == "in-stream":
        assert taken.response_body
    until(lambda: relay.worker.counters.requests_open == 0 and not relay.worker._shared.clients)


@pytest.mark.parametrize("stream", [False, True])
def test_a_half_close_is_not_going_away(relay: RelayThread, provider: ProviderServer, *, stream: bool) -> None:
    provider.on(Script(stall_at=1 if stream else -1), path="/v1/chat")
    with RawClient(relay.port) as client:
        client.send(request_bytes("POST", "/v1/chat/completions", STREAM if stream else CHAT))
        client.half_close()
        provider.wait_requests(1)
        time.sleep(3 * relay.worker._sweep_s)  # several looks at the client: it must still be thought to be there
        provider.release()
        assert client.read_response().complete
        assert client.read_to_end() == b""
    assert outcome(relay.ended()[0]) == "complete"


def test_a_client_that_vanishes_while_nothing_flows_is_noticed_by_the_next_bytes(relay: RelayThread, provider: ProviderServer) -> None:
    provider.on(Script(stall_at=2), path="/v1/chat")
    client = RawClient(relay.port)
    client.send(request_bytes("POST", "/v1/chat/completions", STREAM))
    client.read_until(b"data: ")
    client.half_close()
    time.sleep(2 * relay.worker._sweep_s)  # several looks at the client: it must still be thought to be there
    assert relay.worker.counters.requests_open == 1
    client.close()
    until(lambda: relay.worker.counters.requests_open == 0, PATIENCE_S)


def test_many_half_closed_clients_at_once_all_get_their_answers(relay: RelayThread, provider: ProviderServer) -> None:
    asked = request_bytes("POST", "/v1/chat/completions", CHAT)

    def ask(_: int) -> bytes:
        with RawClient(relay.port) as client:
            client.send(asked)
            client.half_close()
            return client.read_to_end()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(400)))
    assert [answer for answer in answers if not answer.startswith(b"HTTP/1.1 200 OK\r\n")] == []
    assert len(set(answers)) == 1
    assert len(provider.requests) == 400


@pytest.mark.parametrize("stream", [False, True])
def test_a_fin_where_the_kernel_cannot_be_asked_is_going_away(
    relay: RelayThread, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """On macOS, and for a client on another machine: nobody could tell it from a process that died."""
    monkeypatch.setattr(server, "peer_has_closed", lambda _: None)
    provider.on(Script(stall_at=1 if stream else -1), path="/v1/chat")
    with RawClient(relay.port) as client:
        client.send(request_bytes("POST", "/v1/chat/completions", STREAM if stream else CHAT))
        provider.wait_requests(1)
        client.half_close()
        provider.wait_for(lambda: provider.requests[0].connection.gone_at, PATIENCE_S)
    assert outcome(relay.ended()[0]) == "client_gone"


@pytest.mark.parametrize("how", ["rst", pytest.param("fin", marks=pytest.mark.skipif(not ON_LINUX, reason="needs POLLRDHUP"))])
def test_a_client_that_is_not_read_is_still_seen_to_go(how: str, relay: RelayThread, provider: ProviderServer) -> None:
    """Requests sent ahead fill the buffer, so reading stops: its going must be noticed all the same."""
    provider.on(Script(stall_at=-1), path="/v1/models")
    client = RawClient(relay.port)
    client.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n" * 4000)
    provider.wait_requests(1)
    leave(client, how)
    until(lambda: relay.worker.counters.requests_open == 0, PATIENCE_S)


def test_slow_readers_throttle_the_provider(relay: RelayThread, provider: ProviderServer) -> None:
    size = 30_000_000
    provider.on(Script(fill_bytes=size), path="/v1/chat")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.connect(("127.0.0.1", relay.port))
    sock.sendall(request_bytes("POST", "/v1/chat/completions", CHAT))
    until(lambda: any(client.stalled for client in list(relay.worker._shared.clients)))
    time.sleep(0.3)  # whatever would flow now, flows
    held = [client.transport.get_write_buffer_size() for client in list(relay.worker._shared.clients)]
    assert max(held) < 1_000_000
    got = 0
    while got < size:
        data = sock.recv(1 << 20)
        assert data
        got += len(data)
    sock.close()
    assert outcome(relay.ended()[0]) == "complete"


def test_a_provider_that_does_not_take_the_request_stops_the_client(relay: RelayThread, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with (
            RelayThread({"openai": f"http://127.0.0.1:{deaf.getsockname()[1]}"}, tmp_path / "deaf") as slow,
            RawClient(slow.port) as client,
        ):
            client.sock.settimeout(0.5)
            size = 50_000_000
            with pytest.raises(TimeoutError):
                client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            (connection,) = list(slow.worker._shared.clients)
            upstream = connection._exchange.upstream  # type: ignore[union-attr]
            assert upstream is not None
            assert upstream.transport.get_write_buffer_size() < 1_000_000
