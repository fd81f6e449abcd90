"""What is known of a filter before any call is read: below which number its calls stand, and which of its conditions is the rarest.

Numbers are milliseconds (see `numbers`), so a time bounds them; the sums per hour tell how many calls a model, an agent and a
provider have, and when they last had one. Without that a list of what is rare, long ago or never happened reads a million rows.
Sums outlive deleted calls: they may promise too much, never too little.
"""

from dataclasses import dataclass, replace

import apsw

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.figures import HOUR_NS
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.numbers import MS_NS

FEW_CALLS = 2000
"""Up to so many calls are looked up to find their traces; of more, one is met soon enough by going through the traces."""
SLACK = 1000
"""Numbers beyond a time's own that are looked at as well: a call that met a taken number moved on to the next free one."""
LATER_MS = 86_400_000
"""A trace is numbered by whichever call of it came first: that may have begun up to a day after one that came late or was moved there."""
_HOUR_MS = HOUR_NS // MS_NS
_LAST_MS = 1 << 53
"""No time: hundreds of thousands of years."""


@dataclass(frozen=True, slots=True)
class Hints:
    """How a list is best made."""

    below: int | None = None
    """No call, or no trace, with this number or a higher one can be meant."""
    rarest: str | None = None
    """Of `model`, `agent` and `provider`: the one with the fewest calls, when several are given."""
    few: frozenset[str] = frozenset()
    """Of them, those with at most `FEW_CALLS` calls."""
    is_empty: bool = False
    """Nothing can be meant."""


NO_HINTS = Hints()


def of_calls(db: apsw.Connection, where: CallFilter) -> Hints:
    """Return what is known of a filter on calls: every condition must hold of one call."""
    known, given = Hints(_until(db, where, "call")), _given(where)
    if len(given) > 1:
        counts = {kind: _spread(db, {kind: value})[0] for kind, value in given.items()}
        known = _bounded(db, replace(known, rarest=min(counts, key=counts.__getitem__)), "call", given)
    return known


def of_traces(db: apsw.Connection, where: CallFilter) -> Hints:
    """Return what is known of a filter on traces: each condition must hold of some call of theirs."""
    known = Hints(_until(db, where, "trace"))
    for kind, value in _given(where).items():
        known = _bounded(db, known, "trace", {kind: value})
        if _spread(db, {kind: value})[0] <= FEW_CALLS:
            known = replace(known, few=known.few | {kind})
    return known


def number_after(db: apsw.Connection, table: str, time_ms: int) -> int:
    """Return a number that no call, or trace, has which began before a time."""
    time_ms = max(0, min(time_ms, _LAST_MS))
    is_taken = db.execute(statements()[f"{table}_id_taken"], (time_ms,)).get
    return (db.execute(statements()[f"free_{table}_id"], (time_ms,)).get if is_taken else time_ms) + SLACK


def _until(db: apsw.Connection, where: CallFilter, table: str) -> int | None:
    return None if where.until_ns is None else number_after(db, table, -(-where.until_ns // MS_NS))


def _given(where: CallFilter) -> dict[str, str]:
    given = {"model": where.model, "agent": where.agent, "provider": where.provider}
    return {kind: value.encode("utf-8", "replace").decode() for kind, value in given.items() if value}


def _spread(db: apsw.Connection, given: dict[str, str]) -> tuple[int, int | None]:
    """Return how many calls have ended that are all of this, and the last hour in which one began."""
    calls, last_hour = db.execute(statements()["spread"], _values(given)).get
    return calls, last_hour


def _bounded(db: apsw.Connection, known: Hints, table: str, given: dict[str, str]) -> Hints:
    """Return what is known when a call must be all of this: no such call began after the last hour that had one, and none is running."""
    last_hour = _spread(db, given)[1]
    running: int | None = db.execute(statements()["newest_running"], _values(given)).get
    if last_hour is None and running is None:
        return replace(known, is_empty=True)
    end_ms = max(0 if last_hour is None else (last_hour + 1) * _HOUR_MS, 0 if running is None else running + 1)
    end = number_after(db, table, end_ms + (LATER_MS if table == "trace" else 0))
    return replace(known, below=end if known.below is None else min(end, known.below))


def _values(given: dict[str, str]) -> tuple[str | None, ...]:
    return given.get("model"), given.get("agent"), given.get("provider")
