"""A cursor is a place in a list, opaque to whoever carries it: the number of the last row that was given out."""

from modular_agents.proxy.errors import UsageError

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAX_CHARS = 14
"""Enough for 63 bits."""
MAX_ROWS = 1000
"""Rows of one page, whatever was asked for."""


def encode(kind: str, number: int) -> str:
    """Return the cursor that stands behind row `number`. `kind` is one letter: a cursor of one list is none of another."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return f"{kind}{text}"


def decode(kind: str, cursor: str | None) -> int | None:
    """Return the number behind which to go on; None for the beginning. Raises `UsageError` for text that is no cursor of this list."""
    if cursor is None:
        return None
    digits = cursor[1:]
    if cursor[:1] != kind or not 0 < len(digits) <= _MAX_CHARS or not all(digit in _DIGITS for digit in digits):
        msg = "this cursor was not given out by this list: begin again without one"
        raise UsageError(msg)
    return min(int(digits, 36), (1 << 63) - 1)


def rows(limit: int) -> int:
    """Return how many rows to give for a wish of `limit`: at least one, at most `MAX_ROWS`."""
    return max(1, min(limit, MAX_ROWS))
