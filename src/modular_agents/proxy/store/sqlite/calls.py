"""A call is one row; its newest version stands there, and the versions are counted.

A running version is followed by a final one, a final one by none. The rows of open calls are remembered, for their end is
the next thing that is written of them. New rows wait and are written together, which takes half the time of one after another.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import apsw
import msgspec

from modular_agents.proxy.errors import NotStored
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.trace import Placement
from modular_agents.proxy.store.rows import CallRecord
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.numbers import MS_NS, Numbers
from modular_agents.proxy.store.sqlite.parts import Parts
from modular_agents.proxy.store.sqlite.requests import Request

OPEN_CALLS_MAX = 20_000
"""Open calls that are remembered; the others are read again."""
_VALUES = msgspec.structs.astuple
_NOT_TAKEN = (ValueError, TypeError, ArithmeticError, apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError)
"""What a value that is no column's brings about, in binding it or in the table."""
_ASSIGNED = re.compile(r"(\w+) = \?")


@quick
@dataclass(frozen=True, slots=True)
class Stored:
    """A call's newest version, as the file has it. `number` and `trace` are ids of rows."""

    number: int
    trace: int
    record: CallRecord
    request: Request


@dataclass(slots=True)
class Waiting:
    """A version that can be found and has no rows yet. `before`: the stored one; `request`: that of the stored one, if it is the same."""

    number: int
    record: CallRecord
    placement: Placement
    parts: Parts
    before: Stored | None
    request: Request | None


class Calls:
    """The rows of calls of one writing connection. `settle` writes everything that waits of calls that were put."""

    def __init__(self, db: apsw.Connection, settle: Callable[[], None]) -> None:
        self._db, self.settle = db, settle
        self._sql = statements()
        self._free = Numbers(db, "call")
        self._open: dict[str, Stored] = {}
        self._new: dict[str, Stored] = {}
        """Rows not written yet."""
        self._greatest_id = ""
        """Of all call ids that the file has or has had: ids are born in order, so nearly every new call's is greater."""
        self._answer = _assigned(self._sql["finish_call"])
        self._request = _assigned(self._sql["rewrite_request"])
        self._place = _assigned(self._sql["place_call"])

    def stored(self, call_id: str) -> Stored | None:
        """Return a call's newest version, remembered or read."""
        known = self._open.get(call_id) or self._new.get(call_id)
        if known is not None or call_id > self._greatest_id:
            return known
        row = self._db.execute(self._sql["stored_call"], (call_id,)).get
        if row is None:
            return None
        self.settle()
        number, trace, messages, count, new, system, tools, params, *values = row
        recipe, body, _ = self._db.execute(self._sql["asked"], (number,)).get
        return Stored(number, trace, CallRecord(*values), Request(messages, count, new, system, tools, params, recipe, body))

    def is_open(self, call_id: str) -> bool:
        """Say whether a call is remembered as running."""
        return call_id in self._open

    def new_number(self, record: CallRecord) -> int:
        """Return the number of a call whose first version will be added."""
        self._greatest_id = max(self._greatest_id, record.call_id)
        return self._free.take(record.started_ns)

    def add(self, first: Stored) -> None:
        """Write a call's first version."""
        self._new[first.record.call_id] = first
        self._remember(first)

    def write(self) -> None:
        """Write the rows that wait. Raises `NotStored` with the id of the call whose row the file does not take."""
        if not self._new:
            return
        taken: list[Stored] = []
        try:
            self._db.executemany(self._sql["add_call"], map(_row, _noted(self._new.values(), taken)))
        except _NOT_TAKEN as error:
            raise NotStored(taken[-1].record.call_id) from error
        self._free.written(stored.number for stored in taken)
        self._new.clear()

    def number(self, call_id: str) -> int | None:
        """Return a call's number, None when there is no such call."""
        new = self._new.get(call_id)
        number: int | None = new.number if new else self._db.execute(self._sql["call_number"], (call_id,)).get
        return number

    def messages_of(self, call_id: str, thread_id: str) -> int | None:
        """Return how many messages a call has; None when there is no such call in that thread."""
        new = self._new.get(call_id)
        if new is not None:
            return new.request.message_count if new.record.thread_id == thread_id else None
        row = self._db.execute(self._sql["continued_call"], (call_id,)).get
        return row[0] if row is not None and row[1] == thread_id else None

    def finish(self, before: Stored, record: CallRecord, request: Request) -> None:
        """Write a call's next version where it stands."""
        self._settle_row(before)
        self._db.execute(self._sql["finish_call"], (*self._answer(record), before.number))
        if before.request is not request or self._request(before.record) != self._request(record):
            self._db.execute(self._sql["rewrite_request"], (*self._request(record), *request.columns, before.number))
        self._remember(Stored(before.number, before.trace, record, request))

    def place(self, before: Stored, trace: int, record: CallRecord) -> None:
        """Write where a call stands."""
        self._settle_row(before)
        self._db.execute(self._sql["place_call"], (*self._place(record), trace, before.number))
        self._remember(Stored(before.number, trace, record, before.request))

    def price(self, before: Stored, record: CallRecord) -> None:
        """Write what a call costs."""
        self._settle_row(before)
        cost = (record.cost_usd, record.cost_model, record.cost_catalogue, record.cost_tier, record.cost_why)
        self._db.execute(self._sql["reprice_call"], (*cost, before.number))

    def drop(self, stored: Stored) -> None:
        """Delete a call's row."""
        self._settle_row(stored)
        self._db.execute(self._sql["drop_call"], (stored.number,))

    def expired(self, before_ns: int, limit: int) -> list[str]:
        """Return the ids of the oldest calls that have ended and began before a moment."""
        self.settle()
        rows = self._db.execute(self._sql["expired_calls"], (before_ns // MS_NS, before_ns, limit))
        return [str(call_id) for (call_id,) in rows]

    def stands_alike(self, one: CallRecord, other: CallRecord) -> bool:
        """Say whether two records stand in the same place of their trace."""
        return self._place(one) == self._place(other)

    def forget(self) -> None:
        """Forget what is remembered."""
        self._open.clear()
        self._new.clear()
        self._free.forget()
        self._greatest_id = self._db.execute(self._sql["greatest_call_id"]).get or ""

    def _settle_row(self, stored: Stored) -> None:
        if stored.record.call_id in self._new:
            self.settle()

    def _remember(self, stored: Stored) -> None:
        call_id = stored.record.call_id
        if not stored.record.is_running:
            self._open.pop(call_id, None)
            return
        if len(self._open) >= OPEN_CALLS_MAX:
            self._open.clear()
        self._open[call_id] = stored


def _noted(new: Iterable[Stored], taken: list[Stored]) -> Iterator[Stored]:
    """Yield rows as SQLite takes them; the last one taken is the one it failed on."""
    for stored in new:
        taken.append(stored)
        yield stored


def _row(stored: Stored) -> tuple[Any, ...]:
    return (stored.number, 1, stored.trace, *_VALUES(stored.record), *stored.request.columns)


def _assigned(statement: str) -> Callable[[CallRecord], tuple[Any, ...]]:
    """Return what takes from a record the values of the columns that an UPDATE sets, in its order."""
    return attrgetter(*(name for name in _ASSIGNED.findall(statement) if name in CallRecord.__struct_fields__))
