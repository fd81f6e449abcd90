"""Calls and traces are numbered by the millisecond of their start, moved on to the next free number: every index is in time order."""

from collections.abc import Iterable

import apsw

from modular_agents.proxy.store.sqlite.engine import statements

MS_NS = 1_000_000


class Numbers:
    """Free numbers of the table `call` or `trace`."""

    def __init__(self, db: apsw.Connection, table: str) -> None:
        self._db = db
        self._given: set[int] = set()
        """Numbers whose rows are not written yet."""
        self._last_of, self._taken, self._free = (
            statements()[name] for name in (f"last_{table}_id", f"{table}_id_taken", f"free_{table}_id")
        )
        self._last = 0

    def take(self, time_ns: int) -> int:
        """Return the first free number from a time on; whoever takes it uses it."""
        number = max(1, time_ns // MS_NS)
        while number <= self._last:
            if number in self._given:
                number += 1
            elif self._db.execute(self._taken, (number,)).get:
                number = self._db.execute(self._free, (number,)).get
            else:
                break
        self._last = max(self._last, number)
        self._given.add(number)
        return number

    def written(self, numbers: Iterable[int]) -> None:
        """Note that whoever took these numbers has a row now."""
        self._given.difference_update(numbers)

    def forget(self) -> None:
        """Read again which is the last."""
        self._given.clear()
        self._last = self._db.execute(self._last_of).get
