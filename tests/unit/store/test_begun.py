"""A word that begins very many others is looked for call by call, and finds what the index finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stored import T0, given, message, put_all

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.begun import _pages, query_of, stands_in, vast
from modular_agents.proxy.store.terms import parse

MODULE = "modular_agents.proxy.store.sqlite.begun"
QUERIES = ["aut*", "aut* red", 'aut* "red green"', "au* gr*", "aut*", "zz*", "sys*", "answ* aut*", "Äu*"]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SqliteReader]:
    store, reader = SqliteStore(tmp_path / "t.db"), SqliteReader(tmp_path / "t.db")
    for number in range(30):
        words = f"author{number} red green" if number % 3 == 0 else f"äutumn red {number} green" if number % 3 == 1 else f"nothing {number}"
        system = (message("system", f"systematic {number}"),)
        call = given(number, messages=(message("user", words),), system=system, thread=f"th-{number}", trace=f"tr-{number // 2}")
        put_all(store, call.finished(f"answered {number}") if number != 27 else call)
    while store.tidy():
        pass
    yield reader
    reader.close()
    store.close()


def found(reader: SqliteReader, where: CallFilter) -> list[str]:
    ids, cursor = [], None
    while True:
        page = reader.calls(where, cursor, 4)
        assert len(page.snippets) == len(page.items)
        assert all(page.snippets)
        ids += [row.call_id for row in page.items]
        if (cursor := page.next_cursor) is None:
            return ids


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_looked_for_call_by_call_is_what_the_index_finds(reader: SqliteReader, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    filters = [CallFilter(text=query), CallFilter(text=query, since_ns=T0 + 4 * 10**9, until_ns=T0 + 20 * 10**9)]
    by_index = [found(reader, where) for where in filters]
    traces = [row.trace_id for row in reader.traces(CallFilter(text=query), None, 50).items]
    monkeypatch.setattr(f"{MODULE}.VAST_PAGES", -1)
    assert [found(reader, where) for where in filters] == by_index
    monkeypatch.setattr(f"{MODULE}.LOOKED_AT", 3)
    assert [found(reader, where) for where in filters] == by_index
    monkeypatch.setattr(f"{MODULE}.LOOKED_AT", 100)
    assert [row.trace_id for row in reader.traces(CallFilter(text=query), None, 50).items] == traces
    assert bool(traces) is (query != "zz*")


def test_a_running_call_has_no_words_yet(reader: SqliteReader) -> None:
    db = reader._open()
    running = db.execute("SELECT id FROM call WHERE status = 'running'").get
    assert not stands_in(db, running, parse("author*"))


def test_the_terms_of_a_query_come_back() -> None:
    terms = parse('one "two three" fou* fi-ve* "six')
    assert parse(query_of(terms) or "") == terms
    assert query_of(()) is None


def test_how_much_there_is_of_a_word_is_told_before_it_is_read(tmp_path: Path) -> None:
    store, reader = SqliteStore(tmp_path / "t.db"), SqliteReader(tmp_path / "t.db")
    texts = [" ".join(f"common{number * 50 + at:06}" for at in range(50)) + " rarely" * (number == 7) for number in range(400)]
    put_all(store, *(given(n, messages=(message("user", text),), thread=f"th-{n}").finished("yes") for n, text in enumerate(texts)))
    while store.tidy():
        pass
    db = reader._open()
    common, rare, none = (_pages(db, word) for word in ("common", "rar", "zebra"))
    assert common > 20
    assert max(rare, none) <= 3
    assert vast(db, parse("common* rar*")) == ()
    reader.close()
    store.close()
