"""Frames in, exchanges out. Every exchange that began ends once: by its END frame, by its worker's death, or by silence after a loss.

Frames of several workers are taken in the order of their times, so that an answer is known before the call that builds
on it. `position` speaks of what was taken, not of what was given: `take` stops when its share of work is done.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from heapq import merge

from modular_agents.proxy.journal.cursor import Piece
from modular_agents.proxy.journal.frames import End, Frame, Kind, RequestHead, unpack_fields
from modular_agents.proxy.model.exchange import Exchange, Outcome, TunnelFrame
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.ports import JournalPosition, OpenCall
from modular_agents.proxy.recorder.body import Fetch
from modular_agents.proxy.recorder.growing import GAP, Growing

HELD_TOTAL_BYTES = 64 * 1024 * 1024
"""Bodies of open calls held in memory, all together; beyond it the next one to grow lets its bytes go."""
CALL_BYTES = 128 * 1024
"""What a version of a call counts against the budget of a batch besides its bodies: with 32 MB a batch has 256 of them at most, some
hundred ms of work. A batch that takes seconds shows nothing meanwhile, and a crash throws all of it away."""
SILENCE_AFTER_LOSS_NS = 1_000_000_000_000
"""An exchange that may have lost frames and is then silent for 1,000 s, longer than any limit of the relay, has lost its end too."""


@quick
@dataclass(frozen=True, slots=True)
class Asked:
    """The request, a body of `size_bytes`, has been read to its end. `make` gives the exchange, without a response: nobody may ask."""

    call_id: str
    size_bytes: int
    make: Callable[[], Exchange]

    @property
    def exchange(self) -> Exchange:
        """The exchange, made now."""
        return self.make()


@quick
@dataclass(frozen=True, slots=True)
class Answering:
    """The answer's head is there, with this status. `make` gives the exchange; its response has no body."""

    call_id: str
    status: int
    make: Callable[[], Exchange]

    @property
    def exchange(self) -> Exchange:
        """The exchange, made now."""
        return self.make()


@quick
@dataclass(frozen=True, slots=True)
class Grew:
    """More bytes of the answer's body, as they crossed."""

    call_id: str
    data: bytes
    at_ns: int


@quick
@dataclass(frozen=True, slots=True)
class Ended:
    """The exchange is over; this is all that was seen of it."""

    call_id: str
    exchange: Exchange


@quick
@dataclass(frozen=True, slots=True)
class Tunnelled:
    """More bytes of an upgraded connection."""

    call_id: str
    frame: TunnelFrame


Change = Asked | Answering | Grew | Ended | Tunnelled
# Plain numbers: an attribute of an enum costs ten times a global's.
_REQUEST_HEAD, _RESPONSE_BODY, _END = int(Kind.REQUEST_HEAD), int(Kind.RESPONSE_BODY), int(Kind.END)
_SEGMENT, _SEALED, _DROPPED = int(Kind.SEGMENT), int(Kind.SEALED), int(Kind.DROPPED)
_TUNNEL_UP = int(Kind.TUNNEL_UP)
_TUNNEL = {_TUNNEL_UP, int(Kind.TUNNEL_DOWN)}
_Step = tuple[int, Piece, Frame | None]
"""Time, piece, and its next frame; None behind the last one."""


@dataclass(slots=True)
class Losses:
    """What the record lacks, counted since the recorder began."""

    dropped_frames: int = 0
    """By the relay, while its disk failed or the journal was full."""
    dropped_bytes: int = 0
    orphan_frames: int = 0
    """Frames of exchanges whose beginning was lost."""
    missing_segments: int = 0
    """Deleted by somebody before they were read: nobody can say how many frames they held."""


