"""Content codings of a copy: decoded as they arrive, never beyond a cap, and what was decoded before damage is kept.

Splitting the input anywhere gives the same output. A body that is not in the coding its header names (some servers lie)
is taken as it is. Sources: RFC 9110 §8.4, RFC 1950-1952, RFC 7932 (br), RFC 8878 (zstd).
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]
from backports import zstd

from modular_agents.proxy.model.exchange import Headers

MAX_DECODED_BYTES = 32 * 1024 * 1024
"""Twice what a record may hold undecoded: room for any real answer, and an end to a bomb."""
MAX_RATIO = 200
"""Output per input byte. Repetitive event streams reach 60; a bomb starts at 1,000."""
RATIO_FREE_BYTES = 1024 * 1024
"""No ratio is judged below this much output: a few KB of zeros is no bomb."""
MAX_CODINGS = 3
"""More stacked codings than this nobody sends in earnest."""
_STEP_BYTES = 64 * 1024
"""Most output taken from a decoder before the caps are looked at again."""
_REPLAY_STEPS_BYTES = (64 * 1024, 1024, 16, 1)
"""Each pass starts where the last one failed: damage in 16 MB is found with a few thousand calls, not 16 million."""


_NAME = "content-encoding"
_NAME_LENGTH = len(_NAME)


class _Stage(Protocol):
    def run(self, data: bytes) -> Iterator[bytes]:
        """Yield output for more input, at most a step at a time. Raises ValueError for damage."""


_NO_PADDING = "zeros, and something behind them"
"""No member begins with zeros, in whatever pieces they come."""


class _Zlib:
    """Gzip (any number of members) and deflate (with zlib's header, or raw as some servers send it)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner: zlib._Decompress | None = None
        self._first = b""
        self._is_padded = False

    def run(self, data: bytes) -> Iterator[bytes]:
        if self._inner is None:
            data = self._first = self._first + data
            if len(data) < 2:  # noqa: PLR2004 - both formats are told by two bytes
                return
            self._inner = zlib.decompressobj(self._pick(data))
        try:
            while data:
                if self._inner.eof:
                    if not data.strip(b"\0"):
                        self._is_padded = True
                        return  # padding after the last member
                    if self._is_padded or not data[0]:
                        raise ValueError(_NO_PADDING)
                    self._inner = zlib.decompressobj(self._wbits)
                yield self._inner.decompress(data, _STEP_BYTES)
                while self._inner.unconsumed_tail:
                    yield self._inner.decompress(self._inner.unconsumed_tail, _STEP_BYTES)
                data = self._inner.unused_data if self._inner.eof else b""
        except zlib.error as error:
            raise ValueError(str(error)) from None

    def _pick(self, head: bytes) -> int:
        if self._wbits != zlib.MAX_WBITS:
            return self._wbits
        is_zlib = head[0] & 15 == 8 and (head[0] << 8 | head[1]) % 31 == 0  # noqa: PLR2004 - RFC 1950 §2.2
        return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    def run(self, data: bytes) -> Iterator[bytes]:
        try:
            yield self._inner.process(data, output_buffer_limit=_STEP_BYTES)
            while not self._inner.can_accept_more_data():
                yield self._inner.process(b"", output_buffer_limit=_STEP_BYTES)
        except brotli.error as error:
            raise ValueError(str(error)) from None


class _Zstd:
    """A frame's first byte is given alone: of a frame that it gets whole the library checks more than of one in pieces (its size)."""

    def __init__(self) -> None:
        self._inner = zstd.ZstdDecompressor()
        self._is_new = True

    def run(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._inner.eof:
                    self._inner, self._is_new = zstd.ZstdDecompressor(), True
                if self._is_new:
                    self._inner.decompress(data[:1])
                    data, self._is_new = data[1:], False
                yield self._inner.decompress(data, max_length=_STEP_BYTES)
                while not self._inner.needs_input and not self._inner.eof:
                    yield self._inner.decompress(b"", max_length=_STEP_BYTES)
                data = self._inner.unused_data if self._inner.eof else b""
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None


_STAGES: dict[str, Callable[[], _Stage]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstd,
}


def codings(headers: Headers) -> tuple[str, ...]:
    """Return the content codings a head names, in the order they were applied; `identity` left out."""
    named = [value for name, value in headers if len(name) == _NAME_LENGTH and name.lower() == _NAME]
    if not named:
        return ()
    return tuple(word for part in ",".join(named).split(",") if (word := part.strip().lower()) and word != "identity")


class ContentDecoder:
    """Undoes content codings piece by piece. `failure` says why it stopped; what came out before stays good."""

    def __init__(self, applied: tuple[str, ...]) -> None:
        self.failure: str | None = None
        self._codings = applied
        unknown = [name for name in applied if name not in _STAGES]
        if unknown or len(applied) > MAX_CODINGS:
            self.failure = f"content coding {', '.join(unknown or applied)} is not known here"
        self._stages = [] if self.failure else [_STAGES[name]() for name in reversed(applied)]
        self._inputs: list[bytes] = []
        self._in = self._out = 0
        self._plain = not applied

    def feed(self, data: bytes) -> bytes:
        """Return what more input decodes to."""
        if self._plain:
            return self._capped(data)
        if self.failure is not None or not data:
            return b""
        self._inputs.append(data)
        self._in += len(data)
        out: list[bytes] = []
        given = self._out
        try:
            for piece in self._through(data, 0):
                out.append(piece)
                self._out += len(piece)
                if self._bomb():
                    break
        except ValueError as error:
            return self._replay(str(error), given)
        return b"".join(out)

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._stages):
            yield data
            return
        for piece in self._stages[depth].run(data):
            yield from self._through(piece, depth + 1)

    def _bomb(self) -> bool:
        if self._out > MAX_DECODED_BYTES:
            self.failure = f"decoded body passes {MAX_DECODED_BYTES >> 20} MB"
        elif self._out > RATIO_FREE_BYTES and self._out > MAX_RATIO * self._in:
            self.failure = f"decoded body is over {MAX_RATIO} times its size on the wire"
        return self.failure is not None

    def _capped(self, data: bytes) -> bytes:
        room = MAX_DECODED_BYTES - self._out
        if len(data) > room:
            self.failure = f"body passes {MAX_DECODED_BYTES >> 20} MB"
            data = data[: max(room, 0)]
        self._out += len(data)
        return data

    def _replay(self, reason: str, given: int) -> bytes:
        """Damage: decode again from the start in ever smaller steps, to give exactly what stands before it however it was fed."""
        everything = b"".join(self._inputs)
        decoded, at = b"", 0
        for step in _REPLAY_STEPS_BYTES:
            decoded, at = self._good_prefix(everything, at, step)
        self._inputs = []
        if not decoded:
            self._plain, self._out = True, 0
            return self._capped(everything)
        self.failure = f"content coding {', '.join(self._codings)} is damaged: {reason}"
        self._out = len(decoded)
        return decoded[given:]

    def _good_prefix(self, everything: bytes, at: int, step: int) -> tuple[bytes, int]:
        """Return what decodes when `everything` is fed up to `at` and then in steps, and where the step that fails begins."""
        self._stages = [_STAGES[name]() for name in reversed(self._codings)]
        good = list(self._through(everything[:at], 0)) if at else []
        while at < len(everything):
            try:
                more = list(self._through(everything[at : at + step], 0))
            except ValueError:
                break
            good += more
            at += step
        return b"".join(good), at


def decode_body(body: bytes, headers: Headers) -> tuple[bytes, str | None]:
    """Return a whole body without its content coding, and why it stopped early (None when it did not)."""
    applied = codings(headers)
    if not applied and len(body) <= MAX_DECODED_BYTES:
        return body, None
    decoder = ContentDecoder(applied)
    return decoder.feed(body), decoder.failure
