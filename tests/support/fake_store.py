"""A store in memory for tests of what writes to one: keeps what was committed, fails when told. No queries."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.call import Call, Cost, Delta
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Lookup
from modular_agents.proxy.model.trace import Placement
from modular_agents.proxy.ports import JournalPosition


@dataclass(frozen=True, slots=True)
class Put:
    call: Call
    exchange: Exchange
    placement: Placement
    cost: Cost
    indexed: Indexed


@dataclass(slots=True)
class FakeStore:
    """`fail`: called before each commit, and with each call that is put; what it raises is raised."""

    puts: list[Put] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    at: JournalPosition = field(default_factory=JournalPosition)
    commits: int = 0
    away: bool = False
    fail: Callable[[Call | None], None] = lambda _: None

    @property
    def final(self) -> dict[str, Put]:
        return {put.call.call_id: put for put in self.puts if put.exchange.outcome is not None}

    def text(self, call_id: str) -> str:
        return "".join(delta.text for delta in self.deltas if delta.call_id == call_id)

    def position(self) -> JournalPosition:
        if self.away:
            raise StoreUnavailable("away")
        return self.at

    def tidy(self, *, is_idle: bool = True) -> bool:  # noqa: ARG002 - as the port has it
        return False

    @contextmanager
    def batch(self) -> Iterator["_FakeTransaction"]:
        if self.away:
            raise StoreUnavailable("away")
        transaction = _FakeTransaction(self)
        yield transaction
        self.fail(None)
        if self.away:
            raise StoreUnavailable("away")
        self.puts, self.deltas, self.at = transaction.puts, transaction.deltas, transaction.at
        self.commits += 1

    def close(self) -> None:
        pass


class _FakeTransaction:
    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.puts, self.deltas, self.at = copy.copy(store.puts), copy.copy(store.deltas), store.at

    def find(self, lookup: Lookup) -> Sequence[Candidate]:
        found: dict[str, Candidate] = {}
        for put in self.puts:
            call, place, left = put.call, put.placement, put.indexed
            before = call.started_ns <= lookup.at_ns and not {*left.tokens, *left.recent}.isdisjoint((*lookup.earlier, *lookup.ever))
            if before or call.call_id in (*lookup.calls, lookup.new):
                found[call.call_id] = Candidate(
                    call.call_id, left.facts, place.trace_id, place.thread_id, place.root_id, place.opener_id, place.agent_name
                )
        return list(found.values())

    def relink(self, changes: LinkChanges) -> None:
        pass

    def expect(self, versions: Sequence[tuple[Call, Exchange]]) -> None:
        """Nothing: each version is enough when it is put."""

    def put_call(self, call: Call, exchange: Exchange, placement: Placement, cost: Cost, indexed: Indexed) -> None:
        self.store.fail(call)
        self.puts.append(Put(call, exchange, placement, cost, indexed))

    def put_callers(self, callers: Sequence[Caller]) -> None:
        """Whose connections are is not kept."""

    def put_deltas(self, deltas: Sequence[Delta]) -> None:
        self.deltas += deltas

    def set_position(self, position: JournalPosition) -> None:
        self.at = position
