"""Tools in the terminal: what `anton proxy graph` and `anton proxy show` say of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from tests.support.stored import T0, given, message, put_all, tool_use
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.store.memory import MemoryStore

Anton = Callable[..., Result]


def brings(tool_id: str, words: str, *, is_error: bool = False) -> Message:
    part = Part("tool_result", words, tool_id, is_error=is_error, raw=b"{}")
    return Message("user", (part,), f'{{"brings":"{tool_id}"}}'.encode(), b"")


ASKED = given(1, agent="lead", messages=(message("user", "Build it"),)).finished(tool_use("run_tests", {"path": "<a>"}, "t1"))
AGAIN = given(
    3, agent="lead", parent=ASKED, messages=(*ASKED.call.messages, ASKED.call.answers[0], brings("t1", "2 \x1b[31mfailed", is_error=True))
)
AGAIN = AGAIN.finished(tool_use("ask_mason", {"about": "walls"}, "t2"))
MASON = given(4, agent="mason", thread="th-2", parent=AGAIN, edge=EdgeType.DELEGATION).finished("Walls stand.")
LAST = given(9, agent="lead", parent=AGAIN, messages=(*AGAIN.call.messages, AGAIN.call.answers[0], brings("t2", "Walls stand."))).finished(
    "Built."
)


@pytest.fixture
def anton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anton]:
    store = MemoryStore(lambda: T0 + 3600 * 10**9)
    put_all(store, ASKED, AGAIN, MASON, LAST)
    monkeypatch.setattr(app, "build_reader", lambda _: store.reader())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    db = tmp_path / "traces.db"
    db.touch()
    return lambda *words: CliRunner().invoke(cli.anton, ["proxy", *words, "--db", str(db)])


def test_the_tree_sums_an_agents_tools(anton: Anton) -> None:
    lines = anton("graph", "tr-1").stdout.splitlines()
    assert any(line.endswith("tools: run_tests 1.8 s (1 failed), ask_mason 5.8 s") for line in lines), lines
    (lead,) = json.loads(anton("graph", "tr-1", "--json").stdout)["branches"]
    assert [(one["name"], one["runs"], one["failed"], one["duration_ms"]) for one in lead["tools"]] == [
        ("run_tests", 1, 1, 1750.0),
        ("ask_mason", 1, 0, 5750.0),
    ]


def test_drawings_have_a_hexagon_for_each_tool(anton: Anton) -> None:
    dot = anton("graph", "tr-1", "--dot").stdout
    assert f'"{ASKED.call_id} run_tests" [shape=hexagon, style=solid, label="run_tests\\n1.8 s, 1 failed"];' in dot
    assert f'"{ASKED.call_id} run_tests" -> "{AGAIN.call_id}"' in dot
    mermaid = anton("graph", "tr-1", "--mermaid").stdout
    assert '  t1{{"run_tests<br/>1.8 s, 1 failed"}}' in mermaid
    assert "  c1 --- t1\n  t1 --- c2" in mermaid


def test_a_call_shows_what_became_of_its_tools(anton: Anton) -> None:
    shown = anton("show", ASKED.call_id).stdout
    assert f"tool run_tests: failed after 1.8 s, in call {AGAIN.call_id}" in " ".join(shown.split())
    assert "failed" in shown.splitlines()[-1]
    assert "\x1b" not in shown
    assert "it opened th-2" in " ".join(anton("show", AGAIN.call_id).stdout.split())
    assert "tool " not in anton("show", LAST.call_id).stdout


def test_as_json_the_runs_stand_beside_the_call(anton: Anton) -> None:
    told = json.loads(anton("show", AGAIN.call_id, "--json").stdout)
    (run,) = told["tool_runs"]
    assert told["call"]["call_id"] == AGAIN.call_id
    assert (run["span"]["name"], run["span"]["opened"], run["arguments"]) == ("ask_mason", ["th-2"], '{"about": "walls"}')
    assert [part["text"] for part in run["result"]] == ["Walls stand."]
