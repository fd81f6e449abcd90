"""What is exported: calls that have ended, oldest first. Memory holds one page of rows and one call, however many there are.

A call that retention deletes between its page and its turn is left out, as if the export had begun a moment later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.query import CallDetail, CallFilter, CallRow, Kept, TraceDetail
from modular_agents.proxy.ports import Reader

PAGE_ROWS = 200
"""Rows read at a time: a few hundred KB."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls: those that fit `where`, of these traces (none named: of all), trace by trace in this order."""

    where: CallFilter = field(default_factory=CallFilter)
    traces: tuple[str, ...] = ()


class Source:
    """The calls of one export. `on_call` is told of each row that is handed out.

    `with_content`: what was said is wanted also from a format that usually leaves it out (OTLP).
    """

    def __init__(self, reader: Reader, wanted: Wanted, on_call: Callable[[], None] = lambda: None, *, with_content: bool = False) -> None:
        self._reader, self._wanted, self._on_call = reader, wanted, on_call
        self.with_content = with_content
        self.count = 0
        """Rows handed out so far."""

    def is_empty(self) -> bool:
        """Say whether no call that has ended fits."""
        return next(self._found(), None) is None

    def rows(self) -> Iterator[CallRow]:
        """Yield the rows."""
        for row in self._found():
            self.count += 1
            yield row
            self._on_call()

    def details(self) -> Iterator[CallDetail]:
        """Yield what was understood of each call."""
        for row in self.rows():
            detail = self._reader.call(row.call_id)
            if detail is not None:
                yield detail

    def exchanges(self) -> Iterator[tuple[CallRow, Exchange]]:
        """Yield each call as it crossed the wire."""
        for row in self.rows():
            exchange = self._reader.exchange(row.call_id)
            if exchange is not None:
                yield row, exchange

    def kept(self) -> Iterator[tuple[CallRow, Kept]]:
        """Yield each call as it was put into the store."""
        for row in self.rows():
            kept = self._reader.kept(row.call_id)
            if kept is not None:
                yield row, kept

    def by_trace(self, most: int) -> dict[str, list[str]] | None:
        """Return the ids of the calls by trace, in the order of each trace's first; None when there are more than `most`."""
        found: dict[str, list[str]] = {}
        for number, row in enumerate(self._found()):
            if number >= most:
                return None
            found.setdefault(row.trace_id, []).append(row.call_id)
        return found

    def detail(self, call_id: str) -> CallDetail | None:
        """Return one call, and count it."""
        found = self._reader.call(call_id)
        if found is not None:
            self.count += 1
            self._on_call()
        return found

    def look(self, call_id: str) -> CallDetail | None:
        """Return one call, whatever was asked for, without counting it."""
        return self._reader.call(call_id)

    def trace(self, trace_id: str) -> TraceDetail | None:
        """Return a whole trace, whatever was asked for: for what stands around the calls."""
        return self._reader.trace(trace_id)

    def _found(self) -> Iterator[CallRow]:
        where = self._wanted.where
        for only in [replace(where, trace_id=trace) for trace in self._wanted.traces] or [where]:
            cursor: str | None = None
            while True:
                page = self._reader.ended(only, cursor, PAGE_ROWS)
                yield from page.items
                cursor = page.next_cursor
                if cursor is None:
                    break
