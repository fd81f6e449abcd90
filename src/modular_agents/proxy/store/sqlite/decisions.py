"""What a person said about calls: a few rows, each about one call, gone with it. What comes of them is linking's business."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import apsw

from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.store.sqlite.engine import statements


def said(db: apsw.Connection, call_id: str | None = None) -> list[Decision]:
    """Return what was said of one call, or of all; oldest first."""
    rows: Any = db.execute(statements()["decisions"]) if call_id is None else db.execute(statements()["decisions_of"], (call_id,))
    return [_decision(row) for row in rows]


class Decisions:
    """The decisions of one writing connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()

    def put(self, number: int, decision: Decision) -> Decision:
        """Keep a decision about call `number` instead of those that it replaces; return it with its id."""
        for before in said(self._db, decision.call_id):
            if decision.replaces(before):
                self._db.execute(self._sql["drop_decision"], (before.decision_id,))
        values = (decision.made_ns, number, str(decision.kind), decision.other, decision.edge_type, decision.beside, decision.made_by)
        return replace(decision, decision_id=self._db.execute(self._sql["add_decision"], values).get)

    def drop(self, decision_id: int) -> Decision | None:
        """Keep a decision no longer; return it."""
        row = self._db.execute(self._sql["decision"], (decision_id,)).get
        if row is None:
            return None
        self._db.execute(self._sql["drop_decision"], (decision_id,))
        return _decision(row)


def _decision(row: Sequence[Any]) -> Decision:
    call_id, kind, *more = row
    return Decision(call_id, DecisionKind(kind), *more)
