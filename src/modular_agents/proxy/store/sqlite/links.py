"""Linking finds earlier calls by tokens, threads and traces: the latest in memory (`store/recent.py`), all others by one index each.

Tokens and facts mean nothing here: they are kept for linking and given back. What is in memory is only ever a copy of what the file says.
"""

import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

import apsw

from modular_agents.proxy.model.link import (
    CALLS_PER_THREAD,
    CALLS_PER_TOKEN,
    NO_PASSING,
    RECENT_TOKENS,
    Candidate,
    Indexed,
    Lookup,
    Pair,
    Passing,
    Told,
)
from modular_agents.proxy.store.recent import Entry, Recent
from modular_agents.proxy.store.rows import CallRecord
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.known import forget_oldest

LIVE = 2000
"""Calls whose facts are kept decoded, some 10 MB."""
DROPPED_PER_CALL = 4
"""How many calls lose what was passing for each call that is new: more than come, so that none is left behind."""
LOADED_AT_ONCE = 500


class Links:
    """Tokens and facts of one writing connection.

    said: reads the system prompt and the messages of a call again. settle: writes everything that waits of calls that were put.
    """

    def __init__(self, db: apsw.Connection, said: Callable[[int], Told], settle: Callable[[], None]) -> None:
        self._db, self._said, self._settle = db, said, settle
        self._sql = statements()
        self._recent = Recent()
        self._live: dict[int, Candidate] = {}
        self._is_loaded = False
        self._new = self._drop_below = self._batches = 0
        self._has_changed = False
        self._standing: dict[int, tuple[int, bytes, bytes]] = {}
        self._passing: dict[int, tuple[int, bytes, bytes, bytes, bytes, bool]] = {}
        self._left: dict[int, tuple[bytes, bytes, int]] = {}
        self._tokens: dict[tuple[int, int, int], bool] = {}
        """Rows of a batch, by call, and of tokens whether they stand: written together, table by table, which takes half the time."""

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        """Return the calls that a look-up finds, each once."""
        if not self._is_loaded:
            self._load()
        if lookup.new is not None:
            return self._candidates(self._new_call(lookup.new, lookup.at_ns))
        numbers = [entry.number for entry in self._recent.find(lookup)]
        if lookup.ever or lookup.ever_later:
            numbers += self._lasting(lookup)
        if lookup.calls or lookup.thread is not None or lookup.members or lookup.roots:
            numbers += self._by_place(lookup)
        return self._candidates(dict.fromkeys(numbers)) if numbers else ()

    def put(self, number: int, record: CallRecord, trace_id: str, indexed: Indexed) -> None:
        """Let the call `number` be found by `indexed` from now on, and no longer by what it was put with before."""
        if not self._is_loaded:
            self._load()
        entry = self._recent.get(record.call_id)
        passing = indexed.passing
        self._has_changed = True
        if entry is None and passing is None:
            self._put_old(number, record, indexed)
            return
        if entry is None:
            entry = self._first_put(number, record, indexed)
        else:
            self._put_again(entry, indexed)
        entry.lasting = indexed.tokens
        left, asking = indexed.tokens + indexed.recent, passing[:2] if passing is not None else None
        self._recent.put(entry, left, indexed.pairs, asking, indexed.texts)
        self._live[number] = Candidate(
            record.call_id,
            indexed.facts,
            trace_id,
            record.thread_id,
            record.root_id,
            record.opener_id,
            record.agent_name,
            Passing(entry.asked, entry.watched),
            indexed.live,
            partial(self._said, number),
        )
        self._bound()

    def moved(self, number: int) -> None:
        """Read again where a call stands: it was moved."""
        self._live.pop(number, None)

    def flush(self) -> None:
        """Drop what served calls that are no longer among the latest."""
        if not self._has_changed:
            return
        self._write()
        self._batches += 1
        self._db.execute(self._sql["count_links"])
        if gone := self._recent.dropped:
            self._db.executemany(self._sql["drop_passing"], [(entry.number,) for entry in gone])
            for entry in gone:
                self.moved(entry.number)
            gone.clear()
        if self._drop_below:
            self._db.execute(self._sql["drop_passed"], (self._drop_below, DROPPED_PER_CALL * max(self._new, 1)))
            if not self._db.changes():
                self._drop_below = 0
        self._new, self._has_changed = 0, False

    def forget(self) -> None:
        """Read again what the file says: the batch was rolled back."""
        self._is_loaded = False
        for rows in (self._standing, self._passing, self._left, self._tokens):
            rows.clear()

    def look_again(self) -> None:
        """Another process has written. What it deleted is not found any more; if it linked calls, everything is read again."""
        self._live.clear()
        if self._is_loaded and self._db.execute(self._sql["links_count"]).get != self._batches:
            self._is_loaded = False

    def drop(self, number: int, call_id: str, started_ns: int) -> None:
        """Let a call be found no more."""
        tokens = self._standing_tokens(number)
        self._db.executemany(self._sql["drop_token"], [(token, started_ns, number) for token in tokens])
        self._db.execute(self._sql["drop_standing"], (number,))
        self._db.execute(self._sql["drop_passing"], (number,))
        self._recent.drop(call_id)
        self.moved(number)

    def _first_put(self, number: int, record: CallRecord, indexed: Indexed) -> Entry:
        """Keep what a call leaves that is not among the latest; nearly always it is new."""
        started_ns = record.started_ns
        entry = Entry(number, record.call_id, started_ns)
        before = self._standing_tokens(number) if started_ns <= self._recent.horizon_ns else ()
        self._put_tokens(entry, before, indexed.tokens)
        self._standing[number] = (number, _pack(indexed.tokens), indexed.facts)
        self._put_passing(number, indexed, indexed.passing or NO_PASSING)
        self._drop_below = min(self._drop_below, number)  # one that comes late is older than those that were read
        self._new += 1
        return entry

    def _put_old(self, number: int, record: CallRecord, indexed: Indexed) -> None:
        """Keep where a call stands now that has left the latest."""
        self._put_tokens(Entry(number, record.call_id, record.started_ns), self._standing_tokens(number), indexed.tokens)
        self._standing[number] = (number, _pack(indexed.tokens), indexed.facts)
        self._write()
        self.moved(number)

    def _standing_tokens(self, number: int) -> tuple[int, ...]:
        self._write()
        packed: bytes | None = self._db.execute(self._sql["standing_tokens"], (number,)).get
        return _unpack(packed) if packed else ()

    def _put_again(self, entry: Entry, indexed: Indexed) -> None:
        number = entry.number
        if entry.lasting != indexed.tokens:
            self._put_tokens(entry, entry.lasting, indexed.tokens)
        self._standing[number] = (number, _pack(indexed.tokens), indexed.facts)
        if indexed.passing is not None:
            self._put_passing(number, indexed, indexed.passing)
        elif (there := self._passing.get(number)) is not None:
            self._passing[number] = (number, _pack(indexed.recent), _joined(indexed.pairs), *there[3:])
        else:
            self._left[number] = (_pack(indexed.recent), _joined(indexed.pairs), number)

    def _put_passing(self, number: int, indexed: Indexed, passing: Passing) -> None:
        asked, watched = passing
        self._passing[number] = (number, _pack(indexed.recent), _joined(indexed.pairs), _pack(asked), _pack(watched), indexed.is_told)
        self._left.pop(number, None)

    def _put_tokens(self, entry: Entry, old: Sequence[int], new: Sequence[int]) -> None:
        rows, started_ns, number = self._tokens, entry.started_ns, entry.number
        for token in old:
            if token not in new:
                rows[token, started_ns, number] = False
        for token in new:
            if token not in old:
                rows[token, started_ns, number] = True

    def _write(self) -> None:
        """Write the rows that wait."""
        for name, waiting in (("put_standing", self._standing), ("put_passing", self._passing), ("put_recent", self._left)):
            if waiting:
                rows = list(waiting.values())
                waiting.clear()
                self._db.executemany(self._sql[name], rows)
        if self._tokens:
            tokens = self._tokens
            self._tokens = {}
            for name, stands in (("drop_token", False), ("add_token", True)):
                if keys := [key for key, is_there in tokens.items() if is_there is stands]:
                    self._db.executemany(self._sql[name], keys)

    def _new_call(self, call_id: str, started_ns: int) -> list[int]:
        entry = self._recent.get(call_id)
        if entry is None and started_ns > self._recent.horizon_ns:
            return []
        return [entry.number] if entry else self._placed("call_number", (call_id,))

    def _lasting(self, lookup: Lookup) -> list[int]:
        recent, at_ns = self._recent, lookup.at_ns
        found: list[int] = []
        if lookup.ever:
            found += [entry.number for entry in recent.earlier(lookup.ever, at_ns)]
            if not found:
                found += self._of_long_ago("left_before", lookup.ever, at_ns)
        if lookup.ever_later:
            found += [entry.number for entry in recent.later(lookup.ever_later, at_ns)]
            if at_ns <= recent.horizon_ns:
                found += self._of_long_ago("left_after", lookup.ever_later, at_ns)
        return found

    def _of_long_ago(self, statement: str, tokens: Collection[int], at_ns: int) -> list[int]:
        if not all(self._tokens.values()):  # what is to be added is among the latest
            self._write()
        return self._numbers(statement, (apsw.carray(array("q", tokens)), at_ns, CALLS_PER_TOKEN - 1))

    def _by_place(self, lookup: Lookup) -> list[int]:
        found: list[int] = []
        for call_id in lookup.calls:
            entry = self._recent.get(call_id)
            found += (entry.number,) if entry else self._placed("call_number", (call_id,))
        if lookup.thread is not None:
            found += self._placed("thread_before", (lookup.thread, lookup.at_ns, CALLS_PER_THREAD))
        for thread in lookup.members:
            found += self._placed("thread_numbers", (thread, lookup.at_ns))
        for trace in lookup.roots:
            found += self._placed("root_numbers", (trace,))
        return found

    def _placed(self, statement: str, values: tuple[Any, ...]) -> list[int]:
        """Return the calls that stand where a statement says."""
        self._settle()
        return self._numbers(statement, values)

    def _numbers(self, statement: str, values: tuple[Any, ...]) -> list[int]:
        return [number for (number,) in self._db.execute(self._sql[statement], values)]

    def _candidates(self, numbers: Iterable[int]) -> list[Candidate]:
        live = self._live
        found: list[Candidate] = []
        missing: list[int] = []
        for number in numbers:
            candidate = live.get(number)
            if candidate is None:
                missing.append(number)
            else:
                found.append(candidate)
        if missing:
            found += self._read(missing)
        return found

    def _read(self, numbers: Sequence[int]) -> list[Candidate]:
        found = []
        self._settle()
        self._write()
        rows: Any = self._db.execute(self._sql["found_calls"], (apsw.carray(array("q", numbers)),))
        for number, is_told, call_id, *standing in rows:
            entry = self._recent.get(call_id)
            passing = Passing(entry.asked, entry.watched) if entry is not None and is_told is not None else None
            said = partial(self._said, number) if passing is not None and is_told else None
            facts, trace_id, thread_id, root_id, opener_id, agent_name = standing
            candidate = Candidate(call_id, facts, trace_id, thread_id, root_id, opener_id, agent_name, passing, None, said)
            self._live[number] = candidate
            found.append(candidate)
        self._bound()
        return found

    def _bound(self) -> None:
        while len(self._live) > LIVE:
            forget_oldest(self._live)

    def _load(self) -> None:
        """Read the latest calls from the file: they are those that still have something passing."""
        recent, db = self._recent, self._db
        self._settle()
        recent.clear()
        self._live.clear()
        self._is_loaded = True
        self._new = self._drop_below = 0
        self._has_changed = False
        self._batches = db.execute(self._sql["links_count"]).get
        rows: list[Any] = []
        tokens, before = 0, _ANY_NUMBER
        while tokens < RECENT_TOKENS:
            some: list[Any] = db.execute(self._sql["passing_before"], (before, LOADED_AT_ONCE)).fetchall()
            rows += some
            if len(some) < LOADED_AT_ONCE:
                break
            before = some[-1][0]
            tokens += sum(len(packed) for row in some for packed in row[3:7]) // _TOKEN_BYTES
        oldest = rows[-1][0] if rows else _ANY_NUMBER
        self._drop_below = oldest if rows else 0
        recent.horizon_ns = db.execute(self._sql["started_before"], (oldest,)).get or 0
        for number, call_id, started_ns, lasting, left, asked, watched, pairs, is_told in reversed(rows):
            entry = Entry(number, call_id, started_ns)
            entry.lasting = _unpack(lasting)
            passing = _unpack(asked), _unpack(watched)
            recent.put(entry, entry.lasting + _unpack(left), _parted(pairs), passing, None if is_told else ())


_TOKEN_BYTES = 8
_ANY_NUMBER = 1 << 62


def _joined(pairs: tuple[Pair, ...]) -> bytes:
    return " ".join([word for pair in pairs for word in pair]).encode("utf-8", "surrogatepass")


def _parted(joined: bytes) -> tuple[Pair, ...]:
    words = iter(joined.decode("utf-8", "surrogatepass").split(" ") if joined else ())
    return tuple(zip(words, words, strict=True))


def _pack(tokens: tuple[int, ...]) -> bytes:
    numbers = array("q", tokens)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _unpack(packed: bytes) -> tuple[int, ...]:
    numbers = array("q", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
