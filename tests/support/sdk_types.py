"""What an official SDK's types say, as data: the members of a union, and samples of a type with a word of its own in every text.

A sample is built from type hints alone, so that a type the next release brings is built too. Every text in it is a different
word, named after its field: whether a reader kept it can be asked of each.
"""

import base64
import inspect
import json
import types
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from itertools import count
from os import PathLike
from typing import IO, Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from modular_agents.proxy.model.call import Message, Part

Json = dict[str, Any]
MAX_DEPTH = 6
"""Optional members below this are left out: the samples of a tool's definition would have no end."""
_FILES = {IO, PathLike}
"""Of which an SDK makes text before it sends them."""
_UNIONS = (Union, types.UnionType)
_PLAIN: dict[Any, Any] = {bool: True, int: 1, float: 0.5, datetime: "2026-11-29T00:00:00Z", date: "2026-11-29", type(None): None}


def members(union: Any) -> list[Any]:  # noqa: ANN401 - a type form
    """Return the types a union is made of, unions inside it included; a type that is none is its own member."""
    origin = get_origin(union)
    if origin in {Annotated, Required, NotRequired}:
        return members(get_args(union)[0])
    if origin in _UNIONS:
        return [one for part in get_args(union) for one in members(part)]
    return [union]


def fields(kind: type) -> dict[str, tuple[Any, bool]]:
    """Return the members of a TypedDict or a pydantic model as they are spelled on the wire: type form, and whether it is required."""
    if is_typeddict(kind):
        hints, required = get_type_hints(kind), kind.__required_keys__
        return {name: (hint, name in required) for name, hint in hints.items()}
    assert issubclass(kind, BaseModel), kind
    return {field.alias or name: (field.annotation, field.is_required()) for name, field in kind.model_fields.items()}


def tag(kind: type, member: str = "type") -> str:
    """Return what `type` (or another member) of a type says on the wire."""
    (form,) = [one for one in members(fields(kind)[member][0]) if one is not type(None)]
    return str(get_args(form)[0])


class Sampler:
    """Builds samples. `by_hand`: values of members by `Type.member` or by `member`; a member given `...` is left out."""

    def __init__(self, by_hand: Mapping[str, Any] | None = None) -> None:
        self._by_hand = by_hand or {}
        self._numbers = count(1)

    def sample(self, kind: type, *, depth: int = 0, **chosen: Any) -> Json:  # noqa: ANN401 - any JSON
        """Return a sample of a type with all its members; `chosen` sets some of them."""
        made: Json = {}
        for name, (form, required) in fields(kind).items():
            value = chosen.get(name, self._given(kind, name))
            if value is ... or (not required and depth > MAX_DEPTH):
                continue
            made[name] = self._value(form, name, depth + 1) if value is None else value
        return made

    def variants(self, kind: type, deep: int = 2) -> Iterator[Json]:
        """Return samples that together have every alternative of the type's members, and of types inside it, `deep` levels down."""
        yield self.sample(kind)
        for name, (form, _) in fields(kind).items():
            if self._given(kind, name) is None:
                each = list(self._each(form, name, deep))
                if len(each) > 1:
                    yield from (self.sample(kind, **{name: value}) for value in each)

    def _each(self, form: Any, name: str, deep: int) -> Iterator[Any]:  # noqa: ANN401 - a type form in, JSON out
        for one in members(form):
            if _is_literal(one):
                yield from get_args(one)
            elif _is_list(one):
                yield from ([item] for item in self._each(get_args(one)[0], name, deep))
            elif _is_object(one) and deep > 0:
                yield from self.variants(one, deep - 1)
            elif one is not type(None) and (get_origin(one) or one) not in _FILES:
                yield self._value(one, name, 1)

    def _given(self, kind: type, name: str) -> Any:  # noqa: ANN401 - any JSON
        return self._by_hand.get(f"{kind.__name__}.{name}", self._by_hand.get(name))

    def _value(self, form: Any, name: str, depth: int) -> Any:  # noqa: ANN401 - a type form in, JSON out
        form = next(one for one in members(form) if one is not type(None) or len(members(form)) == 1)
        origin = get_origin(form)
        if _is_literal(form):
            return get_args(form)[0]
        if _is_list(form):
            return [self._value(get_args(form)[0], name, depth)]
        if origin in {dict, Mapping} or form in {object, Any, dict}:
            return {"key": self._word(name)}
        if form is bytes:
            return base64.b64encode(self._word(name).encode()).decode()
        if form in _PLAIN:
            return _PLAIN[form]
        if inspect.isclass(form) and issubclass(form, Enum):
            return next(one.value for one in form if not one.value.endswith("UNSPECIFIED"))
        if _is_object(form):
            return self.sample(form, depth=depth)
        assert form is str, f"no sample of {form} ({name}): give one by hand"
        return self._word(name)

    def _word(self, name: str) -> str:
        return f"{name}·{next(self._numbers)}·"


def _is_literal(form: Any) -> bool:  # noqa: ANN401 - a type form
    return get_origin(form) is Literal


def _is_object(form: Any) -> bool:  # noqa: ANN401 - a type form
    return is_typeddict(form) or (inspect.isclass(form) and issubclass(form, BaseModel))


def _is_list(form: Any) -> bool:  # noqa: ANN401 - a type form
    return inspect.isclass(get_origin(form)) and get_origin(form) is not dict and issubclass(get_origin(form), Iterable) and form is not str


def words(value: object, unread: frozenset[str] = frozenset()) -> Iterator[str]:
    """Return the words of a sample, without what stands in members that are `unread`: `member`, `type.member` or `role.member`."""
    if isinstance(value, str):
        if "·" in value:
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if unread.isdisjoint({name, f"{value.get('type')}.{name}", f"{value.get('role')}.{name}"}):
                yield from words(inner, unread)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner, unread)


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def comparable(part: Part) -> tuple[object, ...]:
    """Return a part with its raw JSON as a value: a stream's is put together anew."""
    return part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw and json.loads(part.raw)


def told(parts: Iterable[Part]) -> str:
    """Return all that the neutral model says of parts beside their raw JSON."""
    return "\n".join(text for part in parts for text in (part.text, part.arguments, part.name, part.tool_id) if text)


def lost(sample: object, messages: Iterable[Message], unread: frozenset[str]) -> list[str]:
    """Return the words of a sample that the neutral model says nowhere, without those of members that are not for reading."""
    text = told(part for message in messages for part in message.parts)
    return [word for word in words(sample, unread) if word not in text]
