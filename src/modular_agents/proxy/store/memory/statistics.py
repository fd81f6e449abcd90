"""Statistics of the store without a file: summed up from every call that has ended."""

from collections.abc import Callable

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.model.query import Stats, StatsQuery, TraceRow
from modular_agents.proxy.store import figures
from modular_agents.proxy.store.memory.state import State
from modular_agents.proxy.store.rows import CallRecord

Sums = tuple[float, ...]
_NOTHING: Sums = (0,) * len(figures.SUMS)


def stats(state: State, query: StatsQuery, trace_row: Callable[[str], TraceRow]) -> Stats:
    """Return statistics. Raises `UsageError` for a grouping that there is not."""
    if query.by not in figures.GROUPS:
        msg = f"statistics are by {', '.join(figures.GROUPS[1:])}, not by {query.by!r}"
        raise UsageError(msg)
    first, last = figures.hours(query)
    step = figures.step(query)
    rows: dict[tuple[int | None, str], Sums] = {}
    total = _NOTHING
    counts: dict[tuple[str, str], dict[int, int]] = {}
    for call in state.ended.values():
        hour, model = call.started_ns // figures.HOUR_NS, call.model or ""
        if not first <= hour < last or query.model not in {None, model}:
            continue
        for what, bucket in figures.took(call):
            buckets = counts.setdefault((model, what), {})
            buckets[bucket] = buckets.get(bucket, 0) + 1
        if query.agent not in {None, call.agent_name or ""} or query.provider not in {None, call.provider}:
            continue
        key = (hour // step * step if step else None, _name(call, query.by))
        rows[key] = _add(rows.get(key, _NOTHING), figures.brings(call))
        total = _add(total, figures.brings(call))
    stored = [call for call in state.calls.values() if first <= call.number // 3_600_000 < last and call.record.cost_usd is not None]
    stored = [call for call in stored if _fits(call.record, query)]
    stored.sort(key=lambda call: (call.record.cost_usd or 0.0, call.number), reverse=True)
    dear = [(trace_row(name), trace.number) for name, trace in state.traces.items() if first <= trace.number // 3_600_000 < last]
    dear = [pair for pair in dear if pair[0].cost_usd is not None]
    dear.sort(key=lambda pair: (pair[0].cost_usd or 0.0, pair[1]), reverse=True)
    return Stats(
        rows=tuple(
            figures.stats_row(hour, name, sums)
            for (hour, name), sums in sorted(rows.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
        ),
        total=figures.stats_row(None, "", total),
        latency=figures.latency_rows(counts),
        dearest_calls=tuple(call.record.row(call.trace_id) for call in stored[: figures.DEAREST]),
        dearest_traces=tuple(row for row, _ in dear[: figures.DEAREST]),
    )


def _fits(call: CallRecord, query: StatsQuery) -> bool:
    wanted = ((query.model, call.model), (query.agent, call.agent_name), (query.provider, call.provider))
    return all(want is None or want == value for want, value in wanted)


def _name(call: CallRecord, by: str) -> str:
    return {"model": call.model or "", "agent": call.agent_name or "", "provider": call.provider}.get(by, "")


def _add(one: Sums, other: Sums) -> Sums:
    return tuple(a + b for a, b in zip(one, other, strict=True))
