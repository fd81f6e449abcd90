"""Reading never waits for the writer and never keeps it waiting: one short read transaction per question, in any process.

Everything one answer holds is of one moment, and its `seq` says which. A reader is used by one thread at a time. When the file
has been replaced (a damaged one is set aside) the next question is asked of the new one.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw
import msgspec

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.event import Event, EventKind, RemovedRow
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.query import (
    CallDetail,
    CallFilter,
    CallPage,
    CallRow,
    CheckedPage,
    EdgeRow,
    Kept,
    PricedPage,
    RawExchange,
    Room,
    SizeRow,
    Stats,
    StatsQuery,
    TraceDetail,
    TracePage,
    TraceRow,
)
from modular_agents.proxy.model.tools import ToolTurn
from modular_agents.proxy.store import crossing, cursor
from modular_agents.proxy.store.rows import TRACE_IDLE_NS, CallRecord, CallSummary
from modular_agents.proxy.store.sqlite import begun, checking, details, hints, keeping, lists, statistics, tools
from modular_agents.proxy.store.sqlite.decisions import said
from modular_agents.proxy.store.sqlite.engine import open_reader, statements, translated
from modular_agents.proxy.store.sqlite.numbers import MS_NS
from modular_agents.proxy.store.sqlite.traces import TraceSums
from modular_agents.proxy.store.sqlite.volumes import Found
from modular_agents.proxy.store.terms import Term, parse

_REMOVED = msgspec.json.Decoder(RemovedRow)
_CALLS, _TRACES, _PRICED, _CHECKED, _ENDED = "c", "t", "p", "k", "e"


class SqliteReader:
    """A `ports.Reader` of one file. `now_ns` decides whether a trace that waits for a tool still counts as running."""

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._now_ns = now_ns
        self._sql = statements()
        self._db: apsw.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._openings = 0
        self._closed = False

    def version(self) -> int:
        """Return a number that changes when something was committed or the file was replaced."""
        with translated():
            db = self._open()
            return self._openings << 32 | int(db.pragma("data_version"))

    def seq(self) -> tuple[int, int]:
        """Return (floor, last)."""
        with self._asking() as db:
            return db.execute(self._sql["event_floor"]).get, db.execute(self._sql["last_seq"]).get

    def events(self, after: int, limit: int) -> Sequence[Event]:
        """Return events after a number, oldest first; `call` and `trace` events bring their rows as they are now."""
        with self._asking() as db:
            rows: list[tuple[Any, ...]] = db.execute(self._sql["events"], (_bound(after), cursor.rows(limit))).fetchall()
            calls = self._bodies(db, "call_by_id", {row[3] for row in rows if row[1] == "call"}, self._call_body)
            traces = self._bodies(db, "trace_by_id", {row[2] for row in rows if row[1] == "trace"}, self._trace_body)
        events = []
        for seq, kind, trace, call, body, trace_id, call_id in rows:
            if kind == EventKind.REMOVED:
                gone = _REMOVED.decode(body)
                events.append(Event(seq, kind, gone.trace_id, gone.call_id, body))
            elif told := body or (calls.get(call) if kind == EventKind.CALL else traces.get(trace)):
                events.append(Event(seq, kind, trace_id, call_id, told))
        return events

    def traces(self, where: CallFilter, cursor: str | None, limit: int) -> TracePage:
        """Return a page of traces, newest first."""
        after, size = _place(_TRACES, cursor, limit)
        with self._asking() as db:
            known = hints.of_traces(db, where)
            among = None if known.is_empty else self._calls_with_words(db, where)
            statement = lists.traces(where, after, size + 1, self._now_ns() - TRACE_IDLE_NS, known, among)
            rows = [TraceSums(*row) for row in db.execute(*statement)] if statement else []
            seq = db.execute(self._sql["last_seq"]).get
        now_ns = self._now_ns()
        items = tuple(sums.row(now_ns) for sums in rows[:size])
        return TracePage(items, _next(_TRACES, [sums.id for sums in rows], size), seq)

    def trace(self, trace_id: str) -> TraceDetail | None:
        """Return a trace with its calls and edges."""
        with self._asking() as db:
            number = db.execute(self._sql["find_trace"], (_text(trace_id),)).get
            if number is None:
                return None
            sums = TraceSums(*db.execute(self._sql["trace_by_id"], (number,)).get)
            calls = tuple(CallSummary(*row).row(sums.trace_id) for row in db.execute(self._sql["trace_calls"], (number,)))
            edges = tuple(EdgeRow(*row) for row in db.execute(self._sql["trace_edges"], (number,)))
            seq = db.execute(self._sql["last_seq"]).get
        return TraceDetail(sums.row(self._now_ns()), calls, edges, seq)

    def tool_turns(self, trace_id: str) -> Sequence[ToolTurn]:
        """Return what the calls of a trace say of tools, oldest first."""
        with self._asking() as db:
            number = db.execute(self._sql["find_trace"], (_text(trace_id),)).get
            return () if number is None else tools.turns(db, number)

    def calls(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        """Return a page of calls, newest first."""
        after, size = _place(_CALLS, cursor, limit)
        with self._asking() as db:
            known, words = hints.of_calls(db, where), parse(where.text) if where.text else ()
            if begun.vast(db, words):
                return self._met(db, where, words, after, size)
            hits = lists.searched(db, where, after, size + 1, known)
            rows = self._rows(db, where, after, size + 1, known, hits)
            seq = db.execute(self._sql["last_seq"]).get
            found = tuple(details.snippet(db, row[0], words) for row in rows[:size]) if words else ()
            next_cursor = _next(_CALLS, [row[0] for row in rows], size, hits)
        items = tuple(CallSummary(*row[2:]).row(row[1]) for row in rows[:size])
        return CallPage(items, next_cursor, seq, found)

    def _met(self, db: apsw.Connection, where: CallFilter, words: tuple[Term, ...], after: int | None, size: int) -> CallPage:
        """Return a page of the newest calls that hold words of which one begins so many that they are not looked up."""
        rows, last = self._met_rows(db, where, words, after, size)
        seq = db.execute(self._sql["last_seq"]).get
        found = tuple(details.snippet(db, row[0], words) for row in rows)
        items = tuple(CallSummary(*row[2:]).row(row[1]) for row in rows)
        return CallPage(items, None if last is None else cursor.encode(_CALLS, last), seq, found)

    def _met_rows(
        self, db: apsw.Connection, where: CallFilter, words: tuple[Term, ...], after: int | None, size: int
    ) -> tuple[list[tuple[Any, ...]], int | None]:
        """Return calls met on the way through the newest, and the last that was looked at, if there may be more."""
        vast = begun.vast(db, words)
        firm = replace(where, text=begun.query_of(tuple(term for term in words if term not in vast)))
        known = hints.of_calls(db, firm)
        hits = lists.searched(db, firm, after, begun.LOOKED_AT, known)
        rows = self._rows(db, firm, after, begun.LOOKED_AT, known, hits)
        met: list[tuple[Any, ...]] = []
        for row in rows:
            if begun.stands_in(db, row[0], vast):
                met.append(row)
                if len(met) == size:
                    return met, row[0]
        if len(rows) == begun.LOOKED_AT:
            return met, rows[-1][0]
        return met, hits.last if hits else None

    def _rows(
        self, db: apsw.Connection, where: CallFilter, after: int | None, limit: int, known: hints.Hints, hits: Found | None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a page of calls, of those that have the words."""
        is_dear = self._few_cost(db, where.min_cost_usd)
        statement = lists.calls(where, after, limit, known=known, dear_are_few=is_dear, found=hits)
        return db.execute(*statement).fetchall() if statement else []

    def _calls_with_words(self, db: apsw.Connection, where: CallFilter) -> Sequence[int] | None:
        """Return the newest calls with the words; None when there are no words to look for."""
        words = parse(where.text) if where.text else ()
        if not begun.vast(db, words):
            return lists.searched_for_traces(db, where)
        return [row[0] for row in self._met_rows(db, CallFilter(text=where.text), words, None, begun.LOOKED_AT)[0]]

    def ended(self, where: CallFilter, cursor: str | None, limit: int) -> CallPage:
        """Return a page of calls that have ended, oldest first."""
        after, size = _place(_ENDED, cursor, limit)
        with self._asking() as db:
            hits = lists.searched_after(db, where, after or 0)
            statement = lists.ended(where, after or 0, size + 1, hits)
            rows: list[tuple[Any, ...]] = db.execute(*statement).fetchall() if statement else []
            seq = db.execute(self._sql["last_seq"]).get
            next_cursor = _next(_ENDED, [row[0] for row in rows], size, hits)
        return CallPage(tuple(CallSummary(*row[2:]).row(row[1]) for row in rows[:size]), next_cursor, seq)

    def call(self, call_id: str) -> CallDetail | None:
        """Return everything understood about a call."""
        with self._asking() as db:
            row = details.resolve(db, call_id)
            return None if row is None else details.detail(db, row)

    def raw(self, call_id: str) -> RawExchange | None:
        """Return the exchange as it crossed."""
        with self._asking() as db:
            row = details.resolve(db, call_id)
            if row is None:
                return None
            exchange, rebuilt = details.exchange(db, row)
        return crossing.raw(exchange, rebuilt=rebuilt)

    def exchange(self, call_id: str) -> Exchange | None:
        """Return the exchange as the journal had it."""
        with self._asking() as db:
            row = details.resolve(db, call_id)
            return None if row is None else details.exchange(db, row)[0]

    def kept(self, call_id: str) -> Kept | None:
        """Return a call that has ended as it was put."""
        with self._asking() as db:
            row = details.resolve(db, call_id)
            return None if row is None else keeping.kept(db, row)

    def decisions(self, call_id: str | None = None) -> Sequence[Decision]:
        """Return what a person said of a call, or of any call; oldest first."""
        with self._asking() as db:
            return said(db, None if call_id is None else _text(call_id))

    def stats(self, query: StatsQuery) -> Stats:
        """Return statistics of the calls that have ended."""
        with self._asking() as db:
            return statistics.stats(db, query, self._now_ns())

    def sizes(self) -> Sequence[SizeRow]:
        """Return what takes room in the database, largest first.

        All of the file is read, each table in a transaction of its own: while one lasts, the writer cannot begin its log anew.
        """
        with self._asking() as db:
            names = [name for (name,) in db.execute(self._sql["trees"])]
            free_bytes = db.pragma("freelist_count") * db.pragma("page_size")
        return statistics.sizes([(name, self._tree_size(name)) for name in names], free_bytes)

    def _tree_size(self, name: str) -> int:
        with self._asking() as db:
            size: int = db.execute(self._sql["tree_size"], (name,)).get
            return size

    def room(self, before_ns: int) -> Room:
        """Return what is there, and how much of it ended and began before a moment."""
        with self._asking() as db:
            before_ns = _bound(before_ns)
            calls, expired = db.execute(self._sql["room"], (before_ns, hints.number_after(db, "call", -(-before_ns // MS_NS)))).get
            used = db.pragma("page_count") - db.pragma("freelist_count")
            return Room(calls, expired, used * db.pragma("page_size"))

    def priced(self, cursor: str | None, limit: int) -> PricedPage:
        """Return a page of calls that have ended, oldest first."""
        after, size = _place(_PRICED, cursor, limit)
        with self._asking() as db:
            rows: list[tuple[Any, ...]] = db.execute(self._sql["priced_calls"], (after or 0, size + 1)).fetchall()
            items = tuple(details.priced(db, row[0], CallRecord(*row[1:])) for row in rows[:size])
        return PricedPage(items, _next(_PRICED, [row[0] for row in rows], size))

    def checked(self, cursor: str | None, limit: int) -> CheckedPage:
        """Return a page of calls that have ended, oldest first, each put together again and checked."""
        after, size = _place(_CHECKED, cursor, limit)
        with self._asking() as db:
            rows: list[tuple[Any, ...]] = db.execute(self._sql["calls_to_check"], (after or 0, size + 1)).fetchall()
            items = tuple(checking.checked(db, call_id) for _, call_id in rows[:size])
        return CheckedPage(items, _next(_CHECKED, [row[0] for row in rows], size))

    def damage(self) -> Sequence[str]:
        """Return what SQLite finds wrong with the file; nothing when it is sound."""
        with self._asking() as db:
            found = [str(text) for (text,) in db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Release the database. Idempotent."""
        self._closed = True
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> apsw.Connection:
        """Return the connection to the file that lies at the path now."""
        if self._closed:
            msg = "the database is closed"
            raise StoreUnavailable(msg)
        try:
            found = os.stat(self._path)  # noqa: PTH116 - 20 times a second, and Path.stat makes three objects more
            file = (found.st_dev, found.st_ino)
        except OSError:
            file = None
        if self._db is None or file != self._file:
            if self._db is not None:
                self._db.close()
                self._db = None
            self._db = open_reader(self._path)
            self._file = file
            self._openings += 1
        return self._db

    @contextmanager
    def _asking(self) -> Iterator[apsw.Connection]:
        """Hold one read transaction: all that is asked inside is of one moment."""
        with translated():
            db = self._open()
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if not db.get_autocommit():
                    db.execute("COMMIT")

    def _few_cost(self, db: apsw.Connection, usd: float | None) -> bool:
        if usd is None:
            return False
        count: int = db.execute(self._sql["count_dear"], (usd, lists.FEW_DEAR_CALLS)).get
        return count < lists.FEW_DEAR_CALLS

    def _bodies(
        self, db: apsw.Connection, statement: str, numbers: set[int], body: Callable[[tuple[Any, ...]], CallRow | TraceRow]
    ) -> dict[int, str]:
        found = ((number, db.execute(self._sql[statement], (number,)).get) for number in numbers)
        return {number: msgspec.json.encode(body(row)).decode() for number, row in found if row is not None}

    @staticmethod
    def _call_body(row: tuple[Any, ...]) -> CallRow:
        return CallSummary(*row[1:]).row(row[0])

    def _trace_body(self, row: tuple[Any, ...]) -> TraceRow:
        return TraceSums(*row).row(self._now_ns())


def _place(kind: str, text: str | None, limit: int) -> tuple[int | None, int]:
    return cursor.decode(kind, text), cursor.rows(limit)


def _next(kind: str, numbers: Sequence[int], size: int, hits: Found | None = None) -> str | None:
    """Return the cursor behind a page of `size` when there was a row more, else behind the calls with the words if there may be more."""
    if len(numbers) > size:
        return cursor.encode(kind, itemgetter(size - 1)(numbers))
    return cursor.encode(kind, hits.last) if hits and hits.last else None


def _bound(number: int) -> int:
    return max(-1, min(number, (1 << 62)))


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()
