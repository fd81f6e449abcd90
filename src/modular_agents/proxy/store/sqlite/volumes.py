"""The search index stands in volumes, each an FTS5 table `search_<id>` with the words of one range of calls.

Numbers of calls grow with time, so a volume is a time. FTS5 cannot pause inside a word when it merges, and a merge is never larger
than its volume; nothing is merged by whatever writes, only by housekeeping, a few pages at a time. A search reads the volumes in
order until it has enough. When the last call of a volume has been deleted, the volume goes as a whole (docs/decisions/0027): what is
left of it are ordinary tables `search_gone_<id>_…` that nobody asks, emptied by and by. The schema itself says what is still to be
done, whenever a process ends.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import apsw

from modular_agents.proxy.store.sqlite.engine import statements

VOLUME_CALLS = 30_000
VOLUME_CHARS = 128 * 1024 * 1024
"""Calls and characters of a volume, about: its commonest words take some 10 ms to merge; of a million calls there are some 35."""
MERGED_PAGES = 64
"""Merged in one slice of housekeeping: some 6 ms; more when a segment has been merged to its end and goes."""
EMPTIED_ROWS = 64
"""Of a volume that is gone, deleted between two looks at the clock: a page each at most, 1 ms."""
LAST = (1 << 63) - 1
"""No number of a call is as high."""
_NO_OP = 2
"""Fewer changes than this: there was nothing to merge (sqlite.org/fts5.html, "The 'merge' Command")."""
_LEFT = {"data": "empty_data", "idx": "empty_idx", "docsize": "empty_docsize"}
"""Tables of FTS5 that hold what a volume holds (sqlite.org/fts5.html, "Shadow Tables")."""

Row = tuple[int, str, str]
"""Number, prompt, answer."""


@dataclass(slots=True)
class Volume:
    """A row of `search_volume`."""

    id: int
    first: int
    calls: int
    chars: int

    @property
    def is_full(self) -> bool:
        """Say whether calls that come behind all of it begin another."""
        return self.calls >= VOLUME_CALLS or self.chars >= VOLUME_CHARS


@dataclass(frozen=True, slots=True)
class Found:
    """Numbers of calls that have the words, no more than were asked for."""

    numbers: Sequence[int]
    limit: int

    @property
    def last(self) -> int | None:
        """Return where to go on; None when these are all."""
        return self.numbers[-1] if self.numbers and len(self.numbers) == self.limit else None


def read(db: apsw.Connection) -> list[Volume]:
    """Return all volumes, oldest first."""
    return [Volume(*row) for row in db.execute(statements()["volumes"])]


def newest(db: apsw.Connection, words: str, below: int, since: int, limit: int) -> Found:
    """Return the newest calls below a number, and none below `since`, that match an FTS5 expression; newest first."""
    found: list[int] = []
    for volume in reversed(read(db)):
        if volume.first < below:
            rows = db.execute(_of(volume.id, "newest_with_words"), (words, below, since, limit - len(found)))
            found += (number for (number,) in rows)
            if len(found) >= limit or volume.first <= since:
                break
    return Found(found, limit)


def oldest(db: apsw.Connection, words: str, after: int, limit: int) -> Found:
    """Return the oldest calls after a number that match an FTS5 expression; oldest first."""
    found: list[int] = []
    volumes = read(db)
    for place, volume in enumerate(volumes):
        if _end(volumes, place) > after + 1:
            rows = db.execute(_of(volume.id, "oldest_with_words"), (words, after, limit - len(found)))
            found += (number for (number,) in rows)
            if len(found) >= limit:
                break
    return Found(found, limit)


def pages(db: apsw.Connection, first: bytes, behind: bytes) -> int:
    """Return how many pages hold the terms between two, but for one of each segment."""
    return sum(db.execute(_of(volume.id, "pages_of_words"), (first, behind)).get or 0 for volume in read(db))


class Volumes:
    """The volumes as one writing connection knows them."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._all: list[Volume] = []
        self._loose = {volume.id for volume in read(db)}
        """Volumes that may have segments to merge."""
        self._sweeps = True
        """There may be a volume without calls, or something left of one."""
        self._holds = False
        """FTS5 holds memory for a volume that is written in no more."""

    def forget(self) -> None:
        """Read again which volumes there are; another process may have deleted the last calls of some."""
        self._all, self._sweeps = read(self._db), True

    def add(self, rows: Sequence[Row]) -> None:
        """Index words, in the order of their numbers."""
        at = 0
        while at < len(rows):
            number = rows[at][0]
            place = bisect_right(self._all, number, key=_first) - 1
            volume, end = self._all[place], _end(self._all, place)
            if volume.is_full:
                lowest, highest = self._db.execute(_of(volume.id, "bounds_with_words"), (volume.first,)).get
                if number > highest:
                    volume = self._begin(highest + 1)
                elif number < lowest:
                    volume, end = self._begin_before(volume, lowest), lowest
                else:
                    end = highest + 1
            until = bisect_left(rows, end, key=_number)
            if not volume.is_full:
                until = min(until, at + VOLUME_CALLS - volume.calls)
            self._write(volume, rows[at:until])
            at = until

    def let_go(self) -> None:
        """Free what FTS5 holds for volumes written in before, half a megabyte each; not within a transaction.

        It keeps its table of words and its statements as long as the connection knows the table, so the connection forgets its
        schema and reads it again, 1 ms (sqlite.org/pragma.html, "PRAGMA writable_schema").
        """
        if self._holds and not self._db.in_transaction:
            self._holds = False
            with suppress(apsw.Error):  # the batch has landed, and memory can wait for the next volume
                self._db.pragma("writable_schema", "reset")

    def delete(self, number: int) -> None:
        """Let a call be found no more."""
        volume = self._all[bisect_right(self._all, number, key=_first) - 1]
        self._db.execute(_of(volume.id, "drop_search"), (number,))
        self._loose.add(volume.id)
        self._sweeps = True

    @property
    def are_loose(self) -> bool:
        """Say whether there may be anything to merge."""
        return bool(self._loose)

    def merge(self) -> None:
        """Merge a slice of what is due in one volume: eight segments of one level, or one of which most has been deleted."""
        volume = min(self._loose)
        self._loose.discard(volume)
        if all(volume != one.id for one in self._all):
            return
        before = self._db.total_changes()
        self._db.execute(_of(volume, "merge_search"), (MERGED_PAGES,))
        if self._db.total_changes() - before >= _NO_OP:
            self._loose.add(volume)

    def are_spent(self) -> bool:
        """Say whether all calls of a volume are gone, or something is left of one that was dropped."""
        if self._sweeps:
            self._sweeps = any(self._db.execute(self._sql[name]).get is not None for name in ("gone_volume", "spent_volume"))
        return self._sweeps

    def sweep(self, is_over: Callable[[], bool]) -> None:
        """Empty what is left of a dropped volume until time is over; if there is none, drop one of which all calls are gone."""
        left: str | None = self._db.execute(self._sql["gone_volume"]).get
        if left is not None:
            self._empty(left, is_over)
            return
        spent: int | None = self._db.execute(self._sql["spent_volume"]).get
        if spent is not None:
            self._drop(spent)

    def _begin_before(self, volume: Volume, lowest: int) -> Volume:
        """Begin a volume with the lower part of a full one's range, in which it holds nothing."""
        first, volume.first = volume.first, lowest
        self._db.execute(self._sql["bound_volume"], (lowest, volume.id))
        return self._begin(first)

    def _begin(self, first: int) -> Volume:
        """Begin a volume; it takes over a part of another's range."""
        volume = Volume(self._db.execute(self._sql["add_volume"], (first,)).get, first, 0, 0)
        self._db.execute(_of(volume.id, "begin_volume"))
        self._all.insert(bisect_right(self._all, first, key=_first), volume)
        self._holds = True
        return volume

    def _write(self, volume: Volume, rows: Sequence[Row]) -> None:
        volume.calls += len(rows)
        volume.chars += sum(len(prompt) + len(answer) for _, prompt, answer in rows)
        self._db.executemany(_of(volume.id, "add_search"), rows)
        self._loose.add(volume.id)
        self._db.execute(self._sql["fill_volume"], (volume.calls, volume.chars, volume.id))

    def _drop(self, volume: int) -> None:
        """Let a volume be no more, and what it held be nobody's."""
        for table in _LEFT:
            self._db.execute(f"ALTER TABLE search_{volume}_{table} RENAME TO search_gone_{volume}_{table}")
        self._db.execute(f"DROP TABLE search_{volume}")
        self._db.execute(self._sql["drop_volume"], (volume,))
        self._db.execute(self._sql["bound_oldest_volume"])
        self._all = read(self._db)

    def _empty(self, table: str, is_over: Callable[[], bool]) -> None:
        """Delete rows of a table until time is over, or all of them and the table."""
        volume, _, kind = table.removeprefix("search_gone_").partition("_")
        empty = self._sql[_LEFT[kind]].replace("search_1", f"search_gone_{volume}")
        while True:
            self._db.execute(empty, (EMPTIED_ROWS,))
            if self._db.changes() < EMPTIED_ROWS:
                self._db.execute(f"DROP TABLE {table}")
                return
            if is_over():
                return


@cache
def _of(volume: int, name: str) -> str:
    """Return a statement on a volume; in queries.sql it is on the first."""
    return statements()[name].replace("search_1", f"search_{volume}")


def _end(volumes: Sequence[Volume], place: int) -> int:
    """Return the first number that is not in the range of the volume at a place."""
    return volumes[place + 1].first if place + 1 < len(volumes) else LAST


def _first(volume: Volume) -> int:
    return volume.first


def _number(row: Row) -> int:
    return row[0]
