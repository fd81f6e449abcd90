"""A database that is locked, full, damaged or read for too long: nothing is lost, nothing is deleted, the log stays small."""

import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.support.stored import given, message, put_all

from modular_agents.proxy.errors import StoreDamaged, StoreUnavailable
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore, set_aside
from modular_agents.proxy.store.sqlite.store import CHECKPOINT_PAGES, LOG_LIMIT_PAGES

ALL = CallFilter()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "proxy_traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def test_a_locked_database_is_tried_again_later(path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    call = given(1)
    put_all(store, call)
    assert store._db is not None
    store._db.set_busy_timeout(1)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        put_all(store, call.finished())
    other.execute("ROLLBACK")
    other.close()
    put_all(store, call.finished())
    reader = SqliteReader(path)
    assert reader.calls(ALL, None, 10).items[0].status == "completed"
    reader.close()


def test_a_full_disk_is_tried_again_later(path: Path, store: SqliteStore) -> None:
    assert store._db is not None
    put_all(store, given(1))
    store._db.pragma("max_page_count", store._db.pragma("page_count") + 2)
    big = given(2, messages=(message("user", "x" * 100_000),))
    with pytest.raises(StoreUnavailable):
        put_all(store, big, big.finished())
    store._db.pragma("max_page_count", 1_000_000)
    put_all(store, big, big.finished())
    reader = SqliteReader(path)
    assert [row.status for row in reader.calls(ALL, None, 10).items] == ["completed", "running"]
    reader.close()


@pytest.mark.parametrize("damage", ["header", "middle", "cut", "schema"])
def test_damage_is_told_and_the_file_is_kept(path: Path, damage: str) -> None:
    store = SqliteStore(path)
    calls = [given(number, thread=f"th-{number}") for number in range(40)]
    put_all(store, *calls)
    store.close()
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:100] = b"garbage " * 12 + b"abcd"
    elif damage == "middle":
        data[8192:-4096] = os.urandom(len(data) - 12288)
    elif damage == "cut":
        del data[len(data) // 4 :]
    else:
        data[100:4096] = os.urandom(3996)
    path.write_bytes(data)
    with pytest.raises(StoreDamaged):
        _write_until_it_fails(path)
    aside = set_aside(path, 7)
    assert aside.read_bytes()[:64] == bytes(data[:64])
    assert aside.name == "proxy_traces.db.damaged-7"
    fresh = SqliteStore(path)
    put_all(fresh, calls[0])
    fresh.close()


def _write_until_it_fails(path: Path) -> None:
    store = SqliteStore(path)
    try:
        for number in range(40):
            put_all(store, given(number, thread=f"th-{number}").finished())
    finally:
        store.close()


def test_the_log_stays_bounded_while_nobody_reads_long(path: Path, store: SqliteStore) -> None:
    wal = path.with_name(path.name + "-wal")
    largest = 0
    for number in range(60):
        put_all(store, given(number, thread=f"th-{number}", body=os.urandom(500_000)))
        largest = max(largest, wal.stat().st_size)
    assert largest < (CHECKPOINT_PAGES + 500) * 4200


def _put_megabytes(store: SqliteStore, count: int) -> None:
    for number in range(1, count):
        put_all(store, given(number, thread=f"th-{number}", body=os.urandom(1_000_000)))


def test_a_reader_that_stays_makes_the_writer_wait_before_the_log_is_too_large(path: Path, store: SqliteStore) -> None:
    assert store._db is not None
    put_all(store, given(0))
    store._db.set_busy_timeout(1)
    other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    other.execute("BEGIN; SELECT count(*) FROM call")
    wal = path.with_name(path.name + "-wal")
    with pytest.raises(StoreUnavailable):
        _put_megabytes(store, 100)
    assert wal.stat().st_size < (LOG_LIMIT_PAGES + 600) * 4200 < 64 * 1024 * 1024
    other.execute("ROLLBACK")
    other.close()
    put_all(store, given(100))
    assert wal.stat().st_size < 8 * 1024 * 1024
