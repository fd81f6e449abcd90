"""The whole relay without a socket: bytes in on either side, bytes out on the other, and the journal in a list.

Real: framing, headers, routing, exchange, tap, both connection classes, the pool. Fakes: transports, the loop's
`call_soon`, the making of connections (at once, or when `connect_now` is called).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import cast

from tests.support.relay_thread import Taken

from modular_agents.proxy.config import Limits, Upstream
from modular_agents.proxy.journal.frames import Kind, RequestHead, decode
from modular_agents.proxy.relay.counters import Counters
from modular_agents.proxy.relay.exchange import Exchange
from modular_agents.proxy.relay.headers import Heads
from modular_agents.proxy.relay.plan import Plans
from modular_agents.proxy.relay.pool import Pool
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.routing import Destination, Router
from modular_agents.proxy.relay.server import ClientConnection
from modular_agents.proxy.relay.shared import Shared
from modular_agents.proxy.relay.tap import Tap
from modular_agents.proxy.relay.turn import Outlet, Turn
from modular_agents.proxy.relay.upstream import UpstreamConnection

UPSTREAMS = (
    Upstream("openai", "https", "api.openai.com", 443),
    Upstream("anthropic", "https", "api.anthropic.com", 443),
    Upstream("gemini", "https", "generativelanguage.googleapis.com", 443),
    Upstream("ollama", "http", "127.0.0.1", 11434),
)


class MemoryTransport:
    """What the connections need of an asyncio transport, remembering everything."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.closed = False
        self.aborted = False
        self.eof = False
        self.reading = True
        self.protocol: object = None

    def write(self, data: bytes) -> None:
        assert not self.eof, "nothing is written after the end"
        if not self.closed:
            self.sent += data

    def writelines(self, parts: tuple[bytes, ...] | list[bytes]) -> None:
        for part in parts:
            self.write(part)

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_protocol(self, protocol: object) -> None:
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, _default: object = None) -> object:
        return ("127.0.0.1", 5000) if name in {"peername", "sockname"} else None


class Loop:
    """`call_soon`, run by hand."""

    def __init__(self) -> None:
        self.ready: deque[Callable[[], None]] = deque()

    def call_soon(self, function: Callable[[], None]) -> None:
        self.ready.append(function)

    def run(self) -> None:
        while self.ready:
            self.ready.popleft()()


class Waiting:
    """A connection being made."""

    def __init__(self, destination: Destination, exchange: Exchange) -> None:
        self.destination = destination
        self.exchange = exchange
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class MemoryPool(Pool):
    """A pool whose connections are memory; `made` has them all, `waiting` those asked for."""

    def __init__(self, loop: Loop, limits: Limits, heads: Heads, counters: Counters, clock: Callable[[], int], turn: Turn) -> None:
        known = cast("asyncio.AbstractEventLoop", loop)
        super().__init__(known, limits, heads, counters, cast("object", None), clock, frozenset(), turn)  # type: ignore[arg-type]
        self.made: list[UpstreamConnection] = []
        self.waiting: list[Waiting] = []
        self.at_once = True

    def connect(self, destination: Destination, exchange: Exchange) -> "asyncio.Task[None]":
        waiting = Waiting(destination, exchange)
        self.waiting.append(waiting)
        if self.at_once:
            cast("Loop", self._loop).call_soon(self.connect_now)
        return cast("asyncio.Task[None]", waiting)

    def connect_now(self) -> None:
        waiting = self.waiting.pop(0)
        if waiting.cancelled:
            return
        connection = UpstreamConnection(self, (waiting.destination, waiting.exchange.client.hops))
        connection.connection_made(cast("asyncio.Transport", MemoryTransport()))
        self.made.append(connection)
        waiting.exchange.connected(connection)


