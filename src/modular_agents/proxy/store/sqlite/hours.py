"""Statistics are sums per hour, kept as calls end, so that no chart ever adds up a million rows.

A call counts in the hour in which it started once it is final, under its provider, model and agent. Sums stay when calls
are deleted: what was spent was spent.
"""

from operator import add, sub
from typing import Any

import apsw

from modular_agents.proxy.store.figures import HOUR_NS, SUMS, brings, took
from modular_agents.proxy.store.rows import CallRecord
from modular_agents.proxy.store.sqlite.engine import statements

_COST_AT = SUMS.index("cost_usd")
_WHOLE_MAX = (1 << 62) - 1


class Hours:
    """The sums of one batch."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._hours: dict[tuple[int, str, str, str], list[float]] = {}
        self._latencies: dict[tuple[int, str, str, int], int] = {}

    def count(self, call: CallRecord, sign: int) -> None:
        """Add a call (`sign` 1), or take out what was added for it (-1). A running one counts for nothing."""
        if call.is_running:
            return
        hour, model = call.started_ns // HOUR_NS, call.model or ""
        key = (hour, call.provider, model, call.agent_name or "")
        sums = self._hours.get(key)
        if sums is None:
            sums = self._hours[key] = [0] * len(SUMS)
        sums[:] = map(add if sign > 0 else sub, sums, brings(call))
        for what, bucket in took(call):
            place = (hour, model, what, bucket)
            self._latencies[place] = self._latencies.get(place, 0) + sign

    def flush(self) -> None:
        """Write everything."""
        self._db.executemany(self._sql["count_hour"], (_row(key, sums) for key, sums in self._hours.items()))
        self._db.executemany(self._sql["count_latency"], ((*key, calls) for key, calls in self._latencies.items() if calls))
        self.forget()

    def forget(self) -> None:
        """Drop what was not written."""
        self._hours, self._latencies = {}, {}


def _row(key: tuple[int, str, str, str], sums: list[float]) -> tuple[Any, ...]:
    """Only the cost is no whole number; the tables are STRICT about it. Sums are kept in the range of SQLite's numbers."""
    whole = (number if at == _COST_AT else max(-_WHOLE_MAX, min(int(number), _WHOLE_MAX)) for at, number in enumerate(sums))
    return (*key, *whole)
