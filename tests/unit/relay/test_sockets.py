"""What the kernel is asked about a client that sent its FIN, and when it cannot be asked."""

import asyncio
import sys
from typing import cast

import pytest

from modular_agents.proxy.relay.sockets import peer_has_closed


class Ends:
    def __init__(self, peer: tuple[str, int] | None, mine: tuple[str, int]) -> None:
        self.ends = {"peername": peer, "sockname": mine}

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return self.ends[name]


def asked(peer: tuple[str, int] | None, mine: tuple[str, int]) -> bool | None:
    return peer_has_closed(cast("asyncio.BaseTransport", Ends(peer, mine)))


def test_another_machine_cannot_be_asked() -> None:
    assert asked(("192.0.2.7", 5000), ("192.0.2.1", 8000)) is None
    assert asked(("2001:db8::7", 5000), ("2001:db8::1", 8000)) is None
    assert asked(None, ("192.0.2.1", 8000)) is None


def test_other_systems_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert asked(("127.0.0.1", 1), ("127.0.0.1", 2)) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can be asked")
def test_a_socket_that_is_not_there_is_gone() -> None:
    assert asked(("127.0.0.1", 1), ("127.0.0.1", 2)) is True
