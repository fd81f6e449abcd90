"""Frames that wait in memory for the disk, and the exact count of those that found no room. Its owner holds the lock around it.

What is lost is told where it would have stood: a DROPPED frame with the counts goes before the next frame that is kept.
"""

from collections import deque

from modular_agents.proxy.journal.frames import Kind, encode, pack_fields

BATCH_BYTES = 256 * 1024
"""Queued frames written at once: fewer turns of the lock, still a short write."""


class Backlog:
    """A queue of (bytes, how many frames they are); a rest of a frame counts for 0. Holds at most `limit_bytes`."""

    __slots__ = ("_limit_bytes", "_queue", "lost_bytes", "lost_frames", "queued_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._queue: deque[tuple[bytes, int]] = deque()
        self.queued_bytes = 0
        self.lost_frames = self.lost_bytes = 0
        """Since the last DROPPED frame."""

    def __bool__(self) -> bool:
        """Return whether anything waits."""
        return bool(self._queue)

    def offer(self, data: bytes, frames: int, room_bytes: int, now_ns: int) -> bool:
        """Queue frames if there is room, on disk too (`room_bytes`); return whether they were taken. A loss is told first."""
        if self.lost_frames and self.queued_bytes + len(data) <= self._limit_bytes:
            self.put(self.lost_frame(now_ns), 1)
        if self.queued_bytes + len(data) > min(self._limit_bytes, room_bytes):
            return False
        self.put(data, frames)
        return True

    def put(self, data: bytes, frames: int) -> None:
        """Queue frames, room or not."""
        self._queue.append((data, frames))
        self.queued_bytes += len(data)

    def put_back(self, data: bytes, frames: int) -> None:
        """Put in front again what `take` gave and was not written; it still counts as queued."""
        self._queue.appendleft((data, frames))

    def take(self) -> tuple[bytes, int]:
        """Return what stands in front, joined up to some size; it counts as queued until `written`. A rest of a frame goes alone."""
        batch: list[bytes] = []
        size = frames = 0
        for data, count in self._queue:
            if batch and (not count or not frames or size + len(data) > BATCH_BYTES):
                break
            batch.append(data)
            size += len(data)
            frames += count
        for _ in batch:
            self._queue.popleft()
        return b"".join(batch), frames

    def written(self, size_bytes: int) -> None:
        """Note that so many bytes of what was taken are on disk."""
        self.queued_bytes -= size_bytes

    def lose(self, frames: int, size_bytes: int) -> None:
        """Count frames that found no room."""
        self.lost_frames += frames
        self.lost_bytes += size_bytes

    def lost_frame(self, now_ns: int) -> bytes:
        """Return a DROPPED frame for what was lost since the last one, and forget the count."""
        payload = pack_fields(str(self.lost_frames).encode(), str(self.lost_bytes).encode())
        self.lost_frames = self.lost_bytes = 0
        return encode(Kind.DROPPED, 0, now_ns, payload)
