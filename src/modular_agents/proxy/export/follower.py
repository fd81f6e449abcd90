"""Every call goes to a collector when it has ended: a process of its own follows the store's events, like a page does.

Recording never waits for it: it reads, and remembers a number. While the collector is away it reads no further, so what waits is bounded;
what the ring of events forgets meanwhile is missed, and the count of missed calls is exact (what ended, less what was taken up). A call
waits a moment before it is sent, so that linking has found its place. Agents and traces are sent when they have been quiet, and again
with the same ids when they go on.
"""

import logging
import os
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from modular_agents.proxy.config import OtlpSettings
from modular_agents.proxy.errors import ProxyError
from modular_agents.proxy.export.collector import Answer, Collector, content_is_wanted, pause_s, target_of, usual_dice
from modular_agents.proxy.export.otlp import BATCH_BYTES, BATCH_SPANS, Batch, pack
from modular_agents.proxy.export.spans import Spans
from modular_agents.proxy.export.spelling import span_ms
from modular_agents.proxy.export.standing import Standing, read_standing, write_standing
from modular_agents.proxy.model.event import EventKind
from modular_agents.proxy.model.query import CallRow, StatsQuery
from modular_agents.proxy.ports import Clock, Reader

SETTLE_NS = 2_000_000_000
"""A call that has ended waits so long for linking to move it."""
QUIET_NS = 10_000_000_000
"""A trace in which nothing ended for so long has its agents sent."""
WAITING_MAX = 1000
"""Calls that are taken up and not sent; no more events are read meanwhile."""
TRACES_MAX = 1000
"""Traces that wait to be quiet; more, and the one that waited longest is sent."""
RECENT, RECENT_KEPT = 100_000, 1000
"""Calls taken up last, remembered here (some 10 MB) and over a restart."""
OLD_S = 3600.0
"""A call that ended so long before one that was taken up is no new one: linking moved it (`model.link.LATE_NS`)."""
EVENTS = 500
"""Read at a time."""
LOOK_S = 0.5
"""How often new events are looked for."""
COUNT_NS = 10_000_000_000
"""How often it is counted whether anything was missed."""
TRIES_TO_COUNT = 5

_log = logging.getLogger("anton.otlp")
_ROW = msgspec.json.Decoder(CallRow)


