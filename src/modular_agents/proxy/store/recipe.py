"""A request body is what stands around its messages, system blocks and tools; those are stored once, so the body need not be.

A recipe is a JSON list: the text before, a list, the text between, a list, …, the text after. A list is `[group, separator]`
and stands for that group's raw JSON values joined by the separator. A recipe rebuilds the body byte for byte: each list has
been compared with the body where it stands, all the rest are slices of the body. A body for which there is none (compressed,
repeated keys, uneven spacing, not JSON) is kept whole by the caller.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from modular_agents.proxy.store.finding import find

Group = str
"""`m` messages, `s` system blocks, `t` tool definitions."""
MESSAGES, SYSTEM, TOOLS = "m", "s", "t"
_SEPARATOR = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_TRIES = 8
"""How often the first value of a list may stand elsewhere in the body before we give up."""
_MAX_REST_BYTES = 64 * 1024
"""Text around the lists that is worth keeping uncompressed: parameters are small; more means that something was not recognised."""
_RECIPE = msgspec.json.Decoder(list[str | tuple[Group, str]])


def make(body: bytes, groups: Mapping[Group, Sequence[bytes]]) -> str | None:
    """Return the recipe of `body`, or None when it is better kept whole."""
    spans = []
    for group, raws in groups.items():
        if not raws:
            continue
        span = _find(body, raws)
        if span is None:
            if group == MESSAGES:
                return None
            continue
        spans.append((*span, group))
    spans.sort()
    parts: list[str | tuple[Group, str]] = []
    rest = at = 0
    try:
        for start, stop, separator, group in spans:
            if start < at and group == MESSAGES:
                return None
            if start < at:
                continue  # it stands inside another list: Codex's tools among the messages
            parts += [body[at:start].decode(), (group, separator.decode())]
            rest += start - at
            at = stop
        parts.append(body[at:].decode())
    except UnicodeDecodeError:
        return None
    if rest + len(body) - at > _MAX_REST_BYTES or not spans:
        return None
    return msgspec.json.encode(parts).decode()


def rebuild(recipe: str, groups: Mapping[Group, Sequence[bytes]]) -> bytes:
    """Return the body that `recipe` describes."""
    return b"".join(part.encode() if isinstance(part, str) else part[1].encode().join(groups[part[0]]) for part in _RECIPE.decode(recipe))


def _find(body: bytes, raws: Sequence[bytes]) -> tuple[int, int, bytes] | None:
    """Return where the values stand in a row: (start, stop, separator)."""
    first = raws[0]
    start = -1
    for _ in range(_TRIES):
        start = find(body, first, start + 1)
        if start < 0:
            return None
        separator = b","
        if len(raws) > 1:
            found = _SEPARATOR.match(body, start + len(first))
            if found is None:
                continue
            separator = found[0]
        row = separator.join(raws)
        if body.startswith(row, start):
            return start, start + len(row), separator
    return None
