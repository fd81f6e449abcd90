"""The habits of this house that no linter knows: laws first, reasons given, broad nets in three places only, no sleeping in tests."""

import ast
import re
from pathlib import Path

import pytest
from tests.support.repository import files, functions, name_of, tree

SOURCE = files("src/**/*.py")
TESTS = files("tests/**/*.py")

BROAD_EXCEPT: dict[str, str] = {
    "src/modular_agents/proxy/relay/server.py": "one connection, the client's",
    "src/modular_agents/proxy/relay/upstream.py": "one connection, the provider's",
    "src/modular_agents/proxy/recorder/pipeline.py": "one batch: the call that broke it is set apart",
    "src/modular_agents/proxy/store/sqlite/batch.py": "one batch: the call whose rows broke it is named",
    "src/modular_agents/proxy/recorder/bare.py": "one batch: a call is recorded without what failed on it",
    "src/modular_agents/proxy/dashboard/server.py": "one subscriber",
}


def test_every_module_opens_with_its_law() -> None:
    silent = [
        name_of(p) for p in (*SOURCE, *files("tests/support/**/*.py", "tools/*.py", "bench/**/*.py")) if not ast.get_docstring(tree(p))
    ]
    assert silent == []


def test_no_room_is_a_bin() -> None:
    bins = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert [name_of(p) for p in SOURCE if p.stem in bins or p.parent.name in bins] == []


def test_a_broad_except_stands_at_a_named_boundary() -> None:
    found = {
        name_of(path)
        for path in SOURCE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    }
    assert found == set(BROAD_EXCEPT)


def test_a_silenced_rule_says_why() -> None:
    silent = [
        f"{name_of(path)}:{number}"
        for path in (*SOURCE, *TESTS, *files("tools/*.py", "bench/**/*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"#\s*noqa\b(?!: [A-Z]+\d+(?:, [A-Z]+\d+)* +- \S)", line) or re.search(r"#\s*type: ignore(?!\[)", line)
    ]
    assert silent == []


def test_no_module_keeps_global_state() -> None:
    found = [f"{name_of(p)}:{node.lineno}" for p in SOURCE for node in ast.walk(tree(p)) if isinstance(node, ast.Global)]
    assert found == []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_poll_and_never_just_sleep(path: Path) -> None:
    """`time.sleep` in a test stands in a `while` that asks for a condition, or a comment on its line says what must not happen."""
    tests = [node for name, node in functions(path) if name.split(".")[-1].startswith("test_")]
    inside = {id(call) for loop in ast.walk(tree(path)) if isinstance(loop, ast.While) for call in ast.walk(loop)}
    lines = path.read_text().splitlines()
    sleeping = [
        node.lineno
        for test in tests
        for node in ast.walk(test)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "time.sleep"
        and id(node) not in inside
        and "  # " not in lines[node.lineno - 1]
    ]
    assert sleeping == []


@pytest.mark.parametrize("path", files("tests/unit/**/*.py"), ids=name_of)
def test_unit_tests_open_no_socket(path: Path) -> None:
    imported = {alias.name.split(".")[0] for node in ast.walk(tree(path)) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"socket", "http", "urllib", "httpx", "httpx2", "requests"}
