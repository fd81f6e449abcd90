"""The journal's writing end. Its law: no trouble of the disk ever slows a call twice, and what is lost is counted exactly.

On the good path an append is one `write()` to the page cache: it survives kill -9 of every process of ours. A thread
fsyncs in groups, so that power loss costs at most the stated window. When a write fails, or took over 50 ms, the
writer is *degraded*: frames go to a bounded queue in memory and the thread drains it; when the queue is full frames
are dropped, counted, and a DROPPED frame with the exact counts is written where they would have stood. It is over when
the queue is empty and no write has failed or been slow for a second.

Files are named as `segment.py` says (0600, in a 0700 directory); a SEGMENT frame opens each, a SEALED one closes it.
A clean stop seals the segment and removes the worker's lock file.
"""

import contextlib
import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modular_agents.proxy.errors import AlreadyRunning
from modular_agents.proxy.journal.backlog import Backlog
from modular_agents.proxy.journal.frames import HEADER, MAGIC, Kind, encode, pack_fields
from modular_agents.proxy.journal.segment import SegmentName, copy_to, hold_lock, lock_path, make_private, measure, stands_at

if TYPE_CHECKING:
    from modular_agents.proxy.ports import Clock

SLOW_WRITE_NS = 50_000_000
"""An append that took longer means that the disk stalls; the next one must not be waited for on the loop."""
RECOVERY_NS = 1_000_000_000
"""How long writes must go well before the hot path trusts the disk again; shorter, and a slow disk would stall a call per flap."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Memory that degraded mode may hold: about ten seconds of a busy relay."""
MEASURE_NS = 1_000_000_000
"""How often the journal's total size is measured against its cap; other workers' writes are seen this late."""
RETRY_S = 0.1
"""Pause between attempts in degraded mode, so that a full disk is asked ten times a second."""
SEGMENT_AGE_NS = 300_000_000_000
"""Bodies lie here as they came until the store has a whole segment: a quiet proxy must not keep one for weeks."""
SHARE_OF_CAP, LEAST_SEGMENT_BYTES = 8, 64 * 1024
"""A segment is no more than so large a part of the cap: only whole segments are deleted, and a full one must not hold all the room."""
OWN_BYTES = 256
"""Left free below the cap: a segment's end, the next one's beginning and a DROPPED frame are not asked whether they fit."""
CLOSE_S = 5.0
"""How long a stop waits for the queue to reach the disk."""


_FSYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""macOS has no fdatasync."""


@dataclass(slots=True)
class JournalCounters:
    """What went wrong, or at least not as usual, since the worker began. Bytes are bytes of frames, headers included."""

    dropped_frames: int = 0
    dropped_bytes: int = 0
    degraded_times: int = 0
    failed_writes: int = 0
    failed_fsyncs: int = 0
    segments: int = 0
    put_back: int = 0
    """Times the folder was found deleted and made again."""
    last_error: str = ""


class JournalWriter:
    """Appends frames to one worker's segments. `append` belongs to one thread; everything else is safe from any.

    `durability`: `group` (fsync every `fsync_interval_s`), `full` (fsync before `append` returns) or `none`.
    Raises `AlreadyRunning` when another process holds this worker's lock, OSError when the directory cannot be used.
    """

    def __init__(
        self,
        directory: Path | str,
        worker_id: str,
        clock: "Clock",
        *,
        durability: str = "group",
        fsync_interval_s: float = 0.2,
        segment_bytes: int = 64 * 1024 * 1024,
        cap_bytes: int = 10 * 1024 * 1024 * 1024,
        queue_bytes: int = QUEUE_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        fsync: Callable[[int], None] = _FSYNC,
        recovery_ns: int = RECOVERY_NS,
        measure_ns: int = MEASURE_NS,
        segment_age_ns: int = SEGMENT_AGE_NS,
    ) -> None:
        self.counters = JournalCounters()
        self.degraded = False
        self._directory = Path(directory)
        self._worker_id = worker_id
        self._clock = clock
        self._monotonic = clock.monotonic_ns
        self._write = write
        self._fsync = fsync
        self._durability = durability
        self._interval_s = fsync_interval_s
        self._segment_bytes = min(segment_bytes, max(cap_bytes // SHARE_OF_CAP, LEAST_SEGMENT_BYTES))
        self._cap_bytes = cap_bytes - OWN_BYTES
        self._recovery_ns = recovery_ns
        self._measure_ns = measure_ns
        self._segment_age_ns = segment_age_ns
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = self._closed = self._dirty = False
        self._retired: deque[int] = deque()
        self._backlog = Backlog(queue_bytes)
        self._trouble_ns = self._last_wall_ms = self._opened_ns = 0
        make_private(self._directory)
        self._lock_fd = _take_lock(lock_path(self._directory, worker_id))
        self._frames = 0
        self._earlier_bytes = 0
        self._size = 0
        """Bytes in the open segment."""
        self._stop_at = -1
        """Size of the open segment up to which nothing but a plain write is needed."""
        self._cap_at = self._cap_bytes - measure(self._directory)
        """Size of the open segment at which the journal as a whole reaches its cap, as far as was measured."""
        self._measured_ns = self._monotonic()
        self._number = 1
        self._fd, self._size = self._open_segment(1)
        self._opening_bytes = self._size
        self._settle()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def written_frames(self) -> int:
        """Frames written."""
        return self._frames

    @property
    def written_bytes(self) -> int:
        """Bytes written, those that frame the segments included."""
        return self._earlier_bytes + self._size

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait in memory for the disk (degraded mode)."""
        return self._backlog.queued_bytes

    def append(self, data: bytes, frames: int) -> None:
        """Append `frames` whole frames. Never raises and, after a first slow write, never waits."""
        size = len(data)
        if self._size + size > self._stop_at:
            prepared = self._prepare(data, frames)
            if prepared is None:
                return
            data, frames = prepared
            size = len(data)
        began = self._monotonic()
        try:
            written = self._write(self._fd, data)
        except OSError as error:
            self._begin_degraded(data, frames, f"append: {error.strerror}")
            return
        self._size += written
        self._dirty = True
        self._frames += frames
        if written != size:
            self._begin_degraded(data[written:], 0, "append: short write")
        elif self._monotonic() - began > SLOW_WRITE_NS:
            self._begin_degraded(b"", 0, "append: slow write")
        elif self._durability == "full":
            self._sync(self._fd)

    def turn_over(self) -> None:
        """Go on in a new segment when this one is old and holds anything. Belongs to the thread of `append`; meant for every second.

        A folder that somebody deleted is made again, with what stood in the open segment.
        """
        if not self._closing and not self.degraded and not stands_at(self._path, self._fd):
            self._put_back()
        if self._closing or self._size == self._opening_bytes or self._monotonic() - self._opened_ns < self._segment_age_ns:
            return
        with self._lock:
            if not self.degraded:
                self._next_segment()
                self._settle()

    def close(self) -> None:
        """Drain, seal, fsync, release the lock. Waits at most a few seconds for a disk that stalls. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():  # the disk hangs: what is queued is lost with this process, and the segment stays unsealed
            return
        self._closed = True
        self._settle()
        if self._backlog.lost_frames:
            with contextlib.suppress(OSError):
                self._size += self._write(self._fd, self._backlog.lost_frame(self._monotonic()))
        self._retire(sealed=not self._backlog)
        self._flush_retired()
        with contextlib.suppress(OSError):
            lock_path(self._directory, self._worker_id).unlink()
        os.close(self._lock_fd)

    # ── the careful path: another segment, the cap, or degraded ──

    def _settle(self) -> None:
        """Find again how far plain writes may go."""
        careful = self.degraded or self._backlog.lost_frames or self._closed
        self._stop_at = -1 if careful else min(self._segment_bytes, self._cap_at)

    def _prepare(self, data: bytes, frames: int) -> tuple[bytes, int] | None:
        """Return what to write now, after opening another segment if need be; None when it was queued or lost."""
        with self._lock:
            if self.degraded and not self._closed:
                if not self._backlog.offer(data, frames, self._cap_at - self._size, self._monotonic()):
                    self._lose(data, frames)
                return None
            if self._closed or self._size + len(data) > self._cap_at:
                self._lose(data, frames)
                return None
            if self._backlog.lost_frames:
                data, frames = self._backlog.lost_frame(self._monotonic()) + data, frames + 1
            if self._size + len(data) > self._segment_bytes:
                self._next_segment()
            self._settle()
        return data, frames

    def _lose(self, data: bytes, frames: int) -> None:
        self._backlog.lose(frames, len(data))
        self.counters.dropped_frames += frames
        self.counters.dropped_bytes += len(data)
        self._settle()

    def _begin_degraded(self, rest: bytes, frames: int, why: str) -> None:
        with self._lock:
            self.degraded = True
            self._trouble_ns = self._monotonic()
            self.counters.degraded_times += 1
            self.counters.failed_writes += 1
            self.counters.last_error = why
            if rest:
                self._backlog.put(rest, frames)
            self._settle()
        self._wake.set()

    # ── segments ──

    def _open_segment(self, number: int) -> tuple[int, int]:
        """Make a segment file; return its descriptor and size. Raises OSError, leaving nothing behind."""
        wall_ns = self._clock.now_ns()
        self._last_wall_ms = wall_ms = max(wall_ns // 1_000_000, self._last_wall_ms + 1)
        path = self._directory / str(SegmentName(wall_ms, self._worker_id, number))
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fields = pack_fields(MAGIC, str(wall_ns).encode(), self._worker_id.encode(), str(os.getpid()).encode(), str(number).encode())
        opening = encode(Kind.SEGMENT, 0, self._monotonic(), fields)
        try:
            self._write_opening(fd, opening)
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        self._path = path
        self._dirty = True
        self._opened_ns = self._monotonic()
        self.counters.segments += 1
        return fd, len(opening)

    def _write_opening(self, fd: int, opening: bytes) -> None:
        if self._write(fd, opening) != len(opening):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _next_segment(self) -> None:
        """Go on in a new file; when none can be made, go on in this one (larger than it should be, but nothing is lost)."""
        try:
            fd, size = self._open_segment(self._number + 1)
        except OSError as error:
            self.counters.last_error = f"next segment: {error.strerror}"
            return
        self._retire(sealed=True)
        self._earlier_bytes += self._size
        self._cap_at -= self._size
        self._number += 1
        self._fd, self._size = fd, size
        self._opening_bytes = size

    def _retire(self, *, sealed: bool) -> None:
        if sealed:
            with contextlib.suppress(OSError):  # a reader that finds no seal sees the next segment, or a dead worker
                self._size += self._write(self._fd, encode(Kind.SEALED, 0, self._monotonic()))
        self._retired.append(self._fd)

    def _put_back(self) -> None:
        """Make folder, lock and open segment again. The reader goes on in the copy where it was in the original."""
        with self._lock:
            if self.degraded or stands_at(self._path, self._fd):
                return
            try:
                make_private(self._directory)
                if not stands_at(lock_path(self._directory, self._worker_id), self._lock_fd):
                    lock_fd, self._lock_fd = self._lock_fd, _take_lock(lock_path(self._directory, self._worker_id))
                    os.close(lock_fd)
                fd = copy_to(self._path, self._fd)
            except OSError as error:
                self.counters.last_error = f"the journal's folder is gone and cannot be made again: {error.strerror}"
                return
            self._retired.append(self._fd)
            self._fd = fd
            self._dirty = True
            self.counters.put_back += 1

    # ── the thread: group fsync, draining, the cap ──

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(RETRY_S if self.degraded else self._interval_s)
            self._wake.clear()
            if self.degraded:
                self._drain()
            if self._durability != "none" and self._dirty:
                self._dirty = False
                self._sync(self._fd)
            self._flush_retired()
            if self._monotonic() - self._measured_ns > self._measure_ns:
                self._measure()
        if self.degraded:
            self._drain()

    def _measure(self) -> None:
        """See how much room other workers and the reader have left. What is written meanwhile is seen next time."""
        self._measured_ns = self._monotonic()
        size = self._size
        try:
            room = self._cap_bytes - measure(self._directory)
        except OSError:  # somebody deleted the folder: `turn_over` makes it again
            return
        with self._lock:
            if size <= self._size:  # else another segment was begun meanwhile
                self._cap_at = size + room
                self._settle()

    def _drain(self) -> None:
        """Write what is queued, oldest first; leave degraded mode when that has gone well for long enough."""
        while True:
            with self._lock:
                if not self._backlog and self._backlog.lost_frames and self._size + HEADER.size < self._cap_at:
                    self._backlog.put(self._backlog.lost_frame(self._monotonic()), 1)
                if not self._backlog:
                    self.degraded = self._monotonic() - self._trouble_ns <= self._recovery_ns
                    self._settle()
                    return
                data, frames = self._backlog.take()
                if self._size + len(data) > self._segment_bytes and frames:
                    self._next_segment()
            if not self._drain_batch(data, frames):
                return

    def _drain_batch(self, data: bytes, frames: int) -> bool:
        began = self._monotonic()
        try:
            written = self._write(self._fd, data)
        except OSError as error:
            written, self.counters.last_error = 0, f"append: {error.strerror}"
        self._size += written
        self._dirty = True
        whole = written == len(data)
        with self._lock:
            self._backlog.written(written)
            if not whole:
                self._backlog.put_back(data[written:], 0 if written else frames)
        self._frames += frames if written else 0
        if not whole or self._monotonic() - began > SLOW_WRITE_NS:
            self._trouble_ns = self._monotonic()
            self.counters.failed_writes += 1
        return whole

    def _sync(self, fd: int) -> None:
        try:
            self._fsync(fd)
        except OSError as error:
            self.counters.failed_fsyncs += 1
            self.counters.last_error = f"fsync: {error.strerror}"

    def _flush_retired(self) -> None:
        while self._retired:
            fd = self._retired.popleft()
            if self._durability != "none":
                self._sync(fd)
            os.close(fd)


def _take_lock(path: Path) -> int:
    fd = hold_lock(path, str(os.getpid()))
    if fd is None:
        msg = f"another process writes the journal as this worker ({path.name}): stop it, or use another database"
        raise AlreadyRunning(msg)
    return fd
