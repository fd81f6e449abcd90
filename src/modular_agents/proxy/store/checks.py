"""Whether a stored call is what was recorded: its request body by size and CRC, both bodies by the sizes that the relay counted. Pure."""

from zlib import crc32

from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.query import Checked

_PARTS = frozenset({"truncated", "gap"})
_CHANGED = _PARTS | {"redacted"}
"""Flags of records that are not the body as it crossed: cut off at the cap, frames dropped, a secret replaced."""


def judge(exchange: Exchange, noted_crc: int, *, rebuilt: bool) -> Checked:
    """Return what is found of a call that has ended. `noted_crc`: of the request body, from the time it was stored."""
    request, response = exchange.request, exchange.response
    size = len(request.body) + (len(response.body) if response else 0)
    faults = []
    if crc32(request.body) != noted_crc:
        faults.append("the request is not the one that was recorded")
    if not exchange.flags & _CHANGED:
        sides = [("request", request.body, request.body_size)]
        if response is not None:
            sides.append(("answer", response.body, response.body_size))
        faults += [f"the {side} has {len(body)} bytes, recorded were {noted}" for side, body, noted in sides if len(body) != noted]
    return Checked(exchange.call_id, size, rebuilt, bool(exchange.flags & _PARTS), "; ".join(faults))
