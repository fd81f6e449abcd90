"""Tails a journal directory: every frame that was written is given out exactly once, in the order in which its worker wrote it.

Nothing is remembered on disk here: the store holds the position (see `ports.JournalPosition`), and this resumes from it.
A segment is deleted when its every byte is committed and no open call has a frame in it.
"""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from modular_agents.proxy.journal.cursor import Cursor, Piece
from modular_agents.proxy.journal.frames import HEADER
from modular_agents.proxy.journal.segment import Anchor, SegmentName, is_held, lock_path, read_exactly
from modular_agents.proxy.ports import JournalPosition, OpenCall

_SHARE_BYTES = 64 * 1024
"""Least that each worker may read per poll, so that a backlog of one does not hold up another."""
_AGAIN_BYTES = 1024 * 1024
"""Read at a time when getting back into open calls: bounds memory, not speed."""

PUT_BACK_S = 5.0
"""How long a lock that vanished under a living worker may be away: it looks four times a second whether somebody deleted its folder."""


class _Series:
    """The segments of one worker's life, in order."""

    def __init__(self, directory: Path, worker: str) -> None:
        self.worker = worker
        self.waiting: list[SegmentName] = []
        """Not read to the end; the first one is being read."""
        self.done: list[SegmentName] = []
        """Read to the end, still on disk."""
        self.offsets: dict[str, int] = {}
        """How far each segment on disk was given out."""
        self.dead = False
        self.over = False
        """Dead, and said so in a piece."""
        self.cursor: Cursor | None = None
        self._directory = directory
        self._number: int | None = None
        """Of the last segment that was read to its end."""
        self._was_alive = False
        self._unlocked_s = 0.0
        """Since when the lock of a worker that was alive is not there any more."""

    def add(self, name: SegmentName, offset: int) -> None:
        if str(name) in self.offsets:
            return  # it was away for a moment and is back
        self.waiting.append(name)
        self.waiting.sort(key=_number)
        self.offsets[str(name)] = offset

    def has_died(self) -> bool:
        """Return whether the worker is newly found to be dead."""
        if self.dead:
            return False
        path = lock_path(self._directory, self.worker)
        if is_held(path):
            self._was_alive, self._unlocked_s = True, 0.0
        elif self._was_alive and not path.exists():
            now_s = time.monotonic()
            self._unlocked_s = self._unlocked_s or now_s
            self.dead = now_s - self._unlocked_s > PUT_BACK_S
        else:
            self.dead = True
        return self.dead

    def read(self, limit_bytes: int) -> list[Piece]:
        """Return the next frames, up to about `limit_bytes` of them."""
        pieces: list[Piece] = []
        stop = limit_bytes
        while stop > 0 and self.waiting:
            piece = self._read_segment(stop, closed=self.dead or len(self.waiting) > 1)
            if piece is None:
                break
            stop -= piece.end - self.offsets[piece.segment]
            self.offsets[piece.segment] = piece.end
            if piece.finished:
                self._advance()
            pieces.append(piece)
        if self.dead and not self.waiting and not self.over:
            self.over = True
            pieces.append(self._farewell())
        return pieces

    def _read_segment(self, limit_bytes: int, *, closed: bool) -> Piece | None:
        name = self.waiting[0]
        path = self._directory / str(name)
        if self._number is not None and name.number > self._number + 1:
            self._number = name.number - 1
            return self._missing(name, finished=False)
        try:
            if self.cursor is None:
                self.cursor = Cursor(path, name, self.offsets[str(name)])
            self.cursor.follow(path)
        except FileNotFoundError:
            # of a worker that lives the last one will be put back
            return self._missing(name, finished=True) if closed else None
        return self.cursor.read(limit_bytes, closed=closed)

    def _missing(self, name: SegmentName, *, finished: bool) -> Piece:
        anchor = Anchor(name.wall_ms * 1_000_000, 0)
        return Piece(str(name), self.worker, anchor, (), self.offsets[str(name)], finished=finished, missing=True)

    def _advance(self) -> None:
        self._number = self.waiting[0].number
        self.done.append(self.waiting.pop(0))
        self.close()

    def _farewell(self) -> Piece:
        name = self.done[-1] if self.done else SegmentName(0, self.worker, 0)
        anchor = Anchor(name.wall_ms * 1_000_000, 0)
        return Piece(str(name), self.worker, anchor, (), self.offsets.get(str(name), 0), finished=True, worker_gone=True)

    def close(self) -> None:
        if self.cursor is not None:
            self.cursor.close()
            self.cursor = None


