"""Every subscriber gets every event after its number, in order, each exactly once, or a reset; never a gap, never unbounded memory.

One poller reads each new event once and hands it to the subscribers that are up to date. A subscriber that is behind
(it just came, or reads slowly) follows the store by itself until it has caught up, and only then joins the others: the
check and the joining happen in one step of the loop, so nothing can fall between. Too far behind, it gets a reset.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from modular_agents.proxy.dashboard.reading import Answer, Readers
from modular_agents.proxy.dashboard.shapes import HelloMessage, PingMessage, ResetMessage
from modular_agents.proxy.errors import ProxyError
from modular_agents.proxy.model.event import Event
from modular_agents.proxy.ports import Reader

MAX_SUBSCRIBERS = 200
"""WebSockets at once; a forgotten script must not exhaust descriptors."""

Send = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, how much at once, how much may wait."""

    poll_s: float = 0.05
    """20 times a second: quicker than the eye, and one cheap read each."""
    retry_s: float = 0.5
    """The store is away (moved, locked, not there yet): ask again twice a second."""
    batch_events: int = 500
    """Read at once; about 0.5 MB of call rows."""
    batch_chars: int = 256 * 1024
    """Rows in one message: well below the 1 MiB at which many clients refuse a message."""
    queue_batches: int = 64
    """Batches that wait for one slow page: 3 s of polls. Then it follows the store by itself."""
    queue_chars: int = 2 * 1024 * 1024
    """Text that waits for one slow page; 50 stalled pages hold 100 MB at most."""
    catch_up_events: int = 5000
    """More missed events than this cost the page more than fetching its lists again."""
    ping_s: float = 15.0
    """Silence after which a page is told that it is up to date."""


USUAL_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Batch:
    """Events `first`..`last` (numbers may have holes), with the message that tells all of them."""

    first: int
    last: int
    events: tuple[Event, ...]
    message: str

    def after(self, seq: int) -> str | None:
        """Return the message with events after `seq` only; None when there is none."""
        if seq < self.first:
            return self.message
        rest = [event for event in self.events if event.seq > seq]
        return encode_events(rest) if rest else None


def encode_events(events: Sequence[Event]) -> str:
    """Return an `EventsMessage` as JSON text; the rows are already JSON and are put in as they are."""
    return '{"type":"events","items":[' + ",".join(_encode_event(event) for event in events) + "]}"


def _encode_event(event: Event) -> str:
    trace_id, call_id = (msgspec.json.encode(value).decode() for value in (event.trace_id, event.call_id))
    return f'{{"seq":{event.seq},"kind":"{event.kind}","trace_id":{trace_id},"call_id":{call_id},"row":{event.body}}}'


def make_batches(events: Sequence[Event], most_chars: int) -> Iterator[Batch]:
    """Yield batches whose rows have at most `most_chars` together; a longer row is alone in its batch."""
    first, chars = 0, 0
    for number, event in enumerate(events):
        if number > first and chars + len(event.body) > most_chars:
            yield _make_batch(events[first:number])
            first, chars = number, 0
        chars += len(event.body)
    if first < len(events):
        yield _make_batch(events[first:])


def _make_batch(events: Sequence[Event]) -> Batch:
    return Batch(events[0].seq, events[-1].seq, tuple(events), encode_events(events))


def _text(message: object) -> str:
    return msgspec.json.encode(message).decode()


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at the store shows: events after a number, and how far it reaches."""

    events: Sequence[Event]
    floor: int
    last: int
    is_broken: bool
    """What came after the number cannot be told whole: forgotten, of another database, or of rows that are gone."""


def look(after: int, limit: int) -> Callable[[Reader], Glance]:
    """Return a question for `Readers.ask`.

    The floor is read after the events: what it has passed meanwhile may be missing. The end is read before them too: events
    up to there that are not told have lost their rows, and nothing says how many.
    """

    def question(reader: Reader) -> Glance:
        _, known = reader.seq()
        events = reader.events(after, limit)
        floor, last = reader.seq()
        return Glance(events, floor, last, not floor <= after <= last or (not events and known > after))

    return question


class Subscriber:
    """A queue with bounds. `overflowed` means: what came since was thrown away, follow the store instead."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waiting: deque[Batch] = deque()
        self._chars = 0
        self.overflowed = False
        self.woken = asyncio.Event()

    def offer(self, batch: Batch) -> None:
        """Take a batch, or overflow."""
        self._chars += len(batch.message)
        if self.overflowed or len(self._waiting) >= self._pace.queue_batches or self._chars > self._pace.queue_chars:
            self.overflow()
            return
        self._waiting.append(batch)
        self.woken.set()

    def overflow(self) -> None:
        """Throw away what waits."""
        self._waiting.clear()
        self._chars = 0
        self.overflowed = True
        self.woken.set()

    def take(self) -> Batch | None:
        """Return the next batch, or None."""
        if not self._waiting:
            self.woken.clear()
            return None
        batch = self._waiting.popleft()
        self._chars -= len(batch.message)
        return batch


