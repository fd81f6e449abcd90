"""A function call whose arguments come value by value, in the parts of several objects (`streamFunctionCallArguments` on Vertex AI).

The first part names the function, those after it bring `partialArgs`: where a value stands (a JSON path), and the value, text in
pieces. `willContinue` says that more parts follow.
"""

import re

from modular_agents.proxy.wire import jsonvalue as js

MAX_STEPS = 50
"""Deeper than any function's arguments; bounds recursion. What stands deeper is left to the raw stream."""
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\[['\"]([^'\"]*)['\"]\]")
_VALUES = ("stringValue", "numberValue", "boolValue")
_NOT_SENT = frozenset({"partialArgs", "willContinue"})


class PartialCall:
    """The call so far."""

    def __init__(self, part: js.Json) -> None:
        self._part = part
        self._call: js.Json = {}
        self._values: dict[str, list[object]] = {}

    def take(self, call: js.Json) -> bool:
        """Take what one part says, and return whether more will come."""
        self._call.update((key, value) for key, value in call.items() if key not in _NOT_SENT)
        for one in map(js.obj, js.arr(call.get("partialArgs"))):
            value = next((one[key] for key in _VALUES if isinstance(one.get(key), (str, int, float))), None)
            self._values.setdefault(js.fragment(one.get("jsonPath")), []).append(value)
        return call.get("willContinue") is True

    def raw(self) -> bytes:
        """Return the part as it would have come whole."""
        tree: dict[str | int, object] = {}
        for path, values in self._values.items():
            is_text = all(isinstance(value, str) for value in values)
            _put(tree, path, js.mend("".join(map(js.fragment, values))) if is_text else values[-1])
        args = _listed(tree)
        return js.compact({**self._part, "functionCall": {**self._call, **({"args": args} if args or "args" not in self._call else {})}})


def is_partial(call: js.Json) -> bool:
    """Return whether a call begins here and is not whole."""
    return not _NOT_SENT.isdisjoint(call)


def _put(tree: dict[str | int, object], path: str, value: object) -> None:
    steps: list[str | int] = [int(index) if index else name or quoted for name, index, quoted in _STEP.findall(path)]
    if not 0 < len(steps) <= MAX_STEPS:
        return
    here = tree
    for step in steps[:-1]:
        inner = here.get(step)
        if not isinstance(inner, dict):
            inner = here[step] = {}
        here = inner
    here[steps[-1]] = value


def _listed(value: object) -> object:
    """Return a value with lists where the steps were places."""
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(step, int) for step in value):
        return [_listed(value[step]) for step in sorted(value)]
    return {str(step): _listed(inner) for step, inner in value.items()}
