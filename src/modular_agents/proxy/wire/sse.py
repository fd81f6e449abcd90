"""Server-sent events, as they arrive: lines end at CR, LF or CRLF and nowhere else.

U+2028, U+0085 and form feeds inside an answer are text; clients that split on them have broken on real streams.
Fed whole or byte by byte the events are the same; the work is linear in the bytes.
Source: WHATWG HTML, "Server-sent events", §9.2.5 and 9.2.6. One liberty: an event that the stream's end cuts before its
blank line is given by `end()`, for servers that leave the blank line out after their last event.
"""

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: its name (`message` events have none) and its data lines joined by LF."""

    name: str
    data: bytes


class SseDecoder:
    """Bytes in, events out."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._after_cr = False
        self._first_line = True
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[SseEvent]:
        """Return the events that more bytes complete."""
        if not data:
            return []
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        if len(lines) == 1:
            self._partial.append(data)
            return []
        self._partial.append(lines[0])
        lines[0] = b"".join(self._partial)
        self._partial = [lines.pop()]
        if self._first_line:
            self._first_line = False
            lines[0] = lines[0].removeprefix(_BOM)
        return [event for line in lines if (event := self._line(line)) is not None]

    def end(self) -> list[SseEvent]:
        """Return the event that was still waiting for its blank line, if any."""
        events = self.feed(b"\n\n") if not self._after_cr else self.feed(b"\n\n\n")
        self._after_cr = False
        return events

    def _line(self, line: bytes) -> SseEvent | None:
        if not line:
            if not self._data:
                self._name = ""
                return None
            event = SseEvent(self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
        return None
