"""A writing connection that can remember little stores the same, and forgets part by part."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.stored import given, message, put_all
from tests.support.talk import conversation

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore, contents, links, traces
from modular_agents.proxy.store.sqlite.batch import SqliteBatch
from modular_agents.proxy.store.sqlite.known import PART, forget_oldest

TABLES = ("content", "chain", "piece", "trace", "thread", "call")


def test_what_was_learned_first_goes_and_never_all_at_once() -> None:
    known = dict.fromkeys(range(100), "")
    sizes = []
    while known:
        sizes.append(len(known))
        first = next(iter(known))
        assert forget_oldest(known) == list(range(first, first + -(-sizes[-1] // PART)))
    assert all(0 < before - after <= -(-before // PART) for before, after in pairwise([*sizes, 0]))
    assert forget_oldest(known) == []


def rows(path: Path) -> dict[str, list[object]]:
    with closing(SqliteStore(path)) as store:
        assert store._db is not None
        return {table: sorted(map(repr, store._db.execute(f"SELECT * FROM {table}"))) for table in TABLES}  # noqa: S608 - our own names


def fill(path: Path) -> SqliteBatch:
    """A conversation, and a trace of one call after each of its versions; one call a batch. Return what remembers."""
    with closing(SqliteStore(path)) as store:
        for number, version in enumerate(conversation(30)):
            put_all(store, version)
            alone = given(1000 + number, at_ms=number * 1500 + 7, messages=(message("user", f"alone {number}"),), trace=f"tr-{number + 2}")
            put_all(store, alone.finished())
        return store._batch


def test_a_store_that_remembers_little_stores_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "much.db")
    for module, name, most in (
        (contents, "KNOWN_MAX", 10),
        (contents, "SEEN_MAX_BYTES", 2000),
        (traces, "KNOWN_MAX", 3),
        (traces, "SUMS_KNOWN_MAX", 2),
        (links, "LIVE", 4),
    ):
        monkeypatch.setattr(module, name, most)
    batch = fill(tmp_path / "little.db")
    known = (batch.contents._contents, batch.contents._nodes, batch._traces._numbers, batch._traces._known, batch._links._live)
    assert [0 < len(one) <= most for one, most in zip(known, (10, 10, 3, 2, 4), strict=True)] == [True] * 5
    assert batch.contents._seen_bytes <= 2000
    assert rows(tmp_path / "little.db") == rows(tmp_path / "much.db")
    with closing(SqliteReader(tmp_path / "little.db")) as reader:
        shown = reader.calls(CallFilter(), None, 1000).items
        assert len(shown) == 90
        for row in shown:
            raw = reader.raw(row.call_id)
            assert raw is not None
            assert len(raw.request_body) == raw.request_body_size
