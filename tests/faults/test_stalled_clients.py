"""D6: clients that do not take their answers cost the provider's patience, not our memory."""

import re
import socket
import sys
from pathlib import Path

import pytest
from tests.support.fountain import Fountain
from tests.support.running_proxy import RunningProxy

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")]
RCVBUF = 65_536
STILL_S = 1.0
MB = 1_000_000


def memory_bytes(pid: int | None) -> int:
    """Return what a process holds in memory now (VmRSS)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def ask(port: int) -> socket.socket:
    """Begin a call and take no more of its answer than its head."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
    sock.settimeout(120)
    sock.connect(("127.0.0.1", port))
    sock.sendall(b"GET /v1/files/large HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(15) == b"HTTP/1.1 200 OK"
    return sock


def drink(sock: socket.socket) -> int:
    """Take the rest of an answer; return how many bytes that were, its head included."""
    got = 15
    while data := sock.recv(1 << 20):
        got += len(data)
    return got


def stall(directory: Path, clients: int, size_bytes: int, drinkers: int) -> dict[str, int]:
    """Let `clients` ask for `size_bytes` each and stall; then let some drink. Return by how many MB the processes grew."""
    with (
        Fountain(size_bytes) as fountain,
        RunningProxy(directory, {"openai": fountain.url}, limits={"client_keepalive_s": 2.0}) as proxy,
    ):
        port, pids = proxy.port, {"relay": proxy.runtime.worker_pids[0], "recorder": proxy.recorder_pid}
        drink_one = ask(port)
        drink_one.close()
        before = {name: memory_bytes(pid) for name, pid in pids.items()}
        socks = [ask(port) for _ in range(clients)]
        fountain.wait_until_still(STILL_S, 120)
        assert fountain.sent_bytes < clients * size_bytes // 2
        stalled = memory_bytes(pids["relay"]) - before["relay"]
        for sock in socks[drinkers:]:
            sock.close()
        assert [drink(sock) > size_bytes for sock in socks[:drinkers]] == [True] * drinkers
        for sock in socks:
            sock.close()
        proxy.wait_for(
            lambda: sorted(call.status for call in proxy.calls()) == ["cancelled"] * (clients - drinkers + 1) + ["completed"] * drinkers
        )
        figures = {"clients": clients, "mb_each": size_bytes // MB, "relay_stalled_mb": stalled // MB}
        return figures | {f"{name}_after_mb": (memory_bytes(pid) - before[name]) // MB for name, pid in pids.items()}


def test_a_few_stalled_clients_hold_little_memory(tmp_path: Path) -> None:
    figures = stall(tmp_path, 10, 40 * MB, drinkers=2)
    assert figures["relay_stalled_mb"] < 60, figures


@pytest.mark.soak
def test_fifty_stalled_clients_hold_little_memory(tmp_path: Path) -> None:
    figures = stall(tmp_path, 50, 200 * MB, drinkers=10)
    print(figures)  # noqa: T201 - the figures are the result
    assert figures["relay_stalled_mb"] < 100
    assert figures["relay_after_mb"] < 100
