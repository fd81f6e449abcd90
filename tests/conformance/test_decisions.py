"""What a person says of calls is kept alike on every engine: one word on where a call stands, each wrong edge by itself."""

from contextlib import closing
from dataclasses import replace

import msgspec
import pytest
from tests.conformance.conftest import Engine
from tests.conformance.test_linking import delegating
from tests.support.link_store import record

from modular_agents.proxy.errors import NotFound
from modular_agents.proxy.export.jsonl import line_of
from modular_agents.proxy.export.lines import CallLine
from modular_agents.proxy.export.reread import kept_of
from modular_agents.proxy.linking import checked, decide
from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.model.event import Event
from modular_agents.proxy.ports import Store

T0_NS = 1_763_800_000_000_000_000


def say(store: Store, call_id: str, kind: DecisionKind, other: str = "", edge_type: str = "", at_ns: int = T0_NS) -> Decision:
    with store.batch() as batch:
        asked = Decision(call_id, kind, other, edge_type, made_by="ada\ud800", made_ns=at_ns)
        kept = batch.put_decision(checked(asked, batch.find))
        decide(call_id, batch.decisions(call_id), batch.find, batch.relink)
    return kept


def test_one_word_holds_on_where_a_call_stands_and_each_edge_is_cut_by_itself(engine: Engine) -> None:
    calls = delegating()
    record(engine.store, calls)
    lead, worker = calls[0].call_id, calls[1].call_id
    cut = say(engine.store, worker, DecisionKind.CUT, lead, "delegation")
    first = say(engine.store, worker, DecisionKind.APART)
    last = say(engine.store, worker, DecisionKind.OPENED_BY, lead)
    assert (cut.decision_id, first.decision_id) == (T0_NS // 1_000_000, T0_NS // 1_000_000 + 1)
    assert engine.reader.decisions() == engine.reader.decisions(worker) == [cut, last]
    assert engine.reader.decisions(lead) == []
    assert last.made_by == "ada?"
    later = say(engine.store, calls[2].call_id, DecisionKind.APART, at_ns=T0_NS + 10**10)
    assert engine.reader.decisions() == [cut, last, later]
    assert later.made_at == "2025-11-22T08:26:50.000000Z"
    with engine.store.batch() as batch:
        assert batch.drop_decision(cut.decision_id) == cut
        assert batch.drop_decision(cut.decision_id) is None
        assert batch.decisions(worker) == [last]
    assert engine.reader.decisions(worker) == [last]


def test_nothing_can_be_said_of_a_call_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(NotFound), engine.store.batch() as batch:
        batch.put_decision(Decision("nobody", DecisionKind.APART, made_by="ada"))
    assert engine.reader.decisions() == []


def test_it_goes_with_its_call(engine: Engine) -> None:
    calls = delegating()
    record(engine.store, calls)
    say(engine.store, calls[1].call_id, DecisionKind.APART)
    while engine.store.purge(1 << 62, None):
        pass
    assert engine.reader.decisions() == []


def told(events: list[Event]) -> list[tuple[str, str]]:
    return sorted((event.kind, event.body) for event in events)


def test_a_reader_who_follows_hears_of_edges_that_came_and_went(engine: Engine) -> None:
    calls = delegating()
    record(engine.store, calls)
    lead, worker = calls[0].call_id, calls[1].call_id
    _, last = engine.reader.seq()
    decision = say(engine.store, worker, DecisionKind.CUT, lead, "delegation")
    gone = [event for event in engine.reader.events(last, 100) if event.kind == "removed"]
    assert [(event.call_id, f'"edge_id":"{lead}-delegation-{worker}"' in event.body) for event in gone] == [(None, True)]
    _, last = engine.reader.seq()
    with engine.store.batch() as batch:
        batch.drop_decision(decision.decision_id)
        decide(worker, (), batch.find, batch.relink)
    back = [event for event in engine.reader.events(last, 100) if event.kind == "edge"]
    assert f"{lead}-delegation-{worker}" in back[0].body


def test_edges_of_a_call_that_comes_to_another_trace_are_told_there(engine: Engine) -> None:
    calls = delegating()
    record(engine.store, calls)
    worker = calls[1].call_id
    say(engine.store, worker, DecisionKind.APART)
    _, last = engine.reader.seq()
    say(engine.store, worker, DecisionKind.TRACE, f"tr-{calls[0].call_id}")
    heard = engine.reader.events(last, 100)
    detail = engine.reader.trace(f"tr-{calls[0].call_id}")
    assert detail is not None
    second = next(row.call_id for row in detail.calls if row.thread_id == f"th-{worker}" and row.call_id != worker)
    assert f"{worker}-request-{second}" in "".join(event.body for event in heard if event.kind == "edge")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_it_outlives_the_process(engine: Engine) -> None:
    assert engine.reopen is not None
    calls = delegating()
    record(engine.store, calls)
    kept = say(engine.store, calls[1].call_id, DecisionKind.APART)
    engine.store.close()
    with closing(engine.reopen()) as again:
        with again.batch() as batch:
            assert batch.decisions(calls[1].call_id) == [kept]
        say(again, calls[1].call_id, DecisionKind.OPENED_BY, calls[0].call_id)
    assert [replace(one, decision_id=0).kind for one in engine.reader.decisions()] == [DecisionKind.OPENED_BY]


def test_an_archive_holds_it_and_gives_it_back(engine: Engine) -> None:
    calls = delegating()
    record(engine.store, calls)
    kept = say(engine.store, calls[1].call_id, DecisionKind.OPENED_BY, calls[0].call_id)
    found = engine.reader.kept(calls[1].call_id)
    row = engine.reader.call(calls[1].call_id)
    assert found is not None
    assert row is not None
    assert found.decisions == (kept,)
    line = msgspec.json.decode(msgspec.json.encode(line_of(row.call, found)), type=CallLine)
    assert line.links.decisions[0].kind == "opened_by"
    again, _ = kept_of(line)
    assert [replace(one, decision_id=kept.decision_id) for one in again.decisions] == [kept]
