"""A database of an earlier version is brought up to date where it lies: nothing is lost, and what is new holds for what is old."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.older_database import POSITION, calls, unpacked
from tests.support.stored import given, put_all

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.engine import migrations

OLDER = range(1, len(migrations()))
"""Every schema before today's has its database in the corpus."""
CANCELLED_IS_NO_ERROR = 3
ERRORS = ("SELECT sum(is_error) FROM call", "SELECT sum(error_count) FROM trace", "SELECT sum(errors) FROM hour")
NEWEST = {call.call_id: call for call in calls()}


@pytest.fixture(params=OLDER)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return unpacked(request.param, tmp_path)


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def reader(store: SqliteStore, path: Path) -> Iterator[SqliteReader]:
    assert store
    reader = SqliteReader(path)
    yield reader
    reader.close()


def test_a_reader_alone_leaves_an_older_database_as_it_is(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="brought up to date"):
        SqliteReader(path).version()


def test_every_call_is_there_with_its_bytes(reader: SqliteReader) -> None:
    assert {row.call_id for row in reader.calls(CallFilter(), None, 50).items} == NEWEST.keys()
    for call_id, put in NEWEST.items():
        raw, detail = reader.raw(call_id), reader.call(call_id)
        assert raw is not None
        assert detail is not None
        assert raw.request_body == put.exchange.request.body
        assert raw.response_body == (put.exchange.response.body if put.exchange.response else b"")
        assert detail.call.status == put.call.status
        assert [part.text for message in detail.messages for part in message.parts] == [
            part.text for message in put.call.messages for part in message.parts
        ]


def test_the_file_is_sound_and_its_calls_check(reader: SqliteReader) -> None:
    assert not reader.damage()
    assert not any(check.fault for check in reader.checked(None, 50).items)


def test_the_journal_goes_on_where_it_was(store: SqliteStore) -> None:
    assert store.position() == POSITION


@pytest.mark.parametrize(("text", "found"), [("zebra", 1), ("pelican", 1), ('"späte Antwort"', 1), ("w1*", 6)])
def test_what_could_be_found_is_found(reader: SqliteReader, text: str, found: int) -> None:
    assert len(reader.calls(CallFilter(text=text), None, 50).items) >= min(found, 1)


def test_recording_goes_on(store: SqliteStore, reader: SqliteReader) -> None:
    running = next(call for call in reversed(calls()) if call.call.status == "running")
    put_all(store, running.finished("Now it is done, ocelot."), given(80).finished("A new one."))
    while store.tidy():
        pass
    assert reader.calls(CallFilter(text="ocelot"), None, 50).items[0].call_id == running.call_id
    assert len(reader.calls(CallFilter(), None, 50).items) == len(NEWEST) + 1


def test_old_calls_can_be_deleted_to_the_last(store: SqliteStore, path: Path) -> None:
    while store.purge(2**62, None):
        pass
    store.close()
    db = sqlite3.connect(path)
    tables = ("answer", "piece", "body", "token", "edge")
    left = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608 - the names above
    running = db.execute("SELECT count(*) FROM call").fetchone()
    db.close()
    assert left == dict.fromkeys(left, 0)
    assert running == (1,)


@pytest.mark.parametrize("schema", [n for n in OLDER if n < CANCELLED_IS_NO_ERROR])
def test_a_cancelled_call_is_no_error_any_more(schema: int, tmp_path: Path) -> None:
    path = unpacked(schema, tmp_path)
    db = sqlite3.connect(path)
    db.execute("UPDATE call SET status = 'cancelled' WHERE status = 'failed'")
    before = [db.execute(sums).fetchone()[0] for sums in ERRORS]
    db.commit()
    db.close()
    SqliteStore(path).close()
    db = sqlite3.connect(path)
    after = [db.execute(sums).fetchone()[0] for sums in ERRORS]
    db.close()
    assert (before, after) == ([1, 1, 1], [0, 0, 0])


def test_the_contract_reads_as_before(path: Path, store: SqliteStore) -> None:
    store.close()
    db = sqlite3.connect(path)
    rows = dict(db.execute("SELECT call_id, messages FROM llm_calls").fetchall())
    db.close()
    for call_id, put in NEWEST.items():
        assert rows[call_id].encode() == b"[" + b",".join(message.raw for message in put.call.messages) + b"]"
