"""What retention deletes goes wholly; what is still named stays; a second writer is noticed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from tests.support.stored import SECOND, T0, Given, given, message, put_all
from tests.support.talk import conversation

from modular_agents.proxy.config import Retention
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.engine import PAGE_BYTES
from modular_agents.proxy.store.sqlite.words import HOLD_NS

TABLES = (
    "content",
    "piece",
    "chain",
    "call",
    "asked",
    "answer",
    "body",
    "token",
    "standing",
    "edge",
    "search_1",
    "trace",
    "thread",
    "unsearched",
)


NAMED = """
WITH
  tip (node) AS (
    SELECT messages FROM call UNION ALL SELECT system FROM call UNION ALL SELECT tools FROM call UNION ALL SELECT params FROM call
    UNION ALL SELECT recipe FROM asked UNION ALL SELECT answers FROM answer
  ),
  named (node) AS (SELECT node FROM tip UNION ALL SELECT parent FROM chain)
"""
PROBLEMS = {
    "a count is wrong": "SELECT count(*) FROM chain WHERE uses <> (SELECT count(*) FROM named WHERE node = chain.id)",
    "a node is missing": "SELECT count(*) FROM named WHERE node <> 0 AND node NOT IN (SELECT id FROM chain)",
    "a content is missing": "SELECT count(*) FROM chain WHERE uses <= 0 OR content NOT IN (SELECT id FROM content)",
    "a content is left": """
        SELECT count(*) FROM content WHERE id NOT IN (SELECT content FROM chain UNION ALL SELECT piece FROM piece)
    """,
    "a piece is left or missing": """
        SELECT count(*) FROM piece WHERE content NOT IN (SELECT id FROM content) OR piece NOT IN (SELECT id FROM content)
    """,
    "a body is left": "SELECT count(*) FROM body WHERE uses <> (SELECT count(*) FROM asked WHERE body = body.id)",
    "a token is left": "SELECT count(*) FROM token WHERE call NOT IN (SELECT id FROM call)",
    "a sum is wrong": "SELECT count(*) FROM trace WHERE call_count <> (SELECT count(*) FROM call WHERE trace = trace.id)",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proxy_traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def rows(store: SqliteStore) -> dict[str, int]:
    assert store._db is not None
    return {name: store._db.execute(f"SELECT count(*) FROM {name}").get for name in TABLES}  # noqa: S608 - our own names


def assert_only_what_is_named_is_stored(store: SqliteStore) -> None:
    """Reachability, computed anew, is what the counts say."""
    assert store._db is not None
    for name, problem in PROBLEMS.items():
        assert store._db.execute(NAMED + problem).get == 0, name


def purge_all(store: SqliteStore, before_ns: int) -> int:
    total = 0
    while deleted := store.purge(before_ns, None):
        total += deleted
    return total


def test_nothing_is_left_of_what_was_deleted(store: SqliteStore) -> None:
    calls = [*conversation(6), given(90, trace="x", thread="x", body=b"\x00 kept whole", tokens=(1, 2)).finished()]
    put_all(store, *calls)
    store.tidy()
    assert purge_all(store, T0 + 1000 * SECOND) == 7
    assert {name: count for name, count in rows(store).items() if count} == {}


def test_a_conversation_loses_its_beginning_only(path: Path, store: SqliteStore) -> None:
    put_all(store, *conversation(12))
    store.tidy()
    purge_all(store, T0 + 15 * SECOND)
    assert_only_what_is_named_is_stored(store)
    reader = SqliteReader(path)
    kept = reader.calls(CallFilter(), None, 100).items
    sent = {call.call_id: call.exchange.request.body for call in conversation(12)}
    assert len(kept) == 7
    for row in kept:
        raw = reader.raw(row.call_id)
        assert raw is not None
        assert raw.request_body == sent[row.call_id]
    reader.close()


PLAN = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.booleans(), st.booleans()), min_size=1, max_size=14)


@settings(max_examples=15, deadline=None)
@over(PLAN)
def test_counts_hold_whatever_is_put_and_deleted(tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[int, int, bool, bool]]) -> None:
    """Histories that share beginnings in every way, bodies whole or not, some ended, some deleted in between."""
    store = SqliteStore(tmp_path_factory.mktemp("db") / "t.db")
    for number, (first, length, ends, deletes) in enumerate(plan):
        history = [message("user", f"message {place}" + " long" * 80 * (place % 2)) for place in range(first, first + length)]
        body = b"same body" if first == 3 else None
        call: Given = given(number, messages=history, system=history[:1], thread=f"th-{first}", trace=f"tr-{first % 2}", body=body)
        put_all(store, call)
        if ends:
            put_all(store, call.finished("same answer"))
        if deletes:
            store.purge(T0 + number * SECOND, None)
            assert_only_what_is_named_is_stored(store)
    store.close()


def test_a_file_that_is_too_large_loses_its_oldest_calls(path: Path, store: SqliteStore) -> None:
    for number in range(20):
        put_all(store, given(number, thread=f"th-{number}", body=os.urandom(50_000)).finished())
    assert store._db is not None
    deleted = 0
    while count := store.purge(None, 800_000):
        deleted += count
    assert 0 < deleted < 12, "twenty take 1.2 MB; they go five at a time"
    reader = SqliteReader(path)
    assert [row.prompt_preview for row in reader.calls(CallFilter(), None, 50).items] == [
        f"question {n}" for n in range(19, deleted - 1, -1)
    ]
    reader.close()


def test_a_slice_ends_in_time(store: SqliteStore) -> None:
    put_all(store, *(given(number, thread=f"th-{number}").finished() for number in range(30)))
    ticks = iter(range(0, 10**12, 1_500_000))
    store._monotonic_ns = lambda: next(ticks)
    assert store.purge(T0 + 100 * SECOND, None) == 3, "a look at the clock after each call"


def test_a_slice_of_a_file_that_is_too_large_ends_in_time_too(store: SqliteStore) -> None:
    put_all(store, *(given(number, thread=f"th-{number}", body=os.urandom(50_000)).finished() for number in range(30)))
    ticks = iter(range(0, 10**12, 1_500_000))
    store._monotonic_ns = lambda: next(ticks)
    assert store.purge(None, 100_000) == 3


def test_the_clock_is_looked_at_when_what_only_the_call_held_is_gone(store: SqliteStore) -> None:
    """What a call leaves behind takes longest: looked at before that, the clock would not know of it."""
    put_all(store, *(given(number, messages=(message("user", f"said {number}"),), thread=f"th-{number}").finished() for number in range(4)))
    contents: list[int] = []

    def look() -> int:
        contents.append(rows(store)["content"])
        return 0

    store._monotonic_ns = look
    assert store.purge(T0 + 100 * SECOND, None) == 4
    assert len(contents) == 5
    assert all(after < before for before, after in pairwise(contents)), contents
    assert contents[-1] == 0


def test_a_slice_of_deleting_indexes_nothing(path: Path) -> None:
    """Words that are due, and the merging that comes with them, take longer than a slice: they wait for the next batch of calls."""
    clock = {"tick": 0}
    store = SqliteStore(path, monotonic_ns=lambda: clock["tick"])
    put_all(store, *(given(number, thread=f"th-{number}").finished() for number in range(3)))
    assert rows(store)["unsearched"] == 3
    clock["tick"] = HOLD_NS
    assert store.purge(T0 + SECOND, None) == 1
    assert (rows(store)["unsearched"], rows(store)["search_1"]) == (2, 0)
    put_all(store, given(3, thread="th-3"))
    assert (rows(store)["unsearched"], rows(store)["search_1"]) == (0, 2)
    store.close()


def test_of_a_call_that_comes_and_goes_in_one_batch_no_words_wait(store: SqliteStore) -> None:
    for number in range(3):
        with store.batch() as batch:
            batch.delete(given(number).finished().put(batch).call_id)
            given(10 + number).finished().put(batch)
    db = store._db
    assert db is not None
    assert db.execute("SELECT call FROM unsearched EXCEPT SELECT id FROM call").fetchall() == []
    assert rows(store)["unsearched"] == 2


def test_the_log_stays_short_while_calls_are_deleted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite copies a log in one go, and nobody writes meanwhile: a long one is a long wait, however short the slices are."""
    store = SqliteStore(path)
    for first in range(0, 400, 100):
        put_all(store, *(given(number, thread=f"th-{number}").finished() for number in range(first, first + 100)))
    store.close()
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.store.DELETING_CHECKPOINT_PAGES", 64)
    ticks = iter(range(0, 10**12, 1_500_000))
    store = SqliteStore(path, monotonic_ns=lambda: next(ticks))
    log, slices, longest = path.with_name(path.name + "-wal"), 0, 0
    while store.purge(T0 + 1000 * SECOND, None):
        slices, longest = slices + 1, max(longest, store._log_pages)
    assert slices > 100
    assert longest <= 64, "whoever comes next finds a short one"
    assert log.stat().st_size < 2 * 64 * PAGE_BYTES
    store.close()


