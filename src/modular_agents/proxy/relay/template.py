"""A head with holes: the next message of the same peer is compared with it instead of being read anew.

Messages of one peer differ in a few values (`Content-Length`, `Date`, `request-id` …). What stands between those is
compared byte for byte with a head that has passed every check; a hole ends at the next CR, and holds printable ASCII
only (what else a value may hold is left to reading). So a match means exactly what reading would have found, at a fifth of its cost.
"""

from collections.abc import Sequence

from modular_agents.proxy.relay.framing import HEAD_END

LONGEST = 8 * 1024
"""Longer heads are read anew each time."""


class Template:
    """Made from a head without its final CRLF CRLF, and its holes: (start, stop, whether it is the Content-Length), in order."""

    __slots__ = ("_first", "_segments", "_size")

    def __init__(self, head: bytes, holes: Sequence[tuple[int, int, bool]]) -> None:
        head += HEAD_END
        edges = [*holes, (len(head), 0, False)]
        self._first = head[: edges[0][0]]
        self._size = len(self._first)
        self._segments = [
            (head[stop : edges[number + 1][0]], edges[number + 1][0] - stop, is_length) for number, (_, stop, is_length) in enumerate(holes)
        ]

    def match(self, data: bytes) -> tuple[int, bytes] | None:
        """Return where the body begins and the digits of Content-Length (b"" without one), or None when `data` does not fit."""
        if not data.startswith(self._first):
            return None
        at, digits, values = self._size, b"", b""
        for segment, size, is_length in self._segments:
            stop = data.find(b"\r", at)
            if not data.startswith(segment, stop):
                return None
            if is_length:
                digits = data[at:stop]
                if not digits.isdigit() or stop - at > MAX_DIGITS:
                    return None
            else:
                values += data[at:stop]
            at = stop + size
        if values and not (at <= LONGEST and values.isascii() and values.decode().isprintable()):
            return None
        return at, digits


MAX_DIGITS = 18
"""Of a Content-Length: more would not fit what anybody counts with."""
