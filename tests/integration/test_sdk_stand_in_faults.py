"""The fault proxy and the throw-away authority do what they say: else a fault test proves nothing."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.faults import Fault, FaultProxy
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.script import Script
from tests.support.tls import ThrowawayCa

STREAM = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture
def faults(provider: ProviderServer) -> Iterator[FaultProxy]:
    with FaultProxy(provider.port) as running:
        yield running


def ask(client: RawClient, script: Script | None = None) -> None:
    client.send(request_bytes("POST", "/v1/chat/completions", STREAM, (("x-script", (script or Script()).header()),)))


def test_without_a_fault_nothing_changes(provider: ProviderServer, faults: FaultProxy) -> None:
    answers = []
    for port in (provider.port, faults.port):
        with RawClient(port) as client:
            ask(client, Script(close=True))
            answers.append(client.read_to_end())
    assert answers[0] == answers[1]


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_the_answer_is_cut_at_the_byte(provider: ProviderServer, faults: FaultProxy, how: str) -> None:
    faults.next(Fault(down_cut=150, how=how))
    with RawClient(faults.port) as client:
        ask(client)
        client.read_to_end()
        assert len(client.received) == 150
        assert client.reset == (how == "rst")
    provider.wait_for(lambda: provider.ledger.open_connections == 0)
    with RawClient(faults.port) as client:
        ask(client)
        assert client.read_response().complete


def test_the_request_is_cut_at_the_byte(provider: ProviderServer, faults: FaultProxy) -> None:
    faults.next(Fault(up_cut=40, how="half"))
    with RawClient(faults.port) as client:
        ask(client)
        provider.wait_for(lambda: provider.connections and provider.connections[0].eof_at is not None)
        assert len(provider.connections[0].received) == 40
        assert not provider.requests


def test_a_stall_ends_when_released(faults: FaultProxy) -> None:
    faults.next(Fault(down_cut=200, how="stall"))
    with RawClient(faults.port) as client:
        ask(client)
        faults.wait_for(lambda: faults.passages and faults.passages[0].tripped)
        client.read_exactly(200)
        faults.release()
        assert client.read_until(b"\r\n0\r\n\r\n").endswith(b"\r\n0\r\n\r\n")


def test_dripping_keeps_every_byte(provider: ProviderServer, faults: FaultProxy) -> None:
    faults.always(Fault(drip=7))
    with RawClient(faults.port) as client:
        ask(client)
        assert client.read_response().complete
    assert provider.requests[0].body == STREAM


def test_connections_that_never_were(provider: ProviderServer, faults: FaultProxy) -> None:
    faults.next(Fault(at_connect="reset"), Fault(at_connect="deaf"))
    with contextlib.suppress(ConnectionResetError), RawClient(faults.port) as client:  # the reset may be quicker than connecting
        assert client.read_to_end() == b""
    with RawClient(faults.port, timeout_s=0.2) as client:
        ask(client)
        with pytest.raises(TimeoutError):
            client.read_some()
    assert not provider.connections


def test_a_client_that_goes_is_seen(provider: ProviderServer, faults: FaultProxy) -> None:
    with RawClient(faults.port) as client:
        ask(client, Script(stall_at=1))
        client.read_until(b"\n\n")
        client.abort()
    provider.wait_for(lambda: provider.connections[0].gone_at is not None)


def test_tls_is_trusted_only_with_its_authority(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = ThrowawayCa(tmp_path), ThrowawayCa(tmp_path / "other", "Another CA")
    with ProviderServer(tls=authority.server_context()) as provider:
        with RawClient(provider.port, tls=authority.client_context()) as client:
            ask(client)
            assert client.read_response().complete
        with pytest.raises(ssl.SSLCertVerificationError):
            RawClient(provider.port, tls=other.client_context())
    with ProviderServer(tls=authority.server_context(("elsewhere.test",))) as provider, pytest.raises(ssl.SSLCertVerificationError):
        RawClient(provider.port, tls=authority.client_context())
