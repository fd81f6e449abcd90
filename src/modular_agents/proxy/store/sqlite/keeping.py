"""One call that has ended, put together as it was given to the store: what an export writes and an import puts."""

import sys
from array import array

import apsw

from modular_agents.proxy.model.call import Message
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.query import Kept
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence
from modular_agents.proxy.store import kept as keeping
from modular_agents.proxy.store import reading
from modular_agents.proxy.store.rows import CallRecord
from modular_agents.proxy.store.sqlite.contents import NO_NODE
from modular_agents.proxy.store.sqlite.decisions import said as decided
from modular_agents.proxy.store.sqlite.details import Row, entries, exchange
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.traces import TraceSums


def kept(db: apsw.Connection, row: Row) -> Kept | None:
    """Return a call as it was put; None while it runs."""
    sql = statements()
    number, trace, said, _count, _new, system, tools, params, *values = row
    record = CallRecord(*values)
    if record.is_running:
        return None
    answers, usage_raw, _ = db.execute(sql["answer"], (number,)).get or (NO_NODE, None, None)
    parts = keeping.Said(
        _messages(db, system),
        _messages(db, said),
        tuple(body.encode() for _, body, _ in entries(db, tools)),
        "".join(body for _, body, _ in entries(db, params)).encode(),
        _messages(db, answers),
    )
    sums = TraceSums(*db.execute(sql["trace_by_id"], (trace,)).get)
    tokens, facts = db.execute(sql["kept_standing"], (number,)).get or (b"", b"")
    edges = [
        Edge(start, record.call_id, EdgeType(kind), Evidence(rule, detail, sure))
        for start, kind, rule, detail, sure in db.execute(sql["edges_to"], (number,))
        if start is not None
    ]
    source = Evidence(sums.source, sums.source_detail, sums.source_confidence)
    whose = db.execute(sql["caller"], (record.connection_id,)).get
    caller = Caller(*whose) if whose else None
    decisions = tuple(decided(db, record.call_id))
    stands = keeping.Standing(sums.trace_id, sums.name, source, edges, _tokens(tokens), facts, caller, decisions)
    return keeping.kept(record, exchange(db, row)[0], parts, usage_raw, stands)


def _messages(db: apsw.Connection, tip: int) -> tuple[Message, ...]:
    return tuple(
        keeping.message(reading.decode(body.encode(), read, str(number)), body)
        for number, body, read in entries(db, tip)
        if read is not None
    )


def _tokens(packed: bytes) -> tuple[int, ...]:
    numbers = array("q", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
