import os
from dataclasses import replace
from pathlib import Path

import pytest

from modular_agents.proxy.journal.segment import hold_lock
from modular_agents.proxy.supervisor.runtime import LOCK_NAME, Runtime, is_running, read_runtime, write_runtime

RUNTIME = Runtime("0.1", 1, "2026-11-22T09:30:00.000000Z", "http://127.0.0.1:8000", 8000, (2, 3), 4, None, None, "dummy", "a", "b", "c")


def test_what_is_written_is_read_and_private(tmp_path: Path) -> None:
    path = tmp_path / "runtime.json"
    write_runtime(path, RUNTIME)
    write_runtime(path, replace(RUNTIME, worker_pids=(9,)))
    assert read_runtime(path) == replace(RUNTIME, worker_pids=(9,))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{}", '{"pid": "x"}'])
def test_what_is_no_runtime_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    assert read_runtime(tmp_path / "r") is None
    assert read_runtime(tmp_path / "none") is None


def test_a_held_lock_says_that_it_runs(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    fd = hold_lock(tmp_path / LOCK_NAME, "1")
    assert fd is not None
    assert is_running(tmp_path)
    os.close(fd)
    assert not is_running(tmp_path)
