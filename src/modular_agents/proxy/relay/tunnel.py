"""An upgraded connection: bytes both ways, untouched, each recorded before it goes on. Either side may vanish.

What ends it: a FIN or a RST of either side is passed to the other. No silence ends it; WebSocket peers have pings.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.relay.headers import Response

if TYPE_CHECKING:
    from modular_agents.proxy.relay.exchange import Exchange
    from modular_agents.proxy.relay.turn import Outlet
    from modular_agents.proxy.relay.upstream import UpstreamConnection

FAREWELL_S = 2.0
"""Time for last bytes to leave once one end is gone."""


class TunnelEnd(asyncio.Protocol):
    """One end of a tunnel; takes over the transport of the HTTP protocol that was there."""

    __slots__ = ("_exchange", "_from_client", "_other", "_transport")

    def __init__(self, exchange: "Exchange", transport: "Outlet", *, from_client: bool) -> None:
        self._exchange = exchange
        self._transport = transport
        self._from_client = from_client
        self._other: TunnelEnd | None = None

    def join(self, other: "TunnelEnd") -> None:
        """Say who is at the other end, and take over."""
        self._other = other
        self._transport.set_protocol(self)
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Record, then pass on."""
        record = self._exchange.record
        record.touch()
        record.tunnel(data, up=self._from_client)
        record.flush()
        cast("TunnelEnd", self._other).write(data)

    def write(self, data: bytes) -> None:
        """Send to this end."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def eof_received(self) -> bool:
        """Close: WebSocket knows no half-close."""
        self._transport.flush()
        return False

    def pause_writing(self) -> None:
        """Stop reading the other end: this one does not take more."""
        if self._other is not None:
            self._other.pause()

    def resume_writing(self) -> None:
        """Read the other end again."""
        if self._other is not None:
            self._other.resume()

    def pause(self) -> None:
        """Stop reading this end."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read this end again."""
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the record and close the other end, after what it has still to get."""
        exchange = self._exchange
        how = "reset" if exc is not None else "closed"
        exchange.upstream = None
        if self._from_client:
            exchange.tunnel_ended(Outcome.COMPLETE if exc is None else Outcome.CLIENT_GONE, f"the client {how} the tunnel")
            exchange.client.connection_lost(exc)
        else:
            exchange.tunnel_ended(Outcome.COMPLETE if exc is None else Outcome.UPSTREAM_CUT, f"the provider {how} the tunnel")
        if self._other is not None:
            other, self._other = self._other, None
            other.hang_up()

    def hang_up(self) -> None:
        """Close this end after what it has still to get, but do not wait long for that: the other one is gone."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(FAREWELL_S, self._transport.abort)


def open_tunnel(exchange: "Exchange", upstream: "UpstreamConnection", response: Response, early: bytes) -> None:
    """Pass a 101 on and join both sides. `early` came from the provider right behind it."""
    ahead = exchange.upgrade(response)
    client_end = TunnelEnd(exchange, exchange.client.transport, from_client=True)
    upstream_end = TunnelEnd(exchange, upstream.transport, from_client=False)
    client_end.join(upstream_end)
    upstream_end.join(client_end)
    if early:
        upstream_end.data_received(early)
    if ahead:
        client_end.data_received(ahead)
