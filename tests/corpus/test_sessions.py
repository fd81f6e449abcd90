"""Whole sessions of real clients become the graph they are, each alone, all at once, and in any order."""

from random import Random

import pytest
from tests.support.link_memory import LinkMemory
from tests.support.sessions import Session, in_time, linked, load, names, shown, traces

from modular_agents.proxy.model.call import Status

NAMES = names()


@pytest.fixture(params=NAMES)
def session(request: pytest.FixtureRequest) -> Session:
    return load(request.param)


def test_every_call_is_understood(session: Session) -> None:
    for call in session.calls:
        assert call.unreadable is None
        if call.operation == "chat" and call.status is Status.COMPLETED:
            assert call.model is not None
            assert call.usage.output_total
    turns = [call for call in session.calls if session.expected[call.call_id.removeprefix(f"{session.name}-")]["kind"] == "turn"]
    assert turns
    assert turns[0].tools


def test_a_session_is_the_graph_it_is(session: Session) -> None:
    memory = linked(session)
    assert shown(session, memory) == session.expected
    assert len(traces(session, memory)) == len(session.tasks)
    assert {row.placement.task_description for row in memory.rows.values() if row.placement.parent_id is None} - {None} == {
        task if task[:1] != '"' else task[1:-1] for task in session.tasks
    }


def test_sessions_at_once_stay_apart() -> None:
    """They give their agents the very same words at the same time."""
    sessions = [load(name) for name in NAMES]
    memory = linked(*sessions)
    for session in sessions:
        assert shown(session, memory) == session.expected
    groups = [traces(session, memory) for session in sessions]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_the_order_of_arrival_does_not_matter(session: Session) -> None:
    versions = list(in_time(session.calls))
    for seed in range(12):
        memory = LinkMemory()
        for call in Random(seed).sample(versions, len(versions)):
            stored = memory.rows.get(call.call_id)
            if stored is None or call.status is not Status.RUNNING:
                memory.link(call)
        assert shown(session, memory) == session.expected
