"""A worker's life: ready, drained, interrupted; its numbers; what it refuses to be."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread, read_journal, until
from tests.support.script import Script

from modular_agents.proxy.config import Limits
from modular_agents.proxy.relay.counters import add_up

CHAT = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}')
STREAM = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"hello"}]}')


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture(autouse=True)
def clean(provider: ProviderServer) -> None:
    provider.reset()


def ask(port: int, target: str, extra: tuple[tuple[str, str], ...] = ()) -> tuple[int, str]:
    with RawClient(port) as client:
        client.send(request_bytes("GET", target, headers=extra))
        answer = client.read_response()
        return answer.status, answer.body.decode()


def numbers(text: str) -> dict[str, int]:
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {name: int(number) for name, number in lines}


def test_health_ready_and_metrics(tmp_path: Path, provider: ProviderServer) -> None:
    with RelayThread({"openai": provider.url}, tmp_path) as relay:
        assert ask(relay.port, "/-/health") == (200, "ok\n")
        assert ask(relay.port, "/-/ready") == (200, "ready\n")
        assert ask(relay.port, "/-/nothing")[0] == 404
        with RawClient(relay.port) as client:
            client.send(CHAT)
            client.read_response()
            count = numbers(ask(relay.port, "/-/metrics")[1])
        assert (count["anton_workers"], count["anton_requests_total"], count["anton_requests_open"]) == (1, 1, 0)
        assert count["anton_journal_frames_total"] >= 4
        assert count["anton_journal_dropped_frames_total"] == 0
        assert not provider.requests[1:], "nothing under /-/ goes to a provider"


def test_the_numbers_of_all_workers_are_added_up_and_the_dead_count_too(tmp_path: Path, provider: ProviderServer) -> None:
    with RelayThread({"openai": provider.url}, tmp_path) as first, RawClient(first.port) as client:
        client.send(CHAT)
        client.read_response()
    with RelayThread({"openai": provider.url}, tmp_path) as second, RawClient(second.port) as client:
        client.send(CHAT)
        client.read_response()
        count = numbers(ask(second.port, "/-/metrics")[1])
    assert (count["anton_workers"], count["anton_requests_total"], count["anton_connections_total"]) == (1, 2, 3)
    assert add_up(tmp_path / "control")["workers"] == 0


def test_draining_finishes_what_runs_and_takes_nothing_new(tmp_path: Path, provider: ProviderServer) -> None:
    provider.on(Script(stall_at=2), path="/v1/chat")
    with RelayThread({"openai": provider.url}, tmp_path) as relay, RawClient(relay.port) as client, RawClient(relay.port) as idle:
        client.send(STREAM)
        client.read_until(b"data: ")
        relay.drain()
        assert idle.read_to_end() == b"", "an idle connection is closed at once"
        with pytest.raises(ConnectionRefusedError):
            until(lambda: RawClient(relay.port).close())
        assert relay.alive
        provider.release()
        client.read_until(b"0\r\n\r\n")
        client.read_to_end()
        until(lambda: not relay.alive)
    (taken,) = relay.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "complete"


@pytest.mark.parametrize("how", ["second-stop", "grace-over"])
def test_an_interruption_ends_every_record(how: str, tmp_path: Path, provider: ProviderServer) -> None:
    provider.on(Script(stall_at=2), path="/v1/chat")
    limits = Limits(drain_s=0.3) if how == "grace-over" else Limits()
    with RelayThread({"openai": provider.url}, tmp_path, limits=limits) as relay, RawClient(relay.port) as client:
        client.send(STREAM)
        client.read_until(b"data: ")
        relay.stop(1 if how == "grace-over" else 2)
        answer = client.read_to_end()
        assert not answer.endswith(b"0\r\n\r\n")
    (taken,) = relay.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "interrupted"


def test_a_proxy_that_points_at_itself_says_so(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    relay = RelayThread({"openai": f"http://localhost:{port}"}, tmp_path)
    relay.sock.close()
    relay.sock = socket.create_server(("127.0.0.1", port))
    relay.port = port
    with relay, RawClient(port) as client:
        client.send(CHAT)
        answer = client.read_response()
        assert (answer.status, answer.header("x-anton-error"), answer.header("x-anton-code")) == (508, "proxy", "loop")
        assert len(relay.ended()) == 1


def test_a_token_is_wanted_when_one_is_set(tmp_path: Path, provider: ProviderServer) -> None:
    with RelayThread({"openai": provider.url}, tmp_path, token="letmein") as relay:
        assert ask(relay.port, "/-/health")[0] == 200
        assert ask(relay.port, "/-/metrics")[0] == 401
        assert ask(relay.port, "/v1/models")[0] == 401
        assert ask(relay.port, "/v1/models", (("X-Anton-Token", "wrong"),))[0] == 401
        assert not provider.requests
        assert ask(relay.port, "/v1/models", (("x-anton-token", "letmein"),))[0] == 200
        assert provider.requests[0].header("x-anton-token") is None
    assert b"letmein" not in b"".join(path.read_bytes() for path in (tmp_path / "journal").glob("*.seg"))


WORKER = """
import socket, sys
from modular_agents.proxy.config import RelaySettings, Upstream
from modular_agents.proxy.relay.worker import run_worker
sock = socket.create_server(("127.0.0.1", 0))
settings = RelaySettings((Upstream("openai", "http", "127.0.0.1", int(sys.argv[1])),), "openai", sys.argv[2], "00" * 16)
sys.exit(run_worker(settings, [sock], lambda: print(sock.getsockname()[1], flush=True)))
"""


def test_a_worker_process_obeys_signals(tmp_path: Path, provider: ProviderServer) -> None:
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(provider.port), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with RawClient(port) as client:
            client.send(CHAT)
            assert client.read_response().complete
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)  # time for a signal that must do nothing
            client.send(CHAT)
            assert client.read_response().complete, "an interrupt from the terminal is the supervisor's business"
            process.terminate()
            assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert len(read_journal(tmp_path)) == 2
    assert not list(tmp_path.glob("*.lock"))


def test_killed_with_nothing_lost(tmp_path: Path, provider: ProviderServer) -> None:
    provider.on(Script(stall_at=2), path="/v1/chat")
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(provider.port), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with RawClient(port) as client:
        client.send(STREAM)
        seen = client.read_until(b"data: ")
        process.kill()
        process.wait()
        process.stdout.close()
        client.read_to_end()
        body = bytes(client.received).partition(b"\r\n\r\n")[2]
    assert seen
    (taken,) = read_journal(tmp_path)
    assert taken.end is None
    assert body
    recorded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in taken.pieces)
    assert len(recorded) >= len(body) - 64, "what the client has seen is in the journal"
    assert all(part in taken.response_body for part in body.split(b"\r\n") if part.startswith(b"data: "))
