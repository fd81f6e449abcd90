"""A list of what is rare, long ago or never happened is found without reading every call: counted in steps of SQLite, not in time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.support.stored import T0, given, put_all

from modular_agents.proxy.model.query import CallFilter, CallPage, TracePage
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore

HOUR_MS = 3_600_000
CALLS = 600
"""One a minute: ten hours."""
STEP = 20
"""Instructions of SQLite between two counts."""


def model(number: int) -> str:
    return "rare" if number % 200 == 7 else "old" if number < 60 else f"m{number % 2}"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteReader]:
    path = tmp_path_factory.mktemp("hints") / "traces.db"
    store, reader = SqliteStore(path), SqliteReader(path)
    made = [
        given(
            number,
            at_ms=number * 60_000,
            trace=f"tr-{number // 4}",
            thread=f"th-{number}",
            agent=f"a{number % 2}",
            model=model(number),
            provider="claude" if number % 2 else "openai",
        ).finished("words")
        for number in range(CALLS)
    ]
    put_all(store, *made)
    while store.tidy():
        pass
    yield reader
    reader.close()
    store.close()


def steps(reader: SqliteReader, ask: Callable[[], CallPage | TracePage]) -> int:
    """Return how many instructions an answer takes."""
    ask()
    counted = [0]

    def count() -> bool:
        counted[0] += 1
        return False

    db = reader._open()
    db.set_progress_handler(count, STEP)
    ask()
    db.set_progress_handler(None)
    return counted[0] * STEP


NEVER = {
    "model and agent": CallFilter(model="m0", agent="a1"),
    "provider and model": CallFilter(provider="claude", model="m0"),
    "all three": CallFilter(provider="openai", model="m0", agent="a1"),
}


@pytest.mark.parametrize("name", sorted(NEVER))
def test_what_never_came_together_is_known_at_once(reader: SqliteReader, name: str) -> None:
    assert reader.calls(NEVER[name], None, 50).items == ()
    assert steps(reader, lambda: reader.calls(NEVER[name], None, 50)) < 2 * CALLS


@pytest.mark.parametrize("where", [CallFilter(model="nobody's"), CallFilter(provider="nobody's"), CallFilter(agent="nobody's")])
def test_traces_of_what_never_was_are_known_at_once(reader: SqliteReader, where: CallFilter) -> None:
    assert reader.traces(where, None, 50).items == ()
    assert steps(reader, lambda: reader.traces(where, None, 50)) < 2 * CALLS


def test_the_rarest_condition_leads(reader: SqliteReader) -> None:
    where = CallFilter(model="rare", agent="a1", provider="claude")
    assert [row.prompt_preview for row in reader.calls(where, None, 50).items] == ["question 407", "question 207", "question 7"]
    assert steps(reader, lambda: reader.calls(where, None, 50)) < 5 * CALLS


def test_a_time_bounds_what_is_read(reader: SqliteReader) -> None:
    until = CallFilter(until_ns=T0 + 30 * 60_000 * 1_000_000)
    window = CallFilter(since_ns=T0 + 10 * 60_000 * 1_000_000, until_ns=T0 + 13 * 60_000 * 1_000_000)
    assert [row.prompt_preview for row in reader.calls(until, None, 2).items] == ["question 29", "question 28"]
    assert [row.prompt_preview for row in reader.calls(window, None, 50).items] == ["question 12", "question 11", "question 10"]
    newest = CallFilter()
    assert steps(reader, lambda: reader.calls(until, None, 2)) < steps(reader, lambda: reader.calls(newest, None, 2)) + CALLS


def test_traces_of_a_model_that_is_used_no_more(reader: SqliteReader) -> None:
    found = [row.trace_id for row in reader.traces(CallFilter(model="old"), None, 50).items]
    assert found == [f"tr-{number}" for number in range(14, -1, -1)]


def test_a_search_in_a_time_long_ago_finds_what_was_said_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.lists.SEARCHED_CALLS", 4)
    store, reader = SqliteStore(tmp_path / "t.db"), SqliteReader(tmp_path / "t.db")
    put_all(store, *(given(n, at_ms=n * HOUR_MS, thread=f"th-{n}").finished("common") for n in range(40)))
    store.tidy()
    where = CallFilter(text="common", since_ns=T0 + 3 * HOUR_MS * 1_000_000, until_ns=T0 + 5 * HOUR_MS * 1_000_000)
    page = reader.calls(where, None, 10)
    assert [row.prompt_preview for row in page.items] == ["question 4", "question 3"]
    assert page.next_cursor is None
    reader.close()
    store.close()


def test_calls_that_began_at_one_moment_are_all_within_its_bounds(tmp_path: Path) -> None:
    """Their numbers move on to the next free ones, beyond the moment's own."""
    store, reader = SqliteStore(tmp_path / "t.db"), SqliteReader(tmp_path / "t.db")
    put_all(store, *(given(n, at_ms=0, thread=f"th-{n}", trace=f"tr-{n}").finished() for n in range(30)))
    put_all(store, given(31, at_ms=10, thread="th-31", trace="tr-31").finished())
    until = CallFilter(until_ns=T0 + 1)
    assert len(reader.calls(until, None, 100).items) == len(reader.traces(until, None, 100).items) == 30
    assert (reader.room(T0 + 1).expired, reader.room(T0).expired, reader.room(T0 + 20_000_000).expired) == (30, 0, 31)
    reader.close()
    store.close()


def test_a_running_call_is_found_though_no_sum_has_it(tmp_path: Path) -> None:
    store, reader = SqliteStore(tmp_path / "t.db"), SqliteReader(tmp_path / "t.db")
    put_all(
        store, given(1, model="m", agent="a").finished(), given(2, at_ms=9 * HOUR_MS, model="m", agent="b", trace="tr-2", thread="th-2")
    )
    for where in (CallFilter(model="m", agent="b"), CallFilter(agent="b", provider="claude")):
        assert [row.prompt_preview for row in reader.calls(where, None, 10).items] == ["question 2"]
        assert [row.trace_id for row in reader.traces(where, None, 10).items] == ["tr-2"]
    assert cast("int", reader.room(T0 + 10 * HOUR_MS * 1_000_000).expired) == 1
    reader.close()
    store.close()
