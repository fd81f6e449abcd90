"""Traces on every engine: what their calls add up to, and where calls move."""

from dataclasses import replace

import msgspec
import pytest
from tests.conformance.conftest import Engine
from tests.support.stored import SECOND, T0, Given, given, put_all, tool_use

from modular_agents.proxy.model.call import CallError, Status
from modular_agents.proxy.model.event import RemovedRow
from modular_agents.proxy.model.link import LinkChanges, Replaced, ThreadMove
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence

ALL = CallFilter()


def test_a_trace_shows_its_calls_and_edges(engine: Engine) -> None:
    root = given(1, agent="planner", task="Build it").finished(tool_use("task", {"prompt": "do"}), tokens=(10, 5))
    child = given(2, thread="th-2", agent="worker", parent=root, edge=EdgeType.DELEGATION, task="do").finished(tokens=(20, 6))
    last = given(3, parent=root, agent="planner").finished(tokens=(30, None))
    put_all(engine.store, root, child, last)
    detail = engine.reader.trace("tr-1")
    assert detail is not None
    assert [row.call_id for row in detail.calls] == [root.call_id, child.call_id, last.call_id]
    assert [(edge.from_call_id, edge.to_call_id, edge.edge_type) for edge in detail.edges] == [
        (root.call_id, child.call_id, "delegation"),
        (root.call_id, last.call_id, "request"),
    ]
    assert {(edge.evidence, edge.confidence, edge.trace_id) for edge in detail.edges} == {("continuation", 0.75, "tr-1")}
    assert len({edge.edge_id for edge in detail.edges}) == 2
    trace = detail.trace
    assert (trace.task_description, trace.agent_count, trace.call_count) == ("Build it", 2, 3)
    assert (trace.tokens_input, trace.tokens_output) == (60, 11)
    assert trace.cost_usd == pytest.approx(0.03)
    assert detail.seq == engine.reader.seq()[1]


def test_an_edge_to_a_call_that_is_not_there_is_left_out(engine: Engine) -> None:
    ghost = given(1)
    put_all(engine.store, given(2, parent=ghost))
    detail = engine.reader.trace("tr-1")
    assert detail is not None
    assert detail.edges == ()
    assert detail.calls[0].parent_id == ghost.call_id


def test_a_trace_that_waits_for_a_tool_is_running_for_a_while(engine: Engine) -> None:
    put_all(engine.store, given(1).finished(tool_use("bash", {})))
    engine.now_ns = T0 + 20 * SECOND
    assert engine.reader.traces(ALL, None, 1).items[0].status == "running"
    assert engine.reader.traces(CallFilter(status="running"), None, 1).items != ()
    engine.now_ns = T0 + 3600 * SECOND
    assert engine.reader.traces(ALL, None, 1).items[0].status == "completed"
    assert engine.reader.traces(CallFilter(status="running"), None, 1).items == ()


def test_a_failure_is_the_last_word_only_in_the_root_thread(engine: Engine) -> None:
    failed = {"status": Status.FAILED, "error": CallError("provider", "x", "y")}
    put_all(engine.store, given(1).finished(), given(2, thread="th-2").finished(**failed))  # type: ignore[arg-type]  # keyword values differ
    assert engine.reader.traces(ALL, None, 1).items[0].status == "completed"
    put_all(engine.store, given(3).finished(**failed))  # type: ignore[arg-type]  # likewise
    assert engine.reader.traces(ALL, None, 1).items[0].status == "failed"
    put_all(engine.store, given(4).finished())
    assert engine.reader.traces(ALL, None, 1).items[0].status == "completed"


def as_helper(one: Given, kind: str = "title") -> Given:
    return replace(one, placement=replace(one.placement, kind=kind))


@pytest.mark.parametrize("batches", [(4,), (1, 1, 1, 1), (2, 2), (1, 3), (3, 1)])
def test_a_helper_does_not_speak_for_its_trace(engine: Engine, batches: tuple[int, ...]) -> None:
    failure = CallError("provider", "x", "y")
    calls = [
        as_helper(given(1, thread="th-title").finished()),
        given(2, thread="th-main").finished(tool_use("bash", {})),
        as_helper(given(3, thread="th-title-2").finished(after_ms=10_000)),
        given(4, thread="th-main").finished(status=Status.FAILED, error=failure),
    ]
    status = {2: "running", 3: "running", 4: "failed"}
    engine.now_ns = T0 + 20 * SECOND
    done = 0
    for count in batches:
        put_all(engine.store, *calls[done : done + count])
        done += count
        assert engine.reader.traces(ALL, None, 1).items[0].status == status.get(done, "completed")
    put_all(engine.store, as_helper(given(5, thread="th-title-3").finished()))
    assert engine.reader.traces(ALL, None, 1).items[0].status == "failed"


