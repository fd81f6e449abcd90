"""Sockets to listen on.

Loopback means both families: whoever else held `[::1]` of our port would answer to `localhost`, and get its cookies.
"""

import errno
import socket

from modular_agents.proxy.errors import PortInUse, UsageError

BACKLOG = 256
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def listen(host: str, port: int) -> list[socket.socket]:
    """Return bound, listening sockets; port 0 is any free one, the same for both families.

    Raises `PortInUse`, or `UsageError` for an address that is not this machine's.
    """
    names = ("127.0.0.1", "::1") if host in LOOPBACK else (host,)
    bound: list[socket.socket] = []
    for name in names:
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        wanted = bound[0].getsockname()[1] if bound else port
        try:
            bound.append(socket.create_server((name, wanted), family=family, backlog=BACKLOG))
        except OSError as error:
            if bound and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                continue  # a machine without IPv6
            for other in bound:
                other.close()
            if error.errno == errno.EADDRINUSE:
                message = f"Port {wanted} of {name} is taken: stop what listens there, or choose another with --dashboard-port."
                raise PortInUse(message) from None
            message = f"Cannot listen on {name} port {wanted}: {error.strerror or error}."
            raise UsageError(message) from None
    return bound
