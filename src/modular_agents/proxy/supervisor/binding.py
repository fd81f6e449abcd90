"""Listening sockets are bound once, here, and inherited: a worker that dies leaves its queue to the others and to its successor.

Loopback means both families, for `localhost` is `::1` first on many machines and clients do not try twice. Anything wider than
loopback is refused without a token: whoever can reach the port could spend the keys of whoever else uses it.
"""

import errno
import ipaddress
import socket

from modular_agents.proxy.errors import PortInUse, UsageError

BOTH_LOOPBACKS = ("127.0.0.1", "::1")
_EPHEMERAL_TRIES = 20
"""Port 0 must give one number that is free in both families."""


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, token: str | None) -> None:
    """Refuse to be reachable from other machines without a token. Raises `UsageError`."""
    if not is_loopback(host) and not token:
        msg = (
            f"{host} can be reached from other machines, and whoever reaches the proxy sees every prompt and can spend your keys: "
            "set a token (ANTON_TOKEN; clients then send it as X-Anton-Token), or listen on 127.0.0.1"
        )
        raise UsageError(msg)


def bind(host: str, port: int, backlog: int, flag: str = "--port") -> list[socket.socket]:
    """Return listening sockets: for `localhost` and 127.0.0.1 of both families, on one port. Port 0 takes a free one.

    flag: what the person changes to choose another port. Raises `PortInUse` or `UsageError`.
    """
    if host not in {"localhost", "127.0.0.1"}:
        return [_listen(*_resolve(host), port, backlog, flag)]
    for _ in range(_EPHEMERAL_TRIES):
        first = _listen(socket.AF_INET, BOTH_LOOPBACKS[0], port, backlog, flag)
        try:
            return [first, *_second(first.getsockname()[1], backlog, flag)]
        except PortInUse:
            first.close()
            if port:
                raise
        except UsageError:
            first.close()
            raise
    msg = f"no port is free for both 127.0.0.1 and ::1: choose one with {flag}"
    raise PortInUse(msg)


def reserve() -> socket.socket:
    """Return a loopback port that is taken but not listened on: connections are refused there until `anton proxy verify` listens.

    Sharing a port (SO_REUSEPORT) takes the same user, so no other user's program can put itself there. Raises `UsageError`.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((BOTH_LOOPBACKS[0], 0))
    except OSError as error:
        sock.close()
        msg = f"this machine has no port free on {BOTH_LOOPBACKS[0]}: {error.strerror}"
        raise UsageError(msg) from error
    return sock


def _second(port: int, backlog: int, flag: str) -> list[socket.socket]:
    """Return a socket on ::1, or none where the machine has no IPv6."""
    try:
        return [_listen(socket.AF_INET6, BOTH_LOOPBACKS[1], port, backlog, flag)]
    except UsageError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}:
            return []
        raise


def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        msg = f"{host} is no address of this machine: {error.strerror}"
        raise UsageError(msg) from error
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _listen(family: socket.AddressFamily, host: str, port: int, backlog: int, flag: str) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        msg = f"this machine cannot listen on {host}: {error.strerror}"
        raise UsageError(msg) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            msg = f"port {port} on {host} is taken: stop what listens there, or choose another with {flag}"
            raise PortInUse(msg) from error
        msg = f"cannot listen on {host} port {port}: {error.strerror}"
        raise UsageError(msg) from error
    return sock
