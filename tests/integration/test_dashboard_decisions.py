"""A person corrects the graph: over HTTP and at the command line, over a real file, while somebody else records into it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.test_linking import delegating
from tests.support.link_store import record
from tests.support.running_dashboard import Answer, RunningDashboard, running_dashboard
from tests.support.talks import World
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.event import EventKind
from modular_agents.proxy.model.query import CallFilter, CallRow
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore

SENT = (("Content-Type", "application/json"), ("X-Anton", "1"))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


@pytest.fixture
def recorder(db: Path) -> Iterator[SqliteStore]:
    """A store that stays open, as a recorder's does, with all it remembers."""
    store = SqliteStore(db)
    yield store
    store.close()


@pytest.fixture
def calls(recorder: SqliteStore) -> list[Call]:
    calls = delegating()
    record(recorder, calls)
    return calls


@pytest.fixture
def dashboard(tmp_path: Path, db: Path, calls: list[Call]) -> Iterator[RunningDashboard]:
    assert calls
    with running_dashboard(tmp_path, db=db) as running:
        yield running


def say(dashboard: RunningDashboard, **said: str) -> Answer:
    return dashboard.ask("/api/decisions", *SENT, method="POST", body=json.dumps(said).encode())


def take_back(dashboard: RunningDashboard, decision: dict[str, Any]) -> Answer:
    return dashboard.ask(f"/api/decisions/{decision['decision_id']}", *SENT, method="DELETE")


def rows(db: Path) -> dict[str, CallRow]:
    reader = SqliteReader(db)
    with contextlib.closing(reader):
        return {row.call_id: row for row in reader.calls(CallFilter(), None, 100).items}


def edges(dashboard: RunningDashboard, call_id: str) -> set[tuple[str, str, str, float]]:
    trace_id = dashboard.ask(f"/api/calls/{call_id}").json()["call"]["trace_id"]
    found = dashboard.ask(f"/api/traces/{trace_id}").json()["edges"]
    return {(one["from_call_id"], one["edge_type"], one["evidence"], one["confidence"]) for one in found if one["to_call_id"] == call_id}


def test_an_edge_is_cut_and_comes_back(dashboard: RunningDashboard, calls: list[Call]) -> None:
    lead, worker = calls[0].call_id, calls[1].call_id
    before = edges(dashboard, worker)
    answer = say(dashboard, call_id=worker, kind="cut", other=lead, edge_type="delegation", by="ada")
    assert answer.status == 200, answer.body
    said = answer.json()
    assert {**said, "decision_id": "", "made_at": ""} == {
        "decision_id": "",
        "call_id": worker,
        "kind": "cut",
        "other": lead,
        "edge_type": "delegation",
        "made_by": "ada",
        "made_at": "",
    }
    assert edges(dashboard, worker) == set()
    assert dashboard.ask("/api/decisions").json()["items"] == [said]
    assert dashboard.ask(f"/api/decisions?call={lead}").json()["items"] == []
    assert take_back(dashboard, said).json() == said
    assert edges(dashboard, worker) == before
    assert dashboard.ask("/api/decisions").json()["items"] == []
    assert take_back(dashboard, said).status == 404


def test_open_pages_hear_of_it(dashboard: RunningDashboard, db: Path, calls: list[Call]) -> None:
    reader = SqliteReader(db)
    with contextlib.closing(reader):
        _, last = reader.seq()
        worker = calls[1].call_id
        say(dashboard, call_id=worker, kind="cut", other=calls[0].call_id, edge_type="delegation")
        heard = reader.events(last, 100)
        told = [(event.kind, json.loads(event.body)) for event in heard]
        gone = [row for kind, row in told if kind == EventKind.REMOVED and row["edge_id"]]
        assert gone == [
            {
                "trace_id": gone[0]["trace_id"],
                "call_id": None,
                "merged_into": None,
                "edge_id": f"{calls[0].call_id}-delegation-{worker}",
            }
        ]
        assert worker in {row["call_id"] for kind, row in told if kind == EventKind.CALL}
        say(dashboard, call_id=worker, kind="apart")
        moved = [json.loads(event.body) for event in reader.events(heard[-1].seq, 100)]
        assert f"tr-{worker}" in {row.get("trace_id") for row in moved}


