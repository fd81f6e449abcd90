"""What the stand-in provider shall do for one request, as a value. The request itself carries it.

Three places, the first found counts: a scenario registered from Python, a header `x-script: {json}`, a directive
`<<script {json}>>` inside any string of the JSON body (the last one counts: a conversation re-sends old ones).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

_DIRECTIVE = re.compile(r"<<script (\{.*?\})>>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Script:
    """Every field is optional. Times in ms. Unknown keys of a directive are an error, so that a typing slip is seen."""

    # what is said
    text: str | None = None
    chunks: int = 4
    """Into how many deltas the text is cut."""
    thinking: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    """`{"name": …, "input": {…}, "id"?: …}` each: tool uses in the answer. A text as input: one of OpenAI's custom tools; `namespace`?."""
    model: str | None = None
    """The model the answer names; by default the request's."""
    usage: dict[str, Any] | None = None
    """Merged over the dialect's usage object; `null` values stay null."""
    no_usage: bool = False
    body: str | None = None
    """The whole body instead of the dialect's."""
    fill_bytes: int = 0
    """The answer's text is this many bytes of filler."""

    # errors
    status: int = 200
    reason: str | None = None
    retry_after: str | None = None
    message: str | None = None
    fail: tuple[int, ...] = ()
    """Statuses of the first attempts of this very request; the next one succeeds, then it begins again."""
    error_at: int | None = None
    """In a stream: after this many pieces an error event instead of the rest."""

    # the head
    headers: tuple[tuple[str, str], ...] = ()
    informational: tuple[int, ...] = ()
    http: str = "1.1"
    framing: str = "auto"
    """`chunked`, `length`, `close`, or `auto` (chunked for streams, length otherwise)."""
    encoding: str = ""
    """`gzip`, `deflate`, `br`, `zstd`."""
    trailers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    """Close the connection after the answer (and say so)."""
    expect: str = "continue"
    """What `Expect: 100-continue` gets: `continue`, or `ignore` (read the body anyway), or `final` (answer without reading it)."""

    # delivery
    first_ms: float = 0
    gap_ms: float = 0
    drip: int = 0
    """Write this many bytes at a time."""
    stall_at: int | None = None
    """-1: before the head; 0: after it; k: after k pieces. Until `release(stall)`, or until the peer is gone."""
    stall: str = "stall"
    cut_pieces: int | None = None
    """Close after this many body pieces."""
    cut_bytes: int | None = None
    """Close after this many bytes of the answer, head included."""
    rst: bool = False
    """A cut is a reset, not a FIN."""
    raw: str | None = None
    """These bytes (latin-1) are the whole answer, framing and all."""
    raw_base64: str | None = None

    # WebSocket
    ws_deflate: bool = False
    ws_refuse: int = 0
    """Refuse the upgrade with this status."""
    ws_vanish_at: int | None = None
    """Drop the connection without a close frame after this many messages."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Script":
        """Make a script from its JSON form. Raises ValueError for a key that does not exist."""
        known = {f.name for f in fields(cls)}
        if unknown := set(data) - known:
            msg = f"a script has no {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        return cls(**{key: _tuples(value) if isinstance(value, list) else value for key, value in data.items()})

    def directive(self) -> str:
        """Return the directive to put into a prompt."""
        return f"<<script {self.header()}>>"

    def header(self) -> str:
        """Return the value of an `x-script` header: only what differs from the default."""
        plain = Script()
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)})


def find_script(headers: tuple[tuple[str, str], ...], document: object) -> Script:
    """Return the script a request carries, or the plain one."""
    for name, value in headers:
        if name.lower() == "x-script":
            return Script.parse(json.loads(value))
    found = [match for text in _strings(document) for match in _DIRECTIVE.findall(text)]
    return Script.parse(json.loads(found[-1])) if found else Script()


def _tuples(value: list[Any]) -> tuple[Any, ...]:
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def _strings(document: object) -> Iterator[str]:
    """Yield every string of a JSON value in document order."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from _strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from _strings(value)
