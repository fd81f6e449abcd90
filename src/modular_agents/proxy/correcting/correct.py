"""What a person says of the graph lands in one short transaction of its own, beside a recorder or without one.

The decision, the place of its call and whatever follows from that are written together or not at all, and announced like any
change. A recorder that runs sees that somebody else has linked calls, and reads the latest ones again before it goes on
(docs/decisions, "What a person says of the graph"). Nothing here brings a database up to date: who does that is the recorder.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from modular_agents.proxy.errors import NotFound, UsageError
from modular_agents.proxy.linking import checked, decide
from modular_agents.proxy.model.decision import Decision, DecisionKind, DecisionView
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.ports import Reader, Store, Transaction

MAX_NAME_CHARS = 80
"""Of whoever says something."""
MAX_ID_CHARS = 200
_CALLS = frozenset({DecisionKind.OPENED_BY, DecisionKind.CUT})
_EDGES = tuple(map(str, EdgeType))


class Corrector:
    """Keeps decisions, and takes them back. Every method opens what it needs and closes it: people are slow."""

    def __init__(self, open_reader: Callable[[], Reader], open_store: Callable[[], Store], now_ns: Callable[[], int]) -> None:
        self._open_reader, self._open_store, self._now_ns = open_reader, open_store, now_ns

    def say(self, asked: Decision) -> Decision:
        """Keep a decision and return it, with full ids. Raises `UsageError`, `NotFound`, `StoreUnavailable`."""
        said = replace(self._resolved(asked), made_ns=self._now_ns())
        store = self._open_store()
        try:
            with store.batch() as batch:
                kept = batch.put_decision(checked(said, batch.find))
                self._follow(batch, kept.call_id)
        finally:
            store.close()
        return kept

    def take_back(self, decision_id: int) -> Decision:
        """Keep a decision no longer, and return it. Raises `NotFound`, `StoreUnavailable`."""
        self._open_reader().close()
        store = self._open_store()
        try:
            with store.batch() as batch:
                dropped = batch.drop_decision(decision_id)
                if dropped is None:
                    raise NotFound(f"There is no decision {decision_id}: it has been taken back, or its call is gone.")
                self._follow(batch, dropped.call_id)
        finally:
            store.close()
        return dropped

    @staticmethod
    def _follow(batch: Transaction, call_id: str) -> None:
        decide(call_id, batch.decisions(call_id), batch.find, batch.relink)

    def _resolved(self, asked: Decision) -> Decision:
        """Return the decision with the full ids of what it names. A database that awaits its recorder is refused here."""
        check(asked)
        reader = self._open_reader()
        try:
            other = _call_id(reader, asked.other) if asked.kind in _CALLS else asked.other
            return replace(asked, call_id=_call_id(reader, asked.call_id), other=other)
        finally:
            reader.close()


def check(asked: Decision) -> None:
    """Raise `UsageError` for what says nothing, whatever is stored."""
    name = asked.made_by
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise UsageError(f"Whoever says it has a name of at most {MAX_NAME_CHARS} printable characters.")
    ids = (asked.call_id,) if asked.kind is DecisionKind.APART else (asked.call_id, asked.other)
    for one in ids:
        if not one or len(one) > MAX_ID_CHARS or not one.isprintable():
            what = "the call" if one is asked.call_id else "what it is about"
            raise UsageError(f"{asked.kind} needs the id of {what}: printable text of at most {MAX_ID_CHARS} characters.")
    if asked.kind is DecisionKind.APART and asked.other:
        raise UsageError("apart names nothing but the call itself.")
    if asked.kind is DecisionKind.CUT and asked.edge_type not in _EDGES:
        raise UsageError(f"A cut names the type of the edge: one of {', '.join(_EDGES)}.")
    if asked.kind is not DecisionKind.CUT and asked.edge_type:
        raise UsageError(f"{asked.kind} names no type of edge.")


def view(decision: Decision) -> DecisionView:
    """Return a decision for showing."""
    return DecisionView(
        str(decision.decision_id),
        decision.call_id,
        str(decision.kind),
        decision.other,
        decision.edge_type,
        decision.made_by,
        decision.made_at,
    )


def views(decisions: Sequence[Decision]) -> tuple[DecisionView, ...]:
    """Return decisions for showing, newest first."""
    return tuple(view(decision) for decision in reversed(decisions))


def _call_id(reader: Reader, asked: str) -> str:
    found = reader.call(asked)
    if found is None:
        raise NotFound(f"There is no call {asked!r}, or more than one.")
    return found.call.call_id
