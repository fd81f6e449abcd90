"""Idle connections by provider, and the making of new ones. Only configured upstreams are ever contacted.

A connection is handed out again only after it was asked whether the provider has closed it meanwhile.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from modular_agents.proxy.config import Limits
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.answers import Answer
from modular_agents.proxy.relay.counters import Counters
from modular_agents.proxy.relay.dialing import dial
from modular_agents.proxy.relay.framing import ChunkedReader, ChunkSizes
from modular_agents.proxy.relay.headers import Heads, Response
from modular_agents.proxy.relay.hops import MOST, Circle
from modular_agents.proxy.relay.routing import Destination
from modular_agents.proxy.relay.sockets import OURS_TO_BLAME
from modular_agents.proxy.relay.turn import Turn
from modular_agents.proxy.relay.upstream import UpstreamConnection

if TYPE_CHECKING:
    from modular_agents.proxy.relay.exchange import Exchange

IDLE_PER_UPSTREAM = 256
"""Idle connections kept to one provider; more are closed. Bounds descriptors."""
Way = tuple[Destination, int]
"""A provider, and through how many proxies of this machine its calls came here: they must not meet on one connection (`hops`)."""
USUAL_HEADS = 4
"""Heads remembered per provider: a whole answer, a stream, a refusal, and one more."""


class Pool:
    """Idle connections by destination, and the making of new ones."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        heads: Heads,
        counters: Counters,
        tls: ssl.SSLContext,
        monotonic_ns: Callable[[], int],
        own_addresses: frozenset[tuple[str, int]],
        turn: Turn,
    ) -> None:
        self.limits = limits
        self.turn = turn
        self.heads = heads
        self._loop = loop
        self._counters = counters
        self._tls = tls
        self._monotonic_ns = monotonic_ns
        self._own_addresses = own_addresses
        self._sizes = ChunkSizes(lenient=True)
        self._idle: dict[Way, list[UpstreamConnection]] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False

    def chunked_reader(self) -> ChunkedReader:
        """Return a reader for a chunked answer."""
        return ChunkedReader(self._sizes, self.heads.table.trailer, self.limits.chunk_line_bytes, self.limits.trailer_bytes)

    def take(self, destination: Destination, hops: int) -> UpstreamConnection | None:
        """Return an idle connection that the provider has not closed, the youngest first; None when there is none."""
        idle = self._idle.get((destination, hops))
        while idle:
            connection = idle.pop()
            self._counters.upstream_idle -= 1
            if connection.is_fresh():
                connection.reused = True
                self._counters.upstream_reused_total += 1
                return connection
            connection.drop()
        return None

    def remember(self, destination: Destination, response: Response) -> None:
        """Keep an answer's head to compare the next ones with."""
        known = destination.answers
        template = self.heads.template(response, known)
        if template is not None:
            others = [other for other in known if other.names != template.names]
            destination.answers = [template, *others[: USUAL_HEADS - 1]]

    def release(self, connection: UpstreamConnection, idle_s: int) -> None:
        """Keep a connection for the next call, one second less than the provider says it will."""
        idle = self._idle.setdefault(connection.way, [])
        keep_s = self.limits.upstream_keepalive_s
        if idle_s:
            keep_s = min(keep_s, idle_s - 1)
        if self._closed or len(idle) >= IDLE_PER_UPSTREAM or keep_s <= 0:
            connection.drop()
            return
        connection.idle_until_ns = self._monotonic_ns() + int(keep_s * 1e9)
        idle.append(connection)
        self._counters.upstream_idle += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """Take a lost connection out."""
        idle = self._idle.get(connection.way)
        if idle and connection in idle:
            idle.remove(connection)
            self._counters.upstream_idle -= 1

    def sweep(self, now_ns: int) -> None:
        """Close what has been idle for long enough."""
        for idle in self._idle.values():
            while idle and idle[0].idle_until_ns <= now_ns:
                idle.pop(0).drop()
                self._counters.upstream_idle -= 1

    def close(self) -> None:
        """Close every idle connection, and from now on each that becomes idle."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().drop()
                self._counters.upstream_idle -= 1

    def connect(self, destination: Destination, exchange: "Exchange") -> "asyncio.Task[None]":
        """Begin to make a connection; the exchange hears `connected` or `unreachable`."""
        task = self._loop.create_task(self._connect(destination, exchange))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def _connect(self, destination: Destination, exchange: "Exchange") -> None:
        upstream = destination.upstream
        tls = self._tls if upstream.scheme == "https" else None
        hops = exchange.client.hops
        try:
            async with asyncio.timeout(self.limits.connect_s):
                transport, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self, (destination, hops)),
                    sock=await dial(self._loop, upstream.host, upstream.port, hops),
                    ssl=tls,
                    server_hostname=upstream.host.rstrip(".") if tls else None,  # RFC 6066, 3: without the root's dot
                )
        except TimeoutError:
            message = f"no connection to {destination.url} within {self.limits.connect_s:g} s; check the network or the upstream's URL"
            exchange.unreachable(Answer(504, "upstream", "connect_timeout", message), Outcome.UPSTREAM_TIMEOUT)
        except Circle:
            where = f"upstream {destination.name} ({destination.url})"
            message = f"{where} leads back here: {MOST} proxies in a row passed this call on; give one of them the provider's own URL"
            exchange.unreachable(Answer(508, "proxy", "loop", message), Outcome.REFUSED)
        except OSError as error:
            exchange.unreachable(*_failure(destination, error))
        except UnicodeError as error:
            message = f"cannot connect to {destination.url}: {describe(error)}; check the network or the upstream's URL"
            exchange.unreachable(Answer(502, "upstream", "upstream_unreachable", message), Outcome.UPSTREAM_UNREACHABLE)
        else:
            self._counters.upstream_connections_total += 1
            if self._is_ourselves(transport):
                connection.drop()
                message = f"upstream {destination.name} ({destination.url}) is this proxy itself; give the provider's own URL"
                exchange.unreachable(Answer(508, "proxy", "loop", message), Outcome.REFUSED)
            else:
                exchange.connected(connection)

    def _is_ourselves(self, transport: asyncio.BaseTransport) -> bool:
        peer, mine = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if not peer or not mine:
            return False
        host, port = peer[0], peer[1]
        if (host, port) in self._own_addresses:
            return True
        return host == mine[0] and bool({("0.0.0.0", port), ("::", port)} & self._own_addresses)  # noqa: S104 - compared, not bound


def _failure(destination: Destination, error: OSError) -> tuple[Answer, Outcome]:
    """Return what to say of a connection that could not be made, and whose fault it is."""
    if error.errno in OURS_TO_BLAME:
        why = f"{describe(error)}; raise `ulimit -n`, or make fewer calls at once"
        message = f"this machine has no socket left for a connection to {destination.url}: {why}"
        return Answer(503, "proxy", "no_socket", message), Outcome.INTERRUPTED
    message = f"cannot connect to {destination.url}: {describe(error)}; check the network or the upstream's URL"
    return Answer(502, "upstream", "upstream_unreachable", message), Outcome.UPSTREAM_UNREACHABLE


def describe(error: BaseException) -> str:
    """Return what went wrong in a few words, without the noise of nested exceptions."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({getattr(error, 'reason', None) or error})"  # only the ssl module's own have one
    if isinstance(error, socket.gaierror):
        return "its host name does not resolve"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
