"""`ulimit -n 64`: more clients than descriptors wait or are told so in words; nothing dies, and afterwards all is as before."""

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_supervisor import ask
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, RawResponse, request_bytes
from tests.support.running_proxy import RunningProxy, wait_for
from tests.support.script import Script

pytestmark = pytest.mark.slow
CLIENTS = 100


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def test_more_clients_than_descriptors(tmp_path: Path, provider: ProviderServer) -> None:
    held = Script(stall_at=-1)
    with RunningProxy(tmp_path, {"openai": provider.url}, files=64) as proxy:
        port, before = proxy.port, proxy.runtime
        assert ask(port, "before") == 200
        clients: list[RawClient] = []
        for _ in range(CLIENTS):
            client = RawClient(port, timeout_s=60)
            client.send(request_bytes("POST", "/v1/chat/completions", b"{}", (("x-script", held.header()), ("connection", "close"))))
            clients.append(client)
        provider.wait_for(lambda: len(provider.requests) > 10, 30)
        provider.release()
        answers = Counter(what(client) for client in clients)
        assert set(answers) <= {"200", "503 no_socket", "closed"}, answers
        assert answers["200"] > 10
        for client in clients:
            client.close()
        wait_for(lambda: all(ask(port, f"after {n}") == 200 for n in range(3)))
        assert proxy.runtime.worker_pids == before.worker_pids, "nobody died of it"
        assert proxy.runtime.recorder_pid == before.recorder_pid
        wait_for(lambda: sum(call.status == "completed" for call in proxy.calls()) >= answers["200"] + 4)
        wait_for(lambda: not any(call.status == "running" for call in proxy.calls()))


def what(client: RawClient) -> str:
    """Return what came of a call."""
    answer = RawResponse(b"", 0, "", [])
    with contextlib.suppress(OSError, socket.timeout):
        answer = client.read_response()
    return f"{answer.status} {answer.header('x-anton-code') or ''}".strip() if answer.complete else "closed"
