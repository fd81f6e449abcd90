"""The smallest store that linking can be run on: what `Transaction.find`, `put_call` and `relink` say, in dictionaries.

An oracle for the engines and a fast bed for properties; it keeps no bodies.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from modular_agents.proxy.linking import revise, settle
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import CALLS_PER_THREAD, CALLS_PER_TOKEN, Candidate, Indexed, LinkChanges, Linked, Lookup
from modular_agents.proxy.model.trace import Placement


@dataclass(frozen=True, slots=True)
class Row:
    call_id: str
    started_ns: int
    placement: Placement
    indexed: Indexed


@dataclass
class LinkMemory:
    rows: dict[str, Row] = field(default_factory=dict)
    by_token: dict[int, set[str]] = field(default_factory=dict)

    def link(self, call: Call) -> Linked:
        """What the recorder does with a call."""
        linked = settle(call, self.find)
        self._put(Row(call.call_id, call.started_ns, linked.placement, linked.indexed))
        revise(call.call_id, linked.loose, self.find, self.relink)
        return linked

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        matched: dict[str, list[int]] = {}
        for tokens, sign in ((lookup.earlier, -1), (lookup.later, 1)):
            for token in tokens:
                for row in self._near(self.by_token.get(token, ()), lookup.at_ns, sign, CALLS_PER_TOKEN):
                    matched.setdefault(row.call_id, []).append(token)
        for thread, sign in ((lookup.before, -1), (lookup.after, 1)):
            if thread is not None:
                for row in self._near(self._members(thread), lookup.at_ns, sign, CALLS_PER_THREAD):
                    matched.setdefault(row.call_id, [])
        named = [call_id for call_id in lookup.calls if call_id in self.rows]
        members = [call_id for thread in lookup.members for call_id in self._members(thread)]
        roots = [
            row.call_id for row in self.rows.values() if row.placement.trace_id in lookup.roots and row.placement.root_id == row.call_id
        ]
        for call_id in (*named, *members, *roots):
            matched.setdefault(call_id, [])
        return [self._candidate(call_id, tokens) for call_id, tokens in matched.items()]

    def relink(self, changes: LinkChanges) -> None:
        for change in changes.replaced:
            self._put(replace(self.rows[change.call_id], placement=change.placement, indexed=change.indexed))
        for move in changes.moves:
            for call_id in self._members(move.thread_id):
                row = self.rows[call_id]
                agent = move.named(row.placement.agent_name, is_given=row.placement.agent_given)
                moved = replace(
                    row.placement,
                    thread_id=move.into,
                    trace_id=move.trace_id,
                    root_id=move.root_id,
                    opener_id=move.opener_id,
                    agent_name=agent,
                )
                self.rows[call_id] = replace(row, placement=moved)

    def _put(self, row: Row) -> None:
        old = self.rows.get(row.call_id)
        for token in (*old.indexed.tokens, *(old.indexed.passing_tokens or ())) if old else ():
            self.by_token[token].discard(row.call_id)
        if old and row.indexed.passing_tokens is None:
            kept = old.indexed
            row = replace(row, indexed=replace(row.indexed, passing_tokens=kept.passing_tokens, passing_facts=kept.passing_facts))
        for token in (*row.indexed.tokens, *(row.indexed.passing_tokens or ())):
            self.by_token.setdefault(token, set()).add(row.call_id)
        self.rows[row.call_id] = row

    def _members(self, thread: str) -> list[str]:
        return [row.call_id for row in self.rows.values() if row.placement.thread_id == thread]

    def _near(self, ids: Iterable[str], at_ns: int, sign: int, limit: int) -> list[Row]:
        rows = sorted((self.rows[call_id] for call_id in ids), key=lambda row: (row.started_ns, row.call_id), reverse=sign < 0)
        return [row for row in rows if sign * (row.started_ns - at_ns) >= 0][:limit]

    def _candidate(self, call_id: str, tokens: Sequence[int]) -> Candidate:
        row = self.rows[call_id]
        at = row.placement
        return Candidate(
            call_id,
            tuple(tokens),
            row.indexed.facts,
            at.trace_id,
            at.thread_id,
            at.root_id,
            at.opener_id,
            at.agent_name,
            row.indexed.passing_facts or b"",
        )
