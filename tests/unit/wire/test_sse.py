from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modular_agents.proxy.wire.sse import SseDecoder, SseEvent


def read(*pieces: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("", b"a")]),
        (b"data:a\n\n", [("", b"a")]),
        (b"data:  a\n\n", [("", b" a")]),
        (b"event: ping\ndata: {}\n\n", [("ping", b"{}")]),
        (b"data: a\ndata: b\n\n", [("", b"a\nb")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("", b"a"), ("", b"b"), ("", b"c")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
        (b": comment\n\n:\n\ndata: a\n\n", [("", b"a")]),
        (b"event: lost\n\ndata: a\n\n", [("", b"a")]),
        (b"id: 7\nretry: 10\nunknown\ndata\n\n", [("", b"")]),
        ("data: a\u2028b\u0085c\x0bd\x0ce\n\n".encode(), [("", "a\u2028b\u0085c\x0bd\x0ce".encode())]),
        (b"data: a", [("", b"a")]),
        (b"data: a\r", [("", b"a")]),
        (b"event: x", []),
        (b"", []),
        (b"event: \xff\ndata: \xff\n\n", [("\ufffd", b"\xff")]),
    ],
)
def test_events_however_they_are_cut(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert read(stream) == events
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == events
    for at in range(len(stream)):
        assert read(stream[:at], b"", stream[at:]) == events


LINES = st.lists(st.sampled_from([b"data: x", b"data:", b"event: e", b":c", b"", b"a" * 9, b"\xef\xbb\xbf"]), max_size=9)


@given(LINES, st.lists(st.sampled_from([b"\r", b"\n", b"\r\n"]), min_size=9, max_size=9), st.lists(st.integers(0, 99), max_size=6))
def test_line_ends_do_not_matter_nor_do_cuts(lines: list[bytes], ends: list[bytes], places: list[int]) -> None:
    plain = b"".join(line + b"\n" for line in lines)
    mixed = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    if b"\r\r\n" not in mixed and not any(a == b"\r" and b == b"\n" for a, b in pairwise(ends)):
        assert read(mixed) == read(plain)
    edges = [0, *sorted(min(at, len(mixed)) for at in places), len(mixed)]
    assert read(*(mixed[a:b] for a, b in pairwise(edges))) == read(mixed)


def test_a_line_without_end_costs_time_in_proportion() -> None:
    """50,000 pieces of one line: joined once, not at every piece."""
    decoder = SseDecoder()
    decoder.feed(b"data: ")
    for _ in range(50_000):
        assert not decoder.feed(b"xxxx")
    assert decoder.feed(b"\n\n") == [("", b"x" * 200_000)]
