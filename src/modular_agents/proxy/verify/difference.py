"""Two byte strings that should be equal: where they part, and in how many bytes. Pure."""

from dataclasses import dataclass
from itertools import zip_longest

SHOWN_BYTES = 12
"""Of either side from the difference on: enough to see what stands there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`at`: the first byte that differs, counted from 0. The excerpts begin there, escaped; an empty one: nothing more came."""

    way: str
    """`to the provider` or `to the client`."""
    at: int
    expected: str
    came: str
    changed: int
    """Bytes that differ, are missing or are too many."""


def difference(way: str, expected: bytes, came: bytes) -> Difference | None:
    """Return how `came` differs from `expected`, None when it does not."""
    if expected == came:
        return None
    unequal = [at for at, (left, right) in enumerate(zip_longest(expected, came)) if left != right]
    at = unequal[0]
    return Difference(way, at, _shown(expected[at:]), _shown(came[at:]), len(unequal))


def _shown(data: bytes) -> str:
    return repr(data[:SHOWN_BYTES])[2:-1]
