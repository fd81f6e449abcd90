"""A WebSocket is one exchange of the journal and many calls: its turns are told as changes of their own, like any other call's."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from modular_agents.proxy.model.exchange import Exchange, Outcome, TunnelFrame
from modular_agents.proxy.recorder.assemble import Answering, Asked, Change, Ended, Grew, Tunnelled
from modular_agents.proxy.recorder.bare import guarded
from modular_agents.proxy.wire.tunnel import TunnelReader, TurnAnswering, TurnAsked, TurnChange, TurnEnded, TurnGrew

_SWITCHED = 101


class Turns:
    """Reads the sockets that are open."""

    def __init__(self) -> None:
        self._readers: dict[str, tuple[TunnelReader, Exchange]] = {}

    def told(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield the changes, those of turns among them where they happened; a turn ends before its socket does."""
        for change in changes:
            if isinstance(change, Tunnelled):
                yield from self._fed(change.call_id, change.frame)
                continue
            if isinstance(change, Answering):
                if change.status == _SWITCHED:
                    exchange = change.exchange
                    self._readers[change.call_id] = (TunnelReader(exchange), exchange)
            elif isinstance(change, Ended) and change.call_id in self._readers:
                yield from self._finished(change.call_id, change.exchange)
            yield change

    def _fed(self, call_id: str, frame: TunnelFrame) -> Iterator[Change]:
        known = self._readers.get(call_id)
        if known is not None:
            yield from map(_as_call, guarded(call_id, lambda: known[0].feed(frame), lambda: self._give_up(call_id)))

    def _finished(self, call_id: str, exchange: Exchange) -> Iterator[Change]:
        reader, _ = self._readers.pop(call_id)
        yield from map(_as_call, guarded(call_id, lambda: reader.finish(exchange), list))

    def _give_up(self, call_id: str) -> list[TurnChange]:
        """Read no more of a socket: its bytes are kept, its later turns are not told apart."""
        reader, exchange = self._readers.pop(call_id)
        over = replace(exchange, outcome=Outcome.INTERRUPTED, outcome_detail="reading the socket failed inside the proxy")
        return guarded(call_id, lambda: reader.finish(over), list)


def _as_call(change: TurnChange) -> Change:
    match change:
        case TurnAsked(exchange):
            return Asked(exchange.call_id, len(exchange.request.body), lambda: exchange)
        case TurnAnswering(exchange):
            status = exchange.response.status if exchange.response else 0
            return Answering(exchange.call_id, status, lambda: exchange)
        case TurnGrew(call_id, data, at_ns):
            return Grew(call_id, data, at_ns)
        case TurnEnded(exchange):
            return Ended(exchange.call_id, exchange)
