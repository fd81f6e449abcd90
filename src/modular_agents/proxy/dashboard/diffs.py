"""A call beside the turn it continues, or beside any other: what the API answers and the command line prints."""

from datetime import datetime

from modular_agents.proxy.diffing.compare import compare
from modular_agents.proxy.errors import NotFound
from modular_agents.proxy.model.comparison import Comparison, Rates
from modular_agents.proxy.model.query import CallDetail
from modular_agents.proxy.ports import Reader
from modular_agents.proxy.pricing.rates import rates_of

_NS = 10**9


def view_diff(reader: Reader, call_id: str, against: str | None = None) -> Comparison:
    """Compare a call with `against`, or with the turn before it in its conversation. Raises `NotFound`."""
    after = _call(reader, call_id)
    before = _previous(reader, after) if against is None else _call(reader, against)
    return compare(before, after, _rates(after), (reader.raw(before.call.call_id), reader.raw(after.call.call_id)))


def _call(reader: Reader, call_id: str) -> CallDetail:
    found = reader.call(call_id)
    if found is None:
        raise NotFound(f"There is no call {call_id!r} here, or more than one.")
    return found


def _previous(reader: Reader, after: CallDetail) -> CallDetail:
    row = after.call
    before = None if row.parent_id is None else reader.call(row.parent_id)
    if before is None or before.call.thread_id != row.thread_id:
        raise NotFound(f"Call {row.call_id} begins its conversation: no earlier turn is there to compare it with. Name another call.")
    return before


def _rates(detail: CallDetail) -> Rates | None:
    if detail.call.cost_usd is None:
        return None
    at_ns = int(datetime.fromisoformat(detail.call.created_at).timestamp() * _NS)
    return rates_of(detail.cost.model, detail.cost.tier, at_ns, detail.call.tokens_input or 0)