class Assembler:
    """Puts exchanges together. `fetch` reads payloads of large bodies again (see `Body`)."""

    def __init__(self, fetch: Fetch, position: JournalPosition | None = None) -> None:
        self.losses = Losses()
        self._fetch = fetch
        self._open: dict[tuple[str, int], Growing] = {}
        self._offsets: dict[str, int] = dict(position.offsets) if position else {}
        self._steps: Iterator[_Step] = iter(())
        self._held_bytes = 0
        self._resuming: set[tuple[str, int]] | None = None
        self.has_more = False
        """Whether the last `take` left something of what was given."""

    def resume(self, pieces: Iterable[Piece], open_calls: Iterable[OpenCall], now_ns: int) -> Iterator[Change]:
        """Yield what frames that the position already contains say of the calls that it calls open. Before anything else."""
        self._resuming = {(call.segment, call.offset) for call in open_calls}
        offsets = dict(self._offsets)
        for step in _steps(pieces):
            yield from self._apply(step, now_ns)
        self._offsets = offsets
        self._resuming = None

    def give(self, pieces: Iterable[Piece]) -> None:
        """Take in what the journal has; `take` must have used up what was given before."""
        by_worker: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            by_worker[piece.worker].append(piece)
        streams = [_steps(own) for own in by_worker.values()]
        self._steps = streams[0] if len(streams) == 1 else merge(*streams, key=lambda step: step[0])

    def take(self, budget_bytes: int, now_ns: int) -> list[Change]:
        """Return the next changes, at least one step's; stop when their bodies hold more than `budget_bytes`.

        now_ns: the recorder's own monotonic clock.
        """
        self.has_more = False
        changes: list[Change] = []
        for step in self._steps:
            new = self._apply(step, now_ns)
            changes += new
            budget_bytes -= sum(map(_weight, new))
            if budget_bytes <= 0:
                self.has_more = True
                break
        return changes

    def expire(self, now_ns: int) -> list[Change]:
        """End the exchanges whose end must have been lost."""
        lost = [key for key, own in self._open.items() if GAP in own.flags and now_ns - own.touched_ns > SILENCE_AFTER_LOSS_NS]
        return [self._interrupt(key, "its end was not recorded: the journal could not be written") for key in lost]

    def position(self) -> JournalPosition:
        """Return how far the taken changes go, and which calls they leave open."""
        return JournalPosition(dict(self._offsets), tuple([own.opened for own in self._open.values()]))

    @property
    def open_count(self) -> int:
        """How many exchanges have begun and not ended."""
        return len(self._open)

    def needed_segments(self) -> set[str]:
        """Return the segments that hold frames of open calls."""
        return {segment for own in self._open.values() for segment in own.segments()}

    def forget(self, segments: Iterable[str]) -> None:
        """Leave deleted segments out of the position from now on."""
        for segment in segments:
            self._offsets.pop(segment, None)

    def _apply(self, step: _Step, now_ns: int) -> list[Change]:
        _time, piece, frame = step
        if frame is None:
            return self._behind(piece)
        if piece.lost_bytes and frame is piece.frames[0]:
            self._suspect(piece.worker)
        self._offsets[piece.segment] = frame.end
        kind = frame.kind
        if kind == _REQUEST_HEAD:
            return self._begin(piece, frame, now_ns)
        if kind == _END:
            return self._end(piece, frame)
        if kind == _DROPPED:
            return self._count_dropped(piece.worker, frame)
        return self._grow(piece, frame, now_ns) if kind not in {_SEGMENT, _SEALED} else []

    def _behind(self, piece: Piece) -> list[Change]:
        self._offsets[piece.segment] = piece.end
        self.losses.missing_segments += piece.missing
        if piece.missing or (piece.lost_bytes and not piece.frames):
            self._suspect(piece.worker)
        if not piece.worker_gone:
            return []
        keys = [key for key in self._open if key[0] == piece.worker]
        return [self._interrupt(key, "the relay worker died in the middle of the call") for key in keys]

    def _suspect(self, worker: str) -> None:
        """Flag every open exchange of a worker: frames are missing, and nobody knows whose."""
        for key, own in self._open.items():
            if key[0] == worker:
                own.flags.add(GAP)

    def _count_dropped(self, worker: str, frame: Frame) -> list[Change]:
        self._suspect(worker)
        try:
            frames, size = (int(field) for field in unpack_fields(frame.payload)[:2])
        except ValueError:
            return []
        if self._resuming is None:
            self.losses.dropped_frames += frames
            self.losses.dropped_bytes += size
        return []

    def _begin(self, piece: Piece, frame: Frame, now_ns: int) -> list[Change]:
        if self._resuming is not None and (piece.segment, frame.offset) not in self._resuming:
            return []
        try:
            head = RequestHead.unpack(frame.payload)
        except ValueError:
            self.losses.orphan_frames += 1
            return []
        key = (piece.worker, frame.exchange)
        changes = [self._interrupt(key, "its end was not recorded")] if key in self._open else []
        own = self._open[key] = Growing(head, piece.segment, frame, piece.anchor)
        own.touched_ns = now_ns
        if own.is_asked:
            changes.append(self._asked(own))
        return changes

    def _grow(self, piece: Piece, frame: Frame, now_ns: int) -> list[Change]:
        own = self._open.get((piece.worker, frame.exchange))
        if own is None:
            self.losses.orphan_frames += self._resuming is None
            return []
        was_asked, was_answering, held = own.is_asked, own.is_answering, own.held_bytes
        own.take(piece.segment, frame)
        own.touched_ns = now_ns
        self._held_bytes += own.held_bytes - held
        if self._held_bytes > HELD_TOTAL_BYTES:
            self._held_bytes -= own.held_bytes
            own.let_go()
        changes: list[Change] = []
        if own.is_asked and not was_asked:
            changes.append(self._asked(own))
        if own.is_answering and not was_answering:
            changes.append(Answering(own.call_id, own.status, own.answering))
        if frame.kind == _RESPONSE_BODY and frame.payload:
            changes.append(Grew(own.call_id, frame.payload, own.last_ns))
        elif frame.kind in _TUNNEL and frame.payload:
            changes.append(Tunnelled(own.call_id, TunnelFrame(own.last_ns, frame.kind == _TUNNEL_UP, frame.payload)))
        return changes

    def _asked(self, own: Growing) -> Asked:
        return Asked(own.call_id, own.request_bytes, partial(own.asked, self._fetch))

    def _end(self, piece: Piece, frame: Frame) -> list[Change]:
        own = self._open.pop((piece.worker, frame.exchange), None)
        if own is None:
            self.losses.orphan_frames += self._resuming is None
            return []
        self._held_bytes -= own.held_bytes
        try:
            end = End.unpack(frame.payload)
        except ValueError:
            end = End(Outcome.INTERRUPTED, "its end is unreadable", 0, 0)
        return [Ended(own.call_id, own.ended(end, own.utc_ns(frame), self._fetch))]

    def _interrupt(self, key: tuple[str, int], detail: str) -> Change:
        own = self._open.pop(key)
        self._held_bytes -= own.held_bytes
        return Ended(own.call_id, own.ended(End(Outcome.INTERRUPTED, detail, 0, 0), own.last_ns, self._fetch))


def _steps(pieces: Iterable[Piece]) -> Iterator[_Step]:
    for piece in pieces:
        last = 0
        for frame in piece.frames:
            last = frame.time_ns
            yield last, piece, frame
        yield last, piece, None


def _weight(change: Change) -> int:
    if isinstance(change, Grew):
        return len(change.data)
    if isinstance(change, Tunnelled):
        return len(change.frame.data)
    if isinstance(change, Asked):
        return CALL_BYTES + change.size_bytes
    if isinstance(change, Answering):
        return CALL_BYTES
    exchange = change.exchange
    size = CALL_BYTES + len(exchange.request.body)
    if exchange.response is not None:
        size += len(exchange.response.body)
    return size + sum(len(frame.data) for frame in exchange.tunnel) if exchange.tunnel else size
