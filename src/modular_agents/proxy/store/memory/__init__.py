"""The store without a file, for tests and demonstrations."""

from modular_agents.proxy.store.memory.reader import MemoryReader
from modular_agents.proxy.store.memory.store import MemoryStore

__all__ = ["MemoryReader", "MemoryStore"]
