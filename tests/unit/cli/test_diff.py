"""`anton proxy diff` over turns that the product itself read."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console
from tests.support.turns import Turns
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.cli.changes import lines_of
from modular_agents.proxy.cli.diff import _show
from modular_agents.proxy.dashboard.diffs import view_diff
from modular_agents.proxy.diffing.texts import edits

Anton = Callable[..., Result]
MARK = {"cache_control": {"type": "ephemeral"}}
FIRST = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "You are careful.\nIt is 10:31.\nUse the tools."} | MARK],
    "tools": [{"name": "read", "input_schema": {}}],
    "messages": [{"role": "user", "content": "Hello \x1b[31mred\x1b[0m"}],
}
USAGE = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 2000}


@pytest.fixture
def turns() -> Turns:
    found = Turns()
    found.turn(FIRST, USAGE)
    system = [{"type": "text", "text": "You are careful.\nIt is 10:32.\nUse the tools."} | MARK]
    messages = [*FIRST["messages"], {"role": "assistant", "content": "Answer 0."}, {"role": "user", "content": "line\n" * 40}]
    tools = [*FIRST["tools"], {"name": "write", "input_schema": {}}]
    found.turn(FIRST | {"system": system, "messages": messages, "max_tokens": 200}, USAGE, at_s=60)
    found.turn(FIRST | {"system": system, "messages": messages, "max_tokens": 200, "tools": tools}, USAGE, at_s=70)
    return found


@pytest.fixture
def anton(turns: Turns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Anton:
    monkeypatch.setattr(app, "build_reader", lambda _: turns.reader())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    db = tmp_path / "traces.db"
    db.touch()
    return lambda *words: CliRunner().invoke(cli.anton, ["proxy", "diff", *words, "--db", str(db)])


def test_it_says_why_the_cache_broke_and_what_it_cost(anton: Anton, turns: Turns) -> None:
    result = anton(turns.ids[1])
    assert result.exit_code == 0
    said = result.stdout
    assert "cache   lost  Of the 2,000 tokens" in said
    assert "That cost $0.0069 more." in said  # 2,000 tokens at $3.75 instead of $0.30 a million
    assert "differs first at system block 1" in said
    assert "why     system block 1 changed" in said
    assert "  ~ It is 10:[-31-]{+32+}." in said
    assert "parameters  1 changed\n~ max_tokens\n  ~ [-100-]{+200+}" in said
    assert "tools  1 unchanged" in said
    assert "+ assistant 2  (the previous answer, sent back)\n  + Answer 0." in said
    assert "⋮ 28 lines" in said
    assert "\x1b" not in said


def test_full_cuts_nothing(anton: Anton, turns: Turns) -> None:
    assert "⋮" not in anton(turns.ids[1], "--full").stdout


def test_json_says_whether_they_are_the_same(anton: Anton, turns: Turns) -> None:
    told = json.loads(anton(turns.ids[2], "--json").stdout)
    assert (told["same"], told["cache"]["reasons"][0]["rule"], told["before"]["call_id"]) == (False, "tools", turns.ids[1])
    assert json.loads(anton(turns.ids[0], turns.ids[0], "--json").stdout)["same"] is True
    assert "The two requests are the same." in anton(turns.ids[0], turns.ids[0]).stdout


def test_two_calls_are_earlier_and_later(anton: Anton, turns: Turns) -> None:
    told = json.loads(anton(turns.ids[0], turns.ids[2], "--json").stdout)
    assert (told["before"]["call_id"], told["after"]["call_id"]) == (turns.ids[0], turns.ids[2])


def test_a_first_turn_and_an_unknown_call(anton: Anton, turns: Turns) -> None:
    first, none = anton(turns.ids[0]), anton("nothing")
    assert (first.exit_code, none.exit_code) == (4, 4)
    assert "begins its conversation" in first.stderr


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_the_terminal(turns: Turns, width: int) -> None:
    out = Console(file=StringIO(), markup=False, width=width, force_terminal=True, color_system="standard", record=True)
    _show(out, view_diff(turns.reader(), turns.ids[1]), full=False)
    assert max(len(line) for line in out.export_text().splitlines()) <= width


def test_long_lines_keep_what_stands_around_a_change() -> None:
    before = "a " * 500 + "ten " + "b " * 500
    (line,) = lines_of(edits(before, before.replace("ten", "noon")), full=False)
    text = "".join(text for _, text in line.pieces)
    assert len(text) < 200
    assert "tennoon" in text
