"""Calls placed anew: what was placed wrong stands right again, and what stands right stays."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.wire_corpus import START_NS, exchange
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.cli.relink import link_anew
from modular_agents.proxy.journal.segment import hold_lock
from modular_agents.proxy.linking import revise, settle
from modular_agents.proxy.model.call import Cost
from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.model.trace import Evidence, Placement
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.batch import SqliteBatch
from modular_agents.proxy.wire.reader import read_call

TASK = "Count the sheep on the northern hill."
ANSWER = "There are forty sheep on the northern hill."
USE = {"type": "tool_use", "id": "toolu_1", "name": "Task", "input": {"prompt": TASK}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": ANSWER}


def asked(number: int, *messages: object, answer: list[object]) -> Exchange:
    """A call that lasts a second, `number` seconds into the run."""
    roles = ("user", "assistant")
    said = [{"role": roles[n % 2], "content": one} for n, one in enumerate(messages)]
    body = {"model": "claude-haiku-4-5", "max_tokens": 99, "messages": said}
    told = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "m", "content": answer, "stop_reason": "end_turn"}
    made = exchange(json.dumps(body), json.dumps(told))
    begun = START_NS + number * 2 * 10**9
    return replace(made, call_id=f"call-{number}", started_ns=begun, ended_ns=begun + 10**9)


def run() -> list[Exchange]:
    """A lead, its agent, and the lead's next turn."""
    return [
        asked(1, "How many sheep are there?", answer=[USE]),
        asked(2, TASK, answer=[{"type": "text", "text": ANSWER}]),
        asked(3, "How many sheep are there?", [USE], [RESULT], answer=[{"type": "text", "text": "Forty."}]),
    ]


def stands(path: Path) -> set[tuple[str, str, str, str | None]]:
    reader = SqliteReader(path)
    found = {(row.call_id, row.trace_id, row.thread_id, row.parent_id) for row in reader.calls(CallFilter(), None, 10).items}
    reader.close()
    return found


def link_all(store: SqliteStore, exchanges: list[Exchange]) -> None:
    for one in exchanges:
        with store.batch() as batch:
            linked = settle(call := read_call(one), batch.find)
            batch.put_call(call, one, linked.placement, Cost(None), linked.indexed)
            revise(linked, batch.find, batch.relink)


@pytest.fixture
def right(tmp_path: Path) -> Path:
    """A database in which everything stands right."""
    store = SqliteStore(tmp_path / "right.db")
    link_all(store, run())
    store.close()
    return tmp_path / "right.db"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """The same calls, each alone, and found by nothing: as an older version left them."""
    store = SqliteStore(tmp_path / "traces.db")
    for one in run():
        alone = Placement(f"tr-{one.call_id}", f"th-{one.call_id}", Evidence("conversation", "", 0.5), root_id=one.call_id)
        with store.batch() as batch:
            batch.put_call(read_call(one), one, alone, Cost(None), Indexed())
    store.close()
    return tmp_path / "traces.db"


def test_calls_stand_where_they_would_have_been_placed(right: Path, wrong: Path, tmp_path: Path) -> None:
    store, shadow, reader = SqliteStore(wrong), SqliteStore(tmp_path / "shadow.db"), SqliteReader(wrong)
    done = link_anew(reader, store, shadow)
    assert (done.looked_at, done.moved, done.traces, done.threads, done.edges) == (3, 2, 2, 2, 2)
    assert stands(wrong) == stands(right)
    again = link_anew(reader, store, SqliteStore(tmp_path / "again.db"))
    assert (again.looked_at, again.moved, again.refreshed) == (3, 0, 0)
    more = asked(4, "How many sheep are there?", [USE], [RESULT], "Forty.", "And lambs?", answer=[{"type": "text", "text": "Nine."}])
    link_all(store, [more])
    assert ("call-4", "tr-call-1", "th-call-1", "call-3") in stands(wrong)
    for one in (store, shadow, reader):
        one.close()


def test_a_dry_run_changes_nothing(wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before = stands(wrong)
    result = CliRunner().invoke(cli.anton, ["proxy", "relink", "--dry-run", "--db", str(wrong)])
    assert (result.exit_code, result.stdout.split(" (")[0]) == (0, "3 calls looked at: 2 would stand elsewhere")
    assert stands(wrong) == before


def test_a_running_recorder_is_left_alone(wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    journal = tmp_path / "traces.db.journal"
    journal.mkdir()
    held = hold_lock(journal / app.RECORDER_LOCK)
    assert held is not None
    result = CliRunner().invoke(cli.anton, ["proxy", "relink", "--db", str(wrong)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "anton proxy stop" in result.stderr


def test_what_a_person_said_holds(tmp_path: Path) -> None:
    db = tmp_path / "traces.db"
    store = SqliteStore(db)
    link_all(store, run())
    store.close()
    before = stands(db)
    keeper = app.corrector(db)
    apart = keeper.say(Decision("call-2", DecisionKind.APART, made_by="ada"))
    said = stands(db)
    assert said != before
    reader, store, shadow = SqliteReader(db), SqliteStore(db), SqliteStore(tmp_path / "shadow.db")
    done = link_anew(reader, store, shadow)
    assert (done.moved, stands(db)) == (0, said)
    shadow.close()
    shadow = Interrupted(tmp_path / "shadow-2.db", lambda: keeper.take_back(apart.decision_id))
    link_anew(reader, store, shadow)
    for one in (reader, store, shadow):
        one.close()
    assert stands(db) == before


class Interrupted(SqliteStore):
    """A person speaks when everything has been linked anew, and nothing of it written."""

    def __init__(self, path: Path, then: Callable[[], object]) -> None:
        super().__init__(path)
        self._then = then
        self._batches = 0

    def batch(self) -> AbstractContextManager[SqliteBatch]:  # type: ignore[override]
        self._batches += 1
        if self._batches == 2:
            self._then()
        return super().batch()
