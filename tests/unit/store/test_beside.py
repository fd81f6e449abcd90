"""On a connection that many share, a helper's call follows its neighbour, and a new conversation concerns none but its neighbours."""

import pytest
from tests.support.link_store import placed, record
from tests.support.talks import Talk, World, running

from modular_agents.proxy.linking.revision import Revision
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.store.sqlite import SqliteStore

ROUNDS = 200
"""More than one token lets be placed anew at a time."""


def versions(calls: list[Call]) -> list[Call]:
    return [version for call in calls for version in (running(call), call)]


@pytest.mark.parametrize("count", [40, 100])
def test_many_searches_before_one_question_stand_with_it(count: int, store: SqliteStore, request: pytest.FixtureRequest) -> None:
    """In whatever order they come."""
    world = World(1000.0)
    for number in range(count):
        world.talk(connection="c1").turn(f"text {number}", "", takes=0.05, operation="embeddings")
    world.talk(connection="c1").turn("Count the sheep.", "There are forty.")
    record(store, world.calls)
    assert len({trace for trace, *_ in placed(request.getfixturevalue("path")).values()}) == 1


@pytest.mark.parametrize("shared", ["connection"])
def test_a_search_before_each_question_of_a_busy_server(
    shared: str, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Embeddings and questions by turns, hundreds of them: each search stands with its question, and the last cost what the first did."""
    counts: list[int] = []
    plain = Revision._place

    def counted(self: Revision, *args: object) -> None:
        counts[-1] += 1
        plain(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Revision, "_place", counted)
    world = World(1000.0)
    pairs = []
    for number in range(ROUNDS):
        connections = ("c1", "c1") if shared == "connection" else (f"e{number}", f"q{number}")
        search, question = (Talk(world, connection=one) for one in connections)
        process = "11@5" if shared == "process" else ""
        first = search.turn(f"{number}", "", takes=0.1, operation="embeddings", process=process)
        second = question.turn(f"What about number {number}?", f"It is {number}.", takes=0.1, process=process)
        pairs.append((first, second))
        counts.append(0)
        record(store, versions([first, second]))
        world.now += 1.0
    assert max(counts) <= 20
    assert sum(counts[-50:]) == sum(counts[50:100])
    rows = placed(request.getfixturevalue("path"))
    assert all(rows[first.call_id][0] == rows[second.call_id][0] for first, second in pairs)
    assert len({trace for trace, *_ in rows.values()}) == ROUNDS
