"""No unit is too large to read at once: module ≤ 400 lines, function ≤ 60, TypeScript file ≤ 300. Exceptions carry a reason."""

import ast
from pathlib import Path

import pytest
from tests.support.repository import files, functions, name_of

MODULE_LINES = 400
FUNCTION_LINES = 60
TYPESCRIPT_LINES = 300

LARGER: dict[str, str] = {
    # file or file::function → why it may be larger than the rule
    "tests/support/stored.py::given": "makes a call with every field that can be set: as long as a call is wide",
}

PYTHON = files("src/**/*.py", "tests/**/*.py", "bench/**/*.py", "tools/**/*.py")
TYPESCRIPT = files("web/src/**/*.ts", "web/src/**/*.tsx", "web/test/**/*.ts")


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring: what has to be held in the head."""
    first = node.body[0]
    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    skipped = (first.end_lineno or 0) - first.lineno + 1 if doc else 0
    return (node.end_lineno or 0) - node.lineno + 1 - skipped


def test_there_is_something_to_measure() -> None:
    assert len(PYTHON) > 30


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_python_module_is_readable(path: Path) -> None:
    if name_of(path) not in LARGER:
        assert lines_of(path) <= MODULE_LINES


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_its_functions_are_readable(path: Path) -> None:
    large = {
        name: n for name, node in functions(path) if (n := body_lines(node)) > FUNCTION_LINES and f"{name_of(path)}::{name}" not in LARGER
    }
    assert not large


def test_typescript_files_are_readable() -> None:
    large = {name_of(p): n for p in TYPESCRIPT if not p.name.endswith(".gen.ts") and (n := lines_of(p)) > TYPESCRIPT_LINES}
    assert {name: n for name, n in large.items() if name not in LARGER} == {}


def test_exceptions_are_still_needed() -> None:
    known = {name_of(p) for p in (*PYTHON, *TYPESCRIPT)} | {f"{name_of(p)}::{name}" for p in PYTHON for name, _ in functions(p)}
    assert set(LARGER) <= known
