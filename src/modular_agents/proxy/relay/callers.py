"""Tell who looks for clients' processes that a local connection was made: one write to a pipe, which is full or gone without harm."""

import os


def is_local(host: str) -> bool:
    """Return whether a peer's address is this machine's own, in either family."""
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


def announce(pipe: int, connection_id: str, host: str, port: int, own_port: int) -> None:
    """Write one line (`callers.asked.read_lines` reads it). The pipe does not block; -1: nobody wants to know."""
    if pipe < 0:
        return
    try:
        os.write(pipe, b"%b %b %d %d\n" % (connection_id.encode(), host.encode(), port, own_port))
    except OSError:
        return
