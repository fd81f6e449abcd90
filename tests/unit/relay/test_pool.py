"""How connections are asked for, and what is said when they do not come about."""

import asyncio
import ssl
from typing import Any, cast

import pytest
from tests.support.relay_in_memory import MemoryRelay

from modular_agents.proxy.config import Limits, Upstream
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay import pool
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.counters import Counters
from modular_agents.proxy.relay.exchange import Exchange
from modular_agents.proxy.relay.headers import Heads
from modular_agents.proxy.relay.pool import Pool, describe
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.routing import Destination
from modular_agents.proxy.relay.turn import Turn


class AskingLoop:
    """Keeps what it was asked to connect to, and fails. `no_dial` has dialed it."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[dict[str, Any]] = []

    async def create_connection(self, _factory: object, **more: object) -> None:
        self.asked.append(more)
        raise self.error


async def no_dial(_loop: object, host: str, port: int, _hops: int) -> tuple[str, int]:
    return (host, port)


class Near:
    """A client without a proxy before it."""

    hops = 0


class Waiting:
    """An exchange that only hears that it failed."""

    client = Near()

    def unreachable(self, answer: Answer, outcome: Outcome) -> None:
        self.answer, self.outcome = answer, outcome


def connect(upstream: Upstream, error: Exception) -> tuple[dict[str, Any], Waiting]:
    loop, waiting = AskingLoop(error), Waiting()
    heads, tls = Heads(Redactor(b"k"), 200), ssl.create_default_context()
    connections = Pool(
        cast("asyncio.AbstractEventLoop", loop),
        Limits(),
        heads,
        Counters(),
        tls,
        lambda: 0,
        frozenset(),
        Turn(lambda _data, _frames: None, lambda _end: None),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "dial", no_dial)
        asyncio.run(connections._connect(Destination(upstream), cast("Exchange", waiting)))
    return loop.asked[0], waiting


@pytest.mark.parametrize(("host", "name"), [("api.example", "api.example"), ("api.example.", "api.example"), ("127.0.0.1", "127.0.0.1")])
def test_a_certificate_is_asked_for_by_name_without_the_roots_dot(host: str, name: str) -> None:
    asked, _ = connect(Upstream("openai", "https", host, 443), OSError(111, "Connection refused"))
    assert asked["server_hostname"] == name
    assert asked["sock"] == (host, 443)
    asked, _ = connect(Upstream("openai", "http", host, 80), OSError(111, "Connection refused"))
    assert (asked["ssl"], asked["server_hostname"]) == (None, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (pool.socket.gaierror(-2, "Name or service not known"), "its host name does not resolve"),
        (OSError(111, "Connection refused"), "connection refused"),
        (OSError(101, "Network is unreachable"), "network is unreachable"),
        (UnicodeError("label empty or too long"), "label empty or too long"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "TLS failed"),
        (ssl.SSLError("made by a library, without a reason"), "TLS failed"),
        (ConnectionResetError(), "connectionreseterror"),
    ],
)
def test_why_there_is_no_connection(error: Exception, said: str) -> None:
    assert said in describe(error)
    _, waiting = connect(Upstream("openai", "https", "api.example", 443), error)
    assert (waiting.answer.status, waiting.answer.whose, waiting.answer.code) == (502, "upstream", "upstream_unreachable")
    assert waiting.answer.message.startswith("cannot connect to https://api.example: ")
    assert waiting.outcome == Outcome.UPSTREAM_UNREACHABLE


def test_only_configured_upstreams_are_ever_asked_for() -> None:
    configured = {"api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "127.0.0.1"}
    for target in (
        b"//evil.example/v1",
        b"/@evil.example",
        b"/http://evil.example/",
        b"/u/openai//evil.example/v1",
        b"/u/openai/@evil.example",
    ):
        relay = MemoryRelay()
        relay.send(b"GET %b HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n" % target)
        (made,) = relay.pool.made
        assert made.destination.upstream.host in configured
        assert b"Host: api.openai.com\r\n" in relay.forwarded
