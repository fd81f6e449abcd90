"""A volume of the search index goes as a whole when its last call has gone, in slices, whenever a process ends."""

import shutil
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.stored import given, put_all
from tests.support.volumes import CALLS, MODULE, call, found, held, index, purged, put, tables, volumes

from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore


@pytest.fixture(autouse=True)
def small_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.VOLUME_CALLS", CALLS)


def fill(store: SqliteStore, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill a volume of so many calls with words of their own, to be emptied by ten rows at a time."""
    monkeypatch.setattr(f"{MODULE}.VOLUME_CALLS", count)
    monkeypatch.setattr(f"{MODULE}.EMPTIED_ROWS", 10)
    put_all(store, *(call(number, " ".join(f"w{number:03}x{at:03}" for at in range(400))) for number in range(count)))
    index(store)


def test_another_process_may_drop_a_volume(path: Path, store: SqliteStore, reader: SqliteReader) -> None:
    """`gc` does so between two batches."""
    put(store, *range(13))
    with closing(SqliteStore(path)) as other:
        purged(other, 11)
        while other.tidy():
            pass
        assert len(volumes(other)) == 1
    put(store, 4, 13)
    assert held(store) == [[4, 11, 12, 13]]
    assert found(reader, "common") == [13, 12, 11, 4]


def test_a_volume_goes_when_its_last_call_has_gone(store: SqliteStore, reader: SqliteReader) -> None:
    put(store, *range(13))
    purged(store, 4)
    while store.tidy():
        pass
    assert held(store) == [[4], [5, 6, 7, 8, 9], [10, 11, 12]], "one of it is left"
    purged(store, 5)
    while store.tidy():
        pass
    assert held(store) == [[5, 6, 7, 8, 9], [10, 11, 12]]
    assert tables(store, "search_1") == tables(store, "search_gone") == []
    put(store, 2)
    assert held(store) == [[2], [5, 6, 7, 8, 9], [10, 11, 12]], "the oldest had all that are older, and was full"
    assert found(reader, "common") == [12, 11, 10, 9, 8, 7, 6, 5, 2]
    purged(store, 100)
    while store.tidy():
        pass
    assert held(store) == [[]], "the newest stays"
    assert not reader.damage()


def test_a_volume_between_others_goes_too(store: SqliteStore, reader: SqliteReader) -> None:
    """A call that runs for long keeps its time, not those after it."""
    put_all(store, given(1, thread="th-1"))
    put(store, 0, *range(2, 16))
    purged(store, 12)
    while store.tidy():
        pass
    assert held(store) == [[], [12, 13, 14, 15]]
    put_all(store, given(1, thread="th-1").finished("common word1"))
    put(store, 8)
    assert found(reader, "common") == [15, 14, 13, 12, 8, 1]


def test_a_process_may_be_killed_at_any_moment_of_dropping_one(
    path: Path, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has been committed, the file is sound, what is there is found, and the next process goes on."""
    fill(store, 30, monkeypatch)
    put(store, *range(30, 34))
    purged(store, 30)
    ticks = iter(range(0, 10**15, 10**9))
    store._monotonic_ns = lambda: next(ticks)
    moments, seen = 0, set[tuple[str, ...]]()
    while store.tidy():
        copy = tmp_path / f"copy-{moments}.db"
        for suffix in ("", "-wal"):
            shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
        moments += 1
        with closing(SqliteStore(copy)) as next_one, closing(SqliteReader(copy)) as its_reader:
            seen.add(tuple(tables(next_one, "search_gone")))
            assert not its_reader.damage()
            assert found(its_reader, "common") == [33, 32, 31, 30]
            assert any(row.kind == "search index" for row in its_reader.sizes())
            while next_one.tidy():
                pass
            assert tables(next_one, "search_gone") == []
            assert held(next_one) == [[30, 31, 32, 33]]
    assert moments > 8
    assert len(seen) >= 4, "dropped, and each of its tables emptied"


def test_each_slice_of_emptying_ends_in_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 90, monkeypatch)
    put(store, 90)
    purged(store, 90)
    assert store.tidy(), "it is dropped"
    db = store._db
    assert db is not None
    ticks = iter(range(0, 10**15, 1_500_000))
    store._monotonic_ns = lambda: next(ticks)

    def rows() -> int:
        return sum(db.execute(f"SELECT count(*) FROM {name}").get for name in tables(store, "search_gone"))  # noqa: S608 - of the schema

    left = [rows()]
    while left[-1]:
        assert store.tidy(is_idle=False)
        left.append(rows())
    emptied = [before - after for before, after in pairwise(left)]
    assert len(emptied) > 10
    assert max(emptied) == 30, "a look at the clock after each ten"


def test_a_slice_of_emptying_indexes_nothing(path: Path, store: SqliteStore) -> None:
    put(store, *range(6))
    purged(store, 5)
    clock = {"tick": 0}
    with closing(SqliteStore(path, monotonic_ns=lambda: clock["tick"])) as other:
        put_all(other, call(7))
        clock["tick"] = 10**12
        assert other.tidy(is_idle=False)
        assert tables(other, "search_gone")
        assert other._batch.words.waits


def test_of_a_file_that_is_too_large_no_more_goes_than_must(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it is the index: the room of a volume counts as soon as its calls are gone."""
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.store.FREE_PAGES", 1 << 30)
    db = store._db
    assert db is not None
    for number in range(60):
        put_all(store, call(number, " ".join(f"w{number:03}x{at:04}" for at in range(3000))))
        index(store)

    def used() -> int:
        pages: int = db.pragma("page_count") - db.pragma("freelist_count")
        return pages * db.pragma("page_size")

    before = used()
    deleted = 0
    while gone := store.purge(None, before // 2):
        deleted += gone
    assert used() <= before // 2
    assert 30 <= deleted <= 40, "they go five at a time"


def test_where_nothing_is_to_be_merged_nothing_is_written(path: Path, store: SqliteStore) -> None:
    put(store, *range(12))
    while store.tidy():
        pass
    store.close()
    with closing(SqliteStore(path)) as other:
        log = path.with_name(path.name + "-wal")
        size = log.stat().st_size
        assert other._batch.words.volumes.are_loose
        while other.tidy():
            pass
        assert not other._batch.words.volumes.are_loose
        assert log.stat().st_size == size
