"""Header lines: what each one means for a relay, found once per distinct line and remembered.

Law: a line goes on as it came unless RFC 9110 calls it hop-by-hop or it is ours; `Host` is replaced, for the provider
must see its own. Clients repeat their lines from call to call, so a table of whole lines makes a head cost one look-up
per line, and strictness costs nothing after the first time. Values here are plain slotted classes, not frozen ones:
they are made per request, and a frozen one costs a microsecond more.
"""

import re

from modular_agents.proxy.relay.framing import CRLF, TOKEN, VALUE, FramingError, parse_request_line, parse_status_line
from modular_agents.proxy.relay.redaction import Redactor

# What a line means. PLAIN lines are not represented at all (None in the table).
SHOWN, HOST, LENGTH, CODING, CONNECTION, UPGRADE, TE, HOP, TRACE, AGENT, PARENT, OURS, TOKEN_OURS, REPLAY, KEEP_ALIVE = range(15)

_KINDS = {
    b"host": HOST,
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"connection": CONNECTION,
    b"upgrade": UPGRADE,
    b"te": TE,
    b"proxy-connection": HOP,
    b"keep-alive": KEEP_ALIVE,
    b"http2-settings": HOP,
    b"x-trace-id": TRACE,
    b"x-agent-name": AGENT,
    b"x-parent-call-id": PARENT,
    b"x-task-id": OURS,
    b"x-anton-token": TOKEN_OURS,
    b"x-anton-replay-of": REPLAY,
}
_OURS_PREFIX = b"x-anton-"
_OURS = frozenset({TRACE, AGENT, PARENT, OURS, TOKEN_OURS, REPLAY})
_HOPS = 1 << CONNECTION | 1 << UPGRADE | 1 << TE | 1 << HOP | 1 << KEEP_ALIVE
_CARE = _HOPS | sum(1 << kind for kind in _OURS)

# Header shapes that say which provider is meant, as bits.
SHAPE_ANTHROPIC, SHAPE_GOOGLE, SHAPE_BEARER = 1, 2, 4
_SHAPES = {b"anthropic-version": SHAPE_ANTHROPIC, b"x-api-key": SHAPE_ANTHROPIC, b"x-goog-api-key": SHAPE_GOOGLE}

END_TO_END = frozenset({
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"set-cookie", b"host", b"date",
    b"content-length", b"content-type", b"content-encoding", b"content-range", b"accept", b"accept-encoding", b"cache-control", b"etag",
    b"user-agent", b"anthropic-version", b"anthropic-beta", b"openai-organization", b"openai-project", b"openai-beta", b"location", b"vary",
    b"retry-after", b"request-id", b"x-request-id", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions",
    b"sec-websocket-protocol", b"sec-websocket-accept", b"expect", b"trailer", b"range", b"origin", b"referer", b"server",
})  # fmt: skip
"""Fields that a `Connection` header cannot take away (RFC 9110, 7.6.1 forbids senders to name them): naming
`authorization` there is an old trick to make a proxy drop the key."""

_KNOWN_OPTIONS = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"transfer-encoding"})
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-._~%!$&'()*+,;=]{1,255})(?::[0-9]{0,5})?")
_MAX_DIGITS = 18
_TABLE_LINES = 4096
"""Distinct lines remembered; then the table starts afresh. Bounds memory to a few MB."""
_LONGEST_REMEMBERED = 1024


class Field:
    """A header line that needs care. `shown` is the line as it may be recorded."""

    __slots__ = ("bits", "kind", "line", "name", "shape", "shown", "value")

    def __init__(self, kind: int, line: bytes, name: bytes, value: bytes, shown: bytes, shape: int) -> None:
        self.kind = kind
        self.bits = 1 << kind | (shown is not line) << SHOWN
        self.line = line
        self.name = name
        self.value = value
        self.shown = shown
        self.shape = shape


class FieldTable(dict[bytes, Field | None]):
    """Header lines → what they mean; None for the plain ones, which is most. An unknown line is checked when looked up.

    Raises FramingError for a line that is not `token: value`.
    """

    __slots__ = ("_redactor",)

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def __missing__(self, line: bytes) -> Field | None:
        """Check a line and remember what it means."""
        field = self._read(line)
        if len(line) <= _LONGEST_REMEMBERED:
            if len(self) >= _TABLE_LINES:
                self.clear()
            self[line] = field
        return field

    def _read(self, line: bytes) -> Field | None:
        raw_name, colon, rest = line.partition(b":")
        if not colon or not TOKEN.fullmatch(raw_name):
            msg = "a header's name is not a token directly followed by a colon"
            raise FramingError(msg)
        if not VALUE.fullmatch(rest):
            msg = "a header's value holds a control character"
            raise FramingError(msg)
        name, value = raw_name.lower(), rest.strip(b" \t")
        kind = _KINDS.get(name, OURS if name.startswith(_OURS_PREFIX) else SHOWN)
        shape = _SHAPES.get(name, SHAPE_BEARER if name == b"authorization" and value[:7].lower() == b"bearer " else 0)
        safe = self._redactor.value(name, value)
        shown = line if safe == value else b"%b: %b" % (raw_name, safe)
        if kind == SHOWN and shown is line and not shape:
            return None
        return Field(kind, line, name, value, shown, shape)

    def trailer(self, line: bytes) -> bytes:
        """Return a trailer line as it may be recorded. Raises FramingError, also for fields that frame a message."""
        field = self[line]
        if field is None:
            return line
        if field.kind in {HOST, LENGTH, CODING, CONNECTION, UPGRADE, TE}:
            msg = f"{field.name.decode()} cannot be a trailer"
            raise FramingError(msg)
        return field.shown


