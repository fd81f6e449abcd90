"""From frames to commit, one batch at a time: rows, live text and the journal position land in the store together or not at all.

    journal.poll → assemble → redact → read (wire) → place (linking) → price → store → journal.release

A batch that the store does not take now is kept and offered again, and nothing more is read meanwhile: memory stays
bounded and the journal waits. A call on which one of our rooms fails is stored bare; it never takes its batch along.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from modular_agents.proxy.errors import NotStored, ProxyError
from modular_agents.proxy.journal.cursor import Piece
from modular_agents.proxy.model.call import Call, Cost, Delta, Status
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Candidate, LinkChanges, Linked, Lookup
from modular_agents.proxy.model.quick import changed
from modular_agents.proxy.ports import Clock, JournalPosition, OpenCall, Store, Transaction
from modular_agents.proxy.recorder.assemble import Answering, Asked, Assembler, Change, Ended, Grew
from modular_agents.proxy.recorder.bare import alone, bare_call, guarded
from modular_agents.proxy.recorder.live import LiveCall, Reads, Version
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.recorder.turns import Turns

POLL_BYTES = 4 * 1024 * 1024
"""Read from the journal at a time: as frames about twice that in memory, some 20 ms of work."""
BATCH_BYTES = 32 * 1024 * 1024
"""Bodies that one batch may hold: a single call can have twice 16 MB, so a batch is at most about this and one call more."""
LAZY_NS = 1_000_000_000
"""Progress that shows nobody anything new (half a request, bytes without text) is committed this often."""
MOST_CONNECTIONS = 5_000
"""Connections whose process is remembered; beyond it the one that was not used for longest is forgotten."""
TIDY_NS = 1_000_000_000
"""How often segments are deleted and lost ends looked for."""

_log = logging.getLogger(__name__)


class Journal(Protocol):
    """`journal.reader.JournalReader`, as seen from here."""

    def poll(self, max_bytes: int) -> list[Piece]:
        """Return what was appended."""

    def again(self, open_calls: Iterable[OpenCall]) -> Iterator[Piece]:
        """Yield once more what the position contains of open calls."""

    def payload_at(self, segment: str, offsets: Sequence[int]) -> list[bytes]:
        """Return payloads once more."""

    def release(self, committed: Mapping[str, int], needed: Collection[str]) -> list[str]:
        """Delete what is needed no more."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the pure rooms do, by name: reading, linking, pricing."""

    start: Callable[[Exchange], Reads]
    link: Callable[[Call, Callable[[Lookup], Sequence[Candidate]], object], Linked]
    """(call, find, as gathered): says where a call stands."""
    price: Callable[[Call], Cost]
    revise: Callable[[Linked, Callable[[Lookup], Sequence[Candidate]], Callable[[LinkChanges], None]], None]
    """(as stored, find, relink): changes what a call shows in another light."""
    gather: Callable[[Call, object], object] = lambda _call, _before: None
    """(call, as gathered of an earlier version): what `link` reads of a call alone."""


@dataclass(slots=True)
class Tally:
    """What this recorder has done since it began."""

    batches: int = 0
    calls_ended: int = 0
    bare_calls: int = 0
    """Stored with less than they hold, because one of our rooms failed."""
    skipped_calls: int = 0
    """Not stored at all: the store itself fails on them."""


@dataclass(slots=True)
class _Batch:
    position: JournalPosition
    versions: list[Version] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    gathered: dict[str, object] = field(default_factory=dict)
    """What linking read of these versions, one after the other: what it works with is at hand then, which saves a third of the time."""
    costs: dict[str, Cost] = field(default_factory=dict)
    """Likewise, what they cost."""
    spared: set[str] = field(default_factory=set)
    """Calls that were replaced by their bare form because the store failed on them."""
    is_part: bool = False
    """One version of a batch that failed at its end: it is known whose fault it is."""


