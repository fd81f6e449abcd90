"""What the store does not take of a batch whose rows are written together, and what that costs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from tests.support.fake_clock import FakeClock
from tests.support.segments import Worker
from tests.unit.recorder.test_pipeline import REDACTOR, ROOMS, Line, answer, breaks, question, whole_call

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import Candidate, Linked, Lookup
from modular_agents.proxy.recorder.pipeline import Pipeline, Rooms
from modular_agents.proxy.store.sqlite import SqliteStore, batch, parts
from modular_agents.proxy.store.sqlite.requests import Requests


def goes_away() -> None:
    raise StoreUnavailable("away")


def brought(journal: Path, store: SqliteStore, rooms: Rooms = ROOMS) -> Pipeline:
    """Bring a journal into a store; return the pipeline that did."""
    line = Pipeline(JournalReader(journal, store.position()), store, store.position(), rooms, REDACTOR, FakeClock())
    while line.step():
        pass
    return line


def formats_in(db: apsw.Connection) -> list[str]:
    return [str(name) for (name,) in db.execute("SELECT format FROM call ORDER BY call_id")]


@pytest.mark.parametrize(("refused", "formats"), [("NEW.format <> 'raw'", ["raw", "anthropic.messages"]), ("TRUE", ["anthropic.messages"])])
def test_rows_that_are_written_together_are_refused_one_by_one(tmp_path: Path, refused: str, formats: list[str]) -> None:
    """SQLite writes the rows of a batch at its end: it still names the call that it does not take."""
    worker = Worker(tmp_path)
    for n in (1, 2):
        whole_call(worker, n, f"hi {n}")
    path = tmp_path / "traces.db"
    with closing(SqliteStore(path)) as store, closing(apsw.Connection(str(path))) as other:
        other.execute(
            f"CREATE TRIGGER t BEFORE INSERT ON call WHEN NEW.call_id = 'call1' AND {refused} BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        line = brought(tmp_path, store)
        assert formats_in(other) == formats
        assert (line.tally.bare_calls, line.tally.skipped_calls) == (1, 2 - len(formats))


@pytest.mark.parametrize("table", ["content", "answer"])
def test_a_row_that_is_refused_at_the_end_of_a_batch_costs_its_own_call_only(tmp_path: Path, table: str) -> None:
    """Nobody knows of a row that waited whose it is: the calls of the batch go one by one, and all but one go whole."""
    worker = Worker(tmp_path)
    refused = {"content": "NEW.body LIKE '%hi 2%'", "answer": "NEW.response = 'no 2'"}
    for n in (1, 2, 3):
        whole_call(worker, n, f"hi {n}", reply=f"no {n}")
    path = tmp_path / "traces.db"
    with closing(SqliteStore(path)) as store, closing(apsw.Connection(str(path))) as other:
        other.execute(f"CREATE TRIGGER t BEFORE INSERT ON {table} WHEN {refused[table]} BEGIN SELECT RAISE(ABORT, 'no'); END")
        line = brought(tmp_path, store)
        assert formats_in(other) == ["anthropic.messages", "raw", "anthropic.messages"]
        assert (line.tally.bare_calls, line.tally.skipped_calls, line.tally.calls_ended) == (1, 0, 3)
        assert JournalReader(tmp_path, store.position()).poll(1 << 20) == []


def test_a_bug_in_reading_versions_ahead_costs_one_call_of_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(tmp_path)
    for n in (1, 2, 3):
        whole_call(worker, n, f"hi {n}", reply=f"no {n}")
    whole = parts.make_answer
    monkeypatch.setattr(parts, "make_answer", lambda call: breaks() if call.answer_text == "no 2" else whole(call))
    path = tmp_path / "traces.db"
    with closing(SqliteStore(path)) as store, closing(apsw.Connection(str(path))) as other:
        line = brought(tmp_path, store)
        assert formats_in(other) == ["anthropic.messages", "raw", "anthropic.messages"]
        assert (line.tally.bare_calls, line.tally.skipped_calls, line.tally.calls_ended) == (1, 0, 3)


def asks_for_rows(call: Call, find: Callable[[Lookup], Sequence[Candidate]], read: object) -> Linked:
    """Link a call, and look for something that only the rows of earlier calls can tell."""
    find(Lookup(call.started_ns, thread="another"))
    return ROOMS.link(call, find, read)


@pytest.mark.parametrize("rooms", [ROOMS, replace(ROOMS, link=asks_for_rows)], ids=["at the end", "while the next is linked"])
def test_a_bug_in_putting_rows_costs_its_own_call_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rooms: Rooms) -> None:
    """Rows are put after linking has gone through the batch, or in between when it asks for them: it is not to blame then."""
    worker = Worker(tmp_path)
    for n in (1, 2, 3):
        whole_call(worker, n, f"hi {n}", reply=f"no {n}")
    put = Requests.put
    monkeypatch.setattr(Requests, "put", lambda self, call, *more: breaks() if call.answer_text == "no 1" else put(self, call, *more))
    path = tmp_path / "traces.db"
    with closing(SqliteStore(path)) as store, closing(apsw.Connection(str(path))) as other:
        line = brought(tmp_path, store, rooms)
        assert formats_in(other) == ["raw", "anthropic.messages", "anthropic.messages"]
        assert (line.tally.bare_calls, line.tally.skipped_calls, line.tally.calls_ended) == (1, 0, 3)


@pytest.mark.parametrize("held_bytes", [400, 1 << 22], ids=["while others are put", "at the end"])
def test_an_ending_that_is_refused_costs_its_own_call_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_bytes: int) -> None:
    monkeypatch.setattr(batch, "HELD_BYTES", held_bytes)
    worker, path = Worker(tmp_path), tmp_path / "traces.db"
    worker.request(1, question("hi 1"))
    with closing(SqliteStore(path)) as store, closing(apsw.Connection(str(path))) as other:
        line = brought(tmp_path, store)
        other.execute(
            "CREATE TRIGGER t BEFORE UPDATE ON call WHEN NEW.call_id = 'call1' AND NEW.answer_preview = 'no 1'"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        worker.answer(1, answer("no 1"))
        worker.end(1)
        for n in (2, 3, 4):
            whole_call(worker, n, f"hi {n}", reply=f"no {n}")
        while line.step():
            pass
        assert formats_in(other) == ["raw", "anthropic.messages", "anthropic.messages", "anthropic.messages"]
        assert (line.tally.bare_calls, line.tally.skipped_calls, line.tally.calls_ended) == (1, 0, 4)


def test_a_store_that_goes_away_while_calls_go_one_by_one_gets_the_rest_later(tmp_path: Path) -> None:
    worker, line = Worker(tmp_path), Line(tmp_path)
    for n in (1, 2, 3):
        whole_call(worker, n, f"hi {n}")
    at_commit: Iterator[Callable[[], object]] = iter([breaks, int, goes_away])
    line.store.fail = lambda call: next(at_commit, int)() if call is None else None
    with pytest.raises(StoreUnavailable):
        line.run()
    assert [*line.store.final] == ["call1"]
    assert line.store.at.offsets == {}
    assert [*line.run().final] == ["call1", "call2", "call3"]
    assert line.store.at.offsets != {}
    assert (line.pipeline.tally.bare_calls, line.pipeline.tally.skipped_calls, line.pipeline.tally.calls_ended) == (0, 0, 3)