class Head:
    """What both kinds of heads have in common. `lines` are the header lines as they came, in order."""

    __slots__ = ("chunked", "fields", "keep_alive", "kinds", "length", "lines", "minor", "options", "raw", "upgrade")

    def __init__(self, raw: bytes, minor: int, lines: list[bytes], fields: list[Field]) -> None:
        self.raw = raw
        """The whole head as it came, without its final CRLF CRLF."""
        self.minor = minor
        self.lines = lines
        self.fields = fields
        """Only those that need care."""
        self.kinds = 0
        """Bit `1 << kind` for each kind present; `1 << SHOWN` when a line must not be recorded as it came."""
        self.length = -1
        """Content-Length, or -1."""
        self.chunked = False
        self.keep_alive = minor == 1
        self.upgrade: bytes = b""
        self.options: list[bytes] = []
        """Lower-case tokens of all `Connection` headers."""

    def shown(self) -> bytes:
        """Return the whole head as it may be recorded, start line included, ending in one CRLF."""
        shown = self.raw + CRLF
        if self.kinds & 1 << SHOWN:
            for field in self.fields:
                if field.shown is not field.line:
                    shown = shown.replace(b"\r\n%b\r\n" % field.line, b"\r\n%b\r\n" % field.shown)
        return shown

    def _read_framing(self, field: Field) -> None:
        """Take in a field that frames the message. Raises FramingError when it is ambiguous."""
        kind = field.kind
        if kind == LENGTH:
            if self.length >= 0:
                msg = "there is more than one Content-Length"
                raise FramingError(msg)
            if not field.value.isdigit() or len(field.value) > _MAX_DIGITS:
                msg = "Content-Length is not a plain decimal number"
                raise FramingError(msg)
            self.length = int(field.value)
        elif kind == CODING:
            if self.chunked or field.value.lower() != b"chunked":
                msg = "Transfer-Encoding other than exactly one `chunked`"
                raise FramingError(msg)
            self.chunked = True
        elif kind == CONNECTION:
            self.options += [option for part in field.value.lower().split(b",") if (option := part.strip(b" \t"))]

    def _settle(self) -> None:
        if self.chunked and self.length >= 0:
            msg = "both Content-Length and Transfer-Encoding are present"
            raise FramingError(msg)
        if self.chunked and not self.minor:
            msg = "Transfer-Encoding in an HTTP/1.0 message"
            raise FramingError(msg)
        if b"close" in self.options:
            self.keep_alive = False

    def _dropped(self, kept_upgrade: bool) -> list[bytes]:
        """Return the lines that end at this hop."""
        keep_connection = self.minor == 1 and all(
            option == b"keep-alive" or (kept_upgrade and option == b"upgrade") for option in self.options
        )
        drop = []
        for field in self.fields:
            kind = field.kind
            if kind == CONNECTION:
                if not keep_connection:
                    drop.append(field.line)
            elif kind in {HOP, KEEP_ALIVE} or (kind == UPGRADE and not kept_upgrade) or (kind == TE and field.value.lower() != b"trailers"):
                drop.append(field.line)
        others = set(self.options) - END_TO_END - _KNOWN_OPTIONS
        if others:
            drop += [line for line in self.lines if line.partition(b":")[0].lower() in others]
        return drop