def test_helpers_among_themselves_speak_for_their_trace(engine: Engine) -> None:
    put_all(engine.store, as_helper(given(1).finished(), "embedding"))
    put_all(engine.store, as_helper(given(2).finished(status=Status.FAILED, error=CallError("provider", "x", "y")), "embedding"))
    assert engine.reader.traces(ALL, None, 1).items[0].status == "failed"


def test_a_trace_takes_the_surest_source_and_the_last_name(engine: Engine) -> None:
    weak = given(1)
    weak = replace(weak, placement=replace(weak.placement, trace_evidence=Evidence("conversation", "", 0.5), trace_name="draft"))
    put_all(engine.store, weak)
    assert engine.reader.traces(ALL, None, 1).items[0].source == "conversation"
    sure = given(2)
    put_all(engine.store, replace(sure, placement=replace(sure.placement, trace_name="final")), given(3))
    (row,) = engine.reader.traces(ALL, None, 1).items
    assert (row.source, row.name) == ("said.trace", "final")


def test_a_call_whose_end_stands_elsewhere_moves(engine: Engine) -> None:
    call = given(1, trace="guess", thread="th-1")
    put_all(engine.store, call)
    final = call.finished()
    put_all(engine.store, replace(final, placement=replace(final.placement, trace_id="known", thread_id="th-9", agent_name="coder")))
    assert [row.trace_id for row in engine.reader.traces(ALL, None, 5).items] == ["known"]
    assert engine.reader.trace("guess") is None
    removed = [event for event in engine.reader.events(0, 100) if event.kind == "removed"]
    assert [msgspec.json.decode(event.body, type=RemovedRow) for event in removed] == [RemovedRow("guess", None, "known")]
    assert removed[0].trace_id == "guess"


def test_a_trace_that_is_merged_into_another_is_gone(engine: Engine) -> None:
    one, two = (
        given(1, trace="tr-1", task="Build it").finished(usd=1.0),
        given(2, trace="tr-2", thread="th-2", task="part").finished(usd=2.0),
    )
    put_all(engine.store, one, two, given(3, trace="tr-2", thread="th-2", parent=two))
    move = ThreadMove("th-2", "th-2", "tr-1", two.call_id, one.call_id, "worker")
    with engine.store.batch() as batch:
        batch.relink(LinkChanges(moves=(move,)))
    last = engine.reader.seq()[1]
    detail = engine.reader.trace("tr-1")
    assert detail is not None
    assert engine.reader.trace("tr-2") is None
    assert [row.agent_name for row in detail.calls] == [None, "worker", "worker"]
    assert (detail.trace.call_count, detail.trace.running_count, detail.trace.agent_count, detail.trace.cost_usd) == (3, 1, 2, 3.0)
    assert detail.trace.task_description == "Build it"
    assert [edge.trace_id for edge in detail.edges] == ["tr-1"]
    removed = [event for event in engine.reader.events(0, 100) if event.kind == "removed"]
    assert [msgspec.json.decode(event.body, type=RemovedRow) for event in removed] == [RemovedRow("tr-2", None, "tr-1")]
    with engine.store.batch() as batch:
        batch.relink(LinkChanges(moves=(move,)))
    assert {event.kind for event in engine.reader.events(last, 100)} <= {"trace"}, "what stands there already is no news"


def test_an_edge_that_goes_in_the_batch_in_which_its_call_came_is_told_by_its_name(engine: Engine) -> None:
    lead = given(1)
    turn = given(2, parent=lead)
    put_all(engine.store, lead)
    with engine.store.batch() as batch:
        turn.put(batch)
        batch.relink(LinkChanges(replaced=(Replaced(turn.call_id, replace(turn.placement, edges=()), turn.indexed),)))
    gone = [event.body for event in engine.reader.events(0, 100) if event.kind == "removed"]
    assert [f'"edge_id":"{lead.call_id}-request-{turn.call_id}"' in body for body in gone] == [True]


@pytest.mark.parametrize("is_ended", [False, True])
@pytest.mark.parametrize(
    "told",
    [
        {"trace_id": "said \ud800"},
        {"trace_name": "said \ud800"},
        {"trace_evidence": Evidence("said.trace", "said \ud800")},
        {"edges": (Edge(given(1).call_id, given(2).call_id, EdgeType.REQUEST, Evidence("continuation", "said \ud800")),)},
    ],
)
def test_half_a_character_in_what_is_said_of_a_place_is_mended(engine: Engine, told: dict[str, object], *, is_ended: bool) -> None:
    call = given(2, trace="tr-2")
    call = replace(call, placement=replace(call.placement, **told))
    put_all(engine.store, given(1))
    put_all(engine.store, call.finished() if is_ended else call)
    placed = {"trace_id": "tr-2"} | told
    detail = engine.reader.trace(str(placed["trace_id"]).replace("\ud800", "?"))
    assert detail is not None
    assert [row.call_id for row in detail.calls] == [call.call_id]
    assert len(detail.edges) == len(call.placement.edges)
    assert detail.trace.name in {None, "said ?"}