class Offers(Protocol):
    """`collector.Collector`, as seen from here."""

    def offer(self, batch: Batch) -> Answer:
        """Send a batch once."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    call_id: str
    trace_id: str
    seq: int
    due_ns: int


class Follower:
    """Follows one database. `standing` is kept at `path`; `dice` gives 0 to 1."""

    def __init__(
        self,
        reader: Reader,
        collector: Offers,
        standing: Standing,
        path: Path,
        clock: Clock,
        dice: Callable[[], float],
        *,
        content: bool = False,
    ) -> None:
        self._reader, self._collector, self._clock, self._dice = reader, collector, clock, dice
        self._standing, self._path = standing, path
        self._spans = Spans(reader.call, content=content)
        self._read = standing.seq
        self._waiting: deque[_Waiting] = deque()
        self._recent: OrderedDict[str, None] = OrderedDict.fromkeys(standing.recent)
        self._traces: OrderedDict[str, int] = OrderedDict.fromkeys(standing.open_traces, clock.monotonic_ns())
        self._attempt = 0
        self._counted_ns = 0

    def step(self) -> float:
        """Do what there is to do; return how long to rest, in seconds. Raises what a store raises: call again later."""
        if self._standing.seq < 0 and not self._begin():
            return LOOK_S
        self._take_up()
        pause = self._send_due()
        if pause is None:
            pause = self._send_quiet(QUIET_NS)
        self._count()
        return LOOK_S if pause is None else pause

    def finish(self) -> None:
        """Send what waits, each batch once, quiet or not: the proxy stops. Raises as `step`."""
        if self._standing.seq < 0:
            return
        self._take_up()
        while self._waiting:
            if self._send(len(self._waiting)) is not None:
                return
        self._send_quiet(0)
        self._count()

    def _begin(self) -> bool:
        """Start here and now: what ended before is not pushed. Return False when it is too lively to say where that is."""
        calls, seq = self._ended()
        if calls < 0:
            return False
        self._standing.base, self._standing.seq, self._standing.seen = calls, seq, 0
        self._read = seq
        self._keep()
        return True

    def _ended(self) -> tuple[int, int]:
        """Return how many calls have ever ended here, and the newest event's number, of one moment; (-1, -1) when none was quiet."""
        for _ in range(TRIES_TO_COUNT):
            before = self._reader.seq()[1]
            calls = self._reader.stats(StatsQuery(step_hours=0)).total.calls
            after = self._reader.seq()[1]
            if before == after:
                return calls, after
        return -1, -1

    def _take_up(self, until: int | None = None) -> None:
        """Read events, up to one that is named, as long as there is room for what they tell of."""
        floor, last = self._reader.seq()
        if last < self._read:  # another file lies there now: it is followed from its beginning
            self._standing.base = self._standing.seen = 0
            self._read = 0
        self._read = max(self._read, floor)
        last = last if until is None else min(last, until)
        while self._read < last and len(self._waiting) < WAITING_MAX:
            events = self._reader.events(self._read, EVENTS)
            now_ns = self._clock.monotonic_ns()
            for event in events:
                if event.kind == EventKind.CALL and event.seq <= last:
                    self._hear(_ROW.decode(event.body), event.seq, now_ns)
            self._read = min(last, events[-1].seq if events else self._read + EVENTS)  # those whose calls are gone are not given out

    def _hear(self, row: CallRow, seq: int, now_ns: int) -> None:
        if row.status == "running" or row.ended_at is None or row.call_id in self._recent:
            return
        if self._standing.newest_end and span_ms(row.ended_at, self._standing.newest_end) > OLD_S * 1000:
            return
        self._standing.newest_end = max(self._standing.newest_end, row.ended_at)
        self._remember(row.call_id)
        self._waiting.append(_Waiting(row.call_id, row.trace_id, seq, now_ns + SETTLE_NS))

    def _remember(self, call_id: str) -> None:
        self._recent[call_id] = None
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def _send_due(self) -> float | None:
        """Send the calls that have waited long enough; return a pause that the collector needs."""
        now_ns = self._clock.monotonic_ns()
        while due := sum(one.due_ns <= now_ns for one in self._waiting):
            pause = self._send(due)
            if pause is not None:
                return pause
        if not self._waiting:
            self._done(self._read)
        return None

    def _send(self, most: int) -> float | None:
        """Send a batch of what waits; return a pause when it was not settled."""
        spans: list[Span] = []
        size = taken = gone = 0
        for one in list(self._waiting)[:most]:
            detail = self._reader.call(one.call_id)
            new = [] if detail is None else self._spans.of_call(detail)
            size += sum(span.ByteSize() for span in new)
            if spans and (len(spans) + len(new) > BATCH_SPANS or size > BATCH_BYTES):
                break
            spans += new
            taken += 1
            gone += detail is None  # retention was faster: it counts as missed
        pause = self._offer(spans)
        if pause is not None:
            return pause
        self._standing.seen += taken - gone
        now_ns = self._clock.monotonic_ns()
        for _ in range(taken):
            one = self._waiting.popleft()
            self._traces[one.trace_id] = now_ns
            self._traces.move_to_end(one.trace_id)
        self._done(self._waiting[0].seq - 1 if self._waiting else self._read)
        return None

    def _send_quiet(self, quiet_ns: int) -> float | None:
        """Send the agents of traces that have been quiet; return a pause that the collector needs."""
        now_ns = self._clock.monotonic_ns()
        while self._traces:
            trace_id, since_ns = next(iter(self._traces.items()))
            if now_ns - since_ns < quiet_ns and len(self._traces) <= TRACES_MAX:
                return None
            detail = self._reader.trace(trace_id)
            if detail is not None and detail.trace.running_count and quiet_ns and len(self._traces) <= TRACES_MAX:
                self._traces[trace_id] = now_ns
                self._traces.move_to_end(trace_id)
                return None
            pause = self._offer(self._spans.of_agents(detail) if detail is not None else [])
            if pause is not None:
                return pause
            del self._traces[trace_id]
            self._keep()
        return None

    def _offer(self, spans: list[Span]) -> float | None:
        """Offer spans once; return a pause when the collector wants them later."""
        standing = self._standing
        if not spans:
            return None
        answer = self._collector.offer(pack(spans))
        if answer.retry_after_s is not None:
            if answer.said != standing.said:
                _log.warning("%s; calls wait for it", answer.said)
            standing.said = answer.said
            self._keep()
            pause = pause_s(self._attempt, answer.retry_after_s, self._dice())
            self._attempt += 1
            return pause
        self._attempt = 0
        standing.sent_spans += len(spans) - answer.rejected
        standing.rejected_spans += answer.rejected
        if answer.said and answer.said != standing.said:
            _log.warning("the collector left out %d spans: %s", answer.rejected, answer.said)
        standing.said = answer.said
        return None

    def _count(self) -> None:
        """Count what was missed: what has ended, less what was taken up, when all events up to one moment have been read."""
        now_ns = self._clock.monotonic_ns()
        if self._counted_ns and now_ns - self._counted_ns < COUNT_NS:
            return
        calls, seq = self._ended()
        if calls < 0 or seq < self._read:
            return
        self._take_up(seq)
        if self._read != seq:
            return
        self._counted_ns = now_ns
        missed = max(0, calls - self._standing.base - self._standing.seen - len(self._waiting))
        if missed != self._standing.missed_calls:
            if missed > self._standing.missed_calls:
                _log.warning("%d calls were not sent: their events were gone before the collector took them", missed)
            self._standing.missed_calls = missed
            self._keep()

    def _done(self, seq: int) -> None:
        if seq != self._standing.seq or len(self._waiting) != self._standing.waiting_calls:
            self._standing.seq = seq
            self._keep()

    def _keep(self) -> None:
        """Write down how it stands. A disk that does not take it costs spans that come twice, no more."""
        standing = self._standing
        standing.waiting_calls = len(self._waiting)
        waiting = {one.call_id for one in self._waiting}
        newest = islice((call_id for call_id in reversed(self._recent) if call_id not in waiting), RECENT_KEPT)
        standing.recent = tuple(reversed(tuple(newest)))
        standing.open_traces = tuple(self._traces)
        try:
            write_standing(self._path, standing)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror)


