"""The law of the live feed: whatever happens in the store and however slowly a page reads, it misses nothing and sees nothing twice."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import TypeVar

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fake_reader import FakeStore

from modular_agents.proxy.dashboard.live import Live, Pace
from modular_agents.proxy.dashboard.reading import Readers
from modular_agents.proxy.dashboard.shapes import DeltaEvent
from modular_agents.proxy.ports import Reader

Answer = TypeVar("Answer")

TIGHT = Pace(poll_s=0, retry_s=0, batch_events=3, queue_batches=2, batch_chars=400, queue_chars=2000, catch_up_events=9, ping_s=0.001)
"""So tight that every bound is met within a few events."""
DEADLINE_S = 30


class InlineReaders(Readers):
    """Reads on the loop, after a random number of its turns: the interleavings a thread could give, and repeatable."""

    def __init__(self, store: FakeStore, dice: random.Random) -> None:
        super().__init__(store.reader, threads=1)
        self._store = store
        self._dice = dice

    async def ask(self, question: Callable[[Reader], Answer]) -> Answer:
        await turns(self._dice.randrange(4))
        answer = question(self._store.reader())
        await turns(self._dice.randrange(4))
        return answer


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Page:
    """A page that keeps the rules of docs/api.md, reads slowly at times, and notices every gap and every repetition."""

    def __init__(self, store: FakeStore, live: Live, dice: random.Random) -> None:
        self._store, self._live, self._dice = store, live, dice
        self.snapshot = store.last
        self.seen: set[int] = set()
        self.resets = 0
        self._newest = 0
        self._following: asyncio.Task[None] | None = None

    def connect(self) -> None:
        self._newest = max({self.snapshot, *self.seen})
        self._following = asyncio.create_task(self._live.follow(self._newest, self._receive))

    async def disconnect(self) -> None:
        assert self._following is not None
        self._following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._following

    async def _receive(self, text: str) -> None:
        await turns(self._dice.choice([0, 0, 1, 40]))
        message = msgspec.json.decode(text)
        match message["type"]:
            case "events":
                for item in message["items"]:
                    event = msgspec.convert(item, DeltaEvent)
                    assert event.seq > self._newest, "told twice, or out of order"
                    self._newest = event.seq
                    self.seen.add(event.seq)
            case "reset":
                assert message["last"] >= message["floor"]
                self.resets += 1
                self._newest = message["last"]
                await turns(self._dice.randrange(10))
                self.snapshot = self._store.last

    def is_complete(self, told: set[int]) -> bool:
        return all(seq <= self.snapshot or seq in self.seen for seq in told)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 14), st.integers(1, 3)),
        st.tuples(st.just("prune"), st.integers(0, 12), st.just(0)),
        st.tuples(st.just("reconnect"), st.integers(0, 2), st.integers(0, 30)),
        st.tuples(st.just("burst"), st.integers(2, 9), st.integers(1, 8)),
        st.tuples(st.just("vanish"), st.integers(1, 9), st.integers(1, 3)),
        st.tuples(st.just("lose"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 60), st.just(0)),
    ),
    max_size=25,
)


def change(store: FakeStore, told: set[int], verb: str, first: int, second: int) -> None:
    """Do one thing to the store, in one step of the loop; `told` collects the numbers of events that a page must not miss."""
    before = store.last
    match verb:
        case "add":
            store.add(first, second)
            told |= set(range(before + second, store.last + 1, second))
        case "burst":
            store.add(first)
            store.prune(store.last - second)
            told |= set(range(before + 1, store.last + 1))
        case "prune":
            store.prune(store.last - first)
        case "vanish":
            store.add(first)
            store.lose_rows(first)
            store.add(second)
            told |= set(range(before + first + 1, store.last + 1))
        case "lose":
            told -= {event.seq for event in store.events[len(store.events) - first :]}
            store.lose_rows(first)


async def run(steps: list[tuple[str, int, int]], seed: int) -> list[Page]:
    dice, store, told = random.Random(seed), FakeStore(), set[int]()
    live = Live(InlineReaders(store, dice), InlineReaders(store, dice), TIGHT)
    polling = asyncio.create_task(live.poll())
    pages = [Page(store, live, dice) for _ in range(3)]
    for page in pages:
        page.connect()
    for verb, first, second in steps:
        if verb == "reconnect":
            await pages[first].disconnect()
            await turns(second)
            pages[first].connect()
        else:
            change(store, told, verb, first, second)
        await turns(first if verb == "wait" else dice.randrange(6))
    async with asyncio.timeout(DEADLINE_S):
        while not all(page.is_complete(told) for page in pages):
            assert not polling.done()
            await asyncio.sleep(0)
    for page in pages:
        await page.disconnect()
    polling.cancel()
    assert live.follower_count == 0
    return pages


@settings(max_examples=150, deadline=None)
@given(actions, st.integers(0, 2**32))
def test_nothing_is_missed_and_nothing_told_twice(steps: list[tuple[str, int, int]], seed: int) -> None:
    asyncio.run(run(steps, seed))


def test_a_page_too_far_behind_gets_a_reset() -> None:
    pages = asyncio.run(run([("add", 14, 1), ("reconnect", 0, 0), ("add", 14, 1)] * 5, 1))
    assert any(page.resets for page in pages)
