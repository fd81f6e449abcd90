"""Statistics are read from the sums per hour; the dearest calls and traces from an index of costs."""

from collections.abc import Iterable
from typing import Any

import apsw

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.model.query import SizeRow, Stats, StatsQuery
from modular_agents.proxy.store import figures
from modular_agents.proxy.store.rows import CallSummary
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.traces import TraceSums

_KINDS = {
    "messages, system prompts, tools": ("content", "content_hash", "piece", "piece_piece", "chain", "chain_entry"),
    "answers": ("answer",),
    "requests": ("asked", "body", "body_hash"),
    "search index": ("unsearched",),
    "calls": ("call",),
    "traces": ("trace", "thread", "trace_trace_id", "trace_cost"),
    "links between calls": ("edge", "edge_from", "token", "standing", "passing"),
    "live events": ("event", "event_delta"),
    "statistics": ("hour", "latency"),
}
"""Tables and indexes by what they hold."""
_BEGINNINGS = {"search_": "search index", "call_": "indexes of calls"}
"""How others begin; what is left is what SQLite needs itself."""


def stats(db: apsw.Connection, query: StatsQuery, now_ns: int) -> Stats:
    """Return statistics. Raises `UsageError` for a grouping that there is not."""
    if query.by not in figures.GROUPS:
        msg = f"statistics are by {', '.join(figures.GROUPS[1:])}, not by {query.by!r}"
        raise UsageError(msg)
    sql = statements()
    first, last = figures.hours(query)
    narrow = (first, last, query.model, query.agent, query.provider)
    step = figures.step(query)
    rows: list[tuple[Any, ...]] = db.execute(sql["stats_rows"], (*narrow, step, query.by)).fetchall()
    total = db.execute(sql["stats_total"], narrow).get
    counts: dict[tuple[str, str], dict[int, int]] = {}
    for model, what, bucket, calls in db.execute(sql["latencies"], (first, last, query.model)):
        counts.setdefault((str(model), str(what)), {})[int(bucket)] = int(calls)
    since_ms, until_ms = first * 3_600_000, last * 3_600_000
    narrow_calls = (since_ms, until_ms, query.model, query.agent, query.provider, figures.DEAREST)
    dearest: list[tuple[Any, ...]] = db.execute(sql["dearest_calls"], narrow_calls).fetchall()
    traces: list[tuple[Any, ...]] = db.execute(sql["dearest_traces"], (since_ms, until_ms, figures.DEAREST)).fetchall()
    return Stats(
        rows=tuple(figures.stats_row(int(hour) if step else None, str(name), sums) for hour, name, *sums in rows),
        total=figures.stats_row(None, "", total),
        latency=figures.latency_rows(counts),
        dearest_calls=tuple(CallSummary(*row[1:]).row(row[0]) for row in dearest),
        dearest_traces=tuple(TraceSums(*row).row(now_ns) for row in traces),
    )


def sizes(trees: Iterable[tuple[str, int]], free_bytes: int) -> tuple[SizeRow, ...]:
    """Return what takes room in a file of these tables and indexes, largest first."""
    kinds = {name: kind for kind, names in _KINDS.items() for name in names}
    found: dict[str, int] = {}
    for name, size in trees:
        begun = next((kind for beginning, kind in _BEGINNINGS.items() if name.startswith(beginning)), "everything else")
        kind = kinds.get(name, begun)
        found[kind] = found.get(kind, 0) + size
    found["free space"] = free_bytes
    return tuple(SizeRow(kind, size) for kind, size in sorted(found.items(), key=lambda item: -item[1]))
