"""A body that grows frame by frame: held in memory while it is small, else only the places of its frames are kept.

The journal still has every byte of an open call (its segments are not deleted before), so a large body is read again
from there when it is needed, once, at the call's end.
"""

from array import array
from collections.abc import Callable, Sequence

from modular_agents.proxy.journal.frames import Frame
from modular_agents.proxy.journal.segment import Anchor
from modular_agents.proxy.model.exchange import Chunk

HELD_BODY_BYTES = 256 * 1024
"""A body larger than this leaves memory: most requests of agents (85 KB first turn of Claude Code) and most answers stay below."""
MAX_CHUNKS = 50_000
"""More reads than this are told as fewer, larger ones (neighbours added up): a 16 MB answer in 40-byte events has 400,000."""

Fetch = Callable[[str, Sequence[int]], Sequence[bytes]]
"""Reads payloads again: segment name and frame offsets in, payloads out. Raises OSError when the segment is gone."""


class Body:
    """The frames of one direction of one exchange, in order."""

    __slots__ = ("_held", "_places", "_sizes", "_times", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        """Bytes so far, held or not."""
        self._held: list[bytes] | None = []
        self._places: list[tuple[str, array[int]]] = []
        self._times = array("Q")
        self._sizes = array("I")

    @property
    def held_bytes(self) -> int:
        """Bytes that this body keeps in memory."""
        return 0 if self._held is None else self.size_bytes

    @property
    def segments(self) -> list[str]:
        """Names of the segments in which its frames stand."""
        return [segment for segment, _ in self._places]

    def add(self, segment: str, frame: Frame) -> None:
        """Take the next frame, from `segment`."""
        if not self._places or self._places[-1][0] != segment:
            self._places.append((segment, array("Q")))
        self._places[-1][1].append(frame.offset)
        self._times.append(frame.time_ns)
        self._sizes.append(len(frame.payload))
        self.size_bytes += len(frame.payload)
        if self._held is not None:
            self._held.append(frame.payload)
            if self.size_bytes > HELD_BODY_BYTES:
                self._held = None

    def let_go(self) -> None:
        """Forget the bytes; the places remain."""
        self._held = None

    def whole(self, fetch: Fetch) -> bytes:
        """Return all bytes; the same object each time, as long as they are held and do not grow. Raises OSError when a segment is gone."""
        if self._held is None:
            return b"".join(self.pieces(fetch))
        if len(self._held) != 1:
            self._held = [b"".join(self._held)]
        return self._held[0]

    def pieces(self, fetch: Fetch) -> list[bytes]:
        """Return the payloads in order. Raises OSError when a segment is gone."""
        if self._held is not None:
            return self._held
        return [payload for segment, offsets in self._places for payload in fetch(segment, offsets)]

    def times(self, anchor: Anchor) -> list[int]:
        """Return the UTC time of each frame in ns."""
        return [anchor.utc_ns(time_ns) for time_ns in self._times]

    def chunks(self, anchor: Anchor) -> tuple[Chunk, ...]:
        """Return when how many bytes came; frames without bytes left out."""
        if len(self._sizes) == 1:
            return (Chunk(anchor.utc_ns(self._times[0]), self._sizes[0]),) if self._sizes[0] else ()
        step = -(-len(self._sizes) // MAX_CHUNKS) or 1
        chunks = (Chunk(anchor.utc_ns(self._times[at]), sum(self._sizes[at : at + step])) for at in range(0, len(self._sizes), step))
        return tuple(chunk for chunk in chunks if chunk.size)
