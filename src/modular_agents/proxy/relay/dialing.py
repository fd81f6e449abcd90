"""One connection to a name that has several addresses: whichever answers first (RFC 8305).

Without it, a machine whose IPv6 leads nowhere would wait in vain for the first address on every connection, and never
come to the second: the limit for connecting is shorter than the kernel's patience.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain, zip_longest
from typing import Any, TypeVar

from modular_agents.proxy.relay.hops import mark

STAGGER_S = 0.25
"""Head start of each address before the next is tried beside it (RFC 8305, 5)."""
MAX_ADDRESSES = 8
"""Tried of one name: large providers give up to a dozen, and any of them will do."""

Address = tuple[int, Any]
"""Family, and the address as `connect` takes it."""
Item = TypeVar("Item")


async def dial(loop: asyncio.AbstractEventLoop, host: str, port: int, hops: int) -> socket.socket:
    """Return a connected socket. `hops`: as `hops.mark` takes it.

    Raises OSError (what the first address answered, when none took us), Circle or UnicodeError.
    """
    if is_literal(host):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    else:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = interleaved([(family, address) for family, _, _, _, address in found])[:MAX_ADDRESSES]
    return await first(addresses, lambda address: _connect(loop, address, hops), lambda late: late.close())


def is_literal(host: str) -> bool:
    """Return whether a host is an IP address, so that nothing has to be looked up: that would cost a thread."""
    return ":" in host or host.replace(".", "").isdigit()


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses with families taking turns, the first one's first (RFC 8305, 4)."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    return [address for address in chain.from_iterable(zip_longest(*families.values())) if address is not None]


async def first(
    candidates: Iterable[Address],
    attempt: Callable[[Address], Awaitable[Item]],
    discard: Callable[[Item], None],
    stagger_s: float = STAGGER_S,
) -> Item:
    """Return what the first successful attempt gives; each begins when the one before failed, or `stagger_s` after it began.

    `discard` gets what came too late. Raises the first attempt's OSError when all fail.
    """
    waiting, running = deque(candidates), set[asyncio.Future[Item]]()
    errors: list[BaseException] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(attempt(waiting.popleft())))
            done, running = await asyncio.wait(running, timeout=stagger_s if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            good = [task for task in done if task.exception() is None]
            errors += [error for task in done if (error := task.exception()) is not None]
            for late in good[1:]:
                discard(late.result())
            if good:
                return good[0].result()
    finally:
        for task in running:  # one may have got there while we were told to give up
            if not task.cancel() and not task.cancelled() and task.exception() is None:
                discard(task.result())
    raise errors[0] if errors else OSError("the name has no address")


async def _connect(loop: asyncio.AbstractEventLoop, address: Address, hops: int) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        mark(sock, place[0], hops)
        sock.setblocking(False)  # noqa: FBT003 - its only parameter
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, place)
    except (OSError, asyncio.CancelledError):
        sock.close()
        raise
    return sock
