"""Linking finds earlier calls by tokens, threads and traces; each question is a range of one index.

Tokens and facts mean nothing here: they are kept for linking and given back.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apsw

from modular_agents.proxy.model.link import CALLS_PER_THREAD, CALLS_PER_TOKEN, LATE_NS, Candidate, Indexed, Lookup
from modular_agents.proxy.store.sqlite.engine import statements

Found = tuple[int, str, bytes, bytes, str, str, str, str | None, str | None]
"""number, call, facts, passing facts, trace, thread, root, opener, agent"""
_FEW = 4
"""So many tokens are asked about one by one."""
DROPPED_PER_CALL = 4
"""How many calls lose what was `passing` for each call that is new: more than come, so that none is left behind."""


class Links:
    """Tokens and facts of one writing connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._new = self._newest_ns = 0

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        """Return the calls that a look-up finds, each once."""
        found: dict[int, Found] = {}
        matched: dict[int, list[int]] = {}
        for row, token in self._by_token(lookup):
            found[row[0]] = row
            matched.setdefault(row[0], []).append(token)
        for row in self._by_place(lookup):
            found.setdefault(row[0], row)
        return [_candidate(row, matched.get(number, ())) for number, row in found.items()]

    def put(self, number: int, started_ns: int, indexed: Indexed, before: Indexed | None) -> None:
        """Let call `number` be found by `indexed`, and no longer by what it was put with `before`."""
        if before == indexed:
            return
        passing = indexed.passing_tokens if indexed.passing_tokens is not None else before.passing_tokens or () if before else ()
        old, new = _all_tokens(before), {*indexed.tokens, *passing}
        self._db.executemany(self._sql["drop_token"], [(token, started_ns, number) for token in old - new])
        self._db.executemany(self._sql["add_token"], [(token, started_ns, number) for token in new - old])
        self._db.execute(
            self._sql["put_standing"], (number, _pack(indexed.tokens), indexed.facts, _pack(passing), indexed.passing_facts or b"")
        )
        if indexed.passing_facts is not None:
            self._db.execute(self._sql["put_passing_facts"], (indexed.passing_facts, number))
        if before is None:
            self._new += 1
            self._newest_ns = max(self._newest_ns, started_ns)

    def flush(self) -> None:
        """Drop what calls left for those that come late, when nobody will come any more."""
        if not self._new:
            return
        before = (self._newest_ns - LATE_NS) // 1_000_000
        passed: Any = self._db.execute(self._sql["passed"], (before, DROPPED_PER_CALL * self._new)).fetchall()
        for number, started_ns, tokens, packed in passed:
            gone = set(_unpack(packed)) - set(_unpack(tokens))
            self._db.executemany(self._sql["drop_token"], [(token, started_ns, number) for token in gone])
            self._db.execute(self._sql["drop_passing"], (number,))
        self.forget()

    def forget(self) -> None:
        """Begin a batch."""
        self._new = self._newest_ns = 0

    def drop(self, number: int, started_ns: int) -> None:
        """Let a call be found no more."""
        tokens = _all_tokens(self.stored(number))
        self._db.executemany(self._sql["drop_token"], [(token, started_ns, number) for token in tokens])
        self._db.execute(self._sql["drop_standing"], (number,))

    def stored(self, number: int) -> Indexed:
        """Return the tokens of a stored call, without its facts."""
        row: Any = self._db.execute(self._sql["stood"], (number,)).fetchone()
        return Indexed(_unpack(row[0]), b"", _unpack(row[1])) if row else Indexed()

    def _by_token(self, lookup: Lookup) -> Iterator[tuple[Found, int]]:
        for statement, wanted in (("found_earlier", lookup.earlier), ("found_later", lookup.later)):
            for token in self._left_by_any(wanted):
                for row in self._ask(statement, token, lookup.at_ns, CALLS_PER_TOKEN):
                    yield row, token

    def _left_by_any(self, tokens: Sequence[int]) -> Sequence[int]:
        """Return the tokens that some call left: one statement for all, for of hundreds that are asked about few are there."""
        if len(tokens) <= _FEW:
            return tokens
        rows: Any = self._db.execute(self._sql["left_tokens"], (str(list(tokens)),)).fetchall()
        return [token for (token,) in rows]

    def _by_place(self, lookup: Lookup) -> Iterator[Found]:
        for call_id in lookup.calls:
            yield from self._ask("found_call", call_id)
        for statement, thread in (("found_before", lookup.before), ("found_after", lookup.after)):
            if thread is not None:
                yield from self._ask(statement, thread, lookup.at_ns, CALLS_PER_THREAD)
        for thread in lookup.members:
            yield from self._ask("found_members", thread)
        for trace in lookup.roots:
            yield from self._ask("found_roots", trace)

    def _ask(self, statement: str, *values: Any) -> list[Found]:  # noqa: ANN401 - values of SQLite
        rows: Any = self._db.execute(self._sql[statement], values).fetchall()
        return list(rows)


def _candidate(row: Found, matched: Iterable[int]) -> Candidate:
    _, call_id, facts, passing, trace_id, thread_id, root_id, opener_id, agent_name = row
    return Candidate(call_id, tuple(matched), facts, trace_id, thread_id, root_id, opener_id, agent_name, passing)


def _all_tokens(indexed: Indexed | None) -> set[int]:
    return {*indexed.tokens, *(indexed.passing_tokens or ())} if indexed else set()


def _pack(tokens: tuple[int, ...]) -> bytes:
    numbers = array("q", tokens)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _unpack(packed: bytes) -> tuple[int, ...]:
    numbers = array("q", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
