"""How many proxies of this kind a call came through on this machine, told beside the bytes: in the DSCP field of the SYN.

Law: what a provider is sent stays as it is, and nothing that leaves the machine is marked. A connection to an upstream on this
machine's loopback says in six bits of its IP header the number of proxies before it, in the code points that are left
to local use (RFC 2474, 6, pool 2: `xxxx11`); the end that listens reads them from the SYN it was opened with. Two proxies
that point at each other are thus told from one that stands behind another (docs/decisions, "loops").
"""

import asyncio
import contextlib
import socket
import sys

from modular_agents.proxy.relay.callers import is_local

MOST = 8
"""Proxies in a row on one machine; more is a circle. Four bits would hold 15."""
_LOCAL_USE = 0b11
_TCP_SAVE_SYN, _TCP_SAVED_SYN = 27, 28
"""linux/tcp.h, since Linux 4.2; Python has no names for them."""
_HEADERS_BYTES = 128
"""Enough for the fixed part of either IP header, with what stands behind it."""


class Circle(OSError):
    """A connection that is not made, because as many proxies stand before it as only a circle has."""


def keep_opening(sock: socket.socket) -> None:
    """Make a listening socket keep the SYN of each connection, for `hops_of`. Nothing happens where the kernel does not know how."""
    if sys.platform.startswith("linux") and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_SAVE_SYN, 1)


def hops_of(transport: asyncio.BaseTransport) -> int:
    """Return how many proxies an accepted connection of this machine came through; 0 where nothing is known. Ask once."""
    sock, peer = transport.get_extra_info("socket"), transport.get_extra_info("peername")
    if sock is None or not peer or not is_local(peer[0]) or not sys.platform.startswith("linux"):
        return 0
    try:
        syn = sock.getsockopt(socket.IPPROTO_TCP, _TCP_SAVED_SYN, _HEADERS_BYTES)
    except OSError:
        return 0
    return read_mark(syn)


def read_mark(syn: bytes) -> int:
    """Return the number that a SYN with its IP header says; 0 when it says none."""
    if len(syn) < 2:  # noqa: PLR2004 - the two bytes that hold the field
        return 0
    traffic_class = syn[1] if syn[0] >> 4 == 4 else (syn[0] & 15) << 4 | syn[1] >> 4  # noqa: PLR2004 - IPv4
    return traffic_class >> 4 if traffic_class >> 2 & 3 == _LOCAL_USE else 0


def mark(sock: socket.socket, host: str, hops: int) -> None:
    """Say on a connection about to be made to `host` that it has come through `hops` proxies and this one. Raises Circle."""
    if not is_local(host):
        return
    if hops >= MOST:
        raise Circle
    value = (hops + 1) << 4 | _LOCAL_USE << 2
    with contextlib.suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, value)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, value)
