"""What a person reads of a value whose form is only roughly known: the texts under members that are known to carry some.

Providers' own tools bring back results of many forms, and new ones with every release: a form nobody knew is read as far as its
members have names that are known. Everything else (ids, encrypted and encoded data) is left to the raw JSON.
"""

from collections.abc import Iterator

from modular_agents.proxy.wire import jsonvalue as js

MAX_DEPTH = 20
"""Deeper than any result nests; bounds recursion."""


def readable(value: object, members: tuple[str, ...]) -> str:
    """Return the texts of a value, one a line, in the order of `members`."""
    return "\n".join(text for text in _texts(value, members, 0) if text)


def _texts(value: object, members: tuple[str, ...], depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield js.mend(value)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for item in value:
            yield from _texts(item, members, depth + 1)
    elif isinstance(value, dict) and depth < MAX_DEPTH:
        for member in members:
            if member in value:
                yield from _texts(value[member], members, depth + 1)
