"""A call that leaves a long thread takes along what follows it; whatever came before is not read."""

from pathlib import Path

import pytest
from tests.support.link_store import placed, record
from tests.support.talks import World, running

from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.model.link import Candidate, Lookup
from modular_agents.proxy.store.sqlite import SqliteStore
from modular_agents.proxy.store.sqlite.links import Links

CALLS, SLOW_AT, SLOW_S, LATE_S = 200, 180, 0.5, 0.2


def test_one_attempt_of_many_turns_out_to_have_run_longer(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One question is asked over and over and cancelled: attempts of one thread. One attempt lasts; that it began is told late, when
    three that are none after it stand in the thread already."""
    found: list[int] = []
    plain = Links.find

    def counted(self: Links, lookup: Lookup) -> list[Candidate]:
        calls = list(plain(self, lookup))
        if lookup.members:
            found.append(len(calls))
        return calls

    monkeypatch.setattr(Links, "find", counted)
    world = World(1000.0)
    told: list[tuple[float, Call]] = []
    for number in range(CALLS):
        at, is_slow = 1000.0 + number * 0.067, number == SLOW_AT
        takes = SLOW_S if is_slow else 0.01
        call = world.talk(connection=f"c{number}").turn("Go.", None, at=at, takes=takes, status=Status.CANCELLED)
        told += [(at + LATE_S * is_slow, running(call)), (at + takes, call)]
    record(store, [call for _, call in sorted(told, key=lambda one: one[0])])
    threads = [thread for _, thread, *_ in placed(path).values()]
    assert sorted(threads.count(thread) for thread in set(threads)) == [8, CALLS - 8]
    assert found, "some left the thread"
    assert max(found) <= 10
