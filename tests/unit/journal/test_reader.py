from pathlib import Path

import pytest
from tests.support.segments import WALL_NS, Worker

from modular_agents.proxy.journal.cursor import Piece
from modular_agents.proxy.journal.frames import FORMAT, HEADER, Kind, encode
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.journal.segment import lock_path
from modular_agents.proxy.ports import JournalPosition, OpenCall

MUCH = 1 << 20


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.fixture
def reader(tmp_path: Path) -> JournalReader:
    return JournalReader(tmp_path)


def kinds(pieces: list[Piece]) -> list[int]:
    return [frame.kind for piece in pieces for frame in piece.frames]


def payloads(pieces: list[Piece]) -> list[bytes]:
    return [frame.payload for piece in pieces for frame in piece.frames if frame.kind == Kind.RESPONSE_BODY]


def committed(reader: JournalReader, *open_calls: OpenCall) -> JournalPosition:
    return JournalPosition(reader.offsets(), open_calls)


def test_a_directory_that_is_not_there_is_an_empty_journal(tmp_path: Path) -> None:
    assert JournalReader(tmp_path / "none").poll(MUCH) == []


def test_frames_come_once_in_order(worker: Worker, reader: JournalReader) -> None:
    worker.request(1)
    assert kinds(reader.poll(MUCH)) == [Kind.SEGMENT, Kind.REQUEST_HEAD, Kind.REQUEST_BODY]
    assert reader.poll(MUCH) == []
    worker.end(1)
    assert kinds(reader.poll(MUCH)) == [Kind.END]


def test_times_are_anchored_by_the_segments_first_frame(worker: Worker, reader: JournalReader) -> None:
    worker.request(1)
    piece = reader.poll(MUCH)[0]
    assert piece.anchor.utc_ns(piece.frames[0].time_ns) == WALL_NS + 1_000_000


def test_a_resumed_reader_gives_only_what_is_new_with_the_same_anchor(worker: Worker, reader: JournalReader, tmp_path: Path) -> None:
    worker.request(1)
    anchor = reader.poll(MUCH)[0].anchor
    worker.end(1)
    pieces = JournalReader(tmp_path, committed(reader)).poll(MUCH)
    assert kinds(pieces) == [Kind.END]
    assert pieces[0].anchor == anchor


def test_a_frame_still_being_written_is_waited_for(worker: Worker, reader: JournalReader) -> None:
    reader.poll(MUCH)
    data = encode(Kind.RESPONSE_BODY, 1, 5, b"hello")
    for byte in data[:-1]:
        worker.append(bytes([byte]))
        assert reader.poll(MUCH) == []
    worker.append(data[-1:])
    assert payloads(reader.poll(MUCH)) == [b"hello"]
    assert (reader.torn_bytes, reader.damaged_bytes) == (0, 0)


def test_a_frame_longer_than_the_read_is_read_whole(worker: Worker, reader: JournalReader) -> None:
    worker.frame(Kind.RESPONSE_BODY, 1, bytes(300_000))
    got: list[bytes] = []
    while pieces := reader.poll(100):
        got += payloads(pieces)
    assert got == [bytes(300_000)]


def test_a_torn_tail_of_a_dead_worker_is_the_end(worker: Worker, reader: JournalReader) -> None:
    worker.request(1)
    worker.append(encode(Kind.END, 1, 5, b"never whole")[:-3])
    assert kinds(reader.poll(MUCH))[-1] == Kind.REQUEST_BODY
    worker.die()
    pieces = reader.poll(MUCH)
    assert (pieces[0].finished, pieces[0].lost_bytes, reader.torn_bytes) == (True, 32, 32)
    assert pieces[-1].worker_gone
    assert reader.poll(MUCH) == []


def test_a_worker_that_sealed_its_segment_and_went_is_gone_too(worker: Worker, reader: JournalReader) -> None:
    worker.frame(Kind.SEALED)
    assert reader.poll(MUCH)[-1].finished
    assert reader.poll(MUCH) == []
    worker.die()
    assert [piece.worker_gone for piece in reader.poll(MUCH)] == [True]


