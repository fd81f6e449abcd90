"""A list is a range of one index, newest first: a filter becomes conditions, never an offset and never a sort of everything.

Calls are filtered by what they are. Traces are filtered by their own status, cost, errors and time, and by whether any call of
theirs has the model, agent, provider or words.
"""

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store import terms
from modular_agents.proxy.store.sqlite import volumes
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.hints import NO_HINTS, SLACK, Hints
from modular_agents.proxy.store.sqlite.volumes import Found

Value = Any
_NUMBER_MAX = (1 << 63) - 1
FEW_DEAR_CALLS = 2000
"""Up to so many are looked up; more are met soon enough by going through the newest calls."""
SEARCHED_CALLS = 5000
"""Newest calls with the words that are looked at for one page, when not all of them are wanted: tens of milliseconds."""
SEARCHED_TRACES_HITS = 5000
"""Newest calls with the words that are looked at for the traces they stand in: reading them takes tens of milliseconds."""

_HAS_CALL = {
    "model": ("has_one_of_many_model", "has_one_of_few_model"),
    "provider": ("has_one_of_many_provider", "has_one_of_few_provider"),
}


@dataclass(slots=True)
class Query:
    """A SELECT being put together."""

    select: str
    conditions: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def add(self, condition: str, *values: Value) -> None:
        """Add a condition with its values."""
        self.conditions.append(condition)
        self.values += values

    def narrow(self, condition: str, value: str | float | None) -> None:
        """Add a condition on one value, if there is one. Numbers are brought into the range of SQLite's."""
        if isinstance(value, str):
            self.add(condition, _text(value))
        elif value is not None:
            self.add(condition, max(-_NUMBER_MAX, min(value, _NUMBER_MAX)))

    def choose(self, so: str, not_so: str, wanted: bool | None) -> None:
        """Add one of two conditions."""
        if wanted is not None:
            self.add(so if wanted else not_so)

    def page(self, order: str, limit: int) -> tuple[str, tuple[Value, ...]]:
        """Return the statement for `limit` rows and its values."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"{self.select}{where} ORDER BY {order} LIMIT ?", (*self.values, limit)


def calls(
    where: CallFilter,
    after: int | None,
    limit: int,
    *,
    known: Hints = NO_HINTS,
    dear_are_few: bool = False,
    found: Found | None = None,
) -> tuple[str, tuple[Value, ...]] | None:
    """Return the statement for a page of calls; None when nothing can be found.

    `dear_are_few`: so few calls cost as much as is asked for that they are better looked up than met on the way.
    `found`: the calls that have the words, as `searched` returns them.
    """
    if words_of(where) is None or known.is_empty or (found and not found.numbers):
        return None
    query = _among(found)
    if found is None:
        query.narrow("c.id < ?", after)
        query.narrow("c.id < ?", known.below)
    _narrow(query, where, known.rarest, dear_are_few=dear_are_few)
    return query.page("c.id DESC", limit)


def ended(where: CallFilter, after: int, limit: int, found: Found | None = None) -> tuple[str, tuple[Value, ...]] | None:
    """Return the statement for a page of calls that have ended, oldest first; None when nothing can be found.

    `found`: the calls that have the words, as `searched_after` returns them.
    """
    if words_of(where) is None or (found and not found.numbers):
        return None
    query = _among(found)
    query.add("c.id > ?", after)
    query.add("c.status <> 'running'")
    _narrow(query, where, None, dear_are_few=False)
    return query.page("c.id", limit)


def _among(found: Found | None) -> Query:
    """Return a query of calls: of all, or of those that were found."""
    if found is None:
        return Query(statements()["listed_calls"])
    return Query(statements()["searched_calls"], values=[apsw.carray(array("q", found.numbers))])


def _narrow(query: Query, where: CallFilter, rarest: str | None, *, dear_are_few: bool) -> None:
    """Add the conditions on what a call is. `rarest`: the only one of model, agent and provider whose index is of use."""
    for kind, column, value in (
        ("model", "model", where.model),
        ("agent", "agent_name", where.agent),
        ("provider", "provider", where.provider),
    ):
        query.narrow(f"{'' if rarest in {None, kind} else '+'}c.{column} = ?", value)
    query.narrow("c.trace = (SELECT id FROM trace WHERE trace_id = ?)", where.trace_id)
    query.narrow("c.status = ?", where.status)
    if where.status not in {None, "completed"}:
        query.add("c.status <> 'completed'")
    query.choose("c.is_error = 1 AND c.is_error <> 0", "c.is_error = 0", where.has_error)
    query.narrow("c.id >= ?", None if where.since_ns is None else where.since_ns // 1_000_000)
    query.narrow("c.started_ns >= ?", where.since_ns)
    query.narrow("c.started_ns < ?", where.until_ns)
    query.narrow(statements()["is_dear"] if dear_are_few else "c.cost_usd >= ?", where.min_cost_usd)


def searched(db: apsw.Connection, where: CallFilter, after: int | None, limit: int, known: Hints = NO_HINTS) -> Found | None:
    """Return the calls with the words that are looked at; None when there are no words to look for.

    They are the newest of the time asked for, more of them when they are narrowed further.
    """
    words = words_of(where)
    if not words or known.is_empty:
        return None
    only_words = where == CallFilter(text=where.text, since_ns=where.since_ns, until_ns=where.until_ns)
    below = min(number for number in (after, known.below, _NUMBER_MAX) if number is not None)
    since = 0 if where.since_ns is None else max(0, min(where.since_ns // 1_000_000, _NUMBER_MAX))
    return volumes.newest(db, words, below, since, _searched_calls(where, limit) if only_words else SEARCHED_CALLS)


def searched_after(db: apsw.Connection, where: CallFilter, after: int) -> Found | None:
    """Return the calls with the words that are looked at, oldest first; None when there are no words to look for."""
    words = words_of(where)
    return volumes.oldest(db, words, after, SEARCHED_CALLS) if words else None


def searched_for_traces(db: apsw.Connection, where: CallFilter) -> Sequence[int] | None:
    """Return the calls with the words whose traces are looked at; None when there are no words to look for."""
    words = words_of(where)
    return volumes.newest(db, words, _NUMBER_MAX, 0, SEARCHED_TRACES_HITS).numbers if words else None


def _searched_calls(where: CallFilter, limit: int) -> int:
    """Return how many calls with the words fill a page: of a time, some may have numbers within it and have begun outside."""
    return limit if where.until_ns is None else min(limit + SLACK, SEARCHED_CALLS)


def traces(
    where: CallFilter, after: int | None, limit: int, running_after_ns: int, known: Hints = NO_HINTS, among: Sequence[int] | None = None
) -> tuple[str, tuple[Value, ...]] | None:
    """Return the statement for a page of traces; None when nothing can be found.

    `running_after_ns`: a trace that waits for a tool counts as running when something was seen of it after this time.
    `among`: the calls that have the words.
    """
    if words_of(where) is None or known.is_empty:
        return None
    query = Query(statements()["listed_traces"])
    query.narrow("id < ?", after)
    query.narrow("id < ?", known.below)
    if among is not None:
        query.add(statements()["trace_has_calls"], json.dumps(list(among)))
    query.narrow(_has_call("model", known), where.model)
    query.narrow("EXISTS (SELECT 1 FROM thread WHERE trace = t.id AND agent_name = ? AND call_count > 0)", where.agent or None)
    query.narrow(_has_call("provider", known), where.provider)
    query.narrow("trace_id = ?", where.trace_id)
    if where.status is not None:
        query.add(statements()["trace_status"], running_after_ns, _text(where.status))
    query.choose("error_count > 0", "error_count = 0", where.has_error)
    query.narrow("last_ns >= ?", where.since_ns)
    query.narrow("created_ns < ?", where.until_ns)
    query.narrow("CASE WHEN cost_calls > 0 THEN cost_usd END >= ?", where.min_cost_usd)
    return query.page("id DESC", limit)


def _has_call(kind: str, known: Hints) -> str:
    """Return the condition that a trace has a call of this model or provider."""
    return statements()[_HAS_CALL[kind][kind in known.few]]


def words_of(where: CallFilter) -> str | None:
    """Return the FTS5 expression; empty without a query, None when the query holds no word."""
    if where.text is None or not where.text.strip():
        return ""
    return terms.fts(terms.parse(where.text)) or None


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()
