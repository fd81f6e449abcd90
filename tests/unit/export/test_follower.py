"""The live push over a store: what ends is sent once, what cannot be waits, what is missed is counted, a restart goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.support.fake_clock import FakeClock
from tests.support.stored import Given, given, put_all

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.export import follower as following
from modular_agents.proxy.export.collector import Answer
from modular_agents.proxy.export.follower import Follower, follow
from modular_agents.proxy.export.otlp import Batch
from modular_agents.proxy.export.standing import Standing, read_standing, status_of
from modular_agents.proxy.model.link import LinkChanges, ThreadMove
from modular_agents.proxy.ports import Reader, Store
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite import events as ring

TAKEN = Answer(accepted=True)
LATER = Answer(accepted=False, retry_after_s=0.0, said="the collector answers 503")


@dataclass
class Told:
    """A collector that answers as told, then takes everything."""

    answers: list[Answer] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    tries: int = 0

    def offer(self, batch: Batch) -> Answer:
        self.tries += 1
        answer = self.answers.pop(0) if self.answers else TAKEN
        if answer.accepted:
            request = ExportTraceServiceRequest.FromString(batch.data)
            self.batches.append([span.name for one in request.resource_spans for scope in one.scope_spans for span in scope.spans])
        return answer

    @property
    def names(self) -> list[str]:
        return sorted(name for batch in self.batches for name in batch)

    def chats(self) -> int:
        return sum(name.startswith("chat") for name in self.names)


@dataclass
class Stand:
    """A store, a clock and a collector."""

    store: Store
    reader: Reader
    path: Path
    clock: FakeClock = field(default_factory=FakeClock)
    collector: Told = field(default_factory=Told)

    def follower(self) -> Follower:
        standing = read_standing(self.path) or Standing(target="http://127.0.0.1:4318")
        return Follower(self.reader, self.collector, standing, self.path, self.clock, lambda: 1.0)

    def put(self, *calls: Given) -> None:
        put_all(self.store, *calls)

    def run(self, one: Follower, seconds: float = 3) -> float:
        one.step()
        self.clock.go(seconds)
        return one.step()

    @property
    def standing(self) -> Standing:
        found = read_standing(self.path)
        assert found is not None
        return found


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    store = MemoryStore()
    return Stand(store, store.reader(), tmp_path / "otlp.json")


def test_what_ends_is_sent_once_and_what_was_there_before_is_not(stand: Stand) -> None:
    stand.put(given(1).finished())
    one = stand.follower()
    one.step()
    stand.put(given(2), given(3).finished())
    stand.run(one)
    assert stand.collector.chats() == 1
    stand.put(given(2).finished())
    stand.run(one)
    stand.run(one)
    assert stand.collector.chats() == 2
    assert (stand.standing.sent_spans, stand.standing.missed_calls, stand.standing.waiting_calls) == (2, 0, 0)


def test_a_call_waits_for_linking_and_is_not_sent_again_when_it_moves(stand: Stand) -> None:
    one = stand.follower()
    one.step()
    stand.put(given(1, thread="th-1").finished())
    assert one.step() == following.LOOK_S
    assert stand.collector.tries == 0
    stand.run(one)
    with stand.store.batch() as batch:
        batch.relink(LinkChanges(moves=(ThreadMove("th-1", "th-1", "tr-2", given(1).call_id, None, "named"),)))
    stand.run(one)
    assert stand.collector.chats() == 1


def test_agents_are_sent_when_their_trace_is_quiet_and_again_when_it_goes_on(stand: Stand) -> None:
    one = stand.follower()
    one.step()
    stand.put(given(1, agent="boss").finished())
    stand.run(one)
    assert stand.collector.names == ["chat claude-sonnet-4-5"]
    stand.run(one, 11)
    assert stand.collector.batches[-1] == ["invoke_workflow", "invoke_agent boss"]
    sent = len(stand.collector.batches)
    stand.run(one, 60)
    assert len(stand.collector.batches) == sent
    stand.put(given(2, agent="boss").finished())
    stand.run(one)
    stand.run(one, 11)
    assert stand.collector.batches[-1] == ["invoke_workflow", "invoke_agent boss"]


def test_a_collector_that_is_away_loses_nothing_that_can_wait(stand: Stand) -> None:
    one = stand.follower()
    one.step()
    stand.collector.answers = [LATER, LATER, Answer(accepted=False, retry_after_s=9.0, said="the collector answers 429")]
    stand.put(*(given(number).finished() for number in range(5)))
    one.step()
    stand.clock.go(3)
    assert [one.step(), one.step(), one.step()] == [1, 2, 9]
    shown = status_of(stand.path)
    assert shown is not None
    assert (shown.waiting_calls, shown.said, shown.endpoint) == (5, "the collector answers 429", "http://127.0.0.1:4318")
    one.step()
    assert (stand.collector.chats(), stand.standing.said) == (5, "")


def test_a_restart_goes_on_where_it_was(stand: Stand) -> None:
    one = stand.follower()
    one.step()
    stand.put(given(1, agent="boss").finished())
    stand.run(one)
    stand.collector.answers = [LATER]
    stand.put(given(2).finished())
    stand.run(one)
    two = stand.follower()
    stand.put(given(3).finished())
    stand.run(two)
    assert stand.collector.chats() == 3
    stand.run(two, 11)
    assert "invoke_agent boss" in stand.collector.names
    assert (stand.standing.missed_calls, stand.standing.seen) == (0, 3)


def test_where_it_begins_must_be_one_moment(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.put(given(1).finished())
    one = stand.follower()
    numbers = iter(range(1000))
    with monkeypatch.context() as lively:
        lively.setattr(stand.reader, "seq", lambda: (0, next(numbers)))
        assert one.step() == following.LOOK_S
    assert not stand.path.exists()
    stand.run(one)
    stand.put(given(2).finished())
    stand.run(one)
    assert stand.collector.chats() == 1


def test_what_is_rejected_is_counted_and_the_next_goes_on(stand: Stand) -> None:
    one = stand.follower()
    one.step()
    stand.collector.answers = [Answer(accepted=False, rejected=1, said="the collector refuses with 400")]
    stand.put(given(1).finished())
    stand.run(one)
    assert (stand.standing.rejected_spans, stand.standing.said) == (1, "the collector refuses with 400")
    stand.put(given(2).finished())
    stand.run(one)
    assert (stand.collector.chats(), stand.standing.sent_spans) == (1, 1)


def test_the_end_sends_what_waits(stand: Stand) -> None:
    rests = iter([False, False, True])
    calls = iter([None, (given(1).finished(),), (given(2).finished(),)])

    def rest(_: float) -> bool:
        more = next(calls)
        if more is not None:
            stand.put(*more)
        return next(rests)

    follow(stand.follower, rest)
    assert stand.collector.names == ["chat claude-sonnet-4-5"] * 2 + ["invoke_agent"] * 1 + ["invoke_workflow"]


def test_a_database_that_is_not_there_yet_is_waited_for(stand: Stand) -> None:
    tries: list[int] = []

    def make() -> Follower:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable("not there yet")
        return stand.follower()

    rests: Callable[[float], bool] = lambda _: len(tries) == 3  # noqa: E731 - as short as it is
    follow(make, rests)
    assert len(tries) == 3


def test_what_the_ring_forgot_is_missed_and_counted_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "RING_EVENTS", 60)
    monkeypatch.setattr(ring, "TRIM_EVENTS", 10)
    monkeypatch.setattr(following, "WAITING_MAX", 5)
    path = tmp_path / "traces.db"
    store = SqliteStore(path)
    stand = Stand(store, SqliteReader(path), tmp_path / "otlp.json")
    stand.put(given(1).finished())
    one = stand.follower()
    one.step()
    stand.collector.answers = [LATER] * 10
    for number in range(2, 202):
        stand.put(given(number).finished())
        if number % 40 == 0:
            stand.clock.go(3)
            one.step()
    stand.collector.answers = []
    for _ in range(60):
        stand.run(one, 11)
    sent = stand.collector.chats()
    assert 5 <= sent < 200
    assert stand.standing.missed_calls == 200 - sent
    stand.reader.close()
    store.close()
