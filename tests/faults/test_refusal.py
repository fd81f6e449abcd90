"""A recorder that cannot work is told of everywhere, calls go on, and nothing is lost once the person has mended it."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_supervisor import ask
from tests.support.anton_process import anton
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy, wait_for

from modular_agents.proxy.app import status
from modular_agents.proxy.model.status import ProxyStatus

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def own(proxy: RunningProxy, path: str) -> str:
    with RawClient(proxy.port) as client:
        client.send(request_bytes("GET", path))
        return client.read_response().body.decode()


def now(proxy: RunningProxy) -> ProxyStatus:
    found = status(proxy.db)
    assert found is not None
    return found


def test_a_recorder_that_refuses_after_a_restart_is_told_of_and_tried_again(tmp_path: Path, provider: ProviderServer) -> None:
    foreign = tmp_path / "somebody.db"
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        assert ask(proxy.port, "before") == 200
        proxy.wait_for_calls("completed")
        assert (now(proxy).troubles, own(proxy, "/-/health")) == ((), "ok\n")
        kept = tmp_path / "kept"
        kept.mkdir()
        for part in tmp_path.glob("traces.db*"):
            if part.name in {"traces.db", "traces.db-wal", "traces.db-shm"}:
                part.rename(kept / part.name)
        shutil.copy(foreign, proxy.db)
        wait_for(lambda: [trouble.what for trouble in now(proxy).troubles] == ["recorder"])
        assert "not one of ours" in now(proxy).troubles[0].why
        assert own(proxy, "/-/health") == "ok\nrecorder: does not work, see `anton proxy status`\n"
        assert "\nanton_troubles 1\n" in own(proxy, "/-/metrics")
        shown = anton(tmp_path, "proxy", "status", "--db", str(proxy.db))
        assert shown.returncode == 0
        assert "not one of ours" in shown.stdout
        assert ask(proxy.port, "meanwhile") == 200
        proxy.db.unlink()
        for part in kept.iterdir():
            part.rename(tmp_path / part.name)
        proxy.wait_for_calls("completed", "completed", deadline_s=120)
        wait_for(lambda: now(proxy).troubles == ())
        assert "\nanton_troubles 0\n" in own(proxy, "/-/metrics")
        assert sorted(call.prompt_preview for call in proxy.calls()) == ["before", "meanwhile"]
