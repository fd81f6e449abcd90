"""What asyncio does not say about a socket: whether the other side is gone for good, and how to leave it.

A FIN alone does not tell a client that only finished sending (half-close) from one that went away. On one Linux machine
the kernel knows: the socket of a process that closed it, or died, belongs to no file any more.
"""

import asyncio
import contextlib
import errno
import resource
import select
import socket
import struct
import sys

from modular_agents.proxy.kernel import socket_inode

DESCRIPTORS = (10_240, 65_536)
"""Wanted, the least first: macOS refuses more than its own limit (`kern.maxfilesperproc`, or OPEN_MAX) whatever the hard limit says."""
OURS_TO_BLAME = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""Errors of making a connection that say something of this machine and nothing of the provider."""
KEEPALIVE_PROBE_S = 60
"""TCP keep-alive: a peer that vanished is noticed after two minutes, and a NAT box does not forget a silent connection."""
_PROBE_INTERVAL_S, _PROBES = 15, 4
_TCP_INFO = struct.Struct("=2xBB52xI")
"""The part of `tcp_info` asked for (linux/tcp.h): retransmissions and probes without an answer, ms since the last acknowledgement."""

_FIN = getattr(select, "POLLRDHUP", 0)
"""Linux tells of a FIN behind bytes that nobody has read; elsewhere it is seen when they are."""


def keep_probing(sock: socket.socket) -> None:
    """Switch TCP keep-alive on. On a listening socket: for every connection it accepts."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, number in (
        ("TCP_KEEPIDLE", KEEPALIVE_PROBE_S),
        ("TCP_KEEPALIVE", KEEPALIVE_PROBE_S),  # macOS's name
        ("TCP_KEEPINTVL", _PROBE_INTERVAL_S),
        ("TCP_KEEPCNT", _PROBES),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), number)


def allow_many() -> None:
    """Raise this process's limit of descriptors as far as it may: a call needs two, and some systems give a process 256."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in DESCRIPTORS:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < most:
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """Make the coming close a RST instead of a FIN."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def is_gone_unread(transport: asyncio.BaseTransport) -> bool:
    """Return whether the peer of a connection that is not being read, so that its end cannot be heard, is gone."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), _FIN)
    events = sum(event for _, event in poll.poll(0))
    return bool(events & ~_FIN) or (bool(events) and peer_has_closed(transport) is not False)


def has_vanished(transport: asyncio.BaseTransport, limit_s: float) -> bool:
    """Return whether what was sent to a peer is being sent again in vain and nothing at all has come back for `limit_s` seconds.

    A living peer that takes its time to read answers the kernel's probes; TCP_USER_TIMEOUT would end it all the same.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or not sys.platform.startswith("linux"):
        return False
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:  # not TCP
        return False
    again, probes, silent_ms = map(int, _TCP_INFO.unpack(info))
    return (again > 0 or probes > 1) and silent_ms >= limit_s * 1000


def peer_has_closed(transport: asyncio.BaseTransport) -> bool | None:
    """Return whether the peer, having sent FIN, is gone for good; None when that cannot be known (another machine, macOS)."""
    peer, mine = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if not peer or not mine or not (peer[0] == mine[0] or peer[0].startswith("127.")):
        return None
    inode = socket_inode(peer[:2], mine[:2])
    return None if inode is None else inode == 0
