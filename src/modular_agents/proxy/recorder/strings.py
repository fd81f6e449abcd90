"""Secrets inside the strings of JSON, also where escapes hide them or where a stream brings a string in pieces.

A body is one JSON value, one per line, or server-sent events whose data is JSON. Strings that stand at the same place of
several values (`choices/0/delta/content`, told apart by every `…index` beside them) are one text that came in pieces. Only a
value in which something was replaced is written anew; every other byte stays as it is.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modular_agents.proxy.model.secret import Secrets, find_secrets

_DATA = b"data:"
_HIDING = re.compile(rb"\\u00(?:2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])", re.IGNORECASE)
"""An escape for a character that keys are made of: nobody needs to escape those."""

Place = tuple[object, ...]
Holder = dict[str, object] | list[object]


@dataclass(slots=True)
class _Line:
    """A line of a body, or a whole one: `value` is its JSON, if it holds any, between `before` and `after`."""

    before: bytes
    text: bytes
    after: bytes
    value: object = None
    changed: bool = False

    def written(self) -> bytes:
        """Return the line as it is now."""
        text = json.dumps(self.value, separators=(",", ":")).encode() if self.changed else self.text
        return self.before + text + self.after


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A string of a line: `holder[key]` is it."""

    line: _Line
    holder: Holder
    key: str | int
    text: bytes


def may_hide(body: bytes) -> bool:
    """Return whether escapes may hide a secret from a search of the raw bytes."""
    return _HIDING.search(body) is not None


def redact_strings(body: bytes, secrets: Secrets) -> bytes:
    """Return the body with secrets in its strings replaced; the very same object when there are none."""
    lines = _lines(body)
    texts: dict[Place, list[_Leaf]] = {}
    for line in lines:
        for place, leaf in _leaves(line):
            texts.setdefault(place, []).append(leaf)
    for leaves in texts.values():
        _redact_text(leaves, secrets)
    return b"".join(line.written() for line in lines) if any(line.changed for line in lines) else body


def _lines(body: bytes) -> list[_Line]:
    """Return the one value that the body is, or its lines."""
    whole = _read(_Line(b"", body, b""))
    return [whole] if whole.value is not None else [_read(_taken_apart(line)) for line in body.splitlines(keepends=True)]


def _taken_apart(line: bytes) -> _Line:
    text = line.rstrip(b"\r\n")
    before = len(_DATA) + (text[len(_DATA) : len(_DATA) + 1] == b" ") if text.startswith(_DATA) else 0
    return _Line(text[:before], text[before:], line[len(text) :])


def _read(line: _Line) -> _Line:
    if line.text.lstrip()[:1] in {b"{", b"["}:
        try:
            line.value = json.loads(line.text)
        except (ValueError, RecursionError):  # not JSON, numbers of thousands of digits, depth: left as it is
            line.value = None
    return line


def _leaves(line: _Line) -> Iterator[tuple[Place, _Leaf]]:
    left: list[tuple[Place, Holder]] = [((), line.value)] if isinstance(line.value, dict | list) else []
    while left:
        place, holder = left.pop()
        if isinstance(holder, dict):
            place += tuple((key, value) for key, value in holder.items() if key.endswith("index") and isinstance(value, int))
        items: Iterable[tuple[str | int, object]] = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            if isinstance(value, str):
                yield (*place, key), _Leaf(line, holder, key, value.encode("utf-8", "surrogatepass"))
            elif isinstance(value, dict | list):
                left.append(((*place, key), value))


def _redact_text(leaves: list[_Leaf], secrets: Secrets) -> None:
    """Replace secrets in one text: the mark stands where the secret began, later pieces of it are left out."""
    whole = b"".join(leaf.text for leaf in leaves)
    spans = find_secrets(whole)
    if not spans:
        return
    begin = first = 0
    for leaf in leaves:
        end, at, parts = begin + len(leaf.text), begin, list[bytes]()
        while first < len(spans) and spans[first][1] <= begin:
            first += 1
        number = first
        while number < len(spans) and spans[number][0] < end:
            start, stop = spans[number]
            parts.append(whole[at : max(start, begin)])
            if start >= begin:
                parts.append(secrets.mark(whole[start:stop]))
            at = min(stop, end)
            number += 1
        if parts:
            leaf.holder[leaf.key] = b"".join((*parts, whole[at:end])).decode("utf-8", "surrogatepass")  # type: ignore[index]
            leaf.line.changed = True
        begin = end
