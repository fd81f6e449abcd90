"""What a person can name with --db, and what a machine may do to it: refused in words or worked with, never overwritten."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_supervisor import ask
from tests.support.anton_process import anton
from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy

pytestmark = pytest.mark.slow
COMMANDS = [("start", "--port", "0"), ("dashboard", "--port", "0"), ("ls",), ("gc",)]


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Milk, eggs.\n" * 100)
    done = anton(tmp_path, "proxy", *words, "--db", str(file))
    assert done.returncode == 2, done.stderr
    assert f"{file} is not a database" in done.stderr
    assert file.read_text() == "Milk, eggs.\n" * 100
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("notes")) == ["notes.txt"]


def test_a_folder_that_is_not_there_is_made(tmp_path: Path, provider: ProviderServer) -> None:
    folder = tmp_path / "not" / "there"
    with RunningProxy(folder, {"openai": provider.url}, log_directory=tmp_path) as proxy:
        assert ask(proxy.port) == 200
        proxy.wait_for_calls("completed")
        assert [path.stat().st_mode & 0o777 for path in (folder, proxy.paths.journal_dir)] == [0o700, 0o700]


def test_a_folder_where_a_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = anton(tmp_path, "proxy", "start", "--port", "0", "--db", str(tmp_path / "file" / "traces.db"))
    assert done.returncode == 2
    assert "cannot be used: Not a directory" in done.stderr


def test_a_database_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "traces.db").mkdir()
    done = anton(tmp_path, "proxy", "start", "--port", "0", "--db", str(tmp_path / "traces.db"))
    assert done.returncode == 2
    assert "cannot be a database: Is a directory" in done.stderr


def test_a_symlink_is_followed(tmp_path: Path, provider: ProviderServer) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "traces.db").symlink_to(tmp_path / "elsewhere" / "real.db")
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        assert ask(proxy.port) == 200
        proxy.wait_for_calls("completed")
        proxy.stop()
    assert (tmp_path / "traces.db").is_symlink()
    assert (tmp_path / "elsewhere" / "real.db").stat().st_size > 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be made read-only, for root only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_read_only_file_system_is_told_at_the_start(tmp_path: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    done = anton(tmp_path, "proxy", "start", "--port", "0", "--db", str(disk / "traces.db"))
    assert done.returncode == 2
    assert "cannot be used: Read-only file system" in done.stderr
