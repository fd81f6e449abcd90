"""WebSocket frames of one direction, as they arrive, into messages. Bytes that are no frames end the reading.

permessage-deflate is undone as the handshake agreed; control frames are skipped; a message is given when it is whole.
Sources: RFC 6455 §5, RFC 7692 §7.
"""

import zlib
from dataclasses import dataclass

from modular_agents.proxy.model.exchange import Headers
from modular_agents.proxy.wire.encodings import MAX_DECODED_BYTES, MAX_RATIO, RATIO_FREE_BYTES

_FIRST_CONTROL = 8
_CONTINUATION, _TEXT, _BINARY = 0, 1, 2
_FLUSHED = b"\x00\x00\xff\xff"
"""What deflate's flush ends in, cut off by the sender (RFC 7692 §7.2.1)."""
_LENGTH_16, _LENGTH_64 = 126, 127
_WINDOW_BITS = 15


@dataclass(frozen=True, slots=True)
class Deflate:
    """permessage-deflate of one direction."""

    window_bits: int = _WINDOW_BITS
    keeps_context: bool = True


def agreed(response_headers: Headers) -> tuple[Deflate | None, Deflate | None]:
    """Return what the 101 agreed for messages up (client to provider) and down."""
    named = ",".join(value for name, value in response_headers if name.lower() == "sec-websocket-extensions")
    for extension in named.split(","):
        word, *parameters = (part.strip().lower() for part in extension.split(";"))
        if word == "permessage-deflate":
            given = dict(parameter.replace('"', "").partition("=")[::2] for parameter in parameters)
            return _side(given, "client"), _side(given, "server")
    return None, None


def _side(given: dict[str, str], side: str) -> Deflate:
    bits = given.get(f"{side}_max_window_bits", "").strip()
    wanted = int(bits) if bits.isdigit() and len(bits) <= 2 else _WINDOW_BITS  # noqa: PLR2004 - 8 to 15
    # zlib reads what was written with a window of 8 bits only as 9; a wider window reads everything
    return Deflate(min(max(wanted, 9), _WINDOW_BITS), f"{side}_no_context_takeover" not in given)


class MessageDecoder:
    """Bytes of one direction in, messages out. `failure` says why it stopped."""

    def __init__(self, deflate: Deflate | None = None) -> None:
        self.failure: str | None = None
        self._deflate = deflate
        self._inflate: zlib._Decompress | None = None
        self._buffer = bytearray()
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._is_deflated = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that more bytes complete, text and binary alike."""
        if self.failure is not None:
            return []
        self._buffer += data
        messages: list[bytes] = []
        at = 0
        try:
            while (frame := self._frame(at)) is not None:
                first, payload, at = frame
                message = self._take(first, payload)
                if message is not None:
                    messages.append(message)
        except (ValueError, zlib.error) as error:
            self.failure = f"WebSocket frames are damaged: {error}"
        del self._buffer[:at]
        return messages

    def _frame(self, at: int) -> tuple[int, bytes, int] | None:
        """Return a frame's first byte, its unmasked payload, and where the next one begins."""
        buffer = self._buffer
        if len(buffer) - at < 2:  # noqa: PLR2004 - the fixed part of a frame's head
            return None
        first, second = buffer[at], buffer[at + 1]
        size, start = second & 127, at + 2
        wide = {_LENGTH_16: 2, _LENGTH_64: 8}.get(size, 0)
        if wide:
            if len(buffer) < start + wide:
                return None
            size, start = int.from_bytes(buffer[start : start + wide], "big"), start + wide
        if size > MAX_DECODED_BYTES:
            msg = f"a frame of {size} bytes"
            raise ValueError(msg)
        is_masked = bool(second & 128)
        end = start + 4 * is_masked + size
        if len(buffer) < end:
            return None
        payload = bytes(buffer[end - size : end])
        return first, _unmasked(payload, bytes(buffer[start : start + 4])) if is_masked else payload, end

    def _take(self, first: int, payload: bytes) -> bytes | None:
        opcode = first & 15
        if opcode >= _FIRST_CONTROL:
            return None
        if opcode not in {_CONTINUATION, _TEXT, _BINARY} or (opcode == _CONTINUATION) != bool(self._fragments):
            msg = f"opcode {opcode} out of place"
            raise ValueError(msg)
        if opcode != _CONTINUATION:
            self._is_deflated = bool(first & 64)
        self._fragments.append(payload)
        self._fragments_bytes += len(payload)
        if self._fragments_bytes > MAX_DECODED_BYTES:
            msg = f"a message passes {MAX_DECODED_BYTES >> 20} MB"
            raise ValueError(msg)
        if not first & 128:
            return None
        whole = b"".join(self._fragments)
        self._fragments, self._fragments_bytes = [], 0
        return self._inflated(whole) if self._is_deflated else whole

    def _inflated(self, data: bytes) -> bytes:
        if self._deflate is None:
            msg = "a compressed message that nobody agreed on"
            raise ValueError(msg)
        if self._inflate is None or not self._deflate.keeps_context:
            self._inflate = zlib.decompressobj(-self._deflate.window_bits)
        room = min(MAX_DECODED_BYTES, max(MAX_RATIO * len(data), RATIO_FREE_BYTES))
        message = self._inflate.decompress(data + _FLUSHED, room)
        if self._inflate.unconsumed_tail:
            msg = f"a compressed message of {len(data)} bytes passes {room} bytes"
            raise ValueError(msg)
        return message


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Undo the client's mask: one XOR of two long numbers, linear in the bytes."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