class Request(Head):
    """A request's head, checked."""

    __slots__ = ("host", "method", "said", "shape", "target")

    def __init__(self, start: tuple[bytes, bytes, int], raw: bytes, lines: list[bytes], fields: list[Field]) -> None:
        method, target, minor = start
        super().__init__(raw, minor, lines, fields)
        self.method = method
        self.target = target
        self.shape = 0
        self.host: Field | None = None
        self.said: dict[int, bytes] = {}
        """Values of headers that are ours, by kind."""
        for field in fields:
            self.shape |= field.shape
            self.kinds |= field.bits
            if field.kind:
                self._take(field)
        self._settle()

    def _take(self, field: Field) -> None:
        kind, value = field.kind, field.value
        if kind <= CONNECTION:
            if kind == HOST:
                if self.host is not None or not _HOST.fullmatch(value):
                    msg = "Host is missing its value, malformed or there twice"
                    raise FramingError(msg)
                self.host = field
            else:
                self._read_framing(field)
        elif kind == UPGRADE:
            self.upgrade = value.lower() if not self.upgrade else b"?"
        elif kind in _OURS:
            self.said.setdefault(kind, value)

    def _settle(self) -> None:
        super()._settle()
        if self.host is None and self.minor:
            msg = "there is no Host header"
            raise FramingError(msg)
        if not self.upgrade:
            return
        if self.upgrade != b"websocket" or b"upgrade" not in self.options or self.method != b"GET" or not self.minor:
            self.upgrade = b""  # an offer that we do not take; it goes no further
        elif self.chunked or self.length > 0:
            msg = "a WebSocket upgrade cannot have a body"
            raise FramingError(msg)

    def render(self, target: bytes, host: bytes) -> bytes:
        """Return the head to send on to `host` (with port when it is not the scheme's own)."""
        lines = self.lines.copy()
        mine = self.host
        if mine is None:
            lines.insert(0, b"Host: " + host)
        else:
            lines[lines.index(mine.line)] = b"%b: %b" % (mine.line[:4], host)
        if self.kinds & _CARE:
            drop = [field.line for field in self.fields if field.kind in _OURS]
            if self.kinds & _HOPS:
                drop += self._dropped(kept_upgrade=bool(self.upgrade))
            for line in drop:
                if line in lines:
                    lines.remove(line)
        return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (self.method, target, CRLF.join(lines))


class Response(Head):
    """An answer's head, checked. `line` is the status line without its version: status and reason as they came."""

    __slots__ = ("idle_s", "line", "status")

    def __init__(self, start: tuple[int, int, bytes], raw: bytes, lines: list[bytes], fields: list[Field]) -> None:
        status, minor, line = start
        super().__init__(raw, minor, lines, fields)
        self.status = status
        self.line = line
        self.idle_s = 0
        """Seconds the upstream says it keeps an idle connection; 0 when it does not say."""
        for field in fields:
            kind = field.kind
            self.kinds |= field.bits
            if LENGTH <= kind <= CONNECTION:
                self._read_framing(field)
            elif kind == UPGRADE:
                self.upgrade = field.value.lower()
            elif kind == KEEP_ALIVE:
                self.idle_s = _timeout(field.value)
        self._settle()
        if not minor and b"keep-alive" in self.options:
            self.keep_alive = True

    def goes_untouched(self) -> bool:
        """Return whether the head can go to a client that keeps its connection exactly as it came."""
        return self.minor == 1 and not self.kinds & (_HOPS ^ 1 << CONNECTION) and self.options in _PERSISTENT

    def render(self, *, close: bool, plain: bool) -> bytes:
        """Return the head to give to the client, empty line included.

        `close`: say that the connection ends; `plain`: without chunked coding (HTTP/1.0).
        """
        upgrade = self.status in {101, 426}
        drop = self._dropped(kept_upgrade=upgrade)
        if close and not upgrade:
            drop += [field.line for field in self.fields if field.kind == CONNECTION]
        if plain:
            drop += [field.line for field in self.fields if field.kind == CODING]
        lines = [line for line in self.lines if line not in drop]
        if close and not upgrade:
            lines.append(b"Connection: close")
        return b"HTTP/1.1 %b\r\n%b\r\n" % (self.line, b"".join([line + CRLF for line in lines]))


_PERSISTENT: tuple[list[bytes], ...] = ([], [b"keep-alive"])


def _timeout(value: bytes) -> int:
    for part in value.lower().split(b","):
        name, _, number = part.strip().partition(b"=")
        if name == b"timeout" and number.isdigit() and len(number) <= 6:  # noqa: PLR2004 - eleven days are enough
            return int(number)
    return 0


class Heads:
    """Parses heads, remembering lines. One per worker and direction."""

    __slots__ = ("_max_fields", "_start_lines", "table")

    def __init__(self, redactor: Redactor, max_fields: int) -> None:
        self.table = FieldTable(redactor)
        self._max_fields = max_fields
        self._start_lines: dict[bytes, tuple[bytes, bytes, int]] = {}

    def request(self, head: bytes) -> Request:
        """Read a request's head (without its final CRLF CRLF). Raises FramingError."""
        first, lines, fields = self._cut(head)
        start = self._start_lines.get(first)
        if start is None:
            start = parse_request_line(first)
            if len(self._start_lines) >= _TABLE_LINES:
                self._start_lines.clear()
            self._start_lines[first] = start
        return Request(start, head, lines, fields)

    def response(self, head: bytes) -> Response:
        """Read an answer's head (without its final CRLF CRLF). Raises FramingError."""
        first, lines, fields = self._cut(head)
        return Response(parse_status_line(first), head, lines, fields)

    def _cut(self, head: bytes) -> tuple[bytes, list[bytes], list[Field]]:
        lines = head.split(CRLF)
        first = lines.pop(0)
        if len(lines) > self._max_fields:
            msg = f"more than {self._max_fields} header fields"
            raise FramingError(msg)
        return first, lines, list(filter(None, map(self.table.__getitem__, lines)))
