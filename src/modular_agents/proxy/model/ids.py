"""Identifiers. Opaque text; those we make sort by time of birth.

A call id is 26 characters of Crockford base32 (the ULID alphabet): 48 bits of milliseconds since 1970, 48 bits that
tell one worker's life from another's, 32 bits of counter. Made without a clock or randomness of its own: both are given.
"""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CALL_ID_LENGTH = 26
MAX_OPAQUE_ID_CHARS = 200
"""Longest trace, agent, session or parent id taken from outside; a longer one is cut. Bounds index size."""


def make_call_id(time_ms: int, worker_nonce: int, counter: int) -> str:
    """Return the id of the `counter`-th call of a worker's life that began with the 48-bit `worker_nonce`."""
    number = (time_ms & (1 << 48) - 1) << 80 | (worker_nonce & (1 << 48) - 1) << 32 | counter & (1 << 32) - 1
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def clean_opaque_id(text: str) -> str | None:
    """Return an id from outside made safe to store and show, or None when nothing is left.

    Control characters are dropped and the length is bounded; the rest is kept as it is, for it is only ever
    a bound SQL parameter or a text node.
    """
    kept = "".join(ch for ch in text if ch.isprintable()).strip()[:MAX_OPAQUE_ID_CHARS]
    return kept or None


class CallIds:
    """Makes the call ids of one worker's life, one after another; the same ids as `make_call_id`, twenty times faster."""

    __slots__ = ("_counter", "_low", "_middle", "_time", "_time_ms")

    def __init__(self, worker_nonce: int) -> None:
        self._low = worker_nonce & 7
        self._middle = make_call_id(0, worker_nonce, 0)[10:19]
        self._counter = 0
        self._time_ms = -1
        self._time = ""

    def next(self, time_ms: int) -> str:
        """Return the id of the next call, begun at `time_ms`."""
        counter = self._counter
        self._counter = counter + 1 & (1 << 32) - 1
        if time_ms != self._time_ms:
            self._time_ms = time_ms
            self._time = make_call_id(time_ms, 0, 0)[:10]
        low = self._low << 32 | counter
        return f"{self._time}{self._middle}{_ALPHABET[low >> 30]}{_PAIRS[low >> 20 & 1023]}{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"


_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
