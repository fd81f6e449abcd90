"""Providers over TLS: trusted by the system's store or not contacted; the same bytes as without."""

import ssl
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
