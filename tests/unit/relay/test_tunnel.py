"""An upgraded connection in memory: every byte both ways, recorded first; either side may leave."""

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest
from tests.support.relay_in_memory import GatheringTurn, MemoryRelay, MemoryTransport, turns

from modular_agents.proxy.config import Limits
from modular_agents.proxy.relay.tunnel import TunnelEnd
from modular_agents.proxy.relay.turn import Turn


@pytest.fixture(scope="module", autouse=True, params=[Turn, GatheringTurn])
def _turns(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is said here holds for a relay with little to do and for a busy one."""
    with turns(request.param):
        yield


ASK = (
    b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"


def opened(*, ahead: bytes = b"", early: bytes = b"", limits: Limits | None = None) -> MemoryRelay:
    relay = MemoryRelay(limits)
    relay.send(ASK + ahead)
    assert relay.forwarded == ASK.replace(b"Host: x", b"Host: api.openai.com"), (
        "the upgrade is asked for as it was; what comes behind waits"
    )
    relay.provide(SWITCH + early)
    assert relay.received.startswith(SWITCH)
    return relay


def end_of(transport: MemoryTransport) -> TunnelEnd:
    return cast("TunnelEnd", transport.protocol)


def test_bytes_pass_both_ways_and_are_recorded_first() -> None:
    relay = opened(ahead=b"\x81\x01a", early=b"\x81\x01b")
    end_of(relay.transport).data_received(b"up")
    end_of(relay.upstream()).data_received(b"down")
    relay.loop.run()
    assert relay.forwarded.endswith(b"\r\n\r\n\x81\x01aup")
    assert relay.received == SWITCH + b"\x81\x01bdown"
    (taken,) = relay.journal.exchanges()
    assert (taken.up, taken.down) == (b"\x81\x01aup", b"\x81\x01bdown")
    assert taken.end is None
    assert relay.counters.tunnels_open == 1


@pytest.mark.parametrize("client_leaves", [False, True])
@pytest.mark.parametrize("reset", [False, True])
def test_who_leaves_takes_the_other_along(*, client_leaves: bool, reset: bool) -> None:
    relay = opened()
    here, there = (relay.transport, relay.upstream()) if client_leaves else (relay.upstream(), relay.transport)
    error = ConnectionResetError() if reset else None
    assert end_of(here).eof_received() is False, "WebSocket knows no half-close"
    end_of(here).connection_lost(error)
    assert there.closed
    end_of(there).connection_lost(None)
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == ("complete" if not reset else "client_gone" if client_leaves else "upstream_cut")
    assert (relay.counters.tunnels_open, relay.counters.requests_open, relay.counters.connections_open) == (0, 0, 0)


def test_a_side_that_does_not_take_its_bytes_stops_the_other() -> None:
    relay = opened()
    end_of(relay.transport).pause_writing()
    assert not relay.upstream().reading
    end_of(relay.transport).resume_writing()
    assert relay.upstream().reading
    end_of(relay.upstream()).pause_writing()
    assert not relay.transport.reading


def test_its_record_has_a_cap_of_its_own() -> None:
    relay = opened(limits=Limits(recorded_body_bytes=1, recorded_tunnel_bytes=5))
    for _ in range(3):
        end_of(relay.transport).data_received(b"abc")
    end_of(relay.transport).connection_lost(None)
    (taken,) = relay.journal.exchanges()
    assert taken.up == b"abcab"
    assert taken.end is not None
    assert taken.end.request_size == 9
    assert len(taken.end.request_sha256) == 64


def test_a_refused_upgrade_is_an_ordinary_answer() -> None:
    relay = MemoryRelay()
    relay.send(ASK)
    answer = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno"
    relay.provide(answer)
    assert relay.received == answer
    relay.send(ASK)
    assert len(relay.pool.made) == 1


def test_time_passes_without_ending_it() -> None:
    relay = opened()
    relay.now_ns += 10**15
    relay.client.tick(relay.now_ns)
    assert not relay.transport.closed


def test_an_interruption_ends_its_record() -> None:
    relay = opened()
    relay.client.interrupt()
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert taken.end.outcome == "interrupted"
    assert relay.upstream().closed
    assert relay.transport.closed
    assert relay.counters.tunnels_open == 0


def test_many_small_frames_in_one_loop() -> None:
    async def talk() -> bytes:
        relay = opened()
        for number in range(1000):
            end_of(relay.transport).data_received(bytes([number % 256]))
        relay.loop.run()
        await asyncio.sleep(0)
        return relay.forwarded

    assert asyncio.run(talk()).endswith(bytes(number % 256 for number in range(1000)))
