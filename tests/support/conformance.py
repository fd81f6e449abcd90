"""Conformance of incremental parsers: the same bytes whole, byte by byte, cut anywhere, and with something after them."""

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def splits(data: bytes, *, seed: int = 0, random_cuts: int = 8) -> Iterator[list[bytes]]:
    """Yield ways to cut `data`: whole, byte by byte, every cut in two (short data), and seeded random cuts."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    if len(data) <= 256:
        yield from ([data[:i], data[i:]] for i in range(1, len(data)))
    dice = random.Random(seed)
    for _ in range(random_cuts):
        cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(1, 12)))
        yield [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def assert_split_law(data: bytes, parse: Callable[[list[bytes]], T]) -> T:
    """Assert that `parse(pieces)` gives the same for every way of cutting; return it."""
    whole = parse([data])
    for pieces in splits(data):
        got = parse(pieces)
        assert got == whole, f"cut as {[len(p) for p in pieces][:40]} it gives {got!r}, whole {whole!r}"
    return whole


def assert_trailing_law(data: bytes, after: bytes, parse_one: Callable[[bytes], tuple[T, bytes]]) -> T:
    """Assert that a parser of one message leaves what follows it alone; `parse_one` returns (value, unused bytes)."""
    alone, unused = parse_one(data)
    assert unused == b"", f"{len(unused)} bytes of a whole message were left over"
    together, rest = parse_one(data + after)
    assert together == alone, "what follows a message changed it"
    assert rest == after, "bytes after the message were taken or lost"
    return alone
