"""Calls in; traces, threads and edges out. Pure: no socket, file, clock or randomness, values in and values out.

`read(call)` reads it; `settle(call, transaction.find)` says where it stands and what it leaves behind; when that is stored,
`revise(linked, transaction.find, transaction.relink)` changes what it shows in another light. What a person says of a stored call
is `checked` first; `decide` lets it stand after it.
"""

from modular_agents.proxy.linking.deciding import checked, decide
from modular_agents.proxy.linking.link import read, revise, settle, standing

__all__ = ["checked", "decide", "read", "revise", "settle", "standing"]
