"""Linking finds earlier calls by keys; each is one look-up in one index.

A history is its chain hash, a named key the hash of its kind and value: values are opaque text of any length.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import apsw

from modular_agents.proxy.model.link import Candidate, Indexed, LinkKeys
from modular_agents.proxy.store.sqlite.engine import statements

CANDIDATES_PER_KEY = 8
"""Calls taken of one key, newest first: a long thread matches with every turn."""
CANDIDATES_MAX = 32
"""As `Transaction.find` promises."""
HISTORY, ANSWERED, NAMED = 0, 1, 2
"""What a key is: a history, a history with its answer, a named key."""

Link = tuple[int, bytes]


class Links:
    """The keys of one writing connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()

    def find(self, keys: LinkKeys) -> Sequence[Candidate]:
        """Return earlier calls that match any key: tips, histories, named keys, as given; newest first within a key."""
        found: list[Candidate] = []
        for kind, matched, wanted in ((ANSWERED, "tip", keys.tips), (HISTORY, "history", keys.histories)):
            for key in wanted:
                rows = self._db.execute(self._sql["find_link"], (kind, key, CANDIDATES_PER_KEY))
                found += [_candidate(row, matched, key) for row in rows]
        for matched, name in keys.named:
            if matched == "call":
                rows = self._db.execute(self._sql["find_named_call"], (name,))
            else:
                rows = self._db.execute(self._sql["find_link"], (NAMED, _named(matched, name), CANDIDATES_PER_KEY))
            found += [_candidate(row, matched, name) for row in rows]
        return found[:CANDIDATES_MAX]

    def put(self, number: int, indexed: Indexed, known: frozenset[Link]) -> frozenset[Link]:
        """Add the keys by which call `number` is found, save those it is known to have; return all it has now."""
        links: list[Link] = [(NAMED, _named(kind, value)) for kind, value in indexed.named]
        if indexed.history is not None:
            links.append((HISTORY, indexed.history))
        if indexed.tip is not None:
            links.append((ANSWERED, indexed.tip))
        for kind, key in links:
            if (kind, key) not in known:
                self._db.execute(self._sql["add_link"], (kind, key, number))
        return known.union(links)


def _named(kind: str, value: str) -> bytes:
    return blake2b(f"{kind}\0{value}".encode("utf-8", "replace"), digest_size=16).digest()


def _candidate(row: tuple[Any, ...], matched: str, key: bytes | str) -> Candidate:
    call_id, trace_id, thread_id, agent_name, started_ns, ended_ns, status, connection_id = row
    return Candidate(call_id, matched, key, trace_id, thread_id, agent_name, started_ns, ended_ns, status, connection_id)