class Live:
    """The poller and its subscribers. `watching` has one thread: its reader's `version()` is compared with itself."""

    def __init__(self, watching: Readers, reading: Readers, pace: Pace = USUAL_PACE) -> None:
        self._pace = pace
        self._watching = watching
        self._reading = reading
        self._joined: set[Subscriber] = set()
        self._followers = 0
        self._position: int | None = None
        """Newest number that joined subscribers were told; None while nobody polls."""
        self._wanted = asyncio.Event()

    @property
    def follower_count(self) -> int:
        """Connections being served."""
        return self._followers

    async def poll(self) -> None:
        """Run for the life of the server. Asks nothing of the store while nobody watches."""
        version: int | None = None
        while True:
            if not self._followers:
                self._position = version = None
                self._wanted.clear()
                await self._wanted.wait()
            try:
                seen = await self._watching.ask(lambda reader: reader.version())
                if seen != version:
                    await self._tell_news()
                    version = seen
                await asyncio.sleep(self._pace.poll_s)
            except ProxyError:
                version = None
                await asyncio.sleep(self._pace.retry_s)

    async def _tell_news(self) -> None:
        """Hand every event after the position to the joined subscribers."""
        if self._position is None:
            self._position = (await self._watching.ask(lambda reader: reader.seq()))[1]
        while True:
            glance = await self._watching.ask(look(self._position, self._pace.batch_events))
            if glance.is_broken:
                self._position = glance.last
                for subscriber in self._joined:
                    subscriber.overflow()
                return
            if not glance.events:
                return
            for batch in make_batches(glance.events, self._pace.batch_chars):
                for subscriber in self._joined:
                    subscriber.offer(batch)
            self._position = glance.events[-1].seq

    async def follow(self, after: int | None, send: Send) -> None:
        """Serve one connection until `send` raises: events after `after`, or from now on. Cancel it to end it."""
        self._followers += 1
        self._wanted.set()
        subscriber = Subscriber(self._pace)
        try:
            floor, last = await self._ask_patiently(lambda reader: reader.seq())
            await send(_text(HelloMessage("hello", floor, last)))
            cursor = last if after is None else after
            while True:
                cursor = await self._catch_up(subscriber, cursor, send)
                cursor = await self._stay(subscriber, cursor, send)
        finally:
            self._joined.discard(subscriber)
            self._followers -= 1

    async def _catch_up(self, subscriber: Subscriber, cursor: int, send: Send) -> int:
        """Follow the store from `cursor` until nothing is missing, then join; returns the new cursor."""
        self._joined.discard(subscriber)
        subscriber.overflowed = False
        while True:
            if self._position is not None and cursor >= self._position:
                self._joined.add(subscriber)
                return cursor
            glance = await self._ask_patiently(look(cursor, self._pace.batch_events))
            if glance.is_broken or glance.last - cursor > self._pace.catch_up_events:
                await send(_text(ResetMessage("reset", glance.floor, glance.last)))
                cursor = glance.last
            elif glance.events:
                for batch in make_batches(glance.events, self._pace.batch_chars):
                    await send(batch.message)
                cursor = glance.events[-1].seq
            else:
                await asyncio.sleep(self._pace.poll_s)

    async def _stay(self, subscriber: Subscriber, cursor: int, send: Send) -> int:
        """Send what the poller hands over until the queue overflows; returns the cursor to catch up from."""
        while not subscriber.overflowed:
            batch = subscriber.take()
            if batch is not None:
                message = batch.after(cursor)
                if message is not None:
                    await send(message)
                cursor = max(cursor, batch.last)
                continue
            try:
                async with asyncio.timeout(self._pace.ping_s):  # wait_for of Python 3.11 can lose a cancellation
                    await subscriber.woken.wait()
            except TimeoutError:
                await send(_text(PingMessage("ping", cursor)))
        return cursor

    async def _ask_patiently(self, question: Callable[[Reader], Answer]) -> Answer:
        """Ask until the store answers."""
        while True:
            try:
                return await self._reading.ask(question)
            except ProxyError:
                await asyncio.sleep(self._pace.retry_s)
