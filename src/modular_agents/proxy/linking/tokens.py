"""A token stands for one kind of statement and one value, as a signed 64-bit number; no two kinds share a token.

What one call leaves behind and what another looks for are the same token, so that every question is one indexed look-up.
A token is half of the truth: whoever finds a call by one reads its facts before believing it.
"""

from collections.abc import Iterable
from hashlib import blake2b


def token(kind: str, value: bytes | str) -> int:
    """Return the token of `value` as a `kind` of statement (at most 16 bytes of ASCII)."""
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return int.from_bytes(blake2b(data, digest_size=8, person=kind.encode()).digest(), "big", signed=True)


def tokens(kind: str, values: Iterable[bytes | str]) -> tuple[int, ...]:
    """Return the tokens of several values, in order."""
    return tuple(token(kind, value) for value in values)