def run(settings: bytes, open_reader: Callable[[Path], Reader], clock: Clock, rest: Callable[[float], bool]) -> int:
    """Send calls to a collector until `rest` says to stop; return the exit code. settings: `OtlpSettings` as JSON. Raises `UsageError`."""
    told = msgspec.json.decode(settings, type=OtlpSettings)
    collector, path = Collector(target_of(told.endpoint, os.environ)), Path(told.standing)

    def make() -> Follower:
        standing = read_standing(path) or Standing()
        standing.target = collector.target.shown
        return Follower(open_reader(Path(told.db)), collector, standing, path, clock, usual_dice, content=content_is_wanted(os.environ))

    try:
        follow(make, rest)
    finally:
        collector.close()
    return 0


def follow(make: Callable[[], Follower], rest: Callable[[float], bool]) -> None:
    """Follow until `rest` says to stop. `make` may raise `ProxyError` while there is no database yet."""
    follower: Follower | None = None
    stopping = False
    while not stopping:
        pause = LOOK_S
        try:
            follower = follower or make()
            pause = follower.step()
        except ProxyError as error:
            _log.debug("the database cannot be read now: %s", error)
        stopping = rest(pause)
    if follower is not None:
        try:
            follower.finish()
        except ProxyError as error:
            _log.warning("the last calls were not sent: %s", error)
