"""Statistics are sums per hour, kept as calls end, so that no chart ever adds up a million rows.

A call counts in the hour in which it started once it is final, under its provider, model and agent. Sums stay when calls
are deleted: what was spent was spent.
"""

from math import log2
from typing import Any

import apsw

from modular_agents.proxy.store.rows import NS, CallRecord
from modular_agents.proxy.store.sqlite.engine import statements

HOUR_NS = 3600 * NS
BUCKETS_PER_DOUBLING = 4
"""Latency buckets are 19 % wide, so a percentile read from them is within 10 %."""
_SUMS = 12
_COST_AT = 7


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
        answering_ns = call.ended_ns - call.first_token_ns if call.ended_ns is not None and call.first_token_ns is not None else 0
        sums = self._hours.setdefault((hour, call.provider, model, call.agent_name or ""), [0] * _SUMS)
        for at, number in enumerate(
            (
                1,
                call.is_error,
                call.tokens_input,
                call.tokens_output,
                call.tokens_cache_read,
                (call.tokens_cache_write_5m or 0) + (call.tokens_cache_write_1h or 0),
                call.tokens_reasoning,
                call.cost_usd,
                call.is_unpriced,
                (call.ended_ns or call.started_ns) - call.started_ns,
                answering_ns,
                call.tokens_output if answering_ns else 0,
            )
        ):
            sums[at] += sign * (number or 0)
        for what, end_ns in (("duration", call.ended_ns), ("ttft", call.first_token_ns)):
            if end_ns is not None:
                key = (hour, model, what, bucket((end_ns - call.started_ns) / 1e6))
                self._latencies[key] = self._latencies.get(key, 0) + sign

    def flush(self) -> None:
        """Write everything."""
        self._db.executemany(self._sql["count_hour"], (_row(key, sums) for key, sums in self._hours.items()))
        self._db.executemany(self._sql["count_latency"], ((*key, calls) for key, calls in self._latencies.items() if calls))
        self.forget()

    def forget(self) -> None:
        """Drop what was not written."""
        self._hours, self._latencies = {}, {}


def bucket(ms: float) -> int:
    """Return the latency bucket of a duration; below 1 ms is bucket 0."""
    return int(log2(ms) * BUCKETS_PER_DOUBLING) if ms > 1 else 0


def _row(key: tuple[int, str, str, str], sums: list[float]) -> tuple[Any, ...]:
    """Only the cost is no whole number; the tables are STRICT about it. Sums are kept in the range of SQLite's numbers."""
    limit = (1 << 62) - 1
    return (*key, *(number if at == _COST_AT else max(-limit, min(int(number), limit)) for at, number in enumerate(sums)))
