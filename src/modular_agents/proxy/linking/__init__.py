"""Calls in; traces, threads and edges out. Pure: no socket, file, clock or randomness, values in and values out.

`settle(call, transaction.find)` says where a call stands and what it leaves behind; when that is stored,
`revise(call_id, loose, transaction.find, transaction.relink)` changes what it shows in another light.
"""

from modular_agents.proxy.linking.link import revise, settle, standing

__all__ = ["revise", "settle", "standing"]
