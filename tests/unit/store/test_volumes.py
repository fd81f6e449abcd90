"""The search index stands in volumes: a call is in the one of its time, a search reads no more of them than it must."""

import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import apsw
import pytest
from tests.support.older_database import unpacked
from tests.support.stored import SECOND, T0, put_all
from tests.support.volumes import CALLS, MODULE, asked_of, call, found, held, index, purged, put, volumes

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.engine import migrations

SETTINGS = ("automerge", "crisismerge", "usermerge", "hashsize", "deletemerge")
ELSEWHERE = """
import sys
from pathlib import Path
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader
reader = SqliteReader(Path(sys.argv[1]))
for line in sys.stdin:
    print(len(reader.calls(CallFilter(text=line.strip()), None, 1000).items), flush=True)
"""


@pytest.fixture(autouse=True)
def small_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.VOLUME_CALLS", CALLS)


def test_a_volume_is_full_after_so_many_calls(store: SqliteStore) -> None:
    put(store, *range(3))
    put(store, *range(3, 13))
    assert held(store) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12]]
    assert [(volume.first > 0, volume.calls) for volume in volumes(store)] == [(False, 5), (True, 5), (True, 3)]


def test_a_volume_is_full_after_so_many_characters(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.VOLUME_CHARS", 50)
    for number in range(4):
        put(store, number)
    chars = len("question 0") + len("common word0")
    assert [volume.chars for volume in volumes(store)] == [3 * chars, chars]


def test_a_call_that_comes_late_goes_to_the_volume_of_its_time(store: SqliteStore, reader: SqliteReader) -> None:
    put(store, *range(0, 24, 2))
    assert held(store) == [[0, 2, 4, 6, 8], [10, 12, 14, 16, 18], [20, 22]]
    put(store, 21, 3, 15, 11)
    assert held(store) == [[0, 2, 3, 4, 6, 8], [10, 11, 12, 14, 15, 16, 18], [20, 21, 22]]
    assert found(reader, "common") == sorted([*range(0, 24, 2), 21, 3, 15, 11], reverse=True)
    put(store, 1, *range(24, 30))
    assert held(store)[2:] == [[20, 21, 22, 24, 25], [26, 27, 28, 29]]


def test_calls_behind_a_full_volume_begin_another_beside_late_ones_too(store: SqliteStore) -> None:
    put(store, 0, 2, 4, 6, 8)
    put(store, 3, 20, 21)
    assert held(store) == [[0, 2, 3, 4, 6, 8], [20, 21]]


def test_many_calls_of_an_earlier_time_get_volumes_of_their_own(store: SqliteStore, reader: SqliteReader) -> None:
    """An import brings them in the order of their time."""
    put(store, *range(100, 107))
    for first in range(0, 21, 3):
        put(store, *range(first, first + 3))
    assert held(store) == [[*range(5)], [*range(5, 10)], [*range(10, 15)], [*range(15, 20)], [20], [*range(100, 105)], [105, 106]]
    put(store, 50)
    assert held(store)[4] == [20, 50]
    assert found(reader, "common") == [*range(106, 99, -1), 50, *range(20, -1, -1)]


def test_a_full_volume_whose_calls_are_all_gone_can_be_followed(store: SqliteStore, reader: SqliteReader) -> None:
    put(store, *range(10))
    assert held(store) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert purged(store, 10) == 10
    put(store, 5, 6, 7)
    assert found(reader, "common") == [7, 6, 5]
    assert held(store) == [[], [], [5, 6, 7]]


def test_a_volume_written_in_before_takes_no_memory(store: SqliteStore) -> None:
    """FTS5 keeps its table of words, and its statements, for each table that the connection wrote in: here 140 KB."""
    words = " ".join(f"w{number}" for number in range(5000))
    held_bytes: list[int] = []
    for first in range(0, 12 * CALLS, CALLS):
        put_all(store, *(call(number, words) for number in range(first, first + CALLS)))
        index(store)
        held_bytes.append(sqlite_bytes(store))
    assert len(volumes(store)) == 12
    assert held_bytes[-1] - held_bytes[3] < 8 * 16 * 1024


def sqlite_bytes(store: SqliteStore) -> int:
    """Return what SQLite has allocated, but for its pages."""
    assert store._db is not None
    return apsw.status(apsw.SQLITE_STATUS_MEMORY_USED)[0] - store._db.status(apsw.SQLITE_DBSTATUS_CACHE_USED)[0]


def test_a_batch_that_is_rolled_back_begins_no_volume(store: SqliteStore, reader: SqliteReader) -> None:
    put(store, *range(5))

    def fail() -> None:
        with store.batch() as batch:
            for number in range(5, 8):
                call(number).put(batch)
            batch.flush()
            batch.words.flush(is_idle=True)
            assert len(volumes(store)) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    put(store, 5, 6)
    assert held(store) == [[0, 1, 2, 3, 4], [5, 6]]
    assert found(reader, "common") == [6, 5, 4, 3, 2, 1, 0]


def test_a_search_asks_no_volume_that_it_need_not(store: SqliteStore, reader: SqliteReader) -> None:
    put(store, *range(25))
    db, asked = reader._open(), list[str]()

    def note(_cursor: object, statement: str, _values: object) -> bool:
        asked.extend(name for name in (f"search_{volume.id}" for volume in volumes(store)) if f"FROM {name} " in statement)
        return True

    db.exec_trace = note
    assert len(reader.calls(CallFilter(text="common"), None, 3).items) == 3
    assert asked == ["search_5"], "the page is full"
    asked.clear()
    assert len(reader.calls(CallFilter(text="common"), None, 7).items) == 7
    assert asked == ["search_5", "search_4"]
    asked.clear()
    assert found(reader, "word11") == [11]
    assert asked == ["search_5", "search_4", "search_3", "search_2", "search_1"]
    asked.clear()
    long_ago = CallFilter(text="common", since_ns=T0 + 6 * SECOND, until_ns=T0 + 8 * SECOND)
    assert asked_of(reader, long_ago) == [7, 6]
    assert asked == ["search_2"]
    asked.clear()
    page = reader.ended(CallFilter(text="word22"), None, 9)
    assert len(page.items) == 1
    assert asked == ["search_1", "search_2", "search_3", "search_4", "search_5"]
    asked.clear()
    assert len(reader.ended(CallFilter(text="common"), reader.ended(CallFilter(), None, 12).next_cursor, 3).items) == 3
    assert asked == ["search_3", "search_4", "search_5"]


def test_a_reader_in_another_process_sees_a_volume_begun_and_dropped_later(path: Path, store: SqliteStore) -> None:
    put(store, *range(3))
    with subprocess.Popen([sys.executable, "-c", ELSEWHERE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def count(text: str) -> int:
            assert other.stdin is not None
            assert other.stdout is not None
            other.stdin.write(f"{text}\n")
            other.stdin.flush()
            return int(other.stdout.readline())

        assert (count("common"), count("word8")) == (3, 0)
        put(store, *range(3, 12))
        assert len(volumes(store)) == 3
        assert (count("common"), count("word8"), count("word1")) == (12, 1, 1)
        purged(store, 7)
        while store.tidy():
            pass
        assert len(volumes(store)) == 2
        assert (count("common"), count("word8"), count("word1")) == (5, 1, 0)
        other.stdin.close()
    assert other.returncode == 0


def segments(store: SqliteStore, volume: int) -> int:
    assert store._db is not None
    count: int = store._db.execute(f"SELECT count(DISTINCT segid) FROM search_{volume}_idx").get  # noqa: S608 - a number
    return count


def test_only_housekeeping_merges_and_a_few_pages_at_a_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """FTS5 itself would merge with the eighth batch, and all of a level with the sixteenth."""
    monkeypatch.setattr(f"{MODULE}.VOLUME_CALLS", 1000)
    monkeypatch.setattr(f"{MODULE}.MERGED_PAGES", 4)
    db = store._db
    assert db is not None
    while store.tidy():  # what a process before may have left
        pass
    for first in range(0, 400, 20):
        put_all(store, *(call(number, " ".join(f"w{number:03}x{at:03}" for at in range(60))) for number in range(first, first + 20)))
        index(store)
    assert segments(store, 1) == 20
    steps, pages = 0, [db.execute("SELECT count(*) FROM search_1_data").get]
    while store.tidy():
        steps += 1
        pages.append(db.execute("SELECT count(*) FROM search_1_data").get)
    assert segments(store, 1) == 1
    assert steps > 10
    assert max(abs(after - before) for before, after in pairwise(pages)) < pages[0] / 4


def test_merging_goes_on_where_a_process_ended(path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.VOLUME_CALLS", 1000)
    for number in range(9):
        put(store, number)
    store.close()
    with closing(SqliteStore(path)) as other:
        assert segments(other, 1) == 9
        while other.tidy():
            pass
        assert segments(other, 1) == 1


def test_what_was_indexed_before_there_were_volumes_is_the_first(tmp_path: Path) -> None:
    path = unpacked(7, tmp_path)
    assert len(migrations()) >= 8
    with closing(SqliteStore(path)) as store, closing(SqliteReader(path)) as reader:
        (first,) = volumes(store)
        assert (first.id, first.first, first.is_full) == (1, 0, True)
        assert len(reader.calls(CallFilter(text="pelican"), None, 9).items) == 1
        put(store, 1000, 1001)
        assert [volume.calls for volume in volumes(store)] == [first.calls, 2]
        assert found(reader, "pelican") + found(reader, "common") == [60, 1001, 1000]
        purged(store, 1001)
        while store.tidy():
            pass
        assert not found(reader, "pelican")
        assert not reader.damage()


def test_new_volumes_have_the_settings_of_the_first(store: SqliteStore) -> None:
    put(store, *range(6))
    db = store._db
    assert db is not None
    first, second = (dict(db.execute(f"SELECT k, v FROM search_{volume}_config")) for volume in (1, 2))  # noqa: S608 - numbers
    assert {name: first[name] for name in SETTINGS} == {name: second[name] for name in SETTINGS}
    texts = [db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (f"search_{volume}",)).get for volume in (1, 2)]
    assert texts[0].partition("USING")[2] == texts[1].partition("USING")[2]
