"""How a message is read is stored as places in its raw JSON, not as a second copy of its text.

A reading is the role and, per part, its kind and where its raw JSON, text and arguments stand in the message (byte offsets).
Text that stands nowhere as one JSON string (a flattened tool result) is kept in the reading itself. Decoding gives back exactly
the parts that were encoded, whatever parser made them.
"""

import json

import msgspec

from modular_agents.proxy.model.call import Message
from modular_agents.proxy.model.query import MessageView, PartView
from modular_agents.proxy.store.finding import find
from modular_agents.proxy.store.rows import storable

INLINE_BYTES = 24
"""Shorter text costs less in the reading than the place where it stands."""

Place = tuple[int, int, int]
"""(how, offset, length): `_SLICE` of the raw bytes, or a JSON string `_LITERAL` to decode."""
_SLICE = 0
_LITERAL = 1

_READING = msgspec.json.Decoder(
    tuple[str, list[tuple[str, Place | str, Place | str, str | None, str | None, Place | str | None, bool | None]]]
)
_TEXT = msgspec.json.Decoder(str)


def encode(message: Message) -> str:
    """Return the reading of a message."""
    try:
        return _encode(message)
    except UnicodeEncodeError:
        return _encode(storable(message))


def _encode(message: Message) -> str:
    raw = message.raw
    parts = []
    at = 0
    for part in message.parts:
        place = _slice(raw, part.raw, at)
        if not isinstance(place, str):
            at = place[1]
        parts.append(
            (
                part.kind,
                place,
                _text(raw, part.text, at),
                part.tool_id,
                part.name,
                None if part.arguments is None else _arguments(raw, part.arguments, at),
                part.is_error,
            )
        )
    return msgspec.json.encode((message.role, parts)).decode()


def decode(raw: bytes, reading: str, node: str) -> MessageView:
    """Return a message for showing from its raw JSON and its reading."""
    role, parts = _READING.decode(reading)
    return MessageView(
        role=role,
        parts=tuple(
            PartView(
                kind=kind,
                text=_read(raw, text),
                tool_id=tool_id,
                name=name,
                arguments=None if arguments is None else _read(raw, arguments),
                is_error=is_error,
                raw=_read(raw, place),
            )
            for kind, place, text, tool_id, name, arguments, is_error in parts
        ),
        node=node,
    )


def view(message: Message, node: str) -> MessageView:
    """Return a message for showing, straight from the message."""
    return MessageView(
        role=message.role,
        parts=tuple(
            PartView(part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw.decode("utf-8", "replace"))
            for part in message.parts
        ),
        node=node,
    )


def _slice(raw: bytes, piece: bytes, at: int) -> Place | str:
    if len(piece) > INLINE_BYTES:
        found = find(raw, piece, at)
        if found < 0:
            found = find(raw, piece)
        if found >= 0:
            return (_SLICE, found, len(piece))
    return piece.decode("utf-8", "replace")


def _text(raw: bytes, text: str, at: int) -> Place | str:
    if len(text) <= INLINE_BYTES:
        return text
    for spell in _SPELLINGS:
        literal = spell(text)
        found = find(raw, literal, at)
        if found >= 0:
            return (_LITERAL, found, len(literal))
    return text


def _ascii(text: str) -> bytes:
    return json.dumps(text).encode()


_SPELLINGS = (msgspec.json.encode, _ascii)
"""How clients spell a string: as it is, or in ASCII only. Others exist; their text is kept in the reading."""


def _arguments(raw: bytes, arguments: str, at: int) -> Place | str:
    """Anthropic sends arguments as an object, OpenAI as a string that holds one."""
    place = _slice(raw, arguments.encode(), at)
    return place if not isinstance(place, str) else _text(raw, arguments, at)


def _read(raw: bytes, place: Place | str) -> str:
    if isinstance(place, str):
        return place
    how, at, size = place
    piece = raw[at : at + size]
    return _TEXT.decode(piece) if how == _LITERAL else piece.decode("utf-8", "replace")
