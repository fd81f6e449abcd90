"""Providers over TLS: trusted by the system's store or not contacted; the same bytes as without."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread
from tests.support.tls import ThrowawayCa

from modular_agents.proxy.relay.worker import client_tls

STREAM = b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}'
POST = request_bytes("POST", "/v1/chat/completions", STREAM)


def trusting(authority: ThrowawayCa) -> ssl.SSLContext:
    context = client_tls()
    context.load_verify_locations(authority.ca_file)
    return context


def test_a_trusted_provider_streams_over_a_kept_connection(tmp_path: Path) -> None:
    authority = ThrowawayCa(tmp_path)
    with (
        ProviderServer(tls=authority.server_context()) as provider,
        RelayThread({"openai": f"https://localhost:{provider.port}"}, tmp_path, tls=trusting(authority)) as relay,
        RawClient(relay.port) as client,
    ):
        for _ in range(3):
            client.send(POST)
            answer = client.read_response()
            assert (answer.status, answer.complete) == (200, True)
        assert len(provider.connections) == 1
        assert provider.requests[0].header("host") == f"localhost:{provider.port}"
        assert relay.ended(3)[0].response_body == answer.body


def serve_once(listener: socket.socket, context: ssl.SSLContext, *, says_goodbye: bool) -> None:
    """Answer one request with a body that the end of the connection ends; close with or without TLS's closure alert."""
    connection, _ = listener.accept()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)

    def until_done(step: Callable[[], object]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(1 << 16))
            else:
                connection.sendall(outgoing.read())
                return

    until_done(tls.do_handshake)
    until_done(lambda: tls.read(1 << 16))
    until_done(lambda: tls.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end"))
    if says_goodbye:
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        connection.sendall(outgoing.read())
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1 << 16)
    connection.close()


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_a_body_up_to_the_close_is_whole_only_when_tls_was_closed_too(tmp_path: Path, *, says_goodbye: bool) -> None:
    """Anybody between us and the provider can send a FIN (RFC 9112, 9.8; RFC 8446, 6.1)."""
    authority = ThrowawayCa(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = authority.server_context()
        thread = threading.Thread(target=serve_once, args=(listener, context), kwargs={"says_goodbye": says_goodbye}, daemon=True)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with RelayThread({"openai": url}, tmp_path, tls=trusting(authority)) as relay, RawClient(relay.port) as client:
            client.send(request_bytes("GET", "/v1/models"))
            answer = client.read_response()
            assert (answer.complete, client.reset) == (says_goodbye, not says_goodbye)
            assert b"to the end".startswith(answer.body)
            assert not says_goodbye or answer.body == b"to the end"
            (taken,) = relay.ended()
            assert taken.end is not None
            assert taken.end.outcome == ("complete" if says_goodbye else "upstream_cut")
        thread.join(30)


@pytest.mark.parametrize("kind", ["untrusted", "wrong-host"])
def test_a_provider_that_cannot_be_trusted_gets_nothing(kind: str, tmp_path: Path) -> None:
    authority = ThrowawayCa(tmp_path)
    context = client_tls() if kind == "untrusted" else trusting(authority)
    server = authority.server_context(("elsewhere.example",) if kind == "wrong-host" else ("localhost",))
    with (
        ProviderServer(tls=server) as provider,
        RelayThread({"openai": f"https://localhost:{provider.port}"}, tmp_path, tls=context) as relay,
        RawClient(relay.port) as client,
    ):
        client.send(POST)
        answer = client.read_response()
        assert (answer.status, answer.header("x-anton-error"), answer.header("x-anton-code")) == (502, "upstream", "upstream_unreachable")
        assert b"certificate" in answer.body
        assert not provider.requests
        taken = relay.ended()[0]
    assert taken.end is not None
    assert taken.end.outcome == "upstream_unreachable"
