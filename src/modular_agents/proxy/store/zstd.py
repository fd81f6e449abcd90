"""Compression of what no contract view reads: zstd, from the standard library where it has it (Python 3.14).

The first byte says how: 0 as it is, 1 zstd, 2 zstd with the words of `phrases.PHRASES_1`.
"""

import sys

from modular_agents.proxy.store.phrases import PHRASES_1

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdDict, ZstdError, decompress
else:
    from backports.zstd import ZstdCompressor, ZstdDict, ZstdError, decompress

__all__ = ["ZstdError", "pack", "unpack"]

LEVEL = 3
"""zstd's own default: on 4 KB of answers levels above it save 2 % and cost twice the time."""
HEADS_LEVEL = -1
"""For what is small and made of known words: 288 bytes instead of 261 for a head of 666, in a quarter of the time (4 µs)."""
SMALL_BYTES = 32
"""Shorter than this nothing is gained."""
WORDY_BYTES = 64 * 1024
"""Longer data knows its own words by then."""

_PLAIN, _ZSTD, _WORDED = b"\0", b"\1", b"\2"
_WORDS = ZstdDict(PHRASES_1, is_raw=True)
_LONG = ZstdCompressor(LEVEL)
_HEADS = ZstdCompressor(HEADS_LEVEL, zstd_dict=_WORDS.as_digested_dict)
_SHORT = ZstdCompressor(LEVEL, zstd_dict=_WORDS.as_digested_dict)
"""Made once, for making one costs more than using it. Each `FLUSH_FRAME` ends a frame that knows nothing of the one before."""


def pack(data: bytes) -> bytes:
    """Return `data` compressed, or as it is where that is shorter."""
    if len(data) < SMALL_BYTES:
        return _PLAIN + data
    mark, compressor = (_WORDED, _SHORT) if len(data) < WORDY_BYTES else (_ZSTD, _LONG)
    packed = compressor.compress(data, compressor.FLUSH_FRAME)
    return mark + packed if len(packed) < len(data) else _PLAIN + data


def pack_head(data: bytes) -> bytes:
    """Return `data` compressed like `pack`, for data of known words."""
    packed = _HEADS.compress(data, _HEADS.FLUSH_FRAME)
    return _WORDED + packed if len(packed) < len(data) else _PLAIN + data


def unpack(data: bytes) -> bytes:
    """Return what `pack` was given."""
    mark, rest = data[:1], memoryview(data)[1:]
    if mark == _WORDED:
        return decompress(rest, zstd_dict=_WORDS)
    return decompress(rest) if mark == _ZSTD else bytes(rest)
