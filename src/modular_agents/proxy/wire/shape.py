"""A JSON object read into a struct: at once where its members have the expected types, else member by member.

What the struct does not name is left out; what has another type than it should is as if it were absent. So a hostile or
merely unusual object still gives a struct. Raw members are exact slices, an absent one is empty.
"""

from typing import Any, Generic, TypeVar

import msgspec

from modular_agents.proxy.wire import jsonvalue as js

T = TypeVar("T", bound=msgspec.Struct)
ABSENT = msgspec.Raw(b"")
"""Default of a raw member."""
Content = str | list[msgspec.Raw] | None
"""What several formats call content: a text, or a list of blocks."""
Elements = list[msgspec.Raw] | None
"""A list whose elements are exact slices."""


class Shape(Generic[T]):
    """Reads objects of one shape."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._fields = {field.encode_name: (field.name, field.type) for field in msgspec.structs.fields(kind)}

    def read(self, data: bytes | msgspec.Raw) -> T:
        """Return the struct. Raises ValueError when the data is no JSON object."""
        try:
            return self._decode(data)
        except (ValueError, RecursionError):
            return self._leniently(bytes(data))

    def _leniently(self, data: bytes) -> T:
        found: dict[str, Any] = {}
        for key, value in js.members(data).items():
            if key in self._fields:
                name, kind = self._fields[key]
                read = _member(value, kind)
                if read is not None:
                    found[name] = read
        return self._kind(**found)


def _member(data: bytes, kind: Any) -> Any:  # noqa: ANN401 - a type form in, a value of it out
    """Return a member's value, or None where it does not fit."""
    if kind is msgspec.Raw:
        return msgspec.Raw(data)
    if kind in (Content, Elements) and data[:1] == b"[":
        return [msgspec.Raw(element) for element in js.elements(data)]
    value = js.parse(data)
    try:
        return msgspec.convert(js.mend(value) if isinstance(value, str) else value, kind)
    except (ValueError, RecursionError):
        return None
