"""AWS event streams (`application/vnd.amazon.eventstream`), as they arrive. A message that does not check ends the reading.

    total length u32 │ headers length u32 │ CRC-32 of both │ headers │ payload │ CRC-32 of all before it

Big-endian. A header is: name length u8, name, type u8, value. Source: smithy.io/2.0/aws/amazon-eventstream.html.
"""

import struct
from dataclasses import dataclass
from zlib import crc32

_PRELUDE = struct.Struct(">III")
_TAIL_BYTES = 4
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""AWS's own limit of a payload is 16 MB; a larger length means that this is no event stream."""
_FIXED_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; types 6 and 7 (bytes, text) bring a length."""
_SIZED = frozenset({6, 7})


@dataclass(frozen=True, slots=True)
class AwsMessage:
    """One message: its headers that are text, and its payload."""

    headers: dict[str, str]
    payload: bytes


class EventStreamDecoder:
    """Bytes in, messages out. `failure` says why it stopped."""

    def __init__(self) -> None:
        self.failure: str | None = None
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[AwsMessage]:
        """Return the messages that more bytes complete."""
        if self.failure is not None:
            return []
        self._buffer += data
        messages: list[AwsMessage] = []
        at = 0
        try:
            while (found := self._next(at)) is not None:
                message, at = found
                messages.append(message)
        except (ValueError, IndexError, struct.error) as error:
            self.failure = f"event stream is damaged: {error}"
        del self._buffer[:at]
        return messages

    def _next(self, at: int) -> tuple[AwsMessage, int] | None:
        if len(self._buffer) - at < _PRELUDE.size:
            return None
        total, headers_size, crc = _PRELUDE.unpack_from(self._buffer, at)
        if (
            crc32(memoryview(self._buffer)[at : at + 8]) != crc
            or not _PRELUDE.size + headers_size + _TAIL_BYTES <= total <= MAX_MESSAGE_BYTES
        ):
            msg = "a message's prelude does not check"
            raise ValueError(msg)
        if len(self._buffer) - at < total:
            return None
        message = bytes(self._buffer[at : at + total])
        if crc32(message[:-_TAIL_BYTES]) != int.from_bytes(message[-_TAIL_BYTES:], "big"):
            msg = "a message does not check"
            raise ValueError(msg)
        body = _PRELUDE.size + headers_size
        return AwsMessage(_headers(message[_PRELUDE.size : body]), message[body:-_TAIL_BYTES]), at + total


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end].decode("utf-8", "replace"), data[name_end]
        at = name_end + 1
        size = _FIXED_SIZES.get(kind, 0)
        if kind in _SIZED:
            size = int.from_bytes(data[at : at + 2], "big")
            at += 2
            found[name] = data[at : at + size].decode("utf-8", "replace")
        elif kind not in _FIXED_SIZES:
            msg = f"a header has the unknown type {kind}"
            raise ValueError(msg)
        at += size
    return found
