"""Linking gives the same graph on every engine, in any order of arrival, and after any batch."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.conformance.conftest import Engine
from tests.support.link_memory import LinkMemory
from tests.support.link_store import record
from tests.support.stored import Given, given, put_all
from tests.support.talks import World, in_disorder, result, use

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import LATE_NS, Indexed, Lookup
from modular_agents.proxy.model.query import CallFilter, TraceDetail
from modular_agents.proxy.store.memory import MemoryStore


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


def test_what_is_passing_is_found_and_kept(engine: Engine) -> None:
    early = given(1)
    put_all(engine.store, with_tokens(early, Indexed((5,), b"facts", (7, 8), b"words")))
    with engine.store.batch() as batch:
        (found,) = batch.find(Lookup(early.call.started_ns, earlier=(7,)))
        assert (found.matched, found.facts, found.passing_facts) == ((7,), b"facts", b"words")
    put_all(engine.store, with_tokens(early.finished(), Indexed((5, 6), b"more", None, None)))
    with engine.store.batch() as batch:
        (found,) = batch.find(Lookup(early.call.started_ns, later=(6, 8)))
        assert (set(found.matched), found.facts, found.passing_facts) == ({6, 8}, b"more", b"words")


def test_what_is_passing_may_go_when_nobody_comes_late_any_more(engine: Engine) -> None:
    if isinstance(engine.store, MemoryStore):
        pytest.skip("the store in memory keeps everything")
    early = given(1)
    put_all(engine.store, with_tokens(early, Indexed((5,), b"facts", (7,), b"words")))
    put_all(engine.store, given(2, at_ms=2 * LATE_NS // 1_000_000))
    with engine.store.batch() as batch:
        assert batch.find(Lookup(early.call.started_ns, earlier=(7,))) == []
        (found,) = batch.find(Lookup(early.call.started_ns, earlier=(5,)))
        assert (found.facts, found.passing_facts) == (b"facts", b"")