def test_copying_the_log_is_a_slice_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a batch of new calls gets a chance between it and the deleting."""
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.store.IDLE_CHECKPOINT_PAGES", 4)
    store = SqliteStore(path, Retention(100.0, None), lambda: T0 + 200 * SECOND, lambda: 20 * SECOND)
    put_all(store, given(1).finished())
    with store.batch() as batch:
        batch.words.flush(is_idle=True)
    assert store._log_pages > 4
    assert store.tidy()
    assert (store._log_pages, rows(store)["call"]) == (0, 1)
    assert store.tidy()
    assert rows(store)["call"] == 0
    store.close()


def test_giving_space_back_ends_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is free itself is looked for among all that are free: how many pages a slice is good for is not known before."""
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.store.FREE_PAGES", 100)
    store = SqliteStore(path)
    put_all(store, *(given(number, thread=f"th-{number}", body=os.urandom(60_000)).finished() for number in range(20)))
    while store.tidy():
        pass
    purge_all(store, T0 + 100 * SECOND)
    db = store._db
    assert db is not None
    ticks = iter(range(10**12, 10**15, 1_500_000))
    store._monotonic_ns = lambda: next(ticks)
    free, given_back = db.pragma("freelist_count"), []
    assert free > 200
    while store.tidy():
        given_back.append(free - db.pragma("freelist_count"))
        free = db.pragma("freelist_count")
    assert max(given_back) == 3, "a look at the clock after each page"
    assert free < 100
    assert db.pragma("integrity_check") == "ok"
    store.close()


