"""Heads: checked as one message, rendered for the other side, shown for the record.

Law: a line goes on as it came unless RFC 9110 calls it hop-by-hop or it is ours; `Host` is replaced, for the provider
must see its own.
"""

import re
from collections.abc import Sequence

from modular_agents.proxy.relay.fields import (
    BITS_CARE,
    BITS_HOPS,
    CODING,
    CONNECTION,
    HOP,
    HOST,
    KEEP_ALIVE,
    KINDS_OURS,
    LENGTH,
    SHOWN,
    TABLE_LINES,
    TE,
    UPGRADE,
    Field,
    FieldTable,
)  # fmt: skip
from modular_agents.proxy.relay.framing import CRLF, FramingError, parse_request_line, parse_status_line
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.template import LONGEST, Template

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


class Facts:
    """What a message's lines say about its framing and its way, whatever its Content-Length. Raises FramingError."""

    __slots__ = ("chunked", "fields", "keep_alive", "kinds", "minor", "options", "upgrade")

    def __init__(self, minor: int, fields: Sequence[Field]) -> None:
        self.minor = minor
        self.fields = fields
        """The lines that need care, without Content-Length."""
        self.kinds = 0
        """Bit `1 << kind` for each kind present; `1 << SHOWN` when a line must not be recorded as it came."""
        self.upgrade: bytes = b""
        self.options: tuple[bytes, ...] = ()
        """Lower-case tokens of all `Connection` headers."""
        self.chunked = False
        for field in fields:
            self.kinds |= field.bits
            self._take(field)
        self.keep_alive = minor == 1 and b"close" not in self.options

    def _take(self, field: Field) -> None:
        if field.kind == CONNECTION:
            self.options += field.options
        elif field.kind == CODING:
            if self.chunked or field.value.lower() != b"chunked":
                msg = "Transfer-Encoding other than exactly one `chunked`"
                raise FramingError(msg)
            if not self.minor:
                msg = "Transfer-Encoding in an HTTP/1.0 message"
                raise FramingError(msg)
            self.chunked = True
        elif field.kind == UPGRADE:
            self.upgrade = field.value.lower() if not self.upgrade else b"?"

    def shown(self, raw: bytes) -> bytes:
        """Return a whole head as it may be recorded, start line included, ending in one CRLF."""
        shown = raw + CRLF
        if self.kinds & 1 << SHOWN:
            for field in self.fields:
                if field.shown is not field.line:
                    shown = shown.replace(b"\r\n%b\r\n" % field.line, b"\r\n%b\r\n" % field.shown)
        return shown

    def dropped(self, lines: list[bytes], *, kept_upgrade: bool) -> list[bytes]:
        """Return those of the header lines that end at this hop."""
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
            drop += [line for line in lines if line.partition(b":")[0].lower() in others]
        return drop


class Request(Facts):
    """A request's head, checked. `raw` is the head without its final CRLF CRLF, `lines` its header lines as they came."""

    __slots__ = ("host", "length", "length_line", "lines", "method", "raw", "said", "shape", "target")

    def __init__(self, raw: bytes, lines: list[bytes], fields: list[Field]) -> None:
        self.method, self.target, minor = parse_request_line(lines.pop(0))
        self.raw = raw
        self.lines = lines
        self.shape = 0
        self.host: Field | None = None
        self.said: dict[int, bytes] = {}
        """Values of headers that are ours, by kind."""
        self.length, others = take_length(fields)
        super().__init__(minor, others)
        if minor and not self.kinds & 1 << HOST:
            msg = "there is no Host header"
            raise FramingError(msg)
        if self.chunked and self.length >= 0:
            raise FramingError(_BOTH)
        self.length_line = next((field for field in fields if field.kind == LENGTH), None)
        for field in others:
            self.shape |= field.shape
        if self.upgrade:
            self._check_upgrade()

    def _take(self, field: Field) -> None:
        if field.kind == HOST:
            if self.host is not None or not _HOST.fullmatch(field.value):
                msg = "Host is missing its value, malformed or there twice"
                raise FramingError(msg)
            self.host = field
        elif field.kind in KINDS_OURS:
            self.said.setdefault(field.kind, field.value)
        else:
            super()._take(field)

    def _check_upgrade(self) -> None:
        if self.upgrade != b"websocket" or b"upgrade" not in self.options or self.method != b"GET" or not self.minor:
            self.upgrade = b""  # an offer that we do not take; it goes no further
        elif self.chunked or self.length > 0:
            msg = "a WebSocket upgrade cannot have a body"
            raise FramingError(msg)

    def render(self, target: bytes, host: bytes) -> bytes:
        """Return the head to send on to `host` (with port when it is not the scheme's own), empty line included."""
        lines = self.lines.copy()
        mine = self.host
        if mine is None:
            lines.insert(0, b"Host: " + host)
        else:
            lines[lines.index(mine.line)] = b"%b: %b" % (mine.line[:4], host)
        if self.kinds & BITS_CARE:
            drop = [field.line for field in self.fields if field.kind in KINDS_OURS]
            if self.kinds & BITS_HOPS:
                drop += self.dropped(self.lines, kept_upgrade=bool(self.upgrade))
            for line in drop:
                if line in lines:
                    lines.remove(line)
        return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (self.method, target, CRLF.join(lines))


