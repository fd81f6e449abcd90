"""Frames that an older relay wrote are read by a newer recorder, and the other way round."""

import pytest

from modular_agents.proxy.journal.frames import End, pack_fields

OLD = pack_fields(b"complete", b"", b"2", b"3", b"", b"", b"X-T: 1\r\n")


def test_an_end_without_what_came_later_is_read() -> None:
    assert End.unpack(OLD) == End("complete", "", 2, 3, trailers="X-T: 1\r\n")


def test_an_end_with_what_will_come_later_is_read() -> None:
    end = End("complete", "", 2, 3, trailers="X-T: 1\r\n", request_trailers="X-R: 1\r\n")
    assert End.unpack(end.pack()) == End.unpack(end.pack() + pack_fields(b"later")) == end


def test_an_end_that_is_cut_is_none() -> None:
    with pytest.raises(ValueError, match="found 6"):
        End.unpack(pack_fields(b"complete", b"", b"2", b"3", b"", b""))
