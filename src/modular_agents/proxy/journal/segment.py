"""A segment's name says whose it is and where it stands; a held lock says that its worker lives. Writer and reader agree here.

In a journal directory lie, per worker life:

    <wall ms, 13 digits>-<worker id>-<number, 6 digits>.seg    sorted by name = sorted by birth
    <worker id>.lock                                                 flock'ed (exclusive) as long as the worker lives

The lock is taken before the first segment is made, so a segment without a held lock belongs to a dead worker.
"""

import contextlib
import fcntl
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from modular_agents.proxy.journal.frames import MAGIC, Frame, Kind, unpack_fields

SUFFIX = ".seg"
LOCK_SUFFIX = ".lock"
_LOCK_ATTEMPTS = 4
_LOCK_PAUSE_S = 0.005
"""`is_held` takes the lock for a microsecond to see whether it can: whoever wants to keep it asks more than once."""
_COPY_BYTES = 1024 * 1024
_NAME = re.compile(r"(\d{13})-([0-9A-Za-z]{1,32})-(\d{6,12})\.seg")


@dataclass(frozen=True, slots=True)
class SegmentName:
    """A segment file's name, taken apart. Within one worker segments follow each other by `number`, whatever the wall clock did."""

    wall_ms: int
    worker: str
    number: int

    def __str__(self) -> str:
        """Return the file name."""
        return f"{self.wall_ms:013d}-{self.worker}-{self.number:06d}{SUFFIX}"

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        """Return the parts of a file name, or None when it names no segment."""
        match = _NAME.fullmatch(name)
        return cls(int(match[1]), match[2], int(match[3])) if match else None


@dataclass(frozen=True, slots=True)
class Anchor:
    """Ties a worker's monotonic clock to UTC: `mono_ns` was `wall_ns`."""

    wall_ns: int
    mono_ns: int

    def utc_ns(self, time_ns: int) -> int:
        """Return the UTC time of a frame's monotonic time."""
        return self.wall_ns + time_ns - self.mono_ns

    @classmethod
    def of(cls, frame: Frame) -> "Anchor | None":
        """Return the anchor that a SEGMENT frame gives; None when the frame is another or its payload is not ours."""
        if frame.kind != Kind.SEGMENT:
            return None
        try:
            magic, wall, *_ = unpack_fields(frame.payload)
            return cls(int(wall), frame.time_ns) if magic == MAGIC else None
        except ValueError:
            return None


def lock_path(directory: Path, worker: str) -> Path:
    """Return where a worker's lock lies."""
    return directory / f"{worker}{LOCK_SUFFIX}"


def hold_lock(path: Path, text: str = "") -> int | None:
    """Take a lock for the life of this process and write `text` into it: return its descriptor, None when another holds it.

    The file is 0600. Raises OSError when the directory cannot be written.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for attempt in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if attempt == _LOCK_ATTEMPTS - 1:
                os.close(fd)
                return None
            time.sleep(_LOCK_PAUSE_S)
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)
    return fd


def make_private(folder: Path) -> None:
    """Make a folder (0700), and each that is missing above it likewise. Raises OSError."""
    if not folder.parent.exists():
        make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


class FolderLock:
    """A lock in a folder that somebody may delete while it is held: `renew` now and then takes it again."""

    def __init__(self, path: Path, text: str = "") -> None:
        self._path, self._text = path, text
        self._fd: int | None = None

    def take(self) -> bool:
        """Take it, making its folder if need be; return False when another holds it. Raises OSError."""
        make_private(self._path.parent)
        fd = hold_lock(self._path, self._text)
        if fd is None:
            return False
        self.close()
        self._fd = fd
        return True

    def renew(self) -> bool:
        """Take it again if its file is not there any more; return False when another took it meanwhile. Raises OSError."""
        return (self._fd is not None and stands_at(self._path, self._fd)) or self.take()

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def is_held(path: Path) -> bool:
    """Return whether a living process holds the lock at `path`. A lock that is not there is not held."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def stands_at(path: Path, fd: int) -> bool:
    """Return whether the file at `path` is the open one: False once somebody deleted or moved it, or its folder."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False


def copy_to(path: Path, fd: int) -> int:
    """Put a file (0600) with the content of `fd` at `path`; return its descriptor, open for appending. Raises OSError."""
    fresh = path.with_suffix(".new")
    new = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        at = 0
        while data := os.pread(fd, _COPY_BYTES, at):
            at += os.write(new, data)
        fresh.replace(path)
    except OSError:
        os.close(new)
        fresh.unlink(missing_ok=True)
        raise
    return new


def read_exactly(fd: int, size: int, offset: int) -> bytes:
    """Return up to `size` bytes from `offset`; fewer only where the file ends."""
    data = os.pread(fd, size, offset)
    while len(data) < size:
        more = os.pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def measure(directory: Path) -> int:
    """Return the bytes of all segments in a journal directory, whoever wrote them."""
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):  # the reader may just have removed it
                    total += entry.stat().st_size
    return total