class MemoryJournal:
    """Appends to a list; `exchanges` reads it back."""

    def __init__(self) -> None:
        self.appends: list[bytes] = []

    def append(self, data: bytes, frames: int) -> None:
        assert len(list(decode(data))) == frames
        self.appends.append(data)

    def exchanges(self) -> list[Taken]:
        found: dict[int, Taken] = {}
        for frame in decode(b"".join(self.appends)):
            if frame.kind == Kind.REQUEST_HEAD:
                found[frame.exchange] = Taken(RequestHead.unpack(frame.payload), request_last=bool(frame.flags & 1))
            else:
                found[frame.exchange].take(frame)
        return list(found.values())


class GatheringTurn(Turn):
    """A turn that gathers always, as a busy relay's does."""

    @property
    def gathers(self) -> bool:  # type: ignore[override]
        return True

    @gathers.setter
    def gathers(self, _: bool) -> None:
        pass


@contextlib.contextmanager
def turns(kind: type[Turn]) -> Iterator[None]:
    """Give every relay in memory turns of this kind for a while."""
    before, MemoryRelay.turns = MemoryRelay.turns, kind
    yield
    MemoryRelay.turns = before


class MemoryRelay:
    """One client connection to a relay in memory."""

    turns: type[Turn] = Turn

    def __init__(
        self, limits: Limits | None = None, upstreams: tuple[Upstream, ...] = UPSTREAMS, token: str = "", default: str = "openai"
    ) -> None:
        self.now_ns = 1_000_000_000
        self.loop = Loop()
        self.limits = limits or Limits()
        self.counters = Counters()
        self.journal = MemoryJournal()
        redactor = Redactor(b"test")
        clock = lambda: self.now_ns  # noqa: E731 - a clock one can turn
        turn = self.turns(self.journal.append, self.loop.call_soon)
        self.pool = MemoryPool(self.loop, self.limits, Heads(redactor, self.limits.head_fields), self.counters, clock, turn)
        requests = Heads(redactor, self.limits.head_fields)
        self.shared = Shared(
            loop=cast("asyncio.AbstractEventLoop", self.loop),
            limits=self.limits,
            plans=Plans(requests, Router(upstreams, default), redactor),
            requests=requests,
            turn=turn,
            tap=Tap(turn, redactor, 1, clock, clock, self.limits.recorded_body_bytes, self.limits.recorded_tunnel_bytes),
            pool=self.pool,
            counters=self.counters,
            worker_id="ab",
            token=token.encode(),
            metrics=lambda: "metrics",
            troubles=tuple,
            keepalive_ns=int(self.limits.client_keepalive_s * 1e9),
        )
        self.client = ClientConnection(self.shared)
        self.transport = MemoryTransport()
        self.client.connection_made(cast("asyncio.Transport", self.transport))

    def send(self, data: bytes, cuts: tuple[int, ...] = ()) -> None:
        """Give bytes of the client, cut at the given places."""
        for piece in cut(data, cuts):
            if self.transport.closed:
                return
            self.client.data_received(piece)
            self.loop.run()

    def provide(self, data: bytes, cuts: tuple[int, ...] = (), which: int = -1) -> None:
        """Give bytes of the provider on one of its connections."""
        connection = self.pool.made[which]
        for piece in cut(data, cuts):
            if connection.transport.is_closing():
                return
            connection.data_received(piece)
            self.loop.run()

    def provider_closes(self, error: Exception | None = None, which: int = -1) -> None:
        """Let the provider close, or reset with an error."""
        connection = self.pool.made[which]
        if error is None:
            connection.eof_received()
        connection.transport.abort()
        connection.connection_lost(error)
        self.loop.run()

    @property
    def received(self) -> bytes:
        """Everything the client got."""
        return bytes(self.transport.sent)

    def upstream(self, which: int = -1) -> MemoryTransport:
        """Return the transport of a connection to a provider."""
        return cast("MemoryTransport", cast("Outlet", self.pool.made[which].transport)._transport)

    @property
    def forwarded(self) -> bytes:
        """Everything that went to providers, in order of their connections."""
        return b"".join(bytes(self.upstream(at).sent) for at in range(len(self.pool.made)))


def cut(data: bytes, cuts: tuple[int, ...]) -> list[bytes]:
    """Return data cut at the given places (those outside it count as none)."""
    places = [0, *sorted({place for place in cuts if 0 < place < len(data)}), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]