class JournalReader:
    """Reads a journal directory from `position` on. Not thread-safe; one per directory (the recorder's lock sees to that)."""

    def __init__(self, directory: Path, position: JournalPosition | None = None) -> None:
        self._directory = directory
        self._start: Mapping[str, int] = position.offsets if position else {}
        self._series: dict[str, _Series] = {}
        self._known: set[str] = set()
        self._turn = 0
        self.damaged_bytes = 0
        """Bytes that did not check, with whole frames after them."""
        self.torn_bytes = 0
        """Bytes at the end of a dead worker's segment that are no whole frame."""

    def poll(self, max_bytes: int) -> list[Piece]:
        """Return what was appended since the last poll: about `max_bytes` at most, fairly shared among workers."""
        self._list()
        if any(series.has_died() for series in self._series.values()):
            self._list()  # what it wrote between the first list and its death
        order = list(self._series.values())
        self._turn += 1
        pieces: list[Piece] = []
        left = max_bytes
        for n in range(len(order)):
            series = order[(n + self._turn) % len(order)]
            new = series.read(max(left // (len(order) - n), _SHARE_BYTES))
            pieces += new
            left -= sum(piece.frames[-1].end - piece.frames[0].offset for piece in new if piece.frames)
        for piece in pieces:
            self._count(piece)
        return pieces

    def offsets(self) -> dict[str, int]:
        """Return how far each segment on disk has been given out: once that is committed, it is the position."""
        return {name: offset for series in self._series.values() for name, offset in series.offsets.items()}

    def lag_bytes(self) -> int:
        """Return how many bytes on disk have not been given out yet."""
        lag = 0
        for series in self._series.values():
            for name in series.waiting:
                try:
                    size = (self._directory / str(name)).stat().st_size
                except FileNotFoundError:
                    continue
                lag += max(0, size - series.offsets[str(name)])
        return lag

    def refused(self) -> list[str]:
        """Return segments that a later version wrote: they are left alone."""
        cursors = (series.cursor for series in self._series.values())
        return [str(cursor.name) for cursor in cursors if cursor is not None and cursor.refused]

    def again(self, open_calls: Iterable[OpenCall]) -> Iterator[Piece]:
        """Yield once more what the position already contains, from the first frame of the oldest open call of each worker on.

        That is how a new recorder gets back into the middle of calls. Call it before the first `poll`.
        """
        first: dict[str, tuple[int, int]] = {}
        for call in open_calls:
            name = SegmentName.parse(call.segment)
            if name is not None:
                place = (name.number, call.offset)
                first[name.worker] = min(first.get(name.worker, place), place)
        for name in sorted(filter(None, map(SegmentName.parse, self._start)), key=_number):
            number, offset = first.get(name.worker, (name.number + 1, 0))
            if name.number >= number:
                yield from self._once(name, offset if name.number == number else 0, self._start[str(name)])

    def payload_at(self, segment: str, offsets: Iterable[int]) -> list[bytes]:
        """Return the payloads of the frames at `offsets` of a segment. Raises OSError when the segment is gone."""
        with (self._directory / segment).open("rb") as file:
            fd = file.fileno()
            return [read_exactly(fd, HEADER.unpack(os.pread(fd, HEADER.size, at))[0], at + HEADER.size) for at in offsets]

    def release(self, committed: Mapping[str, int], needed: Collection[str]) -> list[str]:
        """Delete the segments that are committed to their last byte and not `needed` by an open call; return their names."""
        gone: list[str] = []
        for series in list(self._series.values()):
            gone += self._release_series(series, committed, needed)
        return gone

    def close(self) -> None:
        """Release the files."""
        for series in self._series.values():
            series.close()

    def _list(self) -> None:
        try:
            with os.scandir(self._directory) as entries:
                found = [entry.name for entry in entries]
        except FileNotFoundError:
            return
        for text in sorted(set(found) - self._known):
            name = SegmentName.parse(text)
            self._known.add(text)
            if name is not None:
                series = self._series.setdefault(name.worker, _Series(self._directory, name.worker))
                series.add(name, self._start.get(text, 0))
        self._known.intersection_update(found)

    def _count(self, piece: Piece) -> None:
        if piece.frames:
            self.damaged_bytes += piece.lost_bytes
        else:
            self.torn_bytes += piece.lost_bytes

    def _once(self, name: SegmentName, offset: int, stop: int) -> Iterator[Piece]:
        try:
            cursor = Cursor(self._directory / str(name), name, offset)
        except FileNotFoundError:
            return
        try:
            while cursor.offset < stop:
                piece = cursor.read(min(stop - cursor.offset, _AGAIN_BYTES), closed=True)
                if piece is None or (piece.finished and not piece.frames):
                    break
                yield replace(piece, frames=tuple(frame for frame in piece.frames if frame.end <= stop))
        finally:
            cursor.close()

    def _release_series(self, series: _Series, committed: Mapping[str, int], needed: Collection[str]) -> list[str]:
        gone = []
        for name in list(series.done):
            text = str(name)
            if text not in needed and committed.get(text, -1) >= series.offsets[text]:
                (self._directory / text).unlink(missing_ok=True)
                series.done.remove(name)
                del series.offsets[text]
                gone.append(text)
        if series.over and not series.done:
            lock_path(self._directory, series.worker).unlink(missing_ok=True)
            del self._series[series.worker]
        return gone


def _number(name: SegmentName) -> int:
    return name.number
