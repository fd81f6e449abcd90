"""The store on SQLite: one file, one writer, any number of readers in any process."""

from modular_agents.proxy.store.sqlite.engine import set_aside
from modular_agents.proxy.store.sqlite.reader import SqliteReader
from modular_agents.proxy.store.sqlite.store import SqliteStore

__all__ = ["SqliteReader", "SqliteStore", "set_aside"]
