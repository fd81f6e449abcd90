"""JSON from strangers: read strictly and fast, then leniently, and what cannot be read is one `ValueError` that says why.

Strict is msgspec, which also slices a value out without parsing it, so that exact bytes survive. What it refuses and real
clients send (lone surrogates, NaN, control characters in strings, integers of thousands of digits) is read by the standard
library's scanner. Nesting beyond the interpreter's limit is refused, as is text that is not UTF-8.

`parse` may give strings with lone surrogates, because two halves of one character can come in two pieces of a stream:
`string` mends what it returns, `fragment` does not, and `mend` is called on what has been put together.
"""

import json
from math import isfinite
from typing import cast

import msgspec

Json = dict[str, object]


class Loose(dict[str, bytes]):
    """Members of an object that strict readers refuse: some slice may be no valid JSON."""


MAX_DIGITS = 4000
"""Longer integers are kept as text: Python refuses to convert beyond 4300 digits, to bound the time it takes."""
MAX_COUNT = 2**63
"""A count or index outside this is no count: it would not fit the columns it is meant for."""
_SPACE = " \t\n\r"


def _plain_number(digits: str) -> float | int | None:
    number = float(digits)
    return int(number) if number.is_integer() else number if isfinite(number) else None


_any = msgspec.json.Decoder()
_plain = msgspec.json.Decoder(float_hook=_plain_number)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")


def parse(data: bytes | str) -> object:
    """Return the value. Raises ValueError. Duplicate keys: the last one counts; NaN and infinities are None."""
    try:
        return _any.decode(data)
    except ValueError:
        return _lenient(_text(data))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def members(data: bytes) -> dict[str, bytes]:
    """Return the members of an object as exact slices of `data`. Raises ValueError when it is not an object."""
    try:
        return {key: bytes(raw) for key, raw in _object.decode(data).items()}
    except ValueError:
        return Loose({key: value for key, value in _slices(_text(data), "{") if key is not None})
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def elements(data: bytes) -> list[bytes]:
    """Return the elements of an array as exact slices of `data`. Raises ValueError when it is not an array."""
    try:
        return [bytes(raw) for raw in _array.decode(data)]
    except ValueError:
        return [value for _, value in _slices(_text(data), "[")]
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def parse_plainly(data: bytes | str) -> object:
    """Return a value that is equal for two spellings of one number: `1.0` is 1. Raises ValueError."""
    try:
        return _plain.decode(data)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError:
        return parse(data)


def parse_strictly(data: bytes) -> object:
    """Return the value of JSON that may be spliced into other JSON as it is. Raises ValueError for anything looser."""
    try:
        return _any.decode(data)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def compact(value: object) -> bytes:
    """Return a value of ours as JSON without white space; `null` when it is nested too deep. `msgspec.Raw` is spliced as it is."""
    return _encode(_encoder, value)


def canonical(value: object) -> bytes:
    """Return a value as JSON with sorted keys: equal values, equal bytes; `null` when it is nested too deep."""
    return _encode(_sorted_encoder, value)


def _encode(encoder: msgspec.json.Encoder, value: object) -> bytes:
    try:
        try:
            return encoder.encode(value)
        except ValueError:  # a lone surrogate somewhere
            return encoder.encode(_mended(value))
    except RecursionError:
        return b"null"


def join_members(slices: dict[str, bytes], without: frozenset[str] = frozenset()) -> bytes:
    """Return an object made of exact slices, some left out. It is valid JSON even where the slices are not quite."""
    if isinstance(slices, Loose):
        slices = {key: compact(parse(value)) for key, value in slices.items() if key not in without}
    return b"{" + b",".join([compact(key) + b":" + value for key, value in slices.items() if key not in without]) + b"}"


def text(data: bytes | None) -> str | None:
    """Return the string that a slice is, or None. Raises ValueError when it only looks like one."""
    return string(parse(data)) if data is not None and data[:1] == b'"' else None


def list_of(data: bytes | None) -> list[bytes]:
    """Return the elements of the array that a slice is; none where it is absent or null. Raises ValueError for anything else."""
    return [] if data is None or data == b"null" else elements(data)


def raw(data: bytes) -> msgspec.Raw:
    """Return JSON bytes to be spliced by `compact`. They must be one valid value."""
    return msgspec.Raw(data)


def mend(text: str) -> str:
    """Return text that is UTF-8: surrogate halves that stand together are joined, lone ones become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def obj(value: object) -> Json:
    """Return the object, or an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def arr(value: object) -> list[object]:
    """Return the array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def string(value: object) -> str | None:
    """Return the text, mended, or None."""
    return mend(value) if isinstance(value, str) else None


def fragment(value: object) -> str:
    """Return the text as it is (surrogate halves and all), or nothing."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Return a number of things: an integer, or a float that is one, from 0 to 2^63; else None."""
    if type(value) is int:
        return value if 0 <= value < MAX_COUNT else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if 0 <= value < MAX_COUNT else None


_TOO_DEEP = "JSON is nested too deep"


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"not UTF-8 text at byte {error.start}"
        raise ValueError(msg) from None


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _real(digits: str) -> object:
    number = float(digits)
    return number if isfinite(number) else None


_scanner = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_real, parse_constant=lambda _: None)


def _lenient(text: str) -> object:
    try:
        return _scanner.decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        msg = f"not JSON: {error.msg} at character {error.pos}"
        raise ValueError(msg) from None


def _slices(text: str, opening: str) -> list[tuple[str | None, bytes]]:
    """Cut the members (with keys) or elements (without) of the one container that `text` is."""
    try:
        found, at = [], _skip(text, 0)
        _expect(text, at, opening)
        closing = "}" if opening == "{" else "]"
        at = _skip(text, at + 1)
        while text[at] != closing:
            key = None
            if opening == "{":
                _expect(text, at, '"')
                key, at = _scanner.raw_decode(text, at)
                at = _skip(text, at)
                _expect(text, at, ":")
                at = _skip(text, at + 1)
            _, end = _scanner.raw_decode(text, at)
            found.append((None if key is None else mend(key), text[at:end].encode("utf-8", "replace")))
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
            else:
                _expect(text, at, closing)
        if _skip(text, at + 1) != len(text):
            msg = "not JSON: something follows the value"
            raise ValueError(msg)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except (IndexError, json.JSONDecodeError):
        msg = "not JSON: it ends too early or has a stray character"
        raise ValueError(msg) from None
    return found


def _expect(text: str, at: int, char: str) -> None:
    if text[at] != char:
        msg = f"not JSON: expected {char} at character {at}"
        raise ValueError(msg)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _mended(value: object) -> object:
    """Copy a value with every string mended. Raises RecursionError when it is too deep."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, dict):
        return {mend(str(key)): _mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return value
