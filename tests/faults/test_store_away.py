"""D3: a store that is locked, stopped, full, corrupt, moved or absent never fails a call; afterwards everything is recorded."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from tests.support.ledger import Clients, compare
from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy, wait_for
from tests.support.stopping import stopped

from modular_agents.proxy.app import REPORT_NAME
from modular_agents.proxy.recorder.report import Report, read_report

pytestmark = pytest.mark.slow
LONG_S, CAUGHT_UP_WITHIN_S = 30.0, 10.0
"""D3: after a store was away for so long. Held in the soak only: a loaded machine takes longer."""
PATIENCE_S = 90.0


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@contextlib.contextmanager
def calling(proxy: RunningProxy, count: int = 3) -> Iterator[Clients]:
    """Calls go on meanwhile, about 25 a second; none may fail."""
    clients = Clients(proxy.port, count, pause_s=0.1)
    clients.start()
    try:
        wait_for(lambda: clients.made > 2 * count)
        yield clients
        made = clients.made
        wait_for(lambda: clients.made > made + 2 * count)
    finally:
        clients.stop()
    assert clients.failed == set()


def report(proxy: RunningProxy) -> Report:
    found = read_report(proxy.paths.control_dir / REPORT_NAME)
    assert found is not None
    return found


def wait_until_caught_up(proxy: RunningProxy, clients: Clients) -> float:
    """Return how many seconds it took until every call made stood in the database with its end."""

    def is_caught_up() -> bool:
        calls = proxy.calls()
        return len(calls) >= clients.made and not any(call.status == "running" for call in calls)

    began = time.monotonic()
    wait_for(is_caught_up, PATIENCE_S, every_s=0.2)
    return time.monotonic() - began


def hold_locked(proxy: RunningProxy, seconds: float, clients: Clients) -> None:
    db = apsw.Connection(str(proxy.db))
    db.set_busy_timeout(5000)
    db.execute("BEGIN IMMEDIATE")
    until, made = time.monotonic() + seconds, clients.made
    while time.monotonic() < until:
        time.sleep(0.05)
    assert clients.made > made + 5
    db.execute("ROLLBACK")
    db.close()


@pytest.mark.parametrize("seconds", [3.0, pytest.param(LONG_S, marks=pytest.mark.soak)])
def test_a_locked_store_is_only_lag(tmp_path: Path, provider: ProviderServer, seconds: float) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        with calling(proxy) as clients:
            proxy.wait_for(lambda: len(proxy.calls()) > 0)
            hold_locked(proxy, seconds, clients)
        took_s = wait_until_caught_up(proxy, clients)
        assert took_s < CAUGHT_UP_WITHIN_S or seconds < LONG_S
        compare(clients, provider, proxy)
        assert "takes nothing now" in proxy.log.read_text()
        assert report(proxy).store_trouble == ""


@pytest.mark.parametrize("seconds", [3.0, pytest.param(LONG_S, marks=pytest.mark.soak)])
def test_a_stopped_recorder_is_only_lag(tmp_path: Path, provider: ProviderServer, seconds: float) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        with calling(proxy) as clients, stopped(proxy.recorder_pid):
            until, made = time.monotonic() + seconds, clients.made
            while time.monotonic() < until:
                time.sleep(0.05)
            assert clients.made > made + 5
        took_s = wait_until_caught_up(proxy, clients)
        assert took_s < CAUGHT_UP_WITHIN_S or seconds < LONG_S
        compare(clients, provider, proxy)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB, for root only."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_under_the_store_is_only_lag(tmp_path: Path, small_disk: Path, provider: ProviderServer) -> None:
    (tmp_path / "journal").mkdir(mode=0o700)
    proxy = RunningProxy(small_disk, {"openai": provider.url})
    proxy.log = tmp_path / "proxy.log"
    proxy.paths.journal_dir.symlink_to(tmp_path / "journal")
    with proxy:
        with calling(proxy) as clients:
            wait_for(lambda: len(proxy.calls()) > 0)
            with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
                while filler.write(bytes(4096)):
                    pass
            wait_for(lambda: "takes nothing now" in proxy.log.read_text())
            made = clients.made
            wait_for(lambda: clients.made > made + 20)
            (small_disk / "filler").unlink()
        wait_until_caught_up(proxy, clients)
        compare(clients, provider, proxy)


def _head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xde\xad" * 50)


def _middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def _text(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


@pytest.mark.parametrize("damage", [_head, _middle, _cut, _text])
def test_a_corrupt_database_is_set_aside_and_kept(tmp_path: Path, provider: ProviderServer, damage: Callable[[Path], None]) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        with calling(proxy):
            pass
        proxy.stop()
    damage(proxy.db)
    bad = proxy.db.read_bytes()
    provider.reset()
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        with calling(proxy) as clients:
            pass
        wait_until_caught_up(proxy, clients)
        compare(clients, provider, proxy)
        (aside,) = tmp_path.glob("traces.db.damaged-*[0-9]")
        assert aside.read_bytes() == bad
        assert aside.name in proxy.log.read_text()


def test_a_database_that_a_crash_left_damaged_is_set_aside_while_calls_go_on(tmp_path: Path, provider: ProviderServer) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        with calling(proxy) as clients:
            wait_for(lambda: len(proxy.calls()) > 10)
            recorder = proxy.recorder_pid
            with stopped(recorder):
                for suffix in ("", "-wal"):
                    path = proxy.db.with_name(proxy.db.name + suffix)
                    with path.open("r+b") as file:
                        file.write(os.urandom(path.stat().st_size))
                proxy.kill(recorder)
            wait_for(lambda: len(list(tmp_path.glob("traces.db.damaged-*[0-9]"))) == 1)
            before = clients.made
            wait_for(lambda: clients.made > before + 10)
        wait_for(lambda: len(proxy.calls()) > 10, PATIENCE_S)


def test_a_database_that_was_moved_away_is_begun_anew(tmp_path: Path, provider: ProviderServer) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        with calling(proxy) as clients:
            wait_for(lambda: len(proxy.calls()) > 5)
            for path in tmp_path.glob("traces.db*"):
                if path.is_file() and path.name in {"traces.db", "traces.db-wal", "traces.db-shm"}:
                    path.rename(tmp_path / f"moved-{path.name}")
            wait_for(proxy.db.exists)
            before = clients.made
            wait_for(lambda: clients.made > before + 10)
        wait_for(lambda: len(proxy.calls()) > 10)
        newest = {call.prompt_preview.split(" ")[0] for call in proxy.calls()}
        assert len(newest & clients.acknowledged) > 10
