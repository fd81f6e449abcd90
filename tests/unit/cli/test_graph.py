"""`anton proxy graph` over rows given by hand."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from click.testing import Result
from rich.cells import cell_len
from rich.console import Console
from tests.support.fake_reader import CALL, TRACE, FakeStore
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.cli.graph import _print, _tree, newest
from modular_agents.proxy.cli.ls import trace_table
from modular_agents.proxy.linking.outline import outline
from modular_agents.proxy.model.query import CallRow, EdgeRow, TraceDetail

Anton = Callable[..., Result]


def call(name: str, thread: str, **more: object) -> CallRow:
    fields: dict[str, object] = {
        "agent_name": None,
        "cost_usd": 0.5,
        "tokens_input": 100,
        "tokens_output": 10,
        "error": None,
        "kind": "turn",
    }
    return replace(CALL, call_id=name, thread_id=thread, **(fields | more))  # type: ignore[arg-type]


def edge(source: str, target: str, kind: str, confidence: float = 1.0) -> EdgeRow:
    return EdgeRow(f"{source}-{target}", TRACE.trace_id, source, target, kind, "tool_input", confidence)


DETAIL = TraceDetail(
    replace(TRACE, task_description="Build the house"),
    (
        call("t", "th-t", kind="title"),
        call("a", "th-a", agent_name="lead", prompt_preview="Build the house"),
        call("b", "th-b", prompt_preview="Lay the bricks"),
        call("c", "th-c", prompt_preview="Mix the <mortar>", status="failed", error="overloaded", cost_usd=None),
        call("d", "th-a", agent_name="lead"),
    ),
    (
        edge("a", "b", "delegation"),
        edge("b", "c", "delegation", 0.5),
        edge("b", "d", "response"),
        edge("a", "d", "request"),
    ),
    0,
)


@pytest.fixture
def anton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anton]:
    store = FakeStore()
    reader = store.reader()
    monkeypatch.setattr(type(reader), "trace", lambda _self, _id: DETAIL)
    monkeypatch.setattr(app, "build_reader", lambda _: reader)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    db = tmp_path / "traces.db"
    db.touch()
    return lambda *words: CliRunner().invoke(cli.anton, ["proxy", "graph", *words, "--db", str(db)])


def test_a_branch_costs_what_it_and_all_below_it_cost() -> None:
    drawn = outline(DETAIL)
    (lead,) = drawn.branches
    (mason,) = lead.branches
    (mixer,) = mason.branches
    assert (lead.agent, mason.agent, mixer.agent) == ("lead", "agent 1", "agent 2")
    assert (lead.own.calls, lead.own.cost_usd, lead.whole.calls, lead.whole.cost_usd) == (2, 1.0, 4, 1.5)
    assert (mason.handed_back, mixer.handed_back, mixer.whole.unpriced, mixer.whole.errors) == (10, None, 1, 1)
    assert drawn.helpers is not None
    assert (drawn.helpers.calls, drawn.whole.calls) == (1, 5)


def test_the_tree_says_who_what_and_how_much(anton: Anton) -> None:
    result = anton("trace-1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Build the house")
    assert lines[2] == "├─ lead  “Build the house”"
    assert any("agent 1  “Lay the bricks”" in line for line in lines)
    assert any("failed" in line and "50% sure" in line for line in lines)
    assert any("handed back 10 tokens: “It has three modules”" in line for line in lines)
    assert lines[-1].startswith("└─ helpers and probes  1 call")


def test_a_call_that_was_cancelled_is_no_error() -> None:
    calls = (call("a", "th-a", status="cancelled", error="the client went away"), call("b", "th-a", status="failed", error="overloaded"))
    assert outline(replace(DETAIL, calls=calls)).whole.errors == 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_tree_fits_the_terminal(width: int) -> None:
    out = Console(file=StringIO(), markup=False, width=width, force_terminal=True, record=True)
    for line in _tree(outline(DETAIL)):
        _print(out, line)
    assert max(cell_len(line) for line in out.export_text().splitlines()) <= width


def test_other_forms(anton: Anton) -> None:
    assert json.loads(anton("trace-1", "--json").stdout)["branches"][0]["agent"] == "lead"
    assert '"a" -> "b" [style=bold, label="delegation"];' in anton("trace-1", "--dot").stdout
    mermaid = anton("trace-1", "--mermaid").stdout
    assert "Mix the #60;mortar#62;" in mermaid
    assert "==>|delegation|" in mermaid
    assert anton("trace-1", "--dot", "--mermaid").exit_code == 2


def test_a_probe_is_not_the_newest_trace() -> None:
    probe, spoken = replace(TRACE, trace_id="probe", agent_count=0), replace(TRACE, trace_id="spoken", agent_count=2)
    assert (newest([probe, spoken]), newest([probe]), newest([])) == ("spoken", "probe", None)


@pytest.mark.parametrize(
    ("name", "task", "agents", "called"),
    [
        ("nightly", "Add a page", 1, "nightly"),
        (None, "Add a page", 1, "Add a page"),
        (None, None, 1, "(no task)"),
        (None, None, 0, "(no conversation)"),
        ("nightly", None, 0, "nightly"),
    ],
)
def test_a_trace_is_called_by_its_name_its_task_or_what_it_lacks(name: str | None, task: str | None, agents: int, called: str) -> None:
    trace = replace(TRACE, name=name, task_description=task, agent_count=agents)
    assert outline(replace(DETAIL, trace=trace)).task == called
    (cells,) = trace_table((trace,), short=False)[1]
    assert cells[1].text == (task or called)  # a list shows the task first
