"""Exports and imports of many calls take no more memory than those of a few: what grows is only the database's own page cache."""

import os
import sys
from pathlib import Path

import pytest
from tests.support.anton_process import environment
from tests.support.stored import given, message, put_all

from modular_agents.proxy.store.sqlite import SqliteStore

pytestmark = [pytest.mark.soak, pytest.mark.slow]

FEW, MANY = 2_000, 20_000
PAGE_CACHE_MB = 64
"""As much as SQLite may keep of the file (store/sqlite/engine.py)."""
SLACK_MB = 24


def fill(db: Path, count: int) -> None:
    store = SqliteStore(db)
    for start in range(0, count, 500):
        calls = (
            given(number, messages=(message("user", f"{number} {'words ' * 400}"),), trace=f"t-{number // 10}", thread=f"th-{number // 5}")
            for number in range(start, start + 500)
        )
        put_all(store, *(call.finished(f"{call.call_id} {'more ' * 300}") for call in calls))
    while store.tidy():
        pass
    store.close()


def greatest_mb(home: Path, *words: str) -> int:
    """Run a command; return its greatest size."""
    command = [sys.executable, "-m", "modular_agents.cli", "proxy", *words]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, command, environment(home)), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return used.ru_maxrss // (1024 if sys.platform == "linux" else 1024 * 1024)


def test_memory_does_not_grow_with_the_calls(tmp_path: Path) -> None:
    sizes: dict[str, list[int]] = {}
    for count in (FEW, MANY):
        db = tmp_path / f"{count}.db"
        fill(db, count)
        for name in ("jsonl", "csv", "har", "otlp", "parquet"):
            out = str(tmp_path / f"{count}.{name}")
            sizes.setdefault(name, []).append(greatest_mb(tmp_path, "export", "--format", name, "--db", str(db), "-o", out))
        copy = str(tmp_path / f"copy-{count}.db")
        sizes.setdefault("import", []).append(greatest_mb(tmp_path, "import", str(tmp_path / f"{count}.jsonl"), "--db", copy))
    grown = {name: many - few for name, (few, many) in sizes.items()}
    limits = dict.fromkeys(sizes, PAGE_CACHE_MB + SLACK_MB) | {"parquet": PAGE_CACHE_MB + 3 * 16 + SLACK_MB}
    assert {name: (by, sizes[name]) for name, by in grown.items() if by > limits[name]} == {}
