"""Server-sent events, as they arrive: lines end at CR, LF or CRLF and nowhere else.

U+2028, U+0085 and form feeds inside an answer are text; clients that split on them have broken on real streams.
Fed whole or byte by byte the events are the same; the work is linear in the bytes.
Source: WHATWG HTML, "Server-sent events", §9.2.5 and 9.2.6. One liberty: an event that the stream's end cuts before its
blank line is given by `end()`, for servers that leave the blank line out after their last event.
"""

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
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
        if self._after_cr and data:
            self._after_cr = False
            if data[:1] == b"\n":
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1:] == b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        if len(lines) == 1:
            self._partial.append(data)
            return []
        if self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
        last = lines.pop()
        self._partial = [last] if last else []
        if self._first_line:
            self._first_line = False
            lines[0] = lines[0].removeprefix(_BOM)
        return self._read(lines)

    def end(self) -> list[SseEvent]:
        """Return the event that was still waiting for its blank line, if any."""
        self._after_cr = False
        return self.feed(b"\n\n")

    def _read(self, lines: list[bytes]) -> list[SseEvent]:
        events: list[SseEvent] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(SseEvent(self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
                    self._data = []
                self._name = ""
            elif line[:6] == b"data: ":
                self._data.append(line[6:])
            else:
                self._field(line)
        return events

    def _field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
