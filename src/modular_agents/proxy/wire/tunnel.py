"""Turns of a WebSocket: each becomes an exchange of its own, to be read like any other.

OpenAI's Responses over a WebSocket: a `response.create` from the client asks, the events that follow answer it, up to the one
that ends it. Turns on one socket follow each other, or run side by side in lanes named by `stream_id`. An answer that begins
unasked (a steered response's successor) is a turn whose request is the `response.steer`.
A turn's exchange: its id is the socket's and its number; its request body is the message, its answer's body the events, one
per line; its headers are the socket's. Anything else that is said on a socket makes no turn.
Source: developers.openai.com/api/docs/guides/websocket-mode.
"""

from collections import deque
from dataclasses import dataclass, replace

import msgspec

from modular_agents.proxy.model.exchange import Chunk, Exchange, Outcome, RequestSide, ResponseSide, TunnelFrame
from modular_agents.proxy.wire.detect import detect
from modular_agents.proxy.wire.shape import Shape
from modular_agents.proxy.wire.websocket import MessageDecoder, agreed

METHOD = "WEBSOCKET"
"""What stands for the HTTP method of a turn."""
MAX_OPEN_TURNS = 256
"""More turns under way on one socket than any client has; bounds what we hold."""
_CONTENT_TYPE = (("content-type", "application/x-ndjson"),)
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done", "error"})
_SWITCHED = 101


class _Said(msgspec.Struct, gc=False):
    type: str | None = None
    stream_id: str | None = None
    status: int | None = None


_SAID = Shape(_Said)


@dataclass(frozen=True, slots=True)
class TurnAsked:
    """A turn has begun; its request is whole."""

    exchange: Exchange


@dataclass(frozen=True, slots=True)
class TurnAnswering:
    """The first event of a turn's answer; `exchange` has a response without a body."""

    exchange: Exchange


@dataclass(frozen=True, slots=True)
class TurnGrew:
    """One more event of a turn's answer: the bytes it adds to the body."""

    call_id: str
    data: bytes
    at_ns: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over; this is all of it."""

    exchange: Exchange


TurnChange = TurnAsked | TurnAnswering | TurnGrew | TurnEnded


class _Turn:
    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.lines: list[bytes] = []
        self.times: list[int] = []

    def ended(self, at_ns: int | None, outcome: Outcome, detail: str) -> Exchange:
        body = b"".join(self.lines)
        chunks = tuple(Chunk(at, len(line)) for at, line in zip(self.times, self.lines, strict=True))
        response = self.exchange.response
        if response is not None:
            response = replace(response, body=body, body_size=len(body), chunks=chunks)
        return replace(self.exchange, response=response, outcome=outcome, outcome_detail=detail, ended_ns=at_ns)


class TunnelReader:
    """Reads one upgraded connection. Give it the exchange with the head of the 101."""

    def __init__(self, exchange: Exchange) -> None:
        self._socket = replace(exchange, tunnel=())
        head = exchange.response
        up, down = agreed(head.headers) if head else (None, None)
        self._up, self._down = MessageDecoder(up), MessageDecoder(down)
        path = exchange.request.target.partition("?")[0]
        self._is_read = detect("POST", path).format == "openai.responses" and head is not None and head.status == _SWITCHED
        self._lanes: dict[str, deque[_Turn]] = {}
        self._count = 0
        self._steer = b"{}"

    @property
    def failure(self) -> str | None:
        """Why the reading of frames stopped, if it did."""
        return self._up.failure or self._down.failure

    def feed(self, frame: TunnelFrame) -> list[TurnChange]:
        """Take bytes of the socket and return what they change."""
        if not self._is_read:
            return []
        changes: list[TurnChange] = []
        if frame.up:
            for message in self._up.feed(frame.data):
                changes += self._asked(message, frame.at_ns)
        else:
            for message in self._down.feed(frame.data):
                changes += self._answered(message, frame.at_ns)
        return changes

    def finish(self, exchange: Exchange) -> list[TurnChange]:
        """Take the end of the socket: turns under way end as it does."""
        outcome = exchange.outcome or Outcome.INTERRUPTED
        left = [turn for lane in self._lanes.values() for turn in lane]
        self._lanes = {}
        return [TurnEnded(turn.ended(exchange.ended_ns, outcome, exchange.outcome_detail)) for turn in left]

    def _asked(self, message: bytes, at_ns: int) -> list[TurnChange]:
        said = _said(message)
        if said.type == "response.create":
            return self._begin(message, at_ns, said.stream_id or "")
        if said.type == "response.steer":
            self._steer = message
        return []

    def _begin(self, message: bytes, at_ns: int, lane: str) -> list[TurnChange]:
        if sum(map(len, self._lanes.values())) >= MAX_OPEN_TURNS:
            return []
        self._count += 1
        socket = self._socket
        request = RequestSide(
            METHOD, socket.request.target, socket.request.target_received, socket.request.headers, message, len(message), None, at_ns
        )
        turn = _Turn(
            replace(
                socket,
                call_id=f"{socket.call_id}-{self._count}",
                started_ns=at_ns,
                request=request,
                response=None,
                informational=(),
                outcome=None,
                ended_ns=None,
            )
        )
        self._lanes.setdefault(lane, deque()).append(turn)
        return [TurnAsked(turn.exchange)]

    def _answered(self, message: bytes, at_ns: int) -> list[TurnChange]:
        said = _said(message)
        name = said.stream_id or ""
        changes: list[TurnChange] = []
        if not self._lanes.get(name) and said.type == "response.created":
            changes += self._begin(self._steer, at_ns, name)
            self._steer = b"{}"
        lane = self._lanes.get(name)
        if not lane:
            return changes
        turn = lane[0]
        if turn.exchange.response is None:
            status = said.status if said.type == "error" and said.status else _SWITCHED
            turn.exchange = replace(turn.exchange, response=ResponseSide(status, "", _CONTENT_TYPE, at_ns))
            changes.append(TurnAnswering(turn.exchange))
        line = message.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"  # only white space between values can be a raw line end
        turn.lines.append(line)
        turn.times.append(at_ns)
        changes.append(TurnGrew(turn.exchange.call_id, line, at_ns))
        if said.type in _LAST:
            lane.popleft()
            if not lane:
                del self._lanes[name]
            changes.append(TurnEnded(turn.ended(at_ns, Outcome.COMPLETE, "")))
        return changes


def read_turns(exchange: Exchange) -> list[Exchange]:
    """Return the turns of a socket that has ended, each an exchange of its own, in the order in which they ended."""
    reader = TunnelReader(exchange)
    changes = [change for frame in exchange.tunnel for change in reader.feed(frame)]
    return [change.exchange for change in (*changes, *reader.finish(exchange)) if isinstance(change, TurnEnded)]


def _said(message: bytes) -> _Said:
    try:
        return _SAID.read(message)
    except ValueError:
        return _Said()
