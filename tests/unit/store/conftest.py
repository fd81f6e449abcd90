"""A store in a file of its own, and a reader of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path)
    yield made
    made.close()


@pytest.fixture
def reader(path: Path, store: SqliteStore) -> Iterator[SqliteReader]:
    assert store
    made = SqliteReader(path)
    yield made
    made.close()
