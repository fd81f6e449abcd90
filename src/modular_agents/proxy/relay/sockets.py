"""What asyncio does not say about a socket: whether the other side is gone for good, and how to leave it.

A FIN alone does not tell a client that only finished sending (half-close) from one that went away. On one Linux machine
the kernel knows: the socket of a process that closed it, or died, belongs to no file any more.
"""

import asyncio
import contextlib
import select
import socket
import struct
import sys

KEEPALIVE_PROBE_S = 60
"""TCP keep-alive: a peer that vanished is noticed after two minutes, and a NAT box does not forget a silent connection."""
_PROBE_INTERVAL_S, _PROBES = 15, 4

_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _NLMSG_ERROR = 4, 20, 1, 2
_ENOENT = -2
_HEADER = struct.Struct("=IHHII")
_FIN = getattr(select, "POLLRDHUP", 0)
"""Linux tells of a FIN behind bytes that nobody has read; elsewhere it is seen when they are."""
_INODE_AT = _HEADER.size + 4 + 48 + 16
"""Offset of `idiag_inode` in an answer: message header, family and state, socket id, expires and queues (linux/inet_diag.h)."""


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


def peer_has_closed(transport: asyncio.BaseTransport) -> bool | None:
    """Return whether the peer, having sent FIN, is gone for good; None when that cannot be known (another machine, macOS)."""
    peer, mine = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if not sys.platform.startswith("linux") or not peer or not mine or not (peer[0] == mine[0] or peer[0].startswith("127.")):
        return None
    try:
        answer = _ask_kernel(peer[:2], mine[:2])
    except OSError:
        return None
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _NLMSG_ERROR:
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        return bool(code == _ENOENT)
    if length < _INODE_AT + 4:
        return None
    (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
    return bool(inode == 0)


def _ask_kernel(source: tuple[str, int], target: tuple[str, int]) -> bytes:
    """Return what the kernel knows of the TCP socket bound to `source` and connected to `target` (sock_diag(7))."""
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    addresses = b"".join(socket.inet_pton(family, host).ljust(16, b"\0") for host in (source[0], target[0]))
    identity = struct.pack(">HH", source[1], target[1]) + addresses + bytes(4) + b"\xff" * 8
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + identity
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
        netlink.setblocking(False)  # noqa: FBT003 - its only parameter
        netlink.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + request)
        return netlink.recv(4096)