class Pipeline:
    """Brings one journal into one store, both standing at `position`."""

    def __init__(
        self,
        journal: Journal,
        store: Store,
        position: JournalPosition,
        rooms: Rooms,
        redactor: Redactor,
        clock: Clock,
        callers: Callable[[], list[Caller]] = list,
    ) -> None:
        self.tally = Tally()
        self._callers = callers
        self._processes: dict[str, str] = {}
        """By connection: which process made it."""
        self._gathered: dict[str, object] = {}
        """Of open calls."""
        self.journal, self._store, self._rooms, self._clock = journal, store, rooms, clock
        self._redactor, self._turns = redactor, Turns()
        self.assembler = Assembler(self.journal.payload_at, position)
        self._live: dict[str, LiveCall] = {}
        self._committed = position
        self._waiting: _Batch | None = None
        self.versions = self.changes = 0
        """How many versions of calls the last batch brought, and with the pieces of running ones."""
        self._moved = False
        """Whether the position moved since the last commit."""
        self._untidy = False
        """Whether the store has more housekeeping to do, for when there is nothing to write."""
        self._committed_ns = self._tidied_ns = clock.monotonic_ns()
        self._resume(position)

    def step(self) -> bool:
        """Bring one batch from frames to commit; return whether there was anything to do.

        Raises `StoreUnavailable` (call again later: nothing is lost) or `StoreDamaged`.
        """
        if self._waiting is None:
            self._waiting = self._next_batch()
        worked = self._waiting is not None
        if self._waiting is not None:
            self._commit(self._waiting)
            self.versions = len(self._waiting.versions)
            self.changes = self.versions + len(self._waiting.deltas)
            self._waiting = None
        if self._clock.monotonic_ns() - self._tidied_ns > TIDY_NS:
            self._tidy(is_idle=not worked)
        elif self._untidy and not worked:
            self._untidy = self._store.tidy()
        return worked

    def finish(self) -> None:
        """Commit what nobody has seen a change of, and delete what is needed no more. Raises as `step`."""
        if self._moved:
            self._commit(_Batch(self.assembler.position()))
        self._tidy(is_idle=True)

    def _tidy(self, *, is_idle: bool) -> None:
        self._tidied_ns = self._clock.monotonic_ns()
        self.assembler.forget(self.journal.release(self._committed.offsets, self.assembler.needed_segments()))
        self._untidy = self._store.tidy(is_idle=is_idle) or not is_idle

    def _next_batch(self) -> _Batch | None:
        now_ns = self._clock.monotonic_ns()
        if not self.assembler.has_more:
            pieces = self.journal.poll(POLL_BYTES)
            self.assembler.give(pieces)
            self._moved = self._moved or bool(pieces)
        changes = self.assembler.take(BATCH_BYTES, now_ns)
        if now_ns - self._tidied_ns > TIDY_NS:
            changes += self.assembler.expire(now_ns)
        versions, deltas = self._read(changes)
        callers = self._callers()
        self._know(callers)
        is_due = self.assembler.has_more or (self._moved and now_ns - self._committed_ns >= LAZY_NS)
        if not (versions or deltas or callers or is_due):
            return None
        versions = [self._by_whom(version) for version in versions]
        costs = {version.call.call_id: self._price(version.call) for version in versions}
        return _Batch(self.assembler.position(), versions, deltas, callers, self._gather(versions), costs)

    def _gather(self, versions: Iterable[Version]) -> dict[str, object]:
        """Let linking read the versions of a batch."""
        gathered: dict[str, object] = {}
        gather, open_calls = self._rooms.gather, self._gathered
        for version in versions:
            call = version.call
            before = open_calls.pop(call.call_id, None)
            gathered[call.call_id] = now = guarded(call.call_id, lambda: gather(call, before), lambda: None)  # noqa: B023 - called at once
            if call.status is Status.RUNNING:
                open_calls[call.call_id] = now
        return gathered

    def _price(self, call: Call) -> Cost:
        return guarded(call.call_id, lambda: self._rooms.price(call), lambda: Cost(None, why="pricing failed on this call"))

    def _know(self, callers: Iterable[Caller]) -> None:
        self._processes |= {caller.connection_id: caller.process for caller in callers}
        while len(self._processes) > MOST_CONNECTIONS:
            del self._processes[next(iter(self._processes))]

    def _by_whom(self, version: Version) -> Version:
        """Return a version that names the process which made the call, as far as it is known."""
        call = version.call
        process = self._processes.pop(call.connection_id, None)
        if process is None:
            return version
        self._processes[call.connection_id] = process
        return Version(changed(call, process=process), version.exchange)

    def _read(self, changes: Iterable[Change]) -> tuple[list[Version], list[Delta]]:
        """Return versions of calls in the order of their times, and what was streamed, one piece per part of an answer."""
        versions: list[Version] = []
        grown: dict[str, LiveCall] = {}
        told = list(self._turns.told(changes))
        ended = self._asked_at_last(told)
        for change in told:
            call_id = change.call_id
            if isinstance(change, Ended):  # the final version stands where the call ended: what it opens comes after
                versions.append(self._final(call_id, change.exchange))
            elif call_id in ended:  # nobody sees it before its end: it is read once, from the whole exchange
                if isinstance(change, Grew) and (live := self._live.get(call_id)) is not None and live.is_answering:
                    live.grew(change.data, change.at_ns)
            elif isinstance(change, Asked):
                live = self._begun(call_id)
                live.asked(change.exchange)
                if begun := live.running():
                    versions.append(begun)
            elif (known := self._live.get(call_id)) is None:
                pass  # an answer to a request that is still being sent: shown at its end
            elif isinstance(change, Answering):
                known.answering(change.exchange)
            elif isinstance(change, Grew):
                known.grew(change.data, change.at_ns)
                grown[call_id] = known
        return versions, self._said(grown)

    def _asked_at_last(self, told: Iterable[Change]) -> set[str]:
        """Read what was asked in calls that end before anybody saw them; return which calls end.

        Of all of them before any answer is read: one kind of work at a time stays in the processor's caches.
        """
        ended = {change.call_id: change.exchange for change in told if isinstance(change, Ended)}
        for call_id, exchange in ended.items():
            if call_id not in self._live:
                self._begun(call_id).asked(exchange)
        return set(ended)

    def _said(self, grown: Mapping[str, LiveCall]) -> list[Delta]:
        """Return what calls have said since the last batch, one piece per part of an answer."""
        deltas: dict[tuple[str, int, str], list[Delta]] = {}
        for call_id, live in grown.items():
            for delta in live.said():
                deltas.setdefault((call_id, delta.part, delta.kind), []).append(delta)
        return [_joined(pieces) for pieces in deltas.values()]

    def _begun(self, call_id: str) -> LiveCall:
        live = self._live[call_id] = LiveCall(call_id, self._rooms.start, self._redactor)
        return live

    def _final(self, call_id: str, exchange: Exchange) -> Version:
        live = self._live.pop(call_id, None)
        if live is None:  # an id that ends twice
            live = LiveCall(call_id, self._rooms.start, self._redactor)
            live.asked(exchange)
        return live.ended(exchange)

    def _commit(self, batch: _Batch) -> None:
        while True:
            current: Version | None = None
            try:
                with self._store.batch() as transaction:
                    transaction.expect([(version.call, version.exchange) for version in batch.versions])
                    for current in batch.versions:
                        self._put(transaction, current, batch)
                    current = None
                    transaction.put_deltas(batch.deltas)
                    if batch.callers:
                        transaction.put_callers(batch.callers)
                    transaction.set_position(batch.position)
            except NotStored as error:
                if not self._spare(batch, next((one for one in reversed(batch.versions) if one.call.call_id == error.call_id), None)):
                    raise
            except ProxyError:
                raise
            except Exception:  # boundary "one batch"
                if not self._spare(batch, current) and not self._part(batch):
                    raise
            else:
                break
        self.tally.batches += 1
        self.tally.calls_ended += sum(version.exchange.outcome is not None for version in batch.versions)
        self._committed, self._committed_ns = batch.position, self._clock.monotonic_ns()
        self._moved = self.assembler.has_more

    def _put(self, transaction: Transaction, version: Version, batch: _Batch) -> None:
        call, rooms = version.call, self._rooms
        gathered, cost = batch.gathered.get(call.call_id), batch.costs.get(call.call_id)
        linked = guarded(call.call_id, lambda: rooms.link(call, transaction.find, gathered), lambda: alone(call))
        cost = self._price(call) if cost is None else cost
        transaction.put_call(call, version.exchange, linked.placement, cost, linked.indexed)
        guarded(call.call_id, lambda: rooms.revise(linked, transaction.find, transaction.relink), lambda: None)

    def _spare(self, batch: _Batch, current: Version | None) -> bool:
        """Change what the store failed on, so that the batch can be tried again; False when there is nothing left to change."""
        if current is None and batch.is_part:
            current = next(iter(batch.versions), None)
        if current is None:
            had_more = bool(batch.deltas or batch.callers)
            if had_more:
                _log.exception("the store failed on live text or on callers; they are left out")
            batch.deltas, batch.callers = [], []
            return had_more
        at, call_id = batch.versions.index(current), current.call.call_id
        if call_id in batch.spared:
            _log.exception("call %s: the store failed on its bare form too; it is NOT recorded", call_id)
            self.tally.skipped_calls += 1
            del batch.versions[at]
        else:
            _log.exception("call %s: the store failed on it; it is recorded bare", call_id)
            self.tally.bare_calls += 1
            batch.spared.add(call_id)
            batch.gathered.pop(call_id, None)
            batch.costs.pop(call_id, None)
            batch.versions[at] = replace(current, call=bare_call(current.exchange, "storing it as read failed inside the proxy"))
        return True

    def _part(self, batch: _Batch) -> bool:
        """Commit the versions of a batch that failed at its end one by one: what waited there may be of any of them.

        Return whether there were any. The position follows with the batch: until then the journal says all of them again.
        """
        has_versions = bool(batch.versions)
        while batch.versions:
            self._commit(replace(batch, position=self._committed, versions=batch.versions[:1], is_part=True))
            del batch.versions[0]
        return has_versions

    def _resume(self, position: JournalPosition) -> None:
        """Get back into the calls that were open: their rows and live text are in the store, the readers are not."""
        frames = self.journal.again(position.open_calls)
        for change in self.assembler.resume(frames, position.open_calls, self._clock.monotonic_ns()):
            self._read([change])


def _joined(pieces: Sequence[Delta]) -> Delta:
    if len(pieces) == 1:
        return pieces[0]
    name = next((piece.name for piece in pieces if piece.name), None)
    return replace(pieces[0], text="".join(piece.text for piece in pieces), name=name)