def test_tidying_applies_retention_and_gives_space_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.store.FREE_PAGES", 100)
    clock = {"now": T0, "tick": 0}
    store = SqliteStore(path, Retention(100.0, None), lambda: clock["now"], lambda: clock["tick"])
    for number in range(60):
        put_all(store, given(number, at_ms=number, thread=f"th-{number}", body=os.urandom(60_000)).finished())
    while store.tidy():
        pass
    assert rows(store)["call"] == 60
    size = path.stat().st_size
    clock["now"], clock["tick"] = T0 + 200 * SECOND, 20 * SECOND
    steps = 0
    while store.tidy():
        steps += 1
    assert rows(store)["call"] == 0
    assert steps > 3
    store.close()
    assert path.stat().st_size < size / 5
    SqliteStore(path).close()


def test_a_slice_of_deleting_merges_no_words_and_housekeeping_does_it_afterwards(path: Path) -> None:
    """Merging segments of the search index takes longer than a slice may; what it held of deleted calls is room again all the same."""
    store = SqliteStore(path)
    db = store._db
    assert db is not None
    for first in range(0, 100, 10):
        words = [" ".join(f"w{number:03}x{at}" for at in range(400)) for number in range(first, first + 10)]
        made = [given(first + at, messages=(message("user", text),), thread=f"th-{first + at}") for at, text in enumerate(words)]
        put_all(store, *(call.finished("yes") for call in made))
        while store.tidy():
            pass

    def segments() -> int:
        count: int = db.execute("SELECT count(DISTINCT segid) FROM search_1_idx").get
        return count

    def pages() -> int:
        count: int = db.execute("SELECT count(*) FROM search_1_data").get
        return count

    before, kept = pages(), segments()
    assert kept > 2
    while store.purge(T0 + 90 * SECOND, None):
        assert segments() == kept
        assert db.execute("SELECT v FROM search_1_config WHERE k = 'automerge'").get == 0
    while store.tidy():
        pass
    assert segments() < kept
    assert pages() < before / 3
    assert rows(store)["call"] == 10
    reader = SqliteReader(path)
    assert len(reader.calls(CallFilter(text="w095x7"), None, 5).items) == 1
    assert reader.calls(CallFilter(text="w015x7"), None, 5).items == ()
    reader.close()
    store.close()


def test_another_writer_is_noticed(path: Path, store: SqliteStore) -> None:
    """`gc` in another process deletes contents whose numbers this one remembers."""
    put_all(store, given(1, messages=(message("user", "said by both"),)).finished())
    other = SqliteStore(path)
    assert other.purge(T0 + 100 * SECOND, None) == 1
    other.close()
    put_all(store, given(2, messages=(message("user", "said by both"),)).finished())
    assert_only_what_is_named_is_stored(store)
    reader = SqliteReader(path)
    detail = reader.call(given(2).call_id)
    assert detail is not None
    assert detail.messages[0].parts[0].text == "said by both"
    reader.close()


def test_whose_a_connection_was_goes_when_no_call_can_be_of_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.db")
    week = 7 * 86_400 * SECOND
    put_all(store, given(1).finished(), given(2, thread="th-2", at_ms=8 * 86_400_000).finished())
    with store.batch() as batch:
        batch.put_callers([Caller(f"conn-{seen}", T0 + seen, 1, None, "", "", "") for seen in (0, week, 8 * 86_400 * SECOND)])
    assert store.purge(T0 + week, None) == 1
    store.close()
    with closing(sqlite3.connect(tmp_path / "t.db")) as db:
        left = {name for (name,) in db.execute("SELECT connection_id FROM callers")}
    assert left == {f"conn-{week}", f"conn-{8 * 86_400 * SECOND}"}
