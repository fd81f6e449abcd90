"""docs/promises.md names a proof for each promise, and each proof exists."""

import re

from tests.support.repository import ROOT, files, functions

PAGE = (ROOT / "docs/promises.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]


def test_every_promise_names_a_proof() -> None:
    assert [row for row in ROWS if not re.search(r"`(?:test_\w+\.py::test_\w+|python -m bench[^`]*)`", row.rpartition(" | ")[2])] == []


def test_every_proof_exists() -> None:
    there = {f"{path.name}::{name}" for path in files("tests/**/test_*.py") for name, _ in functions(path)}
    named = set(re.findall(r"`(test_\w+\.py::test_\w+)`", PAGE))
    assert sorted(named - there) == []
    assert len(named) > 80
