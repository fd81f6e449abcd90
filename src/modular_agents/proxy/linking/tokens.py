"""A token stands for one kind of statement and one value, as a number below 2^60; no two kinds share a token, and none is 0.

What one call leaves behind and what another looks for are the same token, so that every question is one indexed look-up.
A token is half of the truth: whoever finds a call by one reads its facts before believing it. Tokens of histories, ids and whole
texts are parts of a hash that no two values share; a `mark` is quick to make and only says where to look.
"""

from hashlib import blake2b
from zlib import crc32

TIP, HISTORY, ANSWER, ASKED, REQUEST, RESPONSE, FOLLOWING, TOOK, TEXT, SYSTEM = range(1, 11)
"""Kinds of tokens. What each means stands where it is left: `place.lasting_of`, `place.recent_of`."""
THREAD, SESSION, OPENED, TOLD, TIED, HEAD, PROMPT, CONNECTION, SHORT, CALL, MEMBER, BRANCH, _, PROCESS, TRIED = range(11, 26)
"""Kinds of marks."""
BESIDE = frozenset((HEAD, PROMPT, CONNECTION))
"""By these somebody is found who stands nearby; no more than the nearest have any say."""
_KIND_BITS = 5
_KIND = (1 << _KIND_BITS) - 1
_DIGEST_BYTES = 7
_SIZES = 1 << 20
"""Sizes that marks tell apart."""
_MARK_SHIFT = _KIND_BITS + 20


def named(kind: int, digest: bytes) -> int:
    """Return the token of what a hash names (its first seven bytes are used, but one bit)."""
    return int.from_bytes(digest[:_DIGEST_BYTES], "big") >> 1 << _KIND_BITS | kind


def token(kind: int, value: str) -> int:
    """Return the token of a text."""
    return token_of(kind, value.encode("utf-8", "surrogatepass"))


def token_of(kind: int, data: bytes) -> int:
    """Return the token of a text in UTF-8."""
    return int.from_bytes(blake2b(data, digest_size=_DIGEST_BYTES).digest(), "big") >> 1 << _KIND_BITS | kind


def turned(key: int, kind: int) -> int:
    """Return the same value as a token of another kind."""
    return key >> _KIND_BITS << _KIND_BITS | kind


def is_beside(token_: int) -> bool:
    """Return whether a token is of a kind by which calls stand beside each other."""
    return token_ & _KIND in BESIDE


def mark(kind: int, value: str) -> int:
    """Return the mark of a text or an id: equal ones have equal marks, others nearly never."""
    data = value.encode("utf-8", "surrogatepass")
    return crc32(data) << _MARK_SHIFT | len(data) % _SIZES << _KIND_BITS | kind


def mark_of(kind: int, data: bytes) -> int:
    """Return the mark of a text in UTF-8."""
    return crc32(data) << _MARK_SHIFT | len(data) % _SIZES << _KIND_BITS | kind
