"""On a connection that many share, a helper's call follows its neighbour, and a new conversation concerns none but its neighbours."""

from pathlib import Path

import pytest
from tests.support.link_store import placed, record
from tests.support.talks import World, running

from modular_agents.proxy.linking.revision import Revision
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.store.sqlite import SqliteStore

ROUNDS = 200
"""More than one token lets be placed anew at a time."""


def versions(calls: list[Call]) -> list[Call]:
    return [version for call in calls for version in (running(call), call)]


@pytest.mark.parametrize("count", [40, 100])
@pytest.mark.parametrize("is_late", [False, True])
def test_many_searches_before_one_question_stand_with_it(count: int, is_late: bool, store: SqliteStore, path: Path) -> None:
    """is_late: they are recorded after it."""
    world = World(1000.0)
    for number in range(count):
        world.talk(connection="c1").turn(f"text {number}", "", takes=0.05, operation="embeddings")
    question = world.talk(connection="c1").turn("Count the sheep.", "There are forty.")
    record(store, [question, *world.calls[:-1]] if is_late else world.calls)
    assert len({trace for trace, *_ in placed(path).values()}) == 1


def test_a_search_before_each_question_of_a_busy_server(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        first = world.talk().turn(f"{number}", "", takes=0.1, operation="embeddings")
        second = world.talk().turn(f"What about number {number}?", f"It is {number}.", takes=0.1)
        pairs.append((first, second))
        counts.append(0)
        record(store, versions([first, second]))
        world.now += 1.0
    assert max(counts) <= 20
    assert sum(counts[-50:]) == sum(counts[50:100])
    rows = placed(path)
    assert all(rows[first.call_id][0] == rows[second.call_id][0] for first, second in pairs)
    assert len({trace for trace, *_ in rows.values()}) == ROUNDS
