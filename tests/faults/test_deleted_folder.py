"""Somebody deletes the journal's folder under a running proxy: calls go on, and what was acknowledged is recorded all the same."""

import contextlib
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_supervisor import ask
from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy, wait_for
from tests.support.script import Script
from tests.support.stopping import stopped

from modular_agents.proxy.app import status

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def is_whole(proxy: RunningProxy) -> bool:
    found = status(proxy.db)
    return found is not None and found.running and proxy.paths.runtime_file.exists() and any(proxy.paths.journal_dir.glob("*.seg"))


@pytest.mark.parametrize("recorder", ["reads", "dies"])
def test_a_deleted_folder_is_made_again_and_no_call_is_lost(tmp_path: Path, provider: ProviderServer, recorder: str) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}, workers=2) as proxy:
        port = proxy.port
        assert ask(port, "first") == 200
        proxy.wait_for_calls("completed")
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(ask(port, "open", Script(stall_at=1, chunks=4), stream=True)))
        asking.start()
        proxy.wait_for_calls("completed", "running")
        pid = proxy.recorder_pid
        with stopped(pid) if recorder != "reads" else contextlib.nullcontext():
            shutil.rmtree(proxy.paths.journal_dir)
            shutil.rmtree(proxy.paths.control_dir)
            proxy.paths.runtime_file.unlink()
            assert [ask(port, f"meanwhile {n}") for n in range(4)] == [200] * 4
            wait_for(lambda: is_whole(proxy))
            wait_for(lambda: len(list(proxy.paths.journal_dir.glob("*.seg"))) == 2)
            if recorder != "reads":
                proxy.kill(pid, signal.SIGKILL)
        provider.release()
        asking.join()
        assert (answers, ask(port, "last")) == ([200], 200)
        proxy.wait_for_calls(*["completed"] * 7)
        assert len({call.prompt_preview for call in proxy.calls()}) == 7
        second = RunningProxy(tmp_path, {"openai": provider.url}).begin()
        assert b"AlreadyRunning" in second.communicate(timeout=60)[0]
        assert "was made again" in proxy.log.read_text()
        wait_for(lambda: (now := status(proxy.db)) is not None and now.calls == 7)
        assert proxy.stop() == 0
        assert list(proxy.paths.journal_dir.glob("*.seg")) == []