class ResponseFacts(Facts):
    """What an answer's status line and careful lines say; the same for most answers of a provider, so kept."""

    __slots__ = ("bodiless", "idle_s", "line", "status", "untouched")

    def __init__(self, start_line: bytes, fields: Sequence[Field]) -> None:
        self.status, minor, self.line = parse_status_line(start_line)
        self.idle_s = 0
        """Seconds the upstream says it keeps an idle connection; 0 when it does not say."""
        super().__init__(minor, fields)
        if not minor and b"keep-alive" in self.options:
            self.keep_alive = True
        self.bodiless = self.status in {204, 304}
        self.untouched = minor == 1 and not self.kinds & (BITS_HOPS ^ 1 << CONNECTION) and self.options in _PERSISTENT
        """The head can go to a client that keeps its connection exactly as it came."""

    def _take(self, field: Field) -> None:
        if field.kind == KEEP_ALIVE:
            self.idle_s = _timeout(field.value)
        else:
            super()._take(field)


class Response:
    """An answer's head, checked. `raw` is the head without its final CRLF CRLF; `length` its Content-Length, or -1."""

    __slots__ = ("facts", "length", "raw")

    def __init__(self, facts: ResponseFacts, raw: bytes, length: int) -> None:
        self.facts = facts
        self.raw = raw
        self.length = length

    def shown(self) -> bytes:
        """Return the head as it may be recorded, ending in one CRLF."""
        return self.facts.shown(self.raw)

    def render(self, *, close: bool, plain: bool) -> bytes:
        """Return the head to give to the client, empty line included.

        `close`: say that the connection ends; `plain`: without chunked coding (HTTP/1.0).
        """
        facts = self.facts
        lines = self.raw.split(CRLF)[1:]
        upgrade = facts.status in {101, 426}
        drop = facts.dropped(lines, kept_upgrade=upgrade)
        if close and not upgrade:
            drop += [field.line for field in facts.fields if field.kind == CONNECTION]
        if plain:
            drop += [field.line for field in facts.fields if field.kind == CODING]
        lines = [line for line in lines if line not in drop]
        if close and not upgrade:
            lines.append(b"Connection: close")
        return b"HTTP/1.1 %b\r\n%b\r\n" % (facts.line, b"".join([line + CRLF for line in lines]))


class AnswerTemplate(Template):
    """A provider's usual head, and what it says."""

    __slots__ = ("facts", "names", "straight")

    def __init__(self, response: Response, names: tuple[bytes, ...], holes: Sequence[tuple[int, int, bool]]) -> None:
        super().__init__(response.raw, holes)
        self.names = names
        self.facts = facts = response.facts
        self.straight = facts.untouched and facts.keep_alive and not facts.bodiless and facts.status >= 200  # noqa: PLR2004 - final
        """A whole answer with this head needs no care on its way to a client that keeps its connection."""


_BOTH = "both Content-Length and Transfer-Encoding are present"
_PERSISTENT = ((), (b"keep-alive",))


def take_length(fields: list[Field]) -> tuple[int, tuple[Field, ...]]:
    """Return the Content-Length, -1 without one, and the other fields. Raises FramingError when there are two."""
    length, others = -1, []
    for field in fields:
        if field.kind == LENGTH:
            if length >= 0:
                msg = "there is more than one Content-Length"
                raise FramingError(msg)
            length = field.number
        else:
            others.append(field)
    return length, tuple(others)


def _timeout(value: bytes) -> int:
    for part in value.lower().split(b","):
        name, _, number = part.strip().partition(b"=")
        if name == b"timeout" and number.isdigit() and len(number) <= 6:  # noqa: PLR2004 - eleven days are enough
            return int(number)
    return 0


class Heads:
    """Parses heads, remembering lines and facts. One per worker and direction."""

    __slots__ = ("_facts", "_max_fields", "table")

    def __init__(self, redactor: Redactor, max_fields: int) -> None:
        self.table = FieldTable(redactor)
        self._max_fields = max_fields
        self._facts: dict[tuple[bytes, tuple[Field, ...]], ResponseFacts] = {}

    def request(self, head: bytes) -> Request:
        """Read a request's head (without its final CRLF CRLF). Raises FramingError."""
        lines = head.split(CRLF)
        return Request(head, lines, self._fields(lines))

    def response(self, head: bytes) -> Response:
        """Read an answer's head (without its final CRLF CRLF). Raises FramingError."""
        lines = head.split(CRLF)
        length, fields = take_length(self._fields(lines))
        key = (lines[0], fields)
        facts = self._facts.get(key)
        if facts is None:
            facts = ResponseFacts(lines[0], fields)
            if len(self._facts) >= TABLE_LINES:
                self._facts.clear()
            self._facts[key] = facts
        if length >= 0 and facts.chunked:
            raise FramingError(_BOTH)
        return Response(facts, head, length)

    def template(self, response: Response, known: Sequence[AnswerTemplate]) -> AnswerTemplate | None:
        """Return a template for a provider's next heads; None when one would not help: too long, or with a secret in it.

        Values that often vary are taken for constant until `known` has a template with the same names that did not fit.
        """
        if len(response.raw) > LONGEST or response.facts.kinds & 1 << SHOWN or response.facts.status < 200:  # noqa: PLR2004 - final
            return None
        lines = response.raw.split(CRLF)
        names = tuple([line.partition(b":")[0] for line in lines])
        loose = any(template.names == names for template in known)
        holes, at = [], len(lines[0]) + 2
        for name, line in zip(names[1:], lines[1:], strict=True):
            if self.table.is_hole(name, loose=loose):
                is_length = name.lower() == b"content-length"
                value = line[len(name) + 1 :]
                holes.append((at + len(line) - len(value.lstrip(b" \t") if is_length else value), at + len(line), is_length))
            at += len(line) + 2
        return AnswerTemplate(response, names, holes)

    def _fields(self, lines: list[bytes]) -> list[Field]:
        if len(lines) > self._max_fields + 1:
            msg = f"more than {self._max_fields} header fields"
            raise FramingError(msg)
        return list(filter(None, map(self.table.__getitem__, lines[1:])))
