"""Content codings piece by piece: what is fed comes out at once, so that a coded stream still streams."""

import zlib
from collections.abc import Iterable, Iterator

import brotli
from backports import zstd


def encode_pieces(coding: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the coded bytes of each piece (flushed), then the ending. Empty yields are left out."""
    if coding == "br":
        yield from _brotli(pieces)
    elif coding == "zstd":
        yield from _zstd(pieces)
    else:
        yield from _zlib(pieces, {"gzip": 31, "deflate": 15}[coding])


def decode(coding: str, data: bytes) -> bytes:
    """Return the decoded bytes of a whole body; '' and `identity` are no coding."""
    if coding in {"", "identity"}:
        return data
    if coding == "br":
        return bytes(brotli.decompress(data))
    if coding == "zstd":
        return zstd.decompress(data)
    return zlib.decompress(data, {"gzip": 31, "deflate": 15}[coding])


def _zlib(pieces: Iterable[bytes], window_bits: int) -> Iterator[bytes]:
    coder = zlib.compressobj(6, zlib.DEFLATED, window_bits)
    for piece in pieces:
        yield coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH)
    yield coder.flush()


def _brotli(pieces: Iterable[bytes]) -> Iterator[bytes]:
    coder = brotli.Compressor(quality=4)
    for piece in pieces:
        yield coder.process(piece) + coder.flush()
    yield coder.finish()


def _zstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    coder = zstd.ZstdCompressor()
    for piece in pieces:
        yield coder.compress(piece, coder.FLUSH_BLOCK)
    if ending := coder.flush():
        yield ending
