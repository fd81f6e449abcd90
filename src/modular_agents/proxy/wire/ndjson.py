"""Newline-delimited JSON, as it arrives: one value per line, blank lines aside. Linear in the bytes, whole or byte by byte."""


class LineDecoder:
    """Bytes in, lines out."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that more bytes complete, without their ends."""
        lines = data.split(b"\n")
        if len(lines) == 1:
            self._partial.append(data)
            return []
        lines[0] = b"".join((*self._partial, lines[0]))
        self._partial = [lines.pop()]
        return [stripped for line in lines if (stripped := line.strip())]

    def end(self) -> list[bytes]:
        """Return the last line, when nothing ended it."""
        return self.feed(b"\n")
