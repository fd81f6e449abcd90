"""A JSON object that arrives in pieces: strings are appended, lists extended, the rest set; the work is linear in the bytes."""

from modular_agents.proxy.wire import jsonvalue as js

_NAMES = frozenset({"id", "type", "index", "role", "format"})
"""Members that servers repeat in every piece: they name the thing and are never appended to."""


class Growing:
    """The object so far."""

    def __init__(self, start: js.Json | None = None) -> None:
        self.fields: js.Json = start or {}
        self._text: dict[str, list[str]] = {}
        self._lists: dict[str, list[object]] = {}

    def append(self, key: str, text: str) -> None:
        """Append text to the string `key`, which begins as it stood at the start."""
        pieces = self._text.get(key)
        if pieces is None:
            pieces = self._text[key] = [js.fragment(self.fields.get(key))]
        pieces.append(text)

    def extend(self, key: str, items: list[object]) -> None:
        """Append items to the list `key`."""
        if key not in self._lists:
            self._lists[key] = list(js.arr(self.fields.get(key)))
        self._lists[key] += items

    def add(self, key: str, value: object) -> None:
        """Add a member of unknown meaning."""
        if isinstance(value, str) and key not in _NAMES:
            self.append(key, value)
        elif isinstance(value, list):
            self.extend(key, value)
        elif value is not None or key not in self.fields:
            self.fields[key] = value

    def value(self) -> js.Json:
        """Return the object as it stands now."""
        grown = {key: js.mend("".join(pieces)) for key, pieces in self._text.items()}
        return {**self.fields, **grown, **self._lists}
