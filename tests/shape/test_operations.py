"""docs/operations.md tells every limit, metric and soak test there is, and none that is not."""

import ast
import re
from dataclasses import fields

from tests.support.repository import ROOT, files, functions

from modular_agents.proxy.config import Limits
from modular_agents.proxy.relay.counters import GAUGES, HELP, RECORDER, SEEN

PAGE = (ROOT / "docs/operations.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """Return the tables of a section: the first cell, without its marks → the others."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_limit_with_its_default_and_a_reason() -> None:
    told = rows("Limits and timeouts")
    assert {name: float(row[0]) for name, row in told.items()} == {field.name: float(field.default) for field in fields(Limits)}  # type: ignore[arg-type]
    assert all(len(row[1]) > 10 for row in told.values())


def test_every_metric_with_its_type() -> None:
    told = {name: row[0] for name, row in rows("Health, readiness, metrics").items() if name.startswith("anton_")}
    known = {f"anton_{name}": "counter" if name.endswith("_total") else "gauge" for name in (*SEEN, *HELP, *RECORDER)}
    assert told == known
    assert {name for name in HELP if known[f"anton_{name}"] == "gauge"} == set(GAUGES)


def test_every_soak_test() -> None:
    marked = set()
    for path in files("tests/**/*.py"):
        for name, node in functions(path):
            marks = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
            if re.search(r"\bmark\.soak\b", marks):
                marked.add(name)
    assert set(rows("What is tested for longer")) == marked, "the table of soak tests in docs/operations.md"
