"""Write the TypeScript types of everything the dashboard sends, from its own shapes: `python tools/make_types.py`.

The page is checked against these types, and a test checks that the file is what this program writes.
"""

import ast
import dataclasses
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "web" / "src" / "types.gen.ts"
HEADING = """\
// Written by tools/make_types.py from the shapes of the dashboard server. Do not edit: run `make docs`.
"""
_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", types.NoneType: "null"}


def typescript(hint: object, unions: dict[frozenset[object], str]) -> str:
    """Return the TypeScript spelling of a Python annotation."""
    if isinstance(hint, type) and hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint.__name__
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in {types.UnionType, typing.Union}:
        named = unions.get(frozenset(arguments))
        return named or " | ".join(typescript(argument, unions) for argument in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            inner = typescript(arguments[0], unions)
            return f"readonly ({inner})[]" if " | " in inner or inner.startswith("readonly") else f"readonly {inner}[]"
        return f"readonly [{', '.join(typescript(argument, unions) for argument in arguments)}]"
    message = f"no TypeScript spelling for {hint!r}"
    raise TypeError(message)


def reached(shape: object) -> Iterator[type]:
    """Yield every dataclass that `shape` is made of, innermost first; repeats are the caller's to drop."""
    if isinstance(shape, type) and dataclasses.is_dataclass(shape):
        for hint in typing.get_type_hints(shape).values():
            yield from reached(hint)
        yield shape
        return
    for argument in typing.get_args(shape):
        yield from reached(argument)


def field_notes(shape: type) -> dict[str, str]:
    """Return the sentence written under each field in the source of `shape`."""
    body = ast.parse(textwrap.dedent(inspect.getsource(shape))).body[0]
    notes: dict[str, str] = {}
    if not isinstance(body, ast.ClassDef):
        return notes
    for statement, following in zip(body.body, body.body[1:], strict=False):
        named = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if named and said:
            notes[statement.target.id] = inspect.cleandoc(str(following.value.value))  # type: ignore[attr-defined]
    return notes


def comment(text: str, indent: str) -> str:
    """Return `text` as a JSDoc comment of as many lines as it has."""
    lines = [line.rstrip() for line in text.replace("*/", "* /").splitlines()]
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} *{' ' if line else ''}{line}\n" for line in lines) + f"{indent} */\n"


def interface(shape: type, unions: dict[frozenset[object], str]) -> str:
    """Return one exported interface."""
    notes = field_notes(shape)
    lines = [comment(inspect.cleandoc(shape.__doc__ or shape.__name__), ""), f"export interface {shape.__name__} {{\n"]
    for name, hint in typing.get_type_hints(shape).items():
        if name in notes:
            lines.append(comment(notes[name], "  "))
        lines.append(f"  readonly {name}: {typescript(hint, unions)};\n")
    return "".join([*lines, "}\n"])


def render() -> str:
    """Return the whole file."""
    from modular_agents.proxy.dashboard.shapes import ANSWERS, UNIONS  # noqa: PLC0415 - the path is set up by main()

    names = {frozenset(members): name for name, members in UNIONS.items()}
    shapes = list(dict.fromkeys(shape for answer in ANSWERS for shape in reached(answer)))
    blocks = [interface(shape, names) for shape in shapes]
    blocks += [f"export type {name} = {' | '.join(member.__name__ for member in members)};\n" for name, members in UNIONS.items()]
    return "\n".join([HEADING, *blocks])


def main() -> None:
    """Write the file when it is not what it should be."""
    sys.path.insert(0, str(REPOSITORY / "src"))
    text = render()
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
        print(f"wrote {TARGET.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