def test_what_a_dying_worker_wrote_last_comes_before_its_farewell(worker: Worker, reader: JournalReader) -> None:
    reader.poll(MUCH)
    assert reader.poll(MUCH) == []
    worker.rotate()
    worker.request(1)
    worker.die()
    pieces = reader.poll(MUCH)
    assert kinds(pieces) == [Kind.SEALED, Kind.SEGMENT, Kind.REQUEST_HEAD, Kind.REQUEST_BODY]
    assert [piece.worker_gone for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_damage_in_the_middle_is_skipped_and_counted(worker: Worker, reader: JournalReader) -> None:
    worker.answer(1, b"one")
    start = worker.path.stat().st_size
    worker.frame(Kind.RESPONSE_BODY, 1, b"two")
    worker.frame(Kind.RESPONSE_BODY, 1, b"three")
    data = bytearray(worker.path.read_bytes())
    data[start + HEADER.size] ^= 1
    worker.path.write_bytes(data)
    assert payloads(reader.poll(MUCH)) == [b"one"]
    pieces = reader.poll(MUCH) + reader.poll(MUCH)
    assert payloads(pieces) == [b"three"]
    assert (pieces[0].lost_bytes, reader.damaged_bytes) == (HEADER.size + 3, HEADER.size + 3)


def test_half_a_frame_given_up_by_a_living_worker_is_skipped(worker: Worker, reader: JournalReader) -> None:
    reader.poll(MUCH)
    worker.append(encode(Kind.RESPONSE_BODY, 1, 5, b"x" * 40)[:30])
    worker.frame(Kind.RESPONSE_BODY, 1, b"whole")
    worker.frame(Kind.RESPONSE_BODY, 1, b"y" * 100)
    pieces = reader.poll(MUCH) + reader.poll(MUCH)
    assert payloads(pieces) == [b"whole", b"y" * 100]
    assert reader.damaged_bytes == 30


def test_an_impossible_size_field_is_damage_not_a_frame_to_wait_for(worker: Worker, reader: JournalReader) -> None:
    reader.poll(MUCH)
    worker.append(b"\xff" * 50)
    worker.frame(Kind.RESPONSE_BODY, 1, b"whole")
    assert payloads(reader.poll(MUCH) + reader.poll(MUCH)) == [b"whole"]


def test_a_segment_without_its_first_frame_is_anchored_by_its_name(worker: Worker, reader: JournalReader) -> None:
    worker.path.write_bytes(b"")
    worker.frame(Kind.REQUEST_BODY, 1, b"x")
    piece = reader.poll(MUCH)[0]
    assert piece.anchor.utc_ns(worker.now) == WALL_NS


def test_a_later_format_is_left_alone(worker: Worker, reader: JournalReader) -> None:
    data = bytearray(worker.path.read_bytes())
    data[10:12] = (FORMAT + 1).to_bytes(2, "little")
    worker.path.write_bytes(data)
    worker.die()
    for _ in range(3):
        assert reader.poll(MUCH) == []
    reader.release(reader.offsets(), set())
    assert reader.refused() == [worker.name]
    assert worker.path.exists()


def test_a_segment_goes_when_committed_and_finished(worker: Worker, reader: JournalReader) -> None:
    first = worker.path
    worker.request(1)
    worker.rotate()
    reader.poll(MUCH)
    assert reader.release({}, set()) == []
    assert reader.release(reader.offsets(), set()) == [first.name]
    assert not first.exists()
    assert worker.path.exists()
    assert list(reader.offsets()) == [worker.name]


def test_a_segment_stays_while_an_open_call_has_frames_in_it(worker: Worker, reader: JournalReader) -> None:
    names = [worker.name]
    for _ in range(2):
        worker.rotate()
        names.append(worker.name)
    reader.poll(MUCH)
    assert reader.release(reader.offsets(), {names[0]}) == names[1:2]
    assert reader.release(reader.offsets(), set()) == names[:1]


def test_a_dead_workers_last_segment_and_lock_go(worker: Worker, reader: JournalReader, tmp_path: Path) -> None:
    worker.die()
    reader.poll(MUCH)
    reader.poll(MUCH)
    reader.release(reader.offsets(), set())
    assert list(tmp_path.iterdir()) == []
    assert not lock_path(tmp_path, worker.worker).exists()


def test_a_segment_that_somebody_deleted_is_passed_over(worker: Worker, reader: JournalReader) -> None:
    worker.rotate()
    reader._list()
    (worker.directory / worker.name.replace("000001", "000000")).unlink()
    assert kinds(reader.poll(MUCH)) == [Kind.SEGMENT]


def test_again_gives_back_the_frames_of_open_calls_up_to_the_position(worker: Worker, reader: JournalReader, tmp_path: Path) -> None:
    worker.request(1)
    reader.poll(MUCH)
    start = worker.path.stat().st_size
    call = OpenCall("call2", worker.name, start)
    worker.request(2)
    worker.rotate()
    worker.answer(2, b"a")
    reader.poll(MUCH)
    worker.frame(Kind.RESPONSE_BODY, 2, b"b")
    resumed = JournalReader(tmp_path, committed(reader, call))
    expected = [Kind.REQUEST_HEAD, Kind.REQUEST_BODY, Kind.SEALED, Kind.SEGMENT, Kind.RESPONSE_HEAD, Kind.RESPONSE_BODY]
    assert kinds(list(resumed.again([call]))) == expected
    assert payloads(resumed.poll(MUCH)) == [b"b"]


def test_payloads_are_found_again_by_offset(worker: Worker, reader: JournalReader) -> None:
    worker.answer(1, b"one", b"", b"three")
    frames = reader.poll(MUCH)[0].frames
    offsets = [frame.offset for frame in frames if frame.kind == Kind.RESPONSE_BODY]
    assert reader.payload_at(worker.name, offsets) == [b"one", b"", b"three"]


def test_every_worker_gets_its_share_of_a_poll(tmp_path: Path, reader: JournalReader) -> None:
    for name in ("aa", "bb", "cc"):
        Worker(tmp_path, name).frame(Kind.RESPONSE_BODY, 1, bytes(200_000))
    assert {piece.worker for piece in reader.poll(1000)} == {"aa", "bb", "cc"}


def test_lag_counts_what_was_not_given_out(worker: Worker, reader: JournalReader) -> None:
    reader.poll(MUCH)
    assert reader.lag_bytes() == 0
    assert reader.lag_bytes() == len(worker.frame(Kind.RESPONSE_BODY, 1, b"abc")) * 0
    reader.poll(0)
    data = worker.frame(Kind.RESPONSE_BODY, 1, b"abc")
    assert reader.lag_bytes() == len(data)
