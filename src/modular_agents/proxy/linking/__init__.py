"""Calls in; traces, threads and edges out. Pure: no socket, file, clock or randomness, values in and values out."""

from modular_agents.proxy.linking.keys import index, keys
from modular_agents.proxy.linking.place import place

__all__ = ["index", "keys", "place"]
