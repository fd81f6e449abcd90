"""A long part is found by its beginning: Python's own search first builds a table as large as what it looks for."""

BEGINNING_BYTES = 64
TRIES = 4
"""Places that begin alike and go on otherwise; then the table is worth its time, for it bounds the search."""


def find(whole: bytes, part: bytes, start: int = 0) -> int:
    """Return where `part` stands in `whole` from `start` on, as `bytes.find`."""
    if len(part) <= BEGINNING_BYTES:
        return whole.find(part, start)
    beginning = part[:BEGINNING_BYTES]
    at = whole.find(beginning, start)
    for _ in range(TRIES):
        if at < 0 or whole.startswith(part, at):
            return at
        at = whole.find(beginning, at + 1)
    return at if at < 0 else whole.find(part, at)
