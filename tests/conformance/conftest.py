"""Every test here runs on every engine: what passes on one and not on another is a difference a user would meet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.stored import SECOND, T0

from modular_agents.proxy.ports import Reader, Store
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore


@dataclass
class Engine:
    """A store and a reader of it, an hour after `T0`."""

    store: Store
    reader: Reader
    reopen: Callable[[], Store] | None = None
    now_ns: int = T0 + 3600 * SECOND


@pytest.fixture(params=["memory", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "memory":
        memory = MemoryStore(lambda: made.now_ns)
        made = Engine(memory, memory.reader())
    else:
        path = tmp_path / "traces.db"
        made = Engine(SqliteStore(path), SqliteReader(path, lambda: made.now_ns), lambda: SqliteStore(path))
    yield made
    made.reader.close()
    made.store.close()
