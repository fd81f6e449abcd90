"""Linking gives the same graph on every engine, in any order of arrival, and after any batch."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conformance.conftest import Engine
from tests.support.link_memory import LinkMemory
from tests.support.link_store import record
from tests.support.stored import Given, given, put_all
from tests.support.talks import World, in_disorder, result, use

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import CALLS_TOLD, NO_PASSING, Indexed, LinkChanges, Lookup, Passing, Replaced
from modular_agents.proxy.model.query import CallFilter, TraceDetail
from modular_agents.proxy.ports import Transaction
from modular_agents.proxy.store import recent
from modular_agents.proxy.store.sqlite import SqliteStore


def delegating() -> list[Call]:
    """One agent asks two others at once; each uses a tool, and both answers come back."""
    world = World(1_000_000.0)
    lead = world.talk("You are the Lead Agent.", tools=1)
    tasks = {"t1": "Write unit tests for the parser", "t2": "Write unit tests for the lexer"}
    lead.turn("Test everything", [use(key, "Task", prompt=task) for key, task in tasks.items()])
    start = world.now
    answers = {}
    for key, task in tasks.items():
        worker = world.talk("You are a tester.", connection=key)
        worker.turn(f"Your task: {task}. Be quick.", use(f"b{key}", "Bash", command="pytest -q"), at=start)
        answers[key] = f"{task}: done, three of them, and all of them pass."
        worker.turn(result(f"b{key}", "3 passed"), answers[key])
    lead.turn([result(key, answer) for key, answer in answers.items()], "All is tested.")
    return world.calls


def with_tokens(call: Given, indexed: Indexed) -> Given:
    return replace(call, indexed=indexed)


def shown(details: Iterable[TraceDetail | None]) -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for detail in details:
        assert detail is not None
        found |= {(row.call_id, row.trace_id, row.thread_id, row.parent_id, row.agent_name) for row in detail.calls}
        found |= {(edge.from_call_id, edge.to_call_id, edge.edge_type, edge.evidence, edge.trace_id) for edge in detail.edges}
    return found


def expected(calls: list[Call]) -> set[tuple[object, ...]]:
    memory = LinkMemory()
    for call in calls:
        memory.link(call)
    found: set[tuple[object, ...]] = set()
    for call_id, row in memory.rows.items():
        at = row.placement
        found.add((call_id, at.trace_id, at.thread_id, at.parent_id, at.agent_name))
        found |= {(edge.from_call_id, call_id, str(edge.edge_type), edge.evidence.rule, at.trace_id) for edge in at.edges}
    return found


@pytest.mark.parametrize("seed", range(6))
def test_any_order_gives_the_same_graph(engine: Engine, seed: int) -> None:
    calls = delegating()
    wanted = expected(calls)
    record(engine.store, in_disorder(calls, random.Random(seed)))
    assert shown([engine.reader.trace(row.trace_id) for row in engine.reader.traces(CallFilter(), None, 10).items]) == wanted


@contextmanager
def one_more(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def put_and_fail(store: SqliteStore, call: Given) -> None:
    with store.batch() as batch:
        call.put(batch)
        raise ZeroDivisionError


def found(batch: Transaction, **asked: object) -> list[str]:
    return sorted(one.call_id for one in batch.find(Lookup(**asked)))  # type: ignore[arg-type]


def test_a_call_is_found_by_what_it_left(engine: Engine) -> None:
    early, late = given(1), given(5)
    put_all(engine.store, with_tokens(early, Indexed((5,), b"facts", (6,))), with_tokens(late, Indexed((5,), b"facts", (7,))))
    between, first, last = given(3).call.started_ns, early.call_id, late.call_id
    with engine.store.batch() as batch:
        assert found(batch, at_ns=between, earlier=(6, 7)) == [first]
        assert found(batch, at_ns=between, later=(6, 7)) == [last]
        assert found(batch, at_ns=between, ever=(5,)) == [first]
        assert found(batch, at_ns=between, ever_later=(5,)) == [last]
        assert found(batch, at_ns=between, earlier=(8,), later=(8,), ever=(8,), ever_later=(8,), asking=(5, 6, 7)) == []
        assert found(batch, at_ns=early.call.started_ns, new=first) == [first]
        assert found(batch, at_ns=between, new="nobody") == []


def test_a_final_version_leaves_more_and_keeps_what_is_passing(engine: Engine) -> None:
    early = given(1)
    put_all(engine.store, with_tokens(early, Indexed((5,), b"facts", (6,), Passing((7,), (8,)), "live")))
    put_all(engine.store, with_tokens(early.finished(), Indexed((5, 9), b"more", (), None)))
    with engine.store.batch() as batch:
        (one,) = batch.find(Lookup(early.call.started_ns, ever=(9,)))
        assert (one.facts, one.passing) == (b"more", Passing((7,), (8,)))
        assert found(batch, at_ns=early.call.started_ns, earlier=(6,)) == []


def test_who_asked_is_found_when_it_began_later_and_who_watches_always(engine: Engine) -> None:
    early, middle, late = given(1), given(3), given(5)
    put_all(engine.store, *(with_tokens(one, Indexed(passing=Passing((7,), (8,)))) for one in (early, late)), middle)
    with engine.store.batch() as batch:
        assert found(batch, at_ns=middle.call.started_ns, asking=(7,)) == [late.call_id]
        assert found(batch, at_ns=middle.call.started_ns, asking=(8,)) == [early.call_id, late.call_id]


def test_who_was_told_words_is_found_when_it_began_later(engine: Engine) -> None:
    early, middle, late, other = given(1), given(3), given(5), given(6)
    texts = ("Fix the parser now.", "And the lexer too.")
    put_all(engine.store, *(with_tokens(one, Indexed((), b"x", (), NO_PASSING, None, texts)) for one in (late, early)), middle)
    put_all(engine.store, with_tokens(late.finished(), Indexed((), b"x", (), None)))
    put_all(engine.store, with_tokens(other, Indexed((), b"x", (), NO_PASSING, None, ("Fix the lexer now.",))))
    with engine.store.batch() as batch:
        at_ns = middle.call.started_ns
        assert found(batch, at_ns=at_ns, holding=("the parser",)) == [late.call_id]
        assert found(batch, at_ns=at_ns, holding=("nothing of it", "the lexer")) == [late.call_id, other.call_id]
        assert found(batch, at_ns=at_ns, holding=("the parse", "now. And")) == []
        assert found(batch, at_ns=early.call.started_ns, holding=("the parser",)) == [late.call_id]
        assert found(batch, at_ns=early.call.started_ns - 1, holding=("the parser",)) == [early.call_id, late.call_id]


def test_the_last_that_were_told_anything_are_looked_through(engine: Engine) -> None:
    calls = [given(number) for number in range(CALLS_TOLD + 5)]
    put_all(engine.store, *(with_tokens(one, Indexed((), b"x", (), NO_PASSING, None, ("the parser",))) for one in calls))
    with engine.store.batch() as batch:
        assert found(batch, holding=("parser",)) == sorted(one.call_id for one in calls[5:])


def test_after_a_restart_a_call_may_have_been_told_anything(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.db")
    told, untold = given(1), given(2)
    put_all(store, with_tokens(told, Indexed((), b"x", (6,), Passing((7,)), None, ("the parser",), is_told=True)))
    put_all(store, with_tokens(untold, Indexed((), b"x", (6,), Passing((7,)))))
    for words in ("the parser", "whatever"):
        store.close()
        store = SqliteStore(tmp_path / "t.db")
        with store.batch() as batch:
            assert found(batch, holding=(words,)) == [told.call_id]
    again = Replaced(told.call_id, told.placement, Indexed((), b"x", (6,), Passing((7,)), None, ("the parser",), is_told=True))
    with store.batch() as batch:
        batch.relink(LinkChanges((again,)))
        assert found(batch, holding=("whatever",)) == []
        assert found(batch, holding=("the parser",)) == [told.call_id]
    store.close()


def test_much_that_was_told_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "RECENT_CHARS", 1000)
    store = SqliteStore(tmp_path / "t.db")
    calls = [given(number) for number in range(8)]
    for one in calls:
        put_all(store, with_tokens(one, Indexed((), b"x", (6,), NO_PASSING, None, ("x " * 149 + "y",))))
    with store.batch() as batch:
        assert found(batch, holding=("x",)) == sorted(one.call_id for one in calls[-3:])
    store.close()


def test_a_call_replaced_is_found_by_its_new_tokens_only(engine: Engine) -> None:
    early = given(1)
    put_all(engine.store, with_tokens(early.finished(), Indexed((5,), b"facts", (6,), Passing((7,)))))
    again = Indexed((15,), b"new", (16,), Passing((17,), (18,)))
    with engine.store.batch() as batch:
        batch.relink(LinkChanges((Replaced(early.call_id, replace(early.placement, trace_id="tr-2"), again),)))
        at_ns = early.call.started_ns
        assert found(batch, at_ns=at_ns, ever=(5,), earlier=(6,), asking=(7,)) == []
        (one,) = batch.find(Lookup(at_ns, (16,), (15,), asking=(17, 18)))
        assert (one.trace_id, one.facts, one.passing) == ("tr-2", b"new", Passing((17,), (18,)))


@pytest.mark.parametrize("closes", [False, True])
def test_a_batch_that_fails_and_a_restart_change_nothing_of_it(tmp_path: Path, closes: bool) -> None:
    store = SqliteStore(tmp_path / "t.db")
    early, late = given(1), given(2)
    put_all(store, with_tokens(early, Indexed((5,), b"facts", (6,), Passing((7,), (8,)))))
    with pytest.raises(ZeroDivisionError):
        put_and_fail(store, with_tokens(late, Indexed((5,), b"x", (6,))))
    if closes:
        store.close()
        store = SqliteStore(tmp_path / "t.db")
    with store.batch() as batch:
        (one,) = batch.find(Lookup(late.call.started_ns, (6,), (5,), asking=(8,)))
        assert (one.call_id, one.facts, one.passing) == (early.call_id, b"facts", Passing((7,), (8,)))
        assert found(batch, asking=(7,)) == [early.call_id]
    store.close()


def test_calls_of_long_ago_are_found_by_lasting_tokens_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "RECENT_TOKENS", 20)
    store = SqliteStore(tmp_path / "t.db")
    early, flood = given(1), [given(number) for number in range(2, 60)]
    put_all(store, with_tokens(early, Indexed((5,), b"facts", (6,), Passing((7,), (8,)))))
    for one in flood:
        put_all(store, with_tokens(one, Indexed((), b"x", (int(one.call.started_ns),))))
    for restart in (False, True):
        if restart:
            store.close()
            store = SqliteStore(tmp_path / "t.db")
        with store.batch() as batch:
            at_ns = flood[-1].call.started_ns
            assert found(batch, at_ns=at_ns, earlier=(6,), asking=(7, 8)) == []
            (one,) = batch.find(Lookup(at_ns, ever=(5,)))
            assert (one.facts, one.passing) == (b"facts", None)
            assert found(batch, at_ns=early.call.started_ns, ever_later=(5,)) == [early.call_id]
            assert found(batch, at_ns=early.call.started_ns, new=early.call_id) == [early.call_id]
    store.close()


def test_what_another_process_linked_is_found(tmp_path: Path) -> None:
    ours = SqliteStore(tmp_path / "t.db")
    early, late = given(1), given(2)
    put_all(ours, with_tokens(early, Indexed((5,), b"facts", (6,))))
    with one_more(tmp_path / "t.db") as other:
        put_all(other, with_tokens(late, Indexed((5,), b"facts", (6,))))
    with ours.batch() as batch:
        assert found(batch, at_ns=late.call.started_ns, earlier=(6,)) == [early.call_id, late.call_id]
    ours.close()