def test_a_recorder_that_runs_goes_on_from_what_was_said(dashboard: RunningDashboard, db: Path, recorder: SqliteStore) -> None:
    world = World(2_000_000.0)
    one, two = world.talk("You are the First Agent."), world.talk("You are the Second Agent.", connection="c9")
    first = one.turn("Begin with this.", "Begun.")
    second = two.turn("And with that.", "Begun, too.")
    record(recorder, [first, second])
    assert say(dashboard, call_id=second.call_id, kind="opened_by", other=first.call_id).status == 200
    later = two.turn("Go on with that.", "Gone on.")
    record(recorder, [later])
    found = rows(db)
    assert found[later.call_id].trace_id == found[second.call_id].trace_id == found[first.call_id].trace_id
    assert edges(dashboard, second.call_id) == {(first.call_id, "delegation", "by hand", 1.0)}


def test_it_survives_a_restart_and_a_relink(dashboard: RunningDashboard, db: Path, calls: list[Call], recorder: SqliteStore) -> None:
    worker = calls[1].call_id
    said = say(dashboard, call_id=worker, kind="apart").json()
    wanted = rows(db)
    assert wanted[worker].trace_id == f"tr-{worker}"
    recorder.close()
    again = SqliteStore(db)
    with contextlib.closing(again):
        record(again, [World(3_000_000.0).talk("Another.").turn("Something new.", "Yes.")])
    found = rows(db)
    assert {call_id: found[call_id] for call_id in wanted} == wanted
    assert dashboard.ask("/api/decisions").json()["items"] == [said]


def test_deleting_the_call_deletes_what_was_said(dashboard: RunningDashboard, calls: list[Call], recorder: SqliteStore) -> None:
    said = say(dashboard, call_id=calls[1].call_id, kind="apart").json()
    while recorder.purge(1 << 62, None):
        pass
    assert dashboard.ask("/api/decisions").json()["items"] == []
    assert take_back(dashboard, said).status == 404


def test_what_makes_no_sense_is_answered_in_words(dashboard: RunningDashboard, calls: list[Call]) -> None:
    lead, worker, last = calls[0].call_id, calls[1].call_id, calls[-1].call_id
    for said, status, words in (
        ({"call_id": worker, "kind": "opened_by", "other": last}, 400, "began after"),
        ({"call_id": lead, "kind": "opened_by", "other": worker}, 400, "own descendant"),
        ({"call_id": worker, "kind": "opened_by", "other": "nobody-at-all"}, 404, "no call 'nobody-at-all'"),
        ({"call_id": "nobody-at-all", "kind": "apart"}, 404, "no call 'nobody-at-all'"),
        ({"call_id": worker, "kind": "trace", "other": "tr-nowhere"}, 404, "no trace 'tr-nowhere'"),
        ({"call_id": worker, "kind": "cut", "other": last, "edge_type": "request"}, 404, "no edge"),
        ({"call_id": worker, "kind": "cut", "other": lead}, 400, "names the type of the edge"),
        ({"call_id": worker, "kind": "apart", "other": lead}, 400, "nothing but the call"),
        ({"call_id": worker, "kind": "opened_by"}, 400, "needs the id"),
        ({"call_id": worker, "kind": "opened_by", "other": lead, "by": ""}, 400, "has a name"),
        ({"call_id": worker, "kind": "opened_by", "other": lead, "by": "a\nb"}, 400, "has a name"),
        ({"call_id": worker, "kind": "married_to", "other": lead}, 400, "no decision"),
        ({"kind": "apart"}, 400, "no decision"),
        ({"call_id": worker, "kind": "opened_by", "other": "x" * 9000}, 400, "too much"),
    ):
        answer = say(dashboard, **said)  # type: ignore[arg-type]
        assert (answer.status, words in answer.json()["error"]["message"]) == (status, True), (said, answer.body)
    assert dashboard.ask("/api/decisions", *SENT, method="POST", body=b"{").status == 400
    assert dashboard.ask("/api/decisions").json()["items"] == []
    for wanted in ("x", "-1", "9" * 30, "%31"):
        assert dashboard.ask(f"/api/decisions/{wanted}", *SENT, method="DELETE").status == 404


