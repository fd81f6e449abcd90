"""How statistics are computed from sums: the same on every engine.

Durations fall into buckets that grow by 19 %, four to a doubling; a percentile is the middle of its bucket, so within 10 %.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log2

from modular_agents.proxy.model.query import LatencyRow, StatsQuery, StatsRow
from modular_agents.proxy.store.rows import NS, CallSummary, iso

HOUR_NS = 3600 * NS
BUCKETS_PER_DOUBLING = 4
DEAREST = 20
"""Calls and traces that statistics name."""
GROUPS = ("", "model", "agent", "provider")

SUMS = (
    "calls", "errors", "tokens_input", "tokens_output", "tokens_cache_read", "tokens_cache_write", "tokens_reasoning", "cost_usd",
    "unpriced", "duration_ns", "answering_ns", "answering_tokens",
)  # fmt: skip
"""What is summed, in this order everywhere. `answering`: from the first token to the end, and what came out in that time."""


def brings(call: CallSummary) -> tuple[float, ...]:
    """Return what a call that has ended adds to the `SUMS`."""
    answering_ns = call.ended_ns - call.first_token_ns if call.ended_ns is not None and call.first_token_ns is not None else 0
    return (
        1,
        call.is_error,
        call.tokens_input or 0,
        call.tokens_output or 0,
        call.tokens_cache_read or 0,
        (call.tokens_cache_write_5m or 0) + (call.tokens_cache_write_1h or 0),
        call.tokens_reasoning or 0,
        call.cost_usd or 0.0,
        int(call.is_unpriced),
        (call.ended_ns or call.started_ns) - call.started_ns,
        answering_ns,
        (call.tokens_output or 0) if answering_ns else 0,
    )


def took(call: CallSummary) -> tuple[tuple[str, int], ...]:
    """Return the buckets a call falls into: ("duration", bucket) and, when its first token was seen, ("ttft", bucket)."""
    ends = (("duration", call.ended_ns), ("ttft", call.first_token_ns))
    return tuple((what, bucket((end_ns - call.started_ns) / 1e6)) for what, end_ns in ends if end_ns is not None)


def bucket(ms: float) -> int:
    """Return the bucket of a duration; below 1 ms is bucket 0."""
    return int(log2(ms) * BUCKETS_PER_DOUBLING) if ms > 1 else 0


def stats_row(start_hour: int | None, name: str, sums: Iterable[float]) -> StatsRow:
    """Return a row of statistics from its sums."""
    calls, errors, tokens_in, tokens_out, read, written, reasoning, usd, unpriced, duration_ns, answering_ns, answering_tokens = sums
    return StatsRow(
        time=None if start_hour is None else _time(start_hour),
        name=name,
        calls=int(calls),
        errors=int(errors),
        tokens_input=int(tokens_in),
        tokens_output=int(tokens_out),
        tokens_cache_read=int(read),
        tokens_cache_write=int(written),
        tokens_reasoning=int(reasoning),
        cost_usd=float(usd),
        unpriced=int(unpriced),
        mean_duration_ms=duration_ns / calls / 1e6 if calls else None,
        tokens_per_second=answering_tokens * NS / answering_ns if answering_ns > 0 else None,
    )


@lru_cache(maxsize=4096)
def _time(hour: int) -> str:
    """Return the beginning of an hour as rows tell it: many rows are of the same."""
    return iso(hour * HOUR_NS)


def latency_rows(counts: Mapping[tuple[str, str], Mapping[int, int]]) -> tuple[LatencyRow, ...]:
    """Return percentiles from `{(model, what): {bucket: calls}}`."""
    rows = []
    for (model, what), buckets in sorted(counts.items()):
        calls = sum(buckets.values())
        if calls > 0:
            rows.append(LatencyRow(model, what, calls, *(_quantile(buckets, calls, share) for share in (0.5, 0.9, 0.95, 0.99))))
    return tuple(rows)


def hours(query: StatsQuery) -> tuple[int, int]:
    """Return the hours that a query is about: from, to before."""
    first = 0 if query.since_ns is None else query.since_ns // HOUR_NS
    last = (1 << 40) if query.until_ns is None else -(-query.until_ns // HOUR_NS)
    return max(first, 0), min(max(last, 0), 1 << 40)


def step(query: StatsQuery) -> int:
    """Return the hours of one row; 0 for the whole time."""
    return max(0, min(query.step_hours, 24 * 366))


def _quantile(buckets: Mapping[int, int], calls: int, share: float) -> float:
    """Return the middle of the bucket in which the `share` of calls is reached, in ms."""
    seen = 0
    at = 0
    for at in sorted(buckets):
        seen += buckets[at]
        if seen >= share * calls:
            break
    return round(float(2.0 ** ((at + 0.5) / BUCKETS_PER_DOUBLING)), 1)
