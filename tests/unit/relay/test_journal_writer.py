"""The writer's law: a disk in trouble slows one append at most, and every frame is either written or counted."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modular_agents.proxy.errors import AlreadyRunning
from modular_agents.proxy.journal.clock import SystemClock
from modular_agents.proxy.journal.frames import Frame, Kind, decode, encode, unpack_fields
from modular_agents.proxy.journal.segment import SegmentName, is_held, lock_path
from modular_agents.proxy.journal.writer import JournalWriter


def body(number: int, size: int = 10) -> bytes:
    return encode(Kind.REQUEST_BODY, number, 0, b"x" * size)


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def frames_of(directory: Path) -> list[Frame]:
    names = sorted(name for name in names_in(directory) if SegmentName.parse(name))
    return [frame for name in names for frame in decode((directory / name).read_bytes())]


def bodies(directory: Path) -> list[int]:
    return [frame.exchange for frame in frames_of(directory) if frame.kind == Kind.REQUEST_BODY]


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.005)


class Disk:
    """`os.write` with trouble on demand: a failure, a stall, or `short` bytes per call."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.short: int | None = None
        self.stall = threading.Event()
        self.stall.set()
        self.delay_s = 0.0
        self.slow_here = 0

    def write(self, fd: int, data: bytes) -> int:
        if self.error is not None:
            raise self.error
        if self.delay_s:
            time.sleep(self.delay_s)
            self.slow_here += threading.current_thread() is threading.main_thread()
        if threading.current_thread().name == "journal":
            self.stall.wait(5)
        return os.write(fd, data[: self.short])


def test_a_segment_opens_with_its_anchor_and_closes_sealed(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", "ab12", SystemClock())
    writer.append(body(1) + body(2), 2)
    assert bodies(tmp_path / "j") == [1, 2], "readable at once, before any close"
    writer.close()
    frames = frames_of(tmp_path / "j")
    assert [frame.kind for frame in frames] == [Kind.SEGMENT, Kind.REQUEST_BODY, Kind.REQUEST_BODY, Kind.SEALED]
    magic, wall, worker, pid, number = unpack_fields(frames[0].payload)
    assert (magic, worker, int(pid), number) == (b"ANTONJ01", b"ab12", os.getpid(), b"1")
    assert abs(int(wall) - time.time_ns()) < 60e9


def test_files_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        writer = JournalWriter(tmp_path / "j", "ab12", SystemClock())
        writer.close()
    finally:
        os.umask(old)
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o700
    assert {entry.stat().st_mode & 0o777 for entry in (tmp_path / "j").iterdir()} == {0o600}


def test_the_lock_tells_a_living_worker_from_a_dead_one(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "ab12", SystemClock())
    assert is_held(lock_path(tmp_path, "ab12"))
    with pytest.raises(AlreadyRunning):
        JournalWriter(tmp_path, "ab12", SystemClock())
    writer.close()
    assert not lock_path(tmp_path, "ab12").exists()


def test_segments_follow_each_other_by_size_and_sort_by_name(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), segment_bytes=400)
    for number in range(50):
        writer.append(body(number), 1)
    writer.close()
    names = sorted(name for name in names_in(tmp_path) if name.endswith(".seg"))
    assert len(names) > 3
    assert [split.number for name in names if (split := SegmentName.parse(name))] == list(range(1, len(names) + 1))
    assert bodies(tmp_path) == list(range(50))
    assert all(list(decode((tmp_path / name).read_bytes()))[-1].kind == Kind.SEALED for name in names)


def test_an_old_segment_that_holds_anything_is_followed_by_the_next(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), segment_age_ns=0)
    writer.turn_over()
    assert len(list(tmp_path.glob("*.seg"))) == 1, "an empty one may grow as old as it likes"
    writer.append(encode(Kind.REQUEST_BODY, 1, 1, b"x"), 1)
    writer.turn_over()
    writer.append(encode(Kind.REQUEST_BODY, 1, 2, b"y"), 1)
    writer.close()
    first, second = sorted(tmp_path.glob("*.seg"))
    assert [frame.kind for frame in decode(first.read_bytes())] == [Kind.SEGMENT, Kind.REQUEST_BODY, Kind.SEALED]
    assert [frame.payload for frame in decode(second.read_bytes()) if frame.kind == Kind.REQUEST_BODY] == [b"y"]


def test_a_young_segment_goes_on(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "ab12", SystemClock())
    writer.append(encode(Kind.REQUEST_BODY, 1, 1, b"x"), 1)
    writer.turn_over()
    writer.close()
    assert len(list(tmp_path.glob("*.seg"))) == 1