def test_nobody_else_can_say_anything(dashboard: RunningDashboard, calls: list[Call]) -> None:
    body = json.dumps({"call_id": calls[1].call_id, "kind": "apart"}).encode()
    ask = dashboard.ask
    content, ours = SENT
    assert ask("/api/decisions", content, ours, method="POST", body=body, bearer=None).status == 401
    assert ask("/api/decisions", content, method="POST", body=body).status == 403
    assert ask("/api/decisions", ours, ("Content-Type", "text/plain"), method="POST", body=body).status == 415
    assert ask("/api/decisions", *SENT, ("Origin", "http://evil.example"), method="POST", body=body).status == 403
    assert ask("/api/decisions/1", content, method="DELETE").status == 403
    assert ask("/api/decisions", *SENT, method="PUT", body=body).status == 405
    assert ask("/api/decisions").json()["items"] == []


def test_a_database_that_is_locked_is_said_to_be(dashboard: RunningDashboard, calls: list[Call], recorder: SqliteStore) -> None:
    with recorder.batch():
        answer = say(dashboard, call_id=calls[1].call_id, kind="apart")
    assert answer.status == 503
    assert say(dashboard, call_id=calls[1].call_id, kind="apart").status == 200


def test_two_people_at_once(dashboard: RunningDashboard, calls: list[Call]) -> None:
    answers: list[int] = []

    def one(kind: str) -> None:
        answers.append(say(dashboard, call_id=calls[1].call_id, kind=kind, other="" if kind == "apart" else calls[0].call_id).status)

    people = [threading.Thread(target=one, args=(kind,)) for kind in ("apart", "opened_by", "apart", "opened_by")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert answers == [200] * 4
    assert len(dashboard.ask("/api/decisions").json()["items"]) == 1


def run(db: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.anton, ["proxy", "correct", *words, "--db", str(db)])
    return result.exit_code, result.output


def test_the_command_line_says_the_same(db: Path, calls: list[Call], recorder: SqliteStore) -> None:
    assert recorder.position()
    lead, worker = calls[0].call_id, calls[1].call_id
    assert run(db, "--list") == (0, "Nobody has corrected the graph.\n")
    code, said = run(db, worker, "--cut", lead)
    assert code == 0
    assert f"the delegation from {lead} to {worker} is wrong" in said
    code, listed = run(db, "--list", "--json")
    one = json.loads(listed)["items"][0]
    assert (code, one["kind"], one["edge_type"]) == (0, "cut", "delegation")
    assert f"--undo {one['decision_id']}" in said
    assert worker in run(db, worker, "--list")[1]
    assert run(db, "--undo", one["decision_id"])[0] == 0
    assert run(db, "--undo", one["decision_id"])[0] == 4
    assert run(db, "--undo", "yesterday")[0] == 2
    assert run(db, worker, "--apart")[0] == 0
    assert rows(db)[worker].trace_id == f"tr-{worker}"
    assert run(db, worker, "--trace", rows(db)[lead].trace_id)[0] == 0
    assert rows(db)[worker].trace_id == rows(db)[lead].trace_id
    assert run(db, worker, "--opened-by", lead, "--json")[0] == 0
    assert run(db, worker)[0] == run(db, "--apart")[0] == run(db, worker, "--apart", "--list")[0] == 2
    assert run(db, worker, "--cut", lead, "--edge", "friendship")[0] == 2
    assert run(db, worker, "--cut", calls[-1].call_id)[0] == 4
    assert run(db, "nobody-at-all", "--apart")[0] == 4


def test_what_was_said_goes_along_into_another_database(db: Path, calls: list[Call], recorder: SqliteStore, tmp_path: Path) -> None:
    assert recorder.position()
    assert run(db, calls[1].call_id, "--apart")[0] == 0
    archive, other = tmp_path / "calls.jsonl", tmp_path / "other.db"
    for words in (("export", "--format", "jsonl", "--output", str(archive), "--db", str(db)), ("import", str(archive), "--db", str(other))):
        done = CliRunner().invoke(cli.anton, ["proxy", *words])
        assert done.exit_code == 0, done.output
    said = [json.loads(run(one, "--list", "--json")[1])["items"][0] for one in (db, other)]
    assert said[0] == said[1]
    assert run(other, "--undo", said[1]["decision_id"])[0] == 0
    assert rows(other)[calls[1].call_id].trace_id == rows(db)[calls[0].call_id].trace_id


def test_a_correction_needs_a_database_of_today(tmp_path: Path) -> None:
    empty = tmp_path / "none.db"
    assert run(empty, "x", "--apart")[0] == 4
    assert not empty.exists()
    assert app.corrector(empty)
