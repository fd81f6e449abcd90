"""How many proxies stand before a connection: what the packet that opened it says, read by the kernel's own means."""

import socket
import sys
from typing import Any, cast

import pytest

from modular_agents.proxy.relay.hops import MOST, Circle, hops_of, keep_opening, mark, read_mark

ON_LINUX = sys.platform.startswith("linux")


class Accepted:
    """An accepted connection as a transport shows it."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.info = {"socket": sock, "peername": (peer, 1)}

    def get_extra_info(self, name: str) -> object:
        return self.info[name]


def seen(family: int, host: str, option: int | None = None, hops: int | None = None, peer: str = "") -> int:
    """Return what the listening end reads of a connection that was marked with `hops`, or has set its own traffic class."""
    with socket.socket(family) as listening, socket.socket(family) as sock:
        keep_opening(listening)
        listening.bind((host, 0))
        listening.listen()
        if option is not None:
            level = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if family == socket.AF_INET6 else (socket.IPPROTO_IP, socket.IP_TOS)
            sock.setsockopt(*level, option)
        if hops is not None:
            mark(sock, host, hops)
        sock.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            read = hops_of(cast("Any", Accepted(accepted, peer or host)))
            assert peer or hops_of(cast("Any", Accepted(accepted, host))) == 0, "the SYN is let go of once it was read"
            return read


@pytest.mark.skipif(not ON_LINUX, reason="the kernel elsewhere does not keep a SYN")
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_mark_is_read_by_the_end_that_listens(family: int, host: str) -> None:
    assert [seen(family, host, hops=hops) for hops in range(MOST)] == list(range(1, MOST + 1))
    assert seen(family, host) == 0
    assert [seen(family, host, option) for option in (0x10, 0xB8, 0x20, 0xFC & ~0x0C)] == [0] * 4, "a client's own class of traffic"
    assert seen(family, host, hops=1, peer="192.0.2.1") == 0, "what comes from another machine says nothing"


def test_what_leaves_the_machine_is_not_marked() -> None:
    with socket.socket() as sock:
        mark(sock, "192.0.2.1", MOST + 1)
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0


def test_so_many_are_a_circle() -> None:
    with socket.socket() as sock, pytest.raises(Circle):
        mark(sock, "127.0.0.1", MOST)


def test_a_packet_that_is_none_says_nothing() -> None:
    assert [read_mark(data) for data in (b"", b"E", bytes(40))] == [0, 0, 0]
    assert read_mark(b"\x45\x3c") == 3
    assert read_mark(b"\x63\xc0") == 3
