"""Proxies behind proxies on one machine: a row of them works and changes nothing, a circle ends by itself and says so."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread
from tests.support.script import Script

from modular_agents.proxy.relay.hops import MOST

CHAT = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}')

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel elsewhere does not keep a SYN")


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture(autouse=True)
def clean(provider: ProviderServer) -> None:
    provider.reset()


def ring(size: int, host: str, named: str, folder: Path) -> list[RelayThread]:
    """Return proxies each of which has the next one as its provider, and the last one the first."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socks = [socket.create_server((host, 0), family=family) for _ in range(size)]
    ports = [sock.getsockname()[1] for sock in socks]
    relays = []
    for number, sock in enumerate(socks):
        relay = RelayThread({"openai": f"http://{named}:{ports[(number + 1) % size]}"}, folder / str(number), host=host)
        relay.sock.close()
        relay.sock, relay.port = sock, ports[number]
        relays.append(relay)
    return relays


@pytest.mark.parametrize(
    ("size", "host", "named"),
    [(2, "127.0.0.1", "127.0.0.1"), (2, "127.0.0.1", "localhost"), (2, "::1", "[::1]"), (3, "127.0.0.1", "127.0.0.1")],
)
def test_a_circle_of_proxies_is_told_from_a_row(size: int, host: str, named: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        relays = [stack.enter_context(relay) for relay in ring(size, host, named, tmp_path)]
        for _ in range(3):
            with RawClient(relays[0].port, host) as client:
                client.send(CHAT)
                answer = client.read_response()
            assert (answer.status, answer.header("x-anton-error"), answer.header("x-anton-code")) == (508, "proxy", "loop")
            assert b"leads back here" in answer.body
        ended = [relay.ended() for relay in relays]
        assert sum(map(len, ended)) == 3 * (MOST + 1), "each call went round until so many proxies stood before it, and no further"
        counters = [relay.worker.counters for relay in relays]
        assert all(counter.connections_open < 2 * (MOST + 1) for counter in counters)


def test_a_row_of_proxies_passes_every_byte_and_keeps_its_connections(provider: ProviderServer, tmp_path: Path) -> None:
    provider.on(Script(text="Hello. " * 50), path="/v1/chat")
    with ExitStack() as stack:
        relays, behind = [], provider.url
        for number in range(MOST):
            relays.append(stack.enter_context(RelayThread({"openai": behind}, tmp_path / str(number))))
            behind = relays[-1].url
        answers = []
        for port in (relays[-1].port, relays[0].port):
            with RawClient(port) as client:
                for _ in range(3):
                    client.send(CHAT)
                    answers.append(client.read_response())
        assert [answer.status for answer in answers] == [200] * 6
        assert len({answer.body for answer in answers}) == 1
        assert {bytes(asked.body) for asked in provider.requests} == {CHAT.partition(b"\r\n\r\n")[2]}
        heads = {tuple(asked.headers) for asked in provider.requests}
        assert len(heads) == 1, "a call that came through eight proxies looks like one that came through one"
        first = relays[0].worker.counters
        assert (first.requests_total, first.upstream_connections_total) == (6, 2), "one connection for each way, and each used again"
