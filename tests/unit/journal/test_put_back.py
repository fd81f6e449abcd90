"""Somebody deletes the journal's folder in use: the writer makes it again, the reader goes on, nothing is lost or comes twice."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.segments import Worker

from modular_agents.proxy.journal import reader as room
from modular_agents.proxy.journal.clock import SystemClock
from modular_agents.proxy.journal.frames import Kind, encode
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.journal.segment import FolderLock, is_held, lock_path
from modular_agents.proxy.journal.writer import JournalWriter
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.recorder.assemble import Assembler, Ended

MUCH = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def writer(folder: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(folder, "ab12", SystemClock(), durability="none")
    yield writer
    writer.close()


def write(writer: JournalWriter, *numbers: int) -> None:
    for number in numbers:
        writer.append(encode(Kind.REQUEST_BODY, number, number, b"x" * 50), 1)


def read(reader: JournalReader) -> list[int]:
    found: list[int] = []
    while pieces := reader.poll(MUCH):
        assert not any(piece.missing or piece.worker_gone for piece in pieces)
        found += [frame.exchange for piece in pieces for frame in piece.frames if frame.kind == Kind.REQUEST_BODY]
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("away", [shutil.rmtree, lambda path: path.rename(path.with_name("elsewhere"))])
def test_nothing_is_lost_and_nothing_comes_twice(folder: Path, writer: JournalWriter, away: Callable[[Path], object]) -> None:
    reader = JournalReader(folder)
    write(writer, 1, 2)
    assert read(reader) == [1, 2]
    write(writer, 3)
    away(folder)
    write(writer, 4)
    assert read(reader) == [3, 4], "the open file is read on"
    write(writer, 5)
    writer.turn_over()
    write(writer, 6)
    assert read(reader) == [5, 6]
    assert is_held(lock_path(folder, "ab12"))
    assert writer.counters.put_back == 1
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    position = JournalPosition(reader.offsets())
    reader.close()
    following = JournalReader(folder, position)
    write(writer, 7)
    assert read(following) == [7]
    following.close()


def test_a_folder_that_others_made_again_first_changes_nothing(folder: Path, writer: JournalWriter) -> None:
    reader = JournalReader(folder)
    write(writer, 1)
    assert read(reader) == [1]
    shutil.rmtree(folder)
    folder.mkdir()
    write(writer, 2)
    assert read(reader) == [2]
    writer.turn_over()
    write(writer, 3)
    assert read(reader) == [3]
    reader.close()


def test_a_reader_that_comes_late_finds_everything_in_the_copy(folder: Path, tmp_path: Path) -> None:
    writer = JournalWriter(folder, "ab12", SystemClock(), durability="none", segment_age_ns=0)
    write(writer, 1)
    shutil.rmtree(folder)
    write(writer, 2)
    writer.turn_over()  # makes the folder again and, since it is old, goes on to the next segment
    write(writer, 3)
    reader = JournalReader(folder)
    assert read(reader) == [1, 2, 3]
    writer.close()
    assert read(reader) == []
    reader.close()


def test_a_segment_put_back_and_then_followed_by_the_next_is_read_to_its_new_end(folder: Path) -> None:
    writer = JournalWriter(folder, "ab12", SystemClock(), durability="none", segment_bytes=2000)
    reader = JournalReader(folder)
    write(writer, 1)
    assert read(reader) == [1]
    shutil.rmtree(folder)
    writer.turn_over()
    write(writer, *range(2, 60))
    assert len(list(folder.glob("*.seg"))) > 1
    assert read(reader) == list(range(2, 60))
    writer.close()
    reader.close()


def test_a_folder_that_cannot_be_made_again_is_tried_again(folder: Path, writer: JournalWriter) -> None:
    write(writer, 1)
    shutil.rmtree(folder)
    folder.write_text("in the way")
    writer.turn_over()
    assert "cannot be made again" in writer.counters.last_error
    write(writer, 2)
    folder.unlink()
    writer.turn_over()
    reader = JournalReader(folder)
    assert read(reader) == [1, 2]
    reader.close()


def test_the_thread_survives_a_folder_that_is_away(folder: Path) -> None:
    writer = JournalWriter(folder, "ab12", SystemClock(), fsync_interval_s=0.005, measure_ns=1)
    measured = writer._measured_ns
    shutil.rmtree(folder)
    until(lambda: writer._measured_ns > measured)
    measured = writer._measured_ns
    until(lambda: writer._measured_ns > measured)
    assert any(thread is writer._thread for thread in threading.enumerate())
    writer.close()


def test_a_lock_that_stays_away_is_a_worker_that_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    worker = Worker(folder)
    reader = JournalReader(folder)
    reader.poll(MUCH)
    lock_path(folder, worker.worker).unlink()
    assert reader.poll(MUCH) == []
    assert reader.poll(MUCH) == []
    monkeypatch.setattr(room, "PUT_BACK_S", 0.0)
    assert [piece.worker_gone for piece in reader.poll(MUCH)] == [False, True]
    reader.close()
    worker.die()


def test_calls_open_in_a_segment_that_is_lost_unread_end_all_the_same(folder: Path) -> None:
    folder.mkdir()
    worker = Worker(folder)
    reader = JournalReader(folder)
    assembler = Assembler(reader.payload_at)
    worker.request(1)
    assembler.give(reader.poll(MUCH))
    assembler.take(MUCH, 0)
    worker.rotate()
    worker.end(1)
    lost = worker.path
    worker.rotate()
    lost.unlink()
    while pieces := reader.poll(MUCH):
        assembler.give(pieces)
        assembler.take(MUCH, 0)
    assert assembler.open_count == 1
    (ended,) = assembler.expire(1001 * 1_000_000_000)
    assert isinstance(ended, Ended)
    assert (str(ended.exchange.outcome), ended.exchange.flags) == ("interrupted", frozenset({"gap"}))
    reader.close()
    worker.die()


def test_a_lock_in_a_deleted_folder_is_taken_again_unless_another_has_it(folder: Path) -> None:
    lock, other = FolderLock(folder / "x.lock", "1"), FolderLock(folder / "x.lock", "2")
    assert lock.take()
    assert lock.renew()
    assert not other.take()
    shutil.rmtree(folder)
    assert not is_held(folder / "x.lock")
    assert lock.renew()
    assert not other.take()
    assert (folder / "x.lock").read_text() == "1"
    (folder / "x.lock").unlink()
    assert other.take()
    assert not lock.renew()
    lock.close()
    other.close()
