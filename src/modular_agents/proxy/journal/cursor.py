"""One segment read from an offset: what checks is given out once, what does not is counted and skipped, nothing is half-believed.

A segment is read while its worker appends to it. What stands after the last whole frame is therefore either a frame
that is still being written (wait), or, when nobody writes any more, a torn tail (the end). Bytes that are all there and
still do not check are damage: reading goes on at the next place where a frame checks.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modular_agents.proxy.journal.frames import FORMAT, HEADER, MAX_PAYLOAD_BYTES, Frame, Kind, decode
from modular_agents.proxy.journal.segment import Anchor, SegmentName, read_exactly, stands_at

_HEADER_SHAPE = re.compile(rb"[\x00-%c][\x00-\x0f]%b" % (max(Kind), re.escape(FORMAT.to_bytes(2, "little"))), re.DOTALL)
"""Kind, flags and format of a header as bytes: where to look for the next frame after damage."""
_SHAPE_AT = 8
"""Those bytes stand behind size and crc."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames of one segment, one after the other without a gap.

    `end` is the offset behind them. `lost_bytes` did not check and stood right before them (a torn tail has no frames
    after it). `finished`: nothing follows in this segment. `worker_gone`: its worker is dead and wrote nothing more.
    `missing`: somebody deleted the segment before it was read to its end.
    """

    segment: str
    worker: str
    anchor: Anchor
    frames: tuple[Frame, ...]
    end: int
    lost_bytes: int = 0
    finished: bool = False
    worker_gone: bool = False
    missing: bool = False


class Cursor:
    """Reads one segment forward from `offset`. Opens the file at once: raises FileNotFoundError when it is gone."""

    def __init__(self, path: Path, name: SegmentName, offset: int = 0) -> None:
        self.name = name
        self.offset = offset
        """Everything before it has been given out or counted as lost."""
        self.refused = False
        """Written in a later format: left alone, for the version that can read it."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._anchor: Anchor | None = None
        self._suspect: tuple[int, int] | None = None
        """(offset, file size) at which bytes did not check: believed to be damage only when seen twice."""

    def close(self) -> None:
        """Release the file. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def follow(self, path: Path) -> None:
        """Go on in the file that stands at `path` now, if it is another one: the writer made a deleted folder again, bytes and all."""
        if path.exists() and not stands_at(path, self._fd):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.close()
            self._fd = fd

    def unread_bytes(self) -> int:
        """Return how many bytes stand behind `offset`."""
        return max(0, os.fstat(self._fd).st_size - self.offset)

    def read(self, limit_bytes: int, *, closed: bool) -> Piece | None:
        """Return the next frames, at least one and not much more than `limit_bytes`, or None when there is nothing to give out.

        closed: nobody appends any more (known *before* this call), so what is left over is the end, not a beginning.
        """
        data = os.pread(self._fd, max(limit_bytes, HEADER.size), self.offset)
        frames = tuple(decode(memoryview(data), 0, self.offset))
        if frames:
            return self._give(frames, 0)
        if not data:
            return self._give((), 0, finished=True) if closed else None
        whole = self._whole_frame(data)
        if whole is not None:
            return self._give((whole,), 0)
        return self._past_damage(closed=closed)

    def _whole_frame(self, data: bytes) -> Frame | None:
        """Return the frame at `offset` when it is longer than what was read and checks."""
        if len(data) < HEADER.size:
            return None
        size = HEADER.unpack_from(data)[0]
        if size > MAX_PAYLOAD_BYTES or HEADER.size + size <= len(data):
            return None
        return next(decode(memoryview(read_exactly(self._fd, HEADER.size + size, self.offset)), 0, self.offset), None)

    def _past_damage(self, *, closed: bool) -> Piece | None:
        """Return what follows bytes that do not check, or None to wait for more of them."""
        rest = read_exactly(self._fd, os.fstat(self._fd).st_size - self.offset, self.offset)
        self.refused = self.offset == 0 and _is_of_later_format(rest)
        if self.refused:
            return None
        if not closed:
            seen, self._suspect = self._suspect, (self.offset, len(rest))
            if _is_unfinished(rest) or seen is None or seen[0] != self.offset:
                return None
        at = _next_frame(rest)
        if at is not None:
            frames = tuple(decode(memoryview(rest), at, self.offset))
            return self._give(frames, at)
        return self._give((), len(rest), finished=True) if closed else None

    def _give(self, frames: tuple[Frame, ...], lost_bytes: int, *, finished: bool = False) -> Piece:
        sealed = next((n for n, frame in enumerate(frames) if frame.kind == Kind.SEALED), None)
        if sealed is not None:
            frames, finished = frames[: sealed + 1], True
        end = frames[-1].end if frames else self.offset + lost_bytes
        piece = Piece(str(self.name), self.name.worker, self._anchored(frames), frames, end, lost_bytes, finished)
        self.offset = end
        self._suspect = None
        return piece

    def _anchored(self, frames: tuple[Frame, ...]) -> Anchor:
        """Return the segment's anchor: from its first frame, else from its name and the first time seen in it."""
        if self._anchor is None:
            first = next(decode(memoryview(read_exactly(self._fd, _FIRST_FRAME_BYTES, 0))), None)
            time_ns = first.time_ns if first else frames[0].time_ns if frames else 0
            self._anchor = (Anchor.of(first) if first else None) or Anchor(self.name.wall_ms * 1_000_000, time_ns)
        return self._anchor


_FIRST_FRAME_BYTES = 4096
"""A SEGMENT frame has a few short fields."""


def _is_unfinished(data: bytes) -> bool:
    """Return whether `data` can be the beginning of a frame that is not whole yet."""
    if len(data) < HEADER.size:
        return True
    size, _crc, _kind, _flags, version, _exchange, _time = HEADER.unpack_from(data)
    return bool(size <= MAX_PAYLOAD_BYTES and version == FORMAT and HEADER.size + size > len(data))


def _is_of_later_format(data: bytes) -> bool:
    """Return whether `data` opens with the header of a format that came after this reader."""
    return len(data) >= HEADER.size and HEADER.unpack_from(data)[4] > FORMAT and HEADER.unpack_from(data)[2] == Kind.SEGMENT


def _next_frame(data: bytes) -> int | None:
    """Return where, after the first byte, a frame stands that checks."""
    view = memoryview(data)
    for match in _HEADER_SHAPE.finditer(data, _SHAPE_AT + 1):
        at = match.start() - _SHAPE_AT
        if next(decode(view, at), None) is not None:
            return at
    return None
