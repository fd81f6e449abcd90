"""The elements of one JSON array, as they arrive: Gemini streams so without `alt=sse`. Linear in the bytes, whole or byte by byte.

Only objects and arrays count as elements; what stands around them is white space, commas and the array's own brackets. Whether
an element is sound JSON is for its reader to say.
"""

import re

_MARKS = re.compile(rb'\\(?:.|\Z)|["{}\[\]]', re.DOTALL)
"""What matters: quotes, brackets, and a backslash with what it stands before (which may come later)."""


class ArrayDecoder:
    """Bytes in, elements out."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        """The element under way, as far as it came in earlier bytes."""
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        """The next byte stands behind a backslash."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the elements that more bytes complete."""
        elements: list[bytes] = []
        start = 0
        begin = int(self._is_escaped)
        self._is_escaped = self._is_escaped and not data
        for match in _MARKS.finditer(data, begin):
            mark = match[0]
            if mark[:1] == b"\\":
                self._is_escaped = len(mark) == 1
            elif mark == b'"':
                self._in_string = not self._in_string
            elif self._in_string:
                continue
            elif mark in b"{[":
                start = match.start() if self._depth == 1 else start
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 1:
                    elements.append(b"".join((*self._partial, data[start : match.end()])))
                    self._partial = []
        if self._depth > 1:
            self._partial.append(data[start:])
        return elements
