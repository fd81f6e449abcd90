"""Rows that wait within a batch: how many may, what becomes of a file that does not take them, and of one that lacks some."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.stored import T0, Given, given, message, put_all

from modular_agents.proxy.errors import NotStored, StoreUnavailable
from modular_agents.proxy.model.link import LinkChanges, Lookup, Replaced
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.recorder.bare import guarded
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.contents import WAITING_MAX_BYTES

LONG = "a long answer that comes back word for word " * 20


def many_messages(count: int) -> Given:
    return given(1, messages=[message("user", f"{number} {LONG if number % 10 == 0 else ''}") for number in range(count)])


@pytest.mark.parametrize("is_ended", [False, True])
def test_of_one_call_no_more_waits_than_may(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, *, is_ended: bool) -> None:
    """A call that runs is put as one that has ended, and many short messages take more than their text."""
    most = 20_000
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.contents.WAITING_MAX_BYTES", most)
    call = many_messages(300)
    with store.batch() as batch:
        (call.finished() if is_ended else call).put(batch)
        contents = store._batch.contents
        assert contents.waiting_bytes <= most
        assert sum(map(len, (contents._new, contents._new_nodes, contents._pieces))) < most // 100
    reader = SqliteReader(path)
    detail = reader.call(call.call_id)
    assert detail is not None
    assert [entry.parts[0].text for entry in detail.messages] == [entry.parts[0].text for entry in call.call.messages]
    raw = reader.raw(call.call_id)
    assert raw is not None
    assert json.loads(raw.request_body) == json.loads(call.exchange.request.body)
    reader.close()


def test_a_file_that_is_full_is_no_fault_of_linking(store: SqliteStore) -> None:
    """Looking for earlier calls writes what waits: that this fails is the store's to say, or calls would be stored alone for it."""
    db = store._db
    assert db is not None
    large = given(1, messages=[message("user", "x" * (WAITING_MAX_BYTES // 2))])

    def link(pages: int) -> str:
        with store.batch() as batch:
            large.put(batch)
            db.pragma("max_page_count", pages)
            return guarded(large.call_id, lambda: str(batch.find(Lookup(at_ns=T0, thread="th-1"))), lambda: "alone")

    put_all(store, given(0))  # the latest calls are read with the first one
    with pytest.raises(StoreUnavailable):
        link(db.pragma("page_count"))
    db.pragma("max_page_count", 1 << 30)
    assert given(0).call_id in link(1 << 30)


def test_an_edge_from_a_call_whose_row_is_lost_says_nothing(store: SqliteStore, path: Path) -> None:
    """A row that is not there may wait to be written; if it does not, the calls around it can still be exported and moved."""
    first, second = given(1).finished(), given(2)
    turn = given(3, parent=first).finished()
    turn = replace(turn, placement=replace(turn.placement, edges=(*turn.placement.edges, *given(3, parent=second).placement.edges)))
    put_all(store, first, second, turn)
    db = store._db
    assert db is not None
    db.execute("DELETE FROM call WHERE call_id = ?", (second.call_id,))
    with closing(SqliteReader(path)) as reader:
        kept = reader.kept(turn.call_id)
        assert kept is not None
        assert [edge.from_call_id for edge in kept.placement.edges] == [first.call_id]
        with store.batch() as batch:
            batch.relink(LinkChanges(replaced=(Replaced(turn.call_id, replace(turn.placement, edges=()), turn.indexed),)))
        assert (kept := reader.kept(turn.call_id)) is not None
        assert not kept.placement.edges


def test_a_row_that_is_refused_while_another_call_is_linked_ends_the_batch(store: SqliteStore, path: Path) -> None:
    """Whoever asks for rows is told whose row it was: swallowed as its own failure, the batch would be committed without what waited."""
    running, other, last = given(1), given(2, trace="t2", thread="b").finished(), given(3, trace="t3", thread="c").finished()
    put_all(store, running)
    refused = running.finished()
    refused = replace(refused, call=replace(refused.call, http_status=200.5))  # type: ignore[arg-type]

    def put() -> None:
        with store.batch() as batch:
            refused.put(batch)
            other.put(batch)
            guarded(other.call_id, lambda: batch.find(Lookup(at_ns=T0, thread="th-1")), lambda: ())
            last.put(batch)

    with pytest.raises(NotStored) as caught:
        put()
    assert caught.value.call_id == running.call_id
    with closing(SqliteReader(path)) as reader:
        assert [(row.call_id, row.status) for row in reader.calls(CallFilter(), None, 9).items] == [(running.call_id, "running")]
    put_all(store, other, last)
    with closing(SqliteReader(path)) as reader:
        assert len(reader.calls(CallFilter(), None, 9).items) == 3


def test_requests_that_wait_are_no_more_than_may(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modular_agents.proxy.store.sqlite.batch.HELD_BYTES", 20_000)
    with store.batch() as batch:
        for number in range(20):
            given(number, trace=f"t{number}", thread=f"h{number}", messages=[message("user", f"{number} " + "x" * 5_000)]).put(batch)
            assert len(store._batch._waiting) < 5
