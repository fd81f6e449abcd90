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
    if not text:
        return None
    kept = text if text.isprintable() else "".join(ch for ch in text if ch.isprintable())
    kept = kept.strip()[:MAX_OPAQUE_ID_CHARS]
    return kept or None


class CallIds:
    """Makes the call ids of one worker's life, one after another; the same ids as `make_call_id`, thirty times faster."""

    __slots__ = ("_counter", "_low", "_middle", "_prefix", "_time_ms")

    def __init__(self, worker_nonce: int) -> None:
        self._low = worker_nonce & 7
        self._middle = make_call_id(0, worker_nonce, 0)[10:19].encode()
        self._counter = 0
        self._time_ms = -1
        self._prefix = b""

    def next(self, time_ms: int) -> bytes:
        """Return the id of the next call, begun at `time_ms`, as ASCII."""
        counter = self._counter
        if time_ms != self._time_ms or not counter & 1023:
            self._time_ms = time_ms
            self._prefix = self._begin(time_ms, self._low << 32 | counter)
        self._counter = counter + 1 & (1 << 32) - 1
        return self._prefix + _PAIRS[counter & 1023]

    def _begin(self, time_ms: int, low: int) -> bytes:
        """Return the first 24 characters: ten of time, nine of the worker, five of the low 35 bits above the last ten."""
        pairs = _PAIRS
        time = pairs[time_ms >> 40 & 1023] + pairs[time_ms >> 30 & 1023] + pairs[time_ms >> 20 & 1023] + pairs[time_ms >> 10 & 1023]
        return time + pairs[time_ms & 1023] + self._middle + pairs[low >> 30][1:] + pairs[low >> 20 & 1023] + pairs[low >> 10 & 1023]


_PAIRS = [(high + low).encode() for high in _ALPHABET for low in _ALPHABET]
"""Every two characters that ten bits can be."""
