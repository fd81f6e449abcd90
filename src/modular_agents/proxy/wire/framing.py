"""How an answer's body is cut into events: server-sent events, or one whole body. The first bytes decide where the head lies.

Servers label event streams as JSON or plain text, and JSON errors as event streams; what stands first in the body is believed.
"""

from modular_agents.proxy.wire.reading import Fold, Piece
from modular_agents.proxy.wire.sse import SseDecoder, SseEvent

_SSE_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
_LONGEST_START = max(map(len, _SSE_STARTS))
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class Body:
    """Decoded bytes of an answer in, pieces out; `text` is the body when it is no stream."""

    def __init__(self, fold: Fold, content_type: str) -> None:
        self._fold = fold
        self._says_stream = "event-stream" in content_type
        self._held: list[bytes] = []
        self._sse: SseDecoder | None = None
        self._decided = False
        self._start = b""

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events, as far as is known."""
        return self._sse is not None

    @property
    def text(self) -> bytes:
        """What has been held back: the whole body when it is no stream."""
        return b"".join(self._held)

    def feed(self, data: bytes) -> list[Piece]:
        """Take decoded bytes."""
        if self._sse is not None:
            return self._events(self._sse.feed(data))
        self._held.append(data)
        if self._decided:
            return []
        self._start = (self._start + data).removeprefix(_BOM).lstrip(_SPACE)[:_LONGEST_START]
        if not self._is_clear():
            return []
        self._decided = True
        if not self._start.startswith((b"{", b"[", b"<")) and (self._says_stream or self._start.startswith(_SSE_STARTS)):
            self._sse = SseDecoder()
            held, self._held = self.text, []
            return self._events(self._sse.feed(held))
        return []

    def end(self) -> list[Piece]:
        """Take the end of the body."""
        if self._sse is not None:
            return self._events(self._sse.end())
        if self._held:
            self._fold.whole(self.text)
        return []

    def _is_clear(self) -> bool:
        """Whether the first bytes can only be one thing."""
        start = self._start
        return bool(start) and (
            len(start) == _LONGEST_START or start.startswith(_SSE_STARTS) or not any(s.startswith(start) for s in _SSE_STARTS)
        )

    def _events(self, events: list[SseEvent]) -> list[Piece]:
        return [piece for event in events for piece in self._fold.event(event.name, event.data)]
