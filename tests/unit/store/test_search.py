"""A search that is narrowed looks at a bounded number of calls at a time, and goes on where it stopped."""

from pathlib import Path

import pytest
from tests.support.stored import given, put_all

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore


def test_a_narrow_search_goes_on_from_page_to_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.lists.SEARCHED_CALLS", 4)
    path = tmp_path / "traces.db"
    store, reader = SqliteStore(path), SqliteReader(path)
    put_all(store, *(given(n, thread=f"th-{n}", model="rare" if n in {1, 12} else "m").finished("common") for n in range(1, 15)))
    store.tidy()
    where = CallFilter(text="common", model="rare")
    pages, cursor = [], None
    while True:
        page = reader.calls(where, cursor, 10)
        pages.append([row.prompt_preview for row in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == [["question 12"], [], [], ["question 1"]]
    assert len(reader.calls(CallFilter(text="common"), None, 10).items) == 10
    reader.close()
    store.close()
