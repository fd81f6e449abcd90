"""The smallest store that linking can be run on: what `Transaction.find`, `put_call` and `relink` say, in dictionaries.

An oracle for the engines and a fast bed for properties; it keeps no bodies, and every call is among the latest.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from modular_agents.proxy.linking import read, revise, settle
from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.link import (
    CALLS_BESIDE,
    CALLS_PER_THREAD,
    CALLS_PER_TOKEN,
    CALLS_TOLD,
    NO_PASSING,
    Candidate,
    Indexed,
    LinkChanges,
    Linked,
    Lookup,
    Pair,
    Passing,
)
from modular_agents.proxy.model.trace import Placement


@dataclass(frozen=True, slots=True)
class Row:
    call: Call
    placement: Placement
    indexed: Indexed

    @property
    def call_id(self) -> str:
        return self.call.call_id

    @property
    def started_ns(self) -> int:
        return self.call.started_ns

    @property
    def passing(self) -> Passing:
        return self.indexed.passing or NO_PASSING


Index = dict[int | Pair, set[str]]


@dataclass
class LinkMemory:
    rows: dict[str, Row] = field(default_factory=dict)
    left: Index = field(default_factory=dict)
    asked: Index = field(default_factory=dict)
    watched: Index = field(default_factory=dict)
    pairs: Index = field(default_factory=dict)
    threads: dict[str, set[str]] = field(default_factory=dict)
    keeps_live: bool = False
    """Whether facts are given back as they were, as the store mostly does, and not read from their bytes."""
    gone: set[str] = field(default_factory=set)
    """Calls that are no longer among the latest."""
    read_before: dict[tuple[str, Status], object] = field(default_factory=dict)
    """What was read of versions of calls: it rests on each alone, so many memories may share it."""

    def link(self, call: Call, said: Sequence[Decision] = ()) -> Linked:
        """What the recorder does with a call; with what was `said` of it, what `relink` does."""
        version = (call.call_id, call.status)
        if (was_read := self.read_before.get(version)) is None:
            earlier = self.read_before.get((call.call_id, Status.RUNNING)) if call.status is not Status.RUNNING else None
            was_read = self.read_before[version] = read(call, earlier)
        linked = settle(call, self.find, was_read, said)
        self._put(Row(call, linked.placement, linked.indexed))
        revise(linked, self.find, self.relink)
        return linked

    def forget(self) -> None:
        """Let no call be among the latest any more."""
        for call_id, row in self.rows.items():
            self.rows[call_id] = replace(row, indexed=replace(row.indexed, recent=(), passing=None, texts=(), pairs=()))
        self.gone |= self.rows.keys()
        self.left, self.asked, self.watched, self.pairs = {}, {}, {}, {}
        for call_id, row in self.rows.items():
            for token in row.indexed.tokens:
                self.left.setdefault(token, set()).add(call_id)

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        at_ns = lookup.at_ns
        found: dict[str, None] = {}
        for tokens, sign in ((lookup.earlier, -1), (lookup.ever, -1), (lookup.later, 1), (lookup.ever_later, 1)):
            for token in self.left.keys() & tokens if tokens else ():
                found.update(dict.fromkeys(self._near(self.left[token], at_ns, sign, CALLS_PER_TOKEN)))
        found.update(dict.fromkeys(self._beside(lookup)))
        for some in lookup.pairs:
            for pair in filter(self.pairs.__contains__, some):
                found.update(dict.fromkeys(self._near(self.pairs[pair], at_ns, -1, CALLS_PER_TOKEN)))
        if lookup.thread is not None:
            found.update(dict.fromkeys(self._near(self.threads.get(lookup.thread, ()), at_ns, -1, CALLS_PER_THREAD)))
        found.update(dict.fromkeys(self._concerned(lookup)))
        for call_id in (*lookup.calls, lookup.new):
            if call_id in self.rows:
                found[str(call_id)] = None
        for thread in lookup.members:
            found.update(dict.fromkeys(self.threads.get(thread, ())))
        if lookup.roots:
            roots = (one for one, row in self.rows.items() if row.placement.trace_id in lookup.roots and row.placement.root_id == one)
            found.update(dict.fromkeys(roots))
        return [self._candidate(call_id) for call_id in found]

    def _beside(self, lookup: Lookup) -> Iterator[str]:
        for token in self.left.keys() & lookup.beside if lookup.beside else ():
            others = self.left[token] - {lookup.but}
            for sign in (-1, 1):
                yield from self._near(others, lookup.at_ns, sign, CALLS_BESIDE)

    def _concerned(self, lookup: Lookup) -> Iterator[str]:
        for token in self.asked.keys() & lookup.asking if lookup.asking else ():
            yield from (one for one in self.asked[token] if self.rows[one].started_ns >= lookup.at_ns)
        for token in self.watched.keys() & lookup.asking if lookup.asking else ():
            yield from self.watched[token]
        if lookup.holding:
            told = [row for row in self.rows.values() if row.indexed.texts and row.started_ns > lookup.at_ns]
            told.sort(key=lambda row: (row.started_ns, row.call_id))
            for row in told[-CALLS_TOLD:]:
                if any(f" {one} " in f" {text} " for text in row.indexed.texts for one in lookup.holding):
                    yield row.call_id

    def relink(self, changes: LinkChanges) -> None:
        for change in changes.replaced:
            self._put(replace(self.rows[change.call_id], placement=change.placement, indexed=change.indexed))
        for move in changes.moves:
            for call_id in [*self.threads.get(move.thread_id, ())]:
                row = self.rows[call_id]
                agent = move.named(row.placement.agent_name, is_given=row.placement.agent_given)
                moved = replace(
                    row.placement,
                    thread_id=move.into,
                    trace_id=move.trace_id,
                    root_id=move.root_id,
                    opener_id=move.opener_id,
                    agent_name=agent,
                )
                self._place(replace(row, placement=moved, indexed=replace(row.indexed, live=None)))

    def _put(self, row: Row) -> None:
        old = self.rows.get(row.call_id)
        if row.indexed.passing is None:
            before = old.indexed if old else Indexed()
            kept = replace(row.indexed, passing=before.passing, texts=before.texts, is_told=before.is_told)
            row = replace(row, indexed=kept)
        for index, tokens in _indexes(self, old):
            for token in tokens:
                index[token].discard(row.call_id)
        for index, tokens in _indexes(self, row):
            for token in tokens:
                index.setdefault(token, set()).add(row.call_id)
        self._place(row)

    def _place(self, row: Row) -> None:
        old = self.rows.get(row.call_id)
        if old:
            self.threads[old.placement.thread_id].discard(row.call_id)
        self.threads.setdefault(row.placement.thread_id, set()).add(row.call_id)
        self.rows[row.call_id] = row

    def _near(self, ids: Collection[str], at_ns: int, sign: int, limit: int) -> list[str]:
        if len(ids) == 1:
            return [one for one in ids if sign * (self.rows[one].started_ns - at_ns) >= 0]
        rows = sorted((self.rows[call_id] for call_id in ids), key=lambda row: (row.started_ns, row.call_id), reverse=sign < 0)
        return [row.call_id for row in rows if sign * (row.started_ns - at_ns) >= 0][:limit]

    def _candidate(self, call_id: str) -> Candidate:
        row = self.rows[call_id]
        at = row.placement
        return Candidate(
            call_id,
            row.indexed.facts,
            at.trace_id,
            at.thread_id,
            at.root_id,
            at.opener_id,
            at.agent_name,
            None if call_id in self.gone else row.passing,
            row.indexed.live if self.keeps_live else None,
            (lambda: (row.call.system, row.call.messages)) if row.indexed.is_told and call_id not in self.gone else None,
        )


def _indexes(memory: LinkMemory, row: Row | None) -> Iterable[tuple[Index, Iterable[int | Pair]]]:
    if row is None:
        return ()
    return (
        (memory.left, {*row.indexed.tokens, *row.indexed.recent}),
        (memory.asked, row.passing.asked),
        (memory.watched, row.passing.watched),
        (memory.pairs, row.indexed.pairs),
    )
