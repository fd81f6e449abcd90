"""Linking over a real store: what the recorder does with calls, without exchanges worth the name."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from modular_agents.proxy.linking import read, revise, settle
from modular_agents.proxy.model.call import Call, Cost
from modular_agents.proxy.model.exchange import Exchange, RequestSide
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.ports import Store, Transaction
from modular_agents.proxy.store.sqlite import SqliteReader

Place = tuple[str, str, str | None, str | None]


def record(store: Store, calls: Iterable[Call], *, per_batch: int = 3) -> None:
    """Link and store calls in this order, a few in each batch."""
    waiting = list(calls)
    was_read: dict[str, object] = {}
    while waiting:
        versions = []
        for call in waiting[:per_batch]:
            was_read[call.call_id] = read(call, was_read.get(call.call_id))
            versions.append((call, was_read[call.call_id]))
        with store.batch() as batch:
            for call, now in versions:
                record_in(batch, call, now)
        del waiting[:per_batch]


def record_in(batch: Transaction, call: Call, now: object) -> None:
    """Link and store a call; `now` is what was read of it."""
    linked = settle(call, batch.find, now)
    request = RequestSide(call.method, call.path, call.path, call.request_headers)
    url = "https://api.anthropic.com"
    crossed = Exchange(call.call_id, call.connection_id, call.client, call.upstream, url, call.hints, call.started_ns, request)
    batch.put_call(call, crossed, linked.placement, Cost(None), linked.indexed)
    revise(linked, batch.find, batch.relink)


def placed(path: Path) -> dict[str, Place]:
    """Return where a file says that every call stands: trace, thread, parent and agent."""
    with closing(SqliteReader(path)) as reader:
        rows = reader.calls(CallFilter(), None, 1000).items
        return {row.call_id: (row.trace_id, row.thread_id, row.parent_id, row.agent_name) for row in rows}
