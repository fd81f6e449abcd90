import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from modular_agents.proxy.wire.encodings import MAX_DECODED_BYTES, ContentDecoder, codings, decode_body

TEXT = b'data: {"type":"text","text":"h\xc3\xa9llo"}\n\n' * 40


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
]


def decode(name: str, *pieces: bytes) -> tuple[bytes, str | None]:
    decoder = ContentDecoder(tuple(name.split(",")) if name else ())
    return b"".join([decoder.feed(piece) for piece in pieces]), decoder.failure


@pytest.mark.parametrize(("name", "compress"), CODINGS)
def test_whole_and_byte_by_byte(name: str, compress: Callable[[bytes], bytes]) -> None:
    body = compress(TEXT)
    assert decode(name, body) == (TEXT, None)
    assert decode(name, *(body[i : i + 1] for i in range(len(body)))) == (TEXT, None)


@pytest.mark.parametrize(("name", "compress"), CODINGS)
def test_a_cut_body_gives_what_came(name: str, compress: Callable[[bytes], bytes]) -> None:
    body = compress(TEXT)
    for at in range(len(body)):
        out, failure = decode(name, body[:at])
        assert TEXT.startswith(out)
        assert failure is None


@pytest.mark.parametrize(("name", "compress"), CODINGS)
@given(data=st.data())
def test_damage_keeps_what_stands_before_it_however_it_is_fed(name: str, compress: Callable[[bytes], bytes], data: st.DataObject) -> None:
    body = bytearray(compress(TEXT))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5))), len(body)]
    assert decode(name, *(bytes(body[a:b]) for a, b in pairwise(edges))) == decode(name, bytes(body))


def test_several_members_and_frames() -> None:
    assert decode("gzip", gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0") == (b"one two", None)
    assert decode("zstd", zstd.compress(b"one ") + zstd.compress(b"two")) == (b"one two", None)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
@pytest.mark.parametrize("behind", [b"\0", b"\0\0\0", b"\0\1", b"\0\0\1\0", b"\1\0"])
@pytest.mark.parametrize("said", [b"", b"said"])
def test_what_stands_behind_the_end_is_padding_or_damage_however_it_is_fed(name: str, behind: bytes, said: bytes) -> None:
    body = (gzip.compress(said) if name == "gzip" else zlib.compress(said)) + behind
    whole = decode(name, body)
    assert decode(name, *(body[at : at + 1] for at in range(len(body)))) == whole
    assert (whole[1] is None) == (not said or not behind.strip(b"\0"))  # where nothing was said, it is taken as it is


@pytest.mark.parametrize("frame", [b"\x28\xb5\x2f\xfd\x20\x33\x01\x00\x00", b"\x28\xb5\x2f\xfd\x20\x02\x09\x00\x00a"])
@pytest.mark.parametrize("before", [b"", zstd.compress(b"said")])
def test_a_zstd_frame_of_another_size_than_it_says_reads_the_same_however_it_is_fed(frame: bytes, before: bytes) -> None:
    body = before + frame
    whole = decode("zstd", body)
    for at in range(1, len(body)):
        assert decode("zstd", body[:at], body[at:]) == whole
    assert decode("zstd", *(body[at : at + 1] for at in range(len(body)))) == whole


def test_stacked_codings_are_undone_in_reverse() -> None:
    assert decode("gzip,br", brotli.compress(gzip.compress(TEXT))) == (TEXT, None)


def test_a_body_that_is_not_in_its_coding_is_taken_as_it_is() -> None:
    for name in ("gzip", "zstd", "br"):
        body = b'{"error":{"message":"not compressed at all"}}'
        assert decode(name, body) == (body, None)
        assert decode(name, body[:7], body[7:]) == (body, None)


def test_what_nobody_knows_is_said() -> None:
    assert decode("snappy", b"x") == (b"", "content coding snappy is not known here")
    assert decode("gzip,gzip,gzip,gzip", b"x")[1] is not None


@pytest.mark.parametrize(("name", "compress"), CODINGS)
def test_a_bomb_ends_at_a_cap(name: str, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(b"\0" * 40_000_000)
    out, failure = decode(name, bomb)
    assert failure is not None
    assert len(out) <= MAX_DECODED_BYTES + 128 * 1024
    decoder = ContentDecoder((name,))
    decoder.feed(bomb)
    assert decoder.feed(bomb) == b""


def test_a_plain_body_ends_at_the_cap_too() -> None:
    out, failure = decode("", b"x" * (MAX_DECODED_BYTES - 1), b"yyy", b"z")
    assert len(out) == MAX_DECODED_BYTES
    assert failure is not None


def test_headers_name_codings() -> None:
    assert codings((("Content-Encoding", "gzip, BR"), ("content-encoding", "identity"))) == ("gzip", "br")
    assert codings(()) == ()
    assert decode_body(gzip.compress(TEXT), (("content-encoding", "gzip"),)) == (TEXT, None)