def test_a_failing_disk_queues_and_everything_lands_in_order(tmp_path: Path) -> None:
    disk = Disk()
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), write=disk.write, recovery_ns=20_000_000)
    writer.append(body(0), 1)
    disk.error = OSError(28, "No space left on device")
    for number in range(1, 100):
        writer.append(body(number), 1)
    assert writer.degraded
    assert writer.queued_bytes == 99 * len(body(0))
    disk.error = None
    until(lambda: not writer.degraded)
    writer.append(body(100), 1)
    assert bodies(tmp_path) == list(range(101))
    assert writer.counters.dropped_frames == 0
    assert writer.written_frames == 101
    writer.close()


def test_a_short_write_leaves_no_torn_frame_in_the_middle(tmp_path: Path) -> None:
    disk = Disk()
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), write=disk.write, recovery_ns=20_000_000)
    disk.short = 7
    for number in range(20):
        writer.append(body(number), 1)
    assert writer.degraded
    disk.short = None
    until(lambda: not writer.degraded)
    assert bodies(tmp_path) == list(range(20))
    writer.close()
    assert writer.written_frames == 20
    assert writer.written_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.seg"))


def test_a_slow_disk_delays_one_append_only(tmp_path: Path) -> None:
    disk = Disk()
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), write=disk.write, recovery_ns=20_000_000)
    disk.delay_s = 0.06
    for number in range(50):
        writer.append(body(number), 1)
    assert disk.slow_here == 1, "the loop waits for a slow disk once; after that its thread does"
    assert writer.degraded
    disk.delay_s = 0
    writer.close()
    assert bodies(tmp_path) == list(range(50))


def test_what_the_queue_cannot_hold_is_counted_exactly_and_said_in_place(tmp_path: Path) -> None:
    disk = Disk()
    size = len(body(0))
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), write=disk.write, recovery_ns=20_000_000, queue_bytes=10 * size)
    disk.error = OSError(5, "Input/output error")
    for number in range(100):
        writer.append(body(number), 1)
    assert (writer.counters.dropped_frames, writer.counters.dropped_bytes) == (90, 90 * size)
    disk.error = None
    until(lambda: not writer.degraded)
    writer.append(body(100), 1)
    writer.close()
    kept = [frame for frame in frames_of(tmp_path) if frame.kind in {Kind.REQUEST_BODY, Kind.DROPPED}]
    assert [frame.exchange for frame in kept if frame.kind == Kind.REQUEST_BODY] == [*range(10), 100]
    assert [unpack_fields(frame.payload) for frame in kept if frame.kind == Kind.DROPPED] == [[b"90", str(90 * size).encode()]]
    assert [frame.kind for frame in kept].index(Kind.DROPPED) == 10


def test_the_cap_of_the_directory_drops_and_counts(tmp_path: Path) -> None:
    (tmp_path / "0000000000001-other-000001.seg").write_bytes(b"x" * 5000)
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), cap_bytes=5500, measure_ns=1, fsync_interval_s=0.01)
    for number in range(100):
        writer.append(body(number), 1)
    kept = len(bodies(tmp_path))
    assert 0 < kept < 100
    assert writer.counters.dropped_frames == 100 - kept
    assert not writer.degraded
    (tmp_path / "0000000000001-other-000001.seg").unlink()

    def room_again() -> bool:
        before = writer.written_frames
        writer.append(body(1000), 1)
        return writer.written_frames > before

    until(room_again)
    lost = writer.counters.dropped_frames
    writer.close()
    said = [int(unpack_fields(frame.payload)[0]) for frame in frames_of(tmp_path) if frame.kind == Kind.DROPPED]
    assert said == [lost]


def test_full_durability_waits_for_the_disk(tmp_path: Path) -> None:
    synced: list[int] = []
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), durability="full", fsync=synced.append, fsync_interval_s=30)
    writer.append(body(1), 1)
    assert len(synced) == 1
    writer.close()


def test_group_durability_syncs_within_its_window(tmp_path: Path) -> None:
    synced: list[int] = []
    writer = JournalWriter(tmp_path, "ab12", SystemClock(), fsync=synced.append, fsync_interval_s=0.01)
    until(lambda: bool(synced))
    before = len(synced)
    writer.append(body(1), 1)
    until(lambda: len(synced) > before)
    writer.close()


def test_after_close_frames_are_counted_as_lost(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "ab12", SystemClock())
    writer.close()
    writer.close()
    writer.append(body(1), 1)
    assert writer.counters.dropped_frames == 1
