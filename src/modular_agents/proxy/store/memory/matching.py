"""Whether a call or a trace is what a filter looks for, decided one by one."""

from collections.abc import Sequence

from modular_agents.proxy.model.query import (
    CallFilter,
    TraceRow,
)
from modular_agents.proxy.model.trace import HELPERS
from modular_agents.proxy.store import terms
from modular_agents.proxy.store.memory.state import Stored
from modular_agents.proxy.store.rows import (
    TRACE_IDLE_NS,
    CallRecord,
)

_FAILED = "failed"


def trace_status(records: Sequence[CallRecord], last_ns: int, now_ns: int) -> str:
    """Return a trace's status at `now_ns`; `records`: oldest first."""
    if any(record.is_running for record in records):
        return "running"
    records = [record for record in records if record.kind not in HELPERS] or records
    if records[-1].status == _FAILED and records[-1].thread_id == records[0].thread_id:
        return _FAILED
    answered = max((record.ended_ns for record in records if record.ended_ns is not None), default=0)
    asks = [record.asks_tool for record in records if record.ended_ns == answered]
    return "running" if asks and asks[-1] and last_ns > now_ns - TRACE_IDLE_NS else "completed"


def call_fits(stored: Stored, where: CallFilter) -> bool:
    """Say whether a call is what is looked for."""
    record = stored.record
    return (
        _is(where.trace_id, stored.trace_id)
        and _is(where.model, record.model)
        and _is(where.agent, record.agent_name)
        and _is(where.provider, record.provider)
        and _is(where.status, record.status)
        and (where.has_error is None or where.has_error == bool(record.is_error))
        and (where.since_ns is None or record.started_ns >= where.since_ns)
        and (where.until_ns is None or record.started_ns < where.until_ns)
        and (where.min_cost_usd is None or (record.cost_usd is not None and record.cost_usd >= where.min_cost_usd))
        and has_words(stored, where)
    )


def trace_fits(row: TraceRow, calls: Sequence[Stored], where: CallFilter) -> bool:
    """Say whether a trace is what is looked for; its words are looked at elsewhere."""
    last_ns = max(max(stored.record.started_ns, stored.record.ended_ns or 0) for stored in calls)
    return (
        _is(where.trace_id, row.trace_id)
        and (where.model is None or any(stored.record.model == where.model for stored in calls))
        and (not where.agent or any(stored.record.agent_name == where.agent for stored in calls))
        and (where.provider is None or any(stored.record.provider == where.provider for stored in calls))
        and _is(where.status, row.status)
        and (where.has_error is None or where.has_error == (row.error_count > 0))
        and (where.since_ns is None or last_ns >= where.since_ns)
        and (where.until_ns is None or min(stored.record.started_ns for stored in calls) < where.until_ns)
        and (where.min_cost_usd is None or (row.cost_usd is not None and row.cost_usd >= where.min_cost_usd))
    )


def _is(wanted: str | None, value: str | None) -> bool:
    return wanted is None or wanted == value


def has_words(stored: Stored, where: CallFilter) -> bool:
    """Say whether the words stand in a call; they are found once it has ended."""
    if not (where.text or "").strip():
        return True
    return not stored.record.is_running and terms.matches(terms.parse(where.text or ""), stored.words)
