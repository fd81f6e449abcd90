"""Header lines: what each one means for a relay, found once per distinct line and remembered.

Peers repeat their lines from message to message, so a table of whole lines makes a head cost one look-up per line, and
strictness and redaction cost nothing after the first time. Lines with another value in every message are judged by
their name. Values here are plain slotted classes, not frozen ones: some are made per message.
"""

import re

from modular_agents.proxy.relay.framing import TOKEN, VALUE, FramingError
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.template import MAX_DIGITS

# What a line means. PLAIN lines are not represented at all (None in the table).
SHOWN, LENGTH, CONNECTION, CODING, HOST, UPGRADE, TE, HOP, TRACE, AGENT, PARENT, OURS, TOKEN_OURS, REPLAY, KEEP_ALIVE = range(15)

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
KINDS_OURS = frozenset({TRACE, AGENT, PARENT, OURS, TOKEN_OURS, REPLAY})
BITS_HOPS = 1 << CONNECTION | 1 << UPGRADE | 1 << TE | 1 << HOP | 1 << KEEP_ALIVE
BITS_CARE = BITS_HOPS | sum(1 << kind for kind in KINDS_OURS)

# Header shapes that say which provider is meant, as bits.
SHAPE_ANTHROPIC, SHAPE_GOOGLE, SHAPE_BEARER = 1, 2, 4
_SHAPES = {b"anthropic-version": SHAPE_ANTHROPIC, b"x-api-key": SHAPE_ANTHROPIC, b"x-goog-api-key": SHAPE_GOOGLE}

_is_value = VALUE.fullmatch
_UNIQUE = frozenset({b"request-id", b"x-request-id", b"cf-ray", b"x-client-request-id", b"traceparent", b"server-timing"})
"""Names with a new value in almost every message, and never a credential."""
_HARMLESS = frozenset({
    b"date", b"etag", b"age", b"openai-processing-ms", b"x-envoy-upstream-service-time", b"retry-after", b"last-modified", b"expires",
})  # fmt: skip
"""Names whose values change often, and never a credential."""
RATE_LIMIT = re.compile(rb"rate-?limit")
TABLE_LINES = 4096
"""Distinct lines remembered; then the table starts afresh. Bounds memory to a few MB."""
_LONGEST_REMEMBERED = 1024
"""Bytes of a line: longer ones seldom come twice, and would make the table's size unforeseeable."""


class Field:
    """A header line that needs care. `shown` is the line as it may be recorded."""

    __slots__ = ("bits", "kind", "line", "name", "number", "options", "shape", "shown", "value")

    def __init__(self, kind: int, line: bytes, name: bytes, value: bytes, shown: bytes, shape: int) -> None:
        self.kind = kind
        self.bits = 1 << kind | (shown is not line) << SHOWN
        self.line = line
        self.name = name
        self.value = value
        self.shown = shown
        self.shape = shape
        self.number = _length(value) if kind == LENGTH else 0
        """Of Content-Length."""
        self.options = tuple(option for part in value.lower().split(b",") if (option := part.strip(b" \t"))) if kind == CONNECTION else ()
        """Of Connection, lower-case."""


class Name:
    """What is known of a header by its name, as it is written."""

    __slots__ = ("kind", "lower", "plain", "shape", "unique")

    def __init__(self, raw: bytes) -> None:
        if not TOKEN.fullmatch(raw):
            msg = "a header's name is not a token directly followed by a colon"
            raise FramingError(msg)
        self.lower = lower = raw.lower()
        self.kind = kind = _KINDS.get(lower, OURS if lower.startswith(_OURS_PREFIX) else SHOWN)
        self.shape = _SHAPES.get(lower, 0)
        self.unique = lower in _UNIQUE
        """Another value in every message: not worth remembering."""
        self.plain = kind == SHOWN and (self.unique or lower in _HARMLESS or RATE_LIMIT.search(lower) is not None)
        """Goes on and is recorded as it came, whatever its value."""


class FieldTable(dict[bytes, Field | None]):
    """Header lines → what they mean; None for the plain ones, which is most. An unknown line is checked when looked up.

    Raises FramingError for a line that is not `token: value`.
    """

    __slots__ = ("_names", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor
        self._names: dict[bytes, Name] = {}

    def __missing__(self, line: bytes) -> Field | None:
        """Check a line and remember what it means."""
        raw_name, colon, rest = line.partition(b":")
        name = self._names.get(raw_name)
        if name is None:
            name = self._name(raw_name)
        if not colon or not _is_value(rest):
            msg = "a header's value holds a control character" if colon else "a header line has no colon"
            raise FramingError(msg)
        if name.unique:
            return None
        field = None if name.plain else self._field(line, raw_name, name, rest.strip(b" \t"))
        if len(line) <= _LONGEST_REMEMBERED:
            if len(self) >= TABLE_LINES:
                self.clear()
            self[line] = field
        return field

    def is_hole(self, raw_name: bytes, *, loose: bool) -> bool:
        """Return whether a line of this name means the same with any value, but for Content-Length's number.

        Not `loose`: only names whose values are new in every message, or every second.
        """
        name = self._names.get(raw_name)
        return name is not None and (name.unique or name.kind == LENGTH or name.lower == b"date" or (loose and name.plain))

    def _name(self, raw: bytes) -> Name:
        name = Name(raw)
        if len(raw) <= _LONGEST_REMEMBERED:
            if len(self._names) >= TABLE_LINES:
                self._names.clear()
            self._names[raw] = name
        return name

    def _field(self, line: bytes, raw_name: bytes, name: Name, value: bytes) -> Field | None:
        kind, shape = name.kind, name.shape
        if kind == LENGTH:
            return Field(kind, line, name.lower, value, line, 0)
        if name.lower == b"authorization" and value[:7].lower() == b"bearer ":
            shape = SHAPE_BEARER
        safe = self._redactor.value(name.lower, value)
        shown = line if safe == value else b"%b: %b" % (raw_name, safe)
        if kind == SHOWN and shown is line and not shape:
            return None
        return Field(kind, line, name.lower, value, shown, shape)

    def trailer(self, line: bytes) -> bytes:
        """Return a trailer line as it may be recorded. Raises FramingError, also for fields that frame a message."""
        field = self[line]
        if field is None:
            return line
        if field.kind in {HOST, LENGTH, CODING, CONNECTION, UPGRADE, TE}:
            msg = f"{field.name.decode()} cannot be a trailer"
            raise FramingError(msg)
        return field.shown


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > MAX_DIGITS:
        msg = "Content-Length is not a plain decimal number"
        raise FramingError(msg)
    return int(value)
