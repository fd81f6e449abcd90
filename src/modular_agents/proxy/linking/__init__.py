"""Calls in; traces, threads and edges out. Pure: no socket, file, clock or randomness, values in and values out.

`settle(call, transaction.find)` says where a call stands, what it leaves behind and what it changes of earlier calls.
"""

from modular_agents.proxy.linking.link import link, settle

__all__ = ["link", "settle"]
