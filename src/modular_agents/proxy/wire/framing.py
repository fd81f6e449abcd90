"""How an answer's body is cut into events: server-sent events, lines of JSON, AWS messages, elements of an array, or one whole body.

The head says so, and where it lies the first bytes decide: servers label event streams as JSON or plain text, and JSON errors
as event streams.
"""

import base64
import binascii
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.array import ArrayDecoder
from modular_agents.proxy.wire.eventstream import AwsMessage, EventStreamDecoder
from modular_agents.proxy.wire.ndjson import LineDecoder
from modular_agents.proxy.wire.reading import Fold, Piece
from modular_agents.proxy.wire.sse import SseDecoder

_SSE_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
_LONGEST_START = max(map(len, _SSE_STARTS))
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_NO_EVENTS = (b"{", b"[", b"<")
MAX_REMEMBERED = 256
"""Content types whose meaning is remembered: providers use a few, a hostile one any number."""
_LINES = ("ndjson", "jsonl", "json-lines", "json-seq")

Event = tuple[str, bytes]
"""Name and data."""


class _Cutter(Protocol):
    """Cuts bytes into events."""

    failure: str | None

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that more bytes complete."""

    def end(self) -> list[Event]:
        """Return the event that the end of the body completes."""


class _Sse:
    failure: str | None = None

    def __init__(self) -> None:
        self._inner = SseDecoder()

    def feed(self, data: bytes) -> list[Event]:
        return list(self._inner.feed(data))

    def end(self) -> list[Event]:
        return list(self._inner.end())


class _Lines:
    failure: str | None = None

    def __init__(self) -> None:
        self._inner = LineDecoder()

    def feed(self, data: bytes) -> list[Event]:
        return [("", line) for line in self._inner.feed(data)]

    def end(self) -> list[Event]:
        return [("", line) for line in self._inner.end()]


class _Array:
    failure: str | None = None

    def __init__(self) -> None:
        self._inner = ArrayDecoder()

    def feed(self, data: bytes) -> list[Event]:
        return [("", element) for element in self._inner.feed(data)]

    def end(self) -> list[Event]:
        return []


class _Aws:
    def __init__(self) -> None:
        self._inner = EventStreamDecoder()
        self.failure: str | None = None

    def feed(self, data: bytes) -> list[Event]:
        events = [_aws_event(message) for message in self._inner.feed(data)]
        self.failure = self._inner.failure
        return events

    def end(self) -> list[Event]:
        return []


class Body:
    """Decoded bytes of an answer in, pieces out; `text` is the body when it is no stream. `arrays`: an array is a stream."""

    def __init__(self, fold: Fold, content_type: str, *, arrays: bool = False) -> None:
        self._fold = fold
        self._arrays = arrays
        self._says_sse, cutter = _said(content_type)
        self._held: list[bytes] = []
        self._start = b""
        self._cutter: _Cutter | None = cutter() if cutter else None
        self._decided = cutter is not None

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events, as far as is known; one of which nothing came yet is one, when the head says so."""
        return self._cutter is not None or (self._says_sse and not self._start)

    @property
    def text(self) -> bytes:
        """What has been held back: the whole body when it is no stream."""
        return b"".join(self._held)

    @property
    def failure(self) -> str | None:
        """Why cutting stopped, if it did."""
        return self._cutter.failure if self._cutter else None

    def feed(self, data: bytes) -> list[Piece]:
        """Take decoded bytes."""
        if self._cutter is not None:
            return self._give(self._cutter.feed(data))
        self._held.append(data)
        if self._decided:
            return []
        self._start = (self._start + data).removeprefix(_BOM).lstrip(_SPACE)[:_LONGEST_START]
        if not self._is_clear():
            return []
        self._decided = True
        if not self._start.startswith(_NO_EVENTS) and (self._says_sse or self._start.startswith(_SSE_STARTS)):
            self._cutter = _Sse()
        elif self._arrays and self._start.startswith(b"["):
            self._cutter = _Array()
        else:
            return []
        held, self._held = self.text, []
        return self._give(self._cutter.feed(held))

    def end(self) -> list[Piece]:
        """Take the end of the body."""
        if self._cutter is not None:
            return self._give(self._cutter.end())
        text = self.text
        if text:
            self._fold.whole(text)
        return []

    def _is_clear(self) -> bool:
        """Whether the first bytes can only be one thing."""
        start = self._start
        return bool(start) and (
            len(start) == _LONGEST_START or start.startswith(_SSE_STARTS) or not any(one.startswith(start) for one in _SSE_STARTS)
        )

    def _give(self, events: list[Event]) -> list[Piece]:
        fold = self._fold
        return [piece for name, data in events for piece in fold.event(name, data)]


@lru_cache(maxsize=MAX_REMEMBERED)
def _said(content_type: str) -> tuple[bool, Callable[[], _Cutter] | None]:
    """Return whether a content type names server-sent events, and what cuts the body when it leaves no doubt."""
    if "amazon.eventstream" in content_type:
        return "event-stream" in content_type, _Aws
    return "event-stream" in content_type, _Lines if any(word in content_type for word in _LINES) else None


def _aws_event(message: AwsMessage) -> Event:
    """Return what a message brings: Bedrock wraps a provider's own events in base64; an exception becomes an `error` event."""
    exception = message.headers.get(":exception-type")
    try:
        payload = js.obj(js.parse(message.payload))
        if exception is not None:
            return "error", js.compact({"type": "error", "error": {"type": exception, "message": payload.get("message", "")}})
        wrapped = payload.get("bytes")
        if isinstance(wrapped, str):
            return "", base64.b64decode(wrapped, validate=True)
    except (ValueError, binascii.Error):
        pass
    return message.headers.get(":event-type", ""), message.payload
