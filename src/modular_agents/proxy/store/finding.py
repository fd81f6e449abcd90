"""A long part is found by its beginning: Python's own search first builds a table as large as what it looks for.

Looking for 16 bytes takes a ninth of the time of looking for 64, for what it can skip by hangs on how few characters the beginning
has; but messages of one form begin alike for some fifty, and are told apart by the longer one.
"""

BEGINNINGS_BYTES = (16, 64)
TRIES = 4
"""Places that begin alike and go on otherwise, for each beginning; then the table is worth its time, for it bounds the search."""


def find(whole: bytes, part: bytes, start: int = 0) -> int:
    """Return where `part` stands in `whole` from `start` on, as `bytes.find`."""
    at = start
    for size in BEGINNINGS_BYTES:
        if len(part) <= size:
            break
        beginning = part[:size]
        at = whole.find(beginning, at)
        for _ in range(TRIES):
            if at < 0 or whole.startswith(part, at):
                return at
            at = whole.find(beginning, at + 1)
        if at < 0:
            return at
    return whole.find(part, at)
