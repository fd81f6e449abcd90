"""The edges that lead to a call are replaced as a whole; an edge that names a call we do not hold says nothing and is left out."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from modular_agents.proxy.model.event import EventKind, RemovedRow
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence
from modular_agents.proxy.store.rows import edge_id, edge_row
from modular_agents.proxy.store.sqlite.calls import Calls
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.events import Events

Ends = tuple[str, str]
"""(from call id, edge type) of an edge to one call."""


class Edges:
    """The edges of one writing connection."""

    def __init__(self, db: apsw.Connection, calls: Calls, events: Events) -> None:
        self._db, self._calls = db, calls
        self._sql = statements()
        self._events = events

    def add(self, trace: int, number: int, trace_id: str, edges: Sequence[Edge]) -> None:
        """Write edges to call `number`, which stands in `trace`."""
        for edge in edges:
            start = self._calls.number(edge.from_call_id)
            if start is None:
                continue
            evidence = edge.evidence
            confidence = float(evidence.confidence)
            self._db.execute(self._sql["put_edge"], (number, start, str(edge.edge_type), evidence.rule, evidence.detail, confidence))
            self._tell(trace, number, trace_id, edge)

    def announce(self, trace: int, number: int, trace_id: str, call_id: str) -> None:
        """Tell once more of the edges to a call: it has come to another trace, whose readers do not know them."""
        for start, kind, rule, detail, sure in self._to(number):
            edge = Edge(start, call_id, EdgeType(kind), Evidence(rule, detail, sure))
            self._tell(trace, number, trace_id, edge)

    def _tell(self, trace: int, number: int, trace_id: str, edge: Edge) -> None:
        self._events.announce(EventKind.EDGE, trace, number, msgspec.json.encode(edge_row(edge, trace_id)).decode())

    def _to(self, number: int) -> list[tuple[str, str, str, str, float]]:
        rows: Any = self._db.execute(self._sql["edges_to"], (number,)).fetchall()
        if any(start is None for start, *_ in rows):  # the row of one of these calls is not written yet
            self._calls.settle()
            rows = self._db.execute(self._sql["edges_to"], (number,)).fetchall()
        return sorted(row for row in rows if row[0] is not None)

    def replace(self, trace: int, number: int, trace_id: str, call_id: str, edges: Sequence[Edge]) -> None:
        """Let exactly these edges lead to a call."""
        stored = {(start, kind): (rule, detail, sure) for start, kind, rule, detail, sure in self._to(number)}
        wanted = {(edge.from_call_id, str(edge.edge_type)): edge for edge in edges}
        for start, kind in sorted(stored.keys() - wanted.keys()):
            self._db.execute(self._sql["drop_edge"], (number, start, kind))
            row = RemovedRow(trace_id, None, None, edge_id(start, kind, call_id))
            self._events.announce(EventKind.REMOVED, trace, 0, msgspec.json.encode(row).decode())
        self.add(trace, number, trace_id, [edge for ends, edge in wanted.items() if stored.get(ends) != _said(edge.evidence)])

    def drop(self, number: int) -> None:
        """Delete the edges that lead to or from a call."""
        self._db.execute(self._sql["drop_edges"], (number,))


def _said(evidence: Evidence) -> tuple[str, str, float]:
    return evidence.rule, evidence.detail, float(evidence.confidence)
