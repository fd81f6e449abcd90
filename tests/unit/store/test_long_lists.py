"""The last call of a long conversation takes thousands of list nodes with it: they go in slices, whenever a process ends."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest
from tests.support.stored import T0, Given, given, message, put_all
from tests.unit.store.test_retention import NAMED, PROBLEMS

from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.contents import SWEPT_NODES

TURNS = 5 * SWEPT_NODES
LATER = T0 + 10**18
SLICES = TURNS // SWEPT_NODES + 10
"""Of housekeeping: more than a conversation of so many turns may need."""


def long_call(number: int = 1, turns: int = TURNS) -> Given:
    return given(number, messages=[message("user", f"turn {turn}") for turn in range(turns)]).finished()


def count(path: Path, what: str = "chain WHERE uses <= 0") -> int:
    with closing(apsw.Connection(str(path))) as db:
        found: int = db.execute(f"SELECT count(*) FROM {what}").get  # noqa: S608 - our own names
        return found


def problems(path: Path) -> list[str]:
    with closing(apsw.Connection(str(path))) as db:
        return [name for name, statement in PROBLEMS.items() if db.execute(NAMED + statement).get]


def delete_in_vain(store: SqliteStore, call_id: str) -> None:
    with store.batch() as batch:
        batch.contents.sweeps_later = True
        batch.delete(call_id)
        raise RuntimeError("no")


def tidied(store: SqliteStore) -> int:
    """Keep house until there is nothing to do; return how many slices that took."""
    return next(number for number in range(SLICES) if not store.tidy())


def test_what_one_call_leaves_goes_in_slices(store: SqliteStore, path: Path) -> None:
    put_all(store, long_call())
    before = count(path, "chain")
    assert store.purge(LATER, None) == 1
    assert before - SWEPT_NODES - 5 <= count(path, "chain") < before, "no more than a slice went with the call"
    assert count(path) == 1, "the next node of the list waits for it, the others are named by those behind them"
    assert tidied(store) >= (TURNS - SWEPT_NODES) // SWEPT_NODES - 1
    assert [count(path, table) for table in ("chain", "content", "piece", "call")] == [0, 0, 0, 0]


def test_a_process_that_comes_later_goes_on(store: SqliteStore, path: Path) -> None:
    put_all(store, long_call())
    store.purge(LATER, None)
    store.tidy()
    store.close()
    with closing(SqliteStore(path)) as other:
        tidied(other)
        assert (count(path, "chain"), count(path, "content"), problems(path)) == (0, 0, [])


def test_of_a_file_that_is_too_large_it_goes_at_once(store: SqliteStore, path: Path) -> None:
    """Else the next calls would be deleted for room that is given back already."""
    put_all(store, long_call())
    assert store.purge(None, 1) == 1
    assert (count(path, "chain"), count(path, "content")) == (0, 0)


def test_a_list_that_comes_again_before_it_has_gone_stays(store: SqliteStore, path: Path) -> None:
    put_all(store, long_call())
    store.purge(LATER, None)
    again = long_call(2, TURNS - SWEPT_NODES - 50)
    put_all(store, again)
    tidied(store)
    assert (count(path), problems(path)) == (0, [])
    with closing(SqliteReader(path)) as reader:
        detail = reader.call(again.call_id)
        assert detail is not None
        assert [entry.parts[0].text for entry in detail.messages] == [entry.parts[0].text for entry in again.call.messages]
        raw = reader.raw(again.call_id)
        assert raw is not None
        assert raw.request_body == again.exchange.request.body


def test_a_batch_that_fails_leaves_nothing_for_later_that_is_named(store: SqliteStore, path: Path) -> None:
    put_all(store, long_call())
    with pytest.raises(RuntimeError):
        delete_in_vain(store, long_call().call_id)
    tidied(store)
    assert (count(path, "call"), count(path), problems(path)) == (1, 0, [])
    put_all(store, long_call(2))
    assert store.purge(None, 1) >= 1, "and what comes after it is swept at once where room is looked for"
    assert count(path) == 0
