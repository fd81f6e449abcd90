import os
from pathlib import Path

import pytest

from modular_agents.proxy.journal.frames import MAGIC, Frame, Kind, pack_fields
from modular_agents.proxy.journal.segment import Anchor, SegmentName, hold_lock, is_held, lock_path


def test_a_name_survives_being_written_and_read() -> None:
    name = SegmentName(1_790_000_000_123, "00ff12ab34cd", 7)
    assert str(name) == "1790000000123-00ff12ab34cd-000007.seg"
    assert SegmentName.parse(str(name)) == name


def test_names_sort_by_birth() -> None:
    names = [SegmentName(1_790_000_000_123, "ab", n) for n in (0, 9, 10, 999_999)]
    assert sorted(map(str, reversed(names))) == [str(name) for name in names]


@pytest.mark.parametrize("name", ["", "x.seg", "1790000000123-z_z-000001.seg", "1790000000123-ab-1.seg", "1790000000123-ab-000001.seg.tmp"])
def test_what_is_no_segment_has_no_name(name: str) -> None:
    assert SegmentName.parse(name) is None


def test_an_anchor_turns_monotonic_times_into_utc() -> None:
    payload = pack_fields(MAGIC, b"1000", b"ab", b"1", b"0")
    anchor = Anchor.of(Frame(Kind.SEGMENT, 0, 0, 50, payload, 0, 0))
    assert anchor == Anchor(1000, 50)
    assert anchor.utc_ns(75) == 1025


@pytest.mark.parametrize("payload", [b"", pack_fields(b"OTHER", b"1000"), pack_fields(MAGIC, b"soon"), pack_fields(MAGIC)])
def test_what_is_no_segment_frame_gives_no_anchor(payload: bytes) -> None:
    assert Anchor.of(Frame(Kind.SEGMENT, 0, 0, 50, payload, 0, 0)) is None


def test_a_lock_is_held_by_one_and_seen_by_all(tmp_path: Path) -> None:
    path = lock_path(tmp_path, "ab")
    assert not is_held(path)
    fd = hold_lock(path, "pid 1")
    assert fd is not None
    assert is_held(path)
    assert hold_lock(path) is None
    assert path.read_text() == "pid 1"
    assert path.stat().st_mode & 0o777 == 0o600
    os.close(fd)
    assert not is_held(path)
