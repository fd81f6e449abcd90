"""HTTP/1.1 framing, bytes in and values out: a message is one clear request or it is refused; nothing is guessed.

Heads are cut and checked here so that their bytes survive. Bodies are only counted: with `Content-Length`, by strictly
checked chunk lines (RFC 9112, 7.1), or up to the close. The bytes of chunked bodies go on as they came; what has not
been checked is held back, so a malformed chunk line never reaches the other side, not even in part.
Any cutting of the input into reads gives the same result.
"""

import re
from collections.abc import Callable

CRLF = b"\r\n"
HEAD_END = b"\r\n\r\n"
MAX_LEADING_CRLF = 4
"""Empty lines forgiven before a request line (RFC 9112, 2.2 asks for one)."""
_SIZE_CACHE = 4096
"""Chunk lines remembered; SSE chunks have few sizes."""

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
# 16 digits are 64 bits: more is an overflow attack on somebody.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_LENIENT_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_VERSIONS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
_LONGEST_METHOD = 32
"""Letters; the longest one registered with IANA has 17 (UPDATEREDIRECTREF)."""
_CR = 0x0D
_SIZE, _DATA, _DATA_END, _TRAILER = range(4)


class FramingError(ValueError):
    """Bytes that are not one clear HTTP message. `str` is one sentence; `status` and `code` are what a client is told."""

    def __init__(self, message: str, status: int = 400, code: str = "bad_request") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class HeadReader:
    """Collects a head that came in more than one read. `feed` returns (data, end) once its empty line is there.

    The head is `data[:end]`; its CRLF CRLF and what came behind follow. `forgive` empty lines before it are skipped.
    Raises FramingError for a bare CR or LF or when it grows over its limits.
    """

    __slots__ = ("_buffer", "_forgive", "_head_bytes", "_line_bytes", "_seen")

    def __init__(self, line_bytes: int, head_bytes: int, forgive: int = 0) -> None:
        self._forgive = forgive
        self._buffer = bytearray()
        self._seen = 0
        self._line_bytes = line_bytes
        self._head_bytes = head_bytes

    def feed(self, data: bytes) -> tuple[bytes, int] | None:
        """Take bytes; return everything and where the head ends, or None while it is not whole."""
        buffer = self._buffer
        buffer += data
        while self._forgive and not self._seen and buffer.startswith(CRLF):
            self._forgive -= 1
            del buffer[:2]
        if buffer == b"\r" and self._forgive:
            return None
        end = buffer.find(HEAD_END, max(self._seen - 3, 0))
        self._check(end)
        self._seen = len(buffer)
        if end < 0:
            return None
        return bytes(buffer), end

    def _check(self, end: int) -> None:
        buffer = self._buffer
        if buffer and not TOKEN.match(buffer):
            msg = "this is not HTTP (TLS is not spoken here: use http:// for this address)"
            raise FramingError(msg)
        start = self._seen - 1 if self._seen and buffer[self._seen - 1] == _CR else self._seen
        size = end if end >= 0 else len(buffer)
        stop = size - 1 if end < 0 and buffer[size - 1 : size] == b"\r" else size
        feeds = buffer.count(b"\n", start, stop)
        if feeds != buffer.count(CRLF, start, stop) or feeds != buffer.count(b"\r", start, stop):
            msg = "a line of the head ends with a bare CR or LF"
            raise FramingError(msg)
        check_head_size(buffer, size, self._line_bytes, self._head_bytes)


def check_head_size(data: bytes | bytearray, size: int, line_bytes: int, head_bytes: int) -> None:
    """Raise FramingError when a head of `size` bytes at the start of `data`, or its first line, is too long."""
    if size > head_bytes:
        msg = f"the head is longer than {head_bytes} bytes"
        raise FramingError(msg)
    if size > line_bytes and data.find(CRLF, 0, line_bytes + 2) < 0:
        msg = f"the first line is longer than {line_bytes} bytes"
        raise FramingError(msg)


def parse_request_line(line: bytes) -> tuple[bytes, bytes, int]:
    """Return (method, target, minor version). Only origin-form targets and HTTP/1.0 or 1.1 (RFC 9112, 3)."""
    parts = line.split(b" ")
    if len(parts) != 3:  # noqa: PLR2004 - method, target, version
        msg = "the request line is not `METHOD target HTTP/1.1`"
        raise FramingError(msg)
    method, target, version = parts
    if len(method) > _LONGEST_METHOD or not TOKEN.fullmatch(method):
        msg = "the method is not a token"
        raise FramingError(msg)
    if method == b"CONNECT":
        msg = "this is no forward proxy: CONNECT is refused"
        raise FramingError(msg)
    if version not in _VERSIONS:
        msg = "only HTTP/1.1 and HTTP/1.0 are spoken here"
        raise FramingError(msg)
    if not _TARGET.fullmatch(target):
        msg = "the target must begin with `/` and hold only printable ASCII: set this address as the base URL, not as a proxy"
        raise FramingError(msg)
    return method, target, _VERSIONS[version]


