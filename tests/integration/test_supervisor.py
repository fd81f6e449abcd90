"""A proxy's processes: started, found, started again, stopped in order, and never left behind."""

import http.client
import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy, wait_for
from tests.support.script import Script

from modular_agents.proxy.app import status
from modular_agents.proxy.errors import PortInUse, UsageError
from modular_agents.proxy.supervisor.binding import bind

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture
def proxy(tmp_path: Path, provider: ProviderServer) -> Iterator[RunningProxy]:
    with RunningProxy(tmp_path, {"openai": provider.url}) as running:
        yield running


def ask(port: int, text: str = "hi", script: Script | None = None, host: str = "127.0.0.1", *, stream: bool = False) -> int:
    """Make one call and return its status."""
    connection = http.client.HTTPConnection(host, port, timeout=20)
    prompt = text + (script.directive() if script else "")
    body = {"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": prompt}]}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_call_is_answered_on_both_loopbacks_and_recorded(proxy: RunningProxy) -> None:
    assert ask(proxy.port) == 200
    if socket.has_ipv6:
        assert ask(proxy.port, host="::1") == 200
    proxy.wait_for_calls(*["completed"] * (1 + socket.has_ipv6))


def test_it_is_found_by_its_private_runtime_file_which_goes_when_it_stops(proxy: RunningProxy) -> None:
    runtime = proxy.runtime
    assert runtime.pid == (proxy.process.pid if proxy.process else None)
    assert all(is_alive(pid) for pid in (*runtime.worker_pids, proxy.recorder_pid))
    private = [
        proxy.paths.runtime_file,
        proxy.paths.secrets_file,
        proxy.db,
        *proxy.paths.journal_dir.iterdir(),
        *proxy.paths.control_dir.iterdir(),
    ]
    assert [path for path in private if stat.S_IMODE(path.stat().st_mode) != 0o600] == []
    assert [stat.S_IMODE(path.stat().st_mode) for path in (proxy.paths.journal_dir, proxy.paths.control_dir)] == [0o700, 0o700]
    ask(proxy.port)
    proxy.wait_for_calls("completed")
    wait_for(lambda: (now := status(proxy.db)) is not None and now.calls == 1 and now.calls_open == 0)
    assert proxy.stop() == 0
    assert not proxy.paths.runtime_file.exists()
    assert status(proxy.db) is None
    assert list(proxy.paths.journal_dir.glob("*.seg")) == []


def test_a_second_proxy_on_the_same_files_is_refused_and_told_who_is_first(proxy: RunningProxy, tmp_path: Path) -> None:
    second = RunningProxy(tmp_path, {"openai": proxy.url})
    process = second.begin()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert f"pid {proxy.runtime.pid}" in json.loads(out)["AlreadyRunning"]
    assert ask(proxy.port) == 200


def test_a_taken_port_is_refused_in_words(proxy: RunningProxy, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    second = RunningProxy(tmp_path / "other", {"openai": proxy.url}, port=proxy.port)
    process = second.begin()
    out, _ = process.communicate(timeout=20)
    assert f"port {proxy.port} on 127.0.0.1 is taken" in json.loads(out)["PortInUse"]
    assert not second.db.exists()


def test_a_port_that_is_free_on_one_loopback_only_is_taken() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other, pytest.raises(PortInUse):
        bind("127.0.0.1", other.getsockname()[1], 8)


def test_an_address_that_is_not_ours_is_the_persons_to_mend() -> None:
    with pytest.raises(UsageError, match="cannot listen"):
        bind("192.0.2.77", 0, 8)
    with pytest.raises(UsageError, match="no address"):
        bind("no such host.invalid", 0, 8)


def test_a_database_of_a_later_version_stops_the_start_in_words(provider: ProviderServer, tmp_path: Path) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        proxy.stop()
    import apsw  # noqa: PLC0415 - this test alone opens the file itself

    db = apsw.Connection(str(tmp_path / "traces.db"))
    db.execute("INSERT INTO schema_version VALUES (999, 'later')")
    db.close()
    process = RunningProxy(tmp_path, {"openai": provider.url}).begin()
    out, _ = process.communicate(timeout=20)
    assert "later version" in json.loads(out)["UsageError"]
    assert process.returncode == 2


def test_what_dies_is_started_again(proxy: RunningProxy) -> None:
    before = proxy.runtime
    for pid in (*before.worker_pids, before.recorder_pid):
        proxy.kill(pid)
    assert ask(proxy.port) == 200  # the connection waits in the socket's queue for the next worker
    proxy.wait_for_calls("completed")
    after = proxy.runtime
    assert set(after.worker_pids).isdisjoint(before.worker_pids)
    assert after.recorder_pid not in {None, before.recorder_pid}


def test_a_dying_supervisor_takes_its_children_along(proxy: RunningProxy) -> None:
    runtime = proxy.runtime
    children = (*runtime.worker_pids, proxy.recorder_pid)
    proxy.kill(runtime.pid)
    wait_for(lambda: not any(map(is_alive, children)))
    assert proxy.process is not None
    proxy.process.wait()
    assert (now := status(proxy.db)) is not None
    assert not now.running


def test_after_a_killed_supervisor_the_next_one_goes_on(proxy: RunningProxy, provider: ProviderServer, tmp_path: Path) -> None:
    ask(proxy.port)
    proxy.kill(proxy.runtime.pid)
    assert proxy.process is not None
    proxy.process.wait()
    with RunningProxy(tmp_path, {"openai": provider.url}) as following:
        assert ask(following.port) == 200
        following.wait_for_calls("completed", "completed")


def test_a_stop_lets_running_calls_finish(proxy: RunningProxy, provider: ProviderServer) -> None:
    answers: list[int] = []
    script = Script(stall_at=1, chunks=4)
    asking = threading.Thread(target=lambda: answers.append(ask(proxy.port, script=script, stream=True)))
    asking.start()
    proxy.wait_for_calls("running")
    assert proxy.process is not None
    port = proxy.port
    proxy.process.send_signal(signal.SIGTERM)
    wait_for(lambda: _refuses(port))
    wait_for(lambda: "Ctrl-C (or another SIGTERM) interrupts them" in proxy.log.read_text())
    provider.release()
    assert proxy.process.wait(20) == 0
    asking.join()
    assert answers == [200]
    proxy.wait_for_calls("completed")


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_call_that_outlasts_the_grace_is_interrupted_and_its_row_final(tmp_path: Path, provider: ProviderServer) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}, limits={"drain_s": 0.5}) as proxy, RawClient(proxy.port, timeout_s=60) as client:
        body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": Script(stall_at=1).directive()}]})
        client.send(request_bytes("POST", "/v1/chat/completions", body.encode(), (("content-type", "application/json"),)))
        proxy.wait_for_calls("running")
        assert proxy.stop() == 0
        assert not client.read_response().complete
        assert [call.status for call in proxy.calls()] == ["interrupted"]
        assert list(proxy.paths.journal_dir.glob("*.seg")) == []


def test_a_second_signal_interrupts_and_every_row_is_final(proxy: RunningProxy) -> None:
    with RawClient(proxy.port) as client:
        body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": Script(stall_at=1).directive()}]})
        client.send(request_bytes("POST", "/v1/chat/completions", body.encode(), (("content-type", "application/json"),)))
        proxy.wait_for_calls("running")
        assert proxy.process is not None
        port = proxy.port
        proxy.process.send_signal(signal.SIGINT)
        wait_for(lambda: _refuses(port))
        assert proxy.stop(signal.SIGINT) == 130
    (call,) = proxy.calls()
    assert call.status == "interrupted"