def parse_status_line(line: bytes) -> tuple[int, int, bytes]:
    """Return (status, minor version, everything after the version: status and reason as they came)."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        msg = "the status line is malformed"
        raise FramingError(msg)
    return int(match[2]), int(match[1]), line[9:]


class ChunkedReader:
    """Walks through a chunked body. `feed` returns what may be passed on and what it holds.

    `check_trailer` is given each trailer line, returns it as it may be recorded, and raises FramingError to refuse it.
    After the end `done` is True and `rest` has what came behind. Raises FramingError.
    """

    # No slots but defaults of the class: a reader is made per stream, on the way to its first byte.
    _held = b""
    _left = 0
    _state = 0
    done = False
    rest = b""
    trailers = b""
    """Trailer lines as they may be recorded, each with its CRLF."""

    def __init__(self, sizes: "ChunkSizes", check_trailer: Callable[[bytes], bytes], line_bytes: int, trailer_bytes: int) -> None:
        self._sizes = sizes
        self._check_trailer = check_trailer
        self._line_bytes = line_bytes
        self._trailer_bytes = trailer_bytes

    @property
    def announced(self) -> int:
        """Bytes that the chunk being read has still to bring."""
        return self._left if self._state == _DATA else 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes; return (raw, payload): what to pass on as it came, and the body bytes within it."""
        if self._state == _SIZE and not self._held:  # the common case: exactly one whole chunk
            end = data.find(CRLF, 0, self._line_bytes + 2)
            if end > 0:
                size = self._sizes[data[:end]]
                if size and len(data) == end + size + 4 and data.endswith(CRLF):
                    return data, data[end + 2 : -2]
        return self._walk(data)

    def _walk(self, data: bytes) -> tuple[bytes, bytes]:
        if self._held:
            data = self._held + data
            self._held = b""
        at, size = 0, len(data)
        state, left = self._state, self._left
        pieces: list[bytes] = []
        while True:
            if state == _DATA:
                stop = at + left
                if stop > size:
                    left = stop - size
                    pieces.append(data[at:])
                    at = size
                    break
                pieces.append(data[at:stop])
                at, state = stop, _DATA_END
            if state == _DATA_END:
                if data[at : at + 2] != CRLF:
                    self._expect_more(data[at:])
                    break
                at, state = at + 2, _SIZE
            if state == _SIZE:
                end = data.find(CRLF, at, at + self._line_bytes + 2)
                if end < 0:
                    self._check_partial(data[at:], self._line_bytes)
                    break
                left = self._sizes[data[at:end]]
                at, state = end + 2, _DATA if left else _TRAILER
            if state == _TRAILER:
                at = self._trailer(data, at)
                break
        self._state, self._left = state, left
        return self._cut(data, at, size, pieces)

    def _cut(self, data: bytes, at: int, size: int, pieces: list[bytes]) -> tuple[bytes, bytes]:
        raw = data
        if at < size:
            raw = data[:at]
            if self.done:
                self.rest = data[at:]
            else:
                self._held = data[at:]
        if len(pieces) == 1:
            return raw, pieces[0]
        return raw, b"".join(pieces)

    def _trailer(self, data: bytes, at: int) -> int:
        """Read trailer lines from `at`; return where the first unread one begins."""
        while True:
            end = data.find(CRLF, at)
            if end < 0:
                self._check_partial(data[at:], self._trailer_bytes)
                return at
            if end == at:
                self.done = True
                return at + 2
            line = data[at:end]
            self._trailer_bytes -= len(line) + 2
            if self._trailer_bytes < 0:
                msg = "the trailers are too long"
                raise FramingError(msg)
            self.trailers += self._check_trailer(line) + CRLF
            at = end + 2

    @staticmethod
    def _check_partial(part: bytes, limit_bytes: int) -> None:
        """Refuse early a line that can no longer become right."""
        if len(part) > limit_bytes + 1:
            msg = "a chunk or trailer line is too long"
            raise FramingError(msg)
        if b"\n" in part or b"\r" in part[:-1]:
            msg = "a chunk or trailer line ends with a bare CR or LF"
            raise FramingError(msg)

    @staticmethod
    def _expect_more(part: bytes) -> None:
        """Refuse what is not the beginning of the CRLF behind a chunk."""
        if part not in {b"", b"\r"}:
            msg = "a chunk is longer or shorter than its size says"
            raise FramingError(msg)


class ChunkSizes(dict[bytes, int]):
    """Chunk lines already checked → sizes; an unknown line is checked when it is looked up. Raises FramingError.

    `lenient` forgives spaces after a size, which some old servers send; for requests nothing is forgiven: servers
    disagree about such a line (h11 refuses it, llhttp and nginx read on).
    """

    __slots__ = ("_match",)

    def __init__(self, *, lenient: bool) -> None:
        super().__init__()
        self._match = (_LENIENT_CHUNK_LINE if lenient else _CHUNK_LINE).fullmatch

    def __missing__(self, line: bytes) -> int:
        """Check a line and remember its size."""
        match = self._match(line)
        if match is None:
            msg = "a chunk size is not 1 to 16 hexadecimal digits"
            raise FramingError(msg)
        if len(self) >= _SIZE_CACHE:
            self.clear()
        size = self[line] = int(match[1], 16)
        return size
