"""A person at a graph in memory: says things and takes them back, as the store would keep it."""

from dataclasses import dataclass, field, replace

from tests.support.link_memory import LinkMemory

from modular_agents.proxy.linking import checked, decide
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.decision import Decision, DecisionKind


@dataclass
class Person:
    memory: LinkMemory
    decisions: list[Decision] = field(default_factory=list)

    def says(self, call: Call | str, kind: DecisionKind, other: Call | str = "", edge_type: str = "") -> Decision:
        call_id, other_id = (one if isinstance(one, str) else one.call_id for one in (call, other))
        asked = Decision(call_id, kind, other_id, edge_type, made_by="ada", made_ns=len(self.decisions) + 1)
        decision = replace(checked(asked, self.memory.find), decision_id=len(self.decisions) + 1)
        self.decisions = [*(one for one in self.decisions if not decision.replaces(one)), decision]
        self._decide(call_id)
        return decision

    def takes_back(self, decision: Decision) -> None:
        self.decisions.remove(decision)
        self._decide(decision.call_id)

    def repeats(self, decision: Decision) -> None:
        """Says what was found fit to say before."""
        self._decide(decision.call_id)

    def of(self, call_id: str) -> list[Decision]:
        return [one for one in self.decisions if one.call_id == call_id]

    def _decide(self, call_id: str) -> None:
        decide(call_id, self.of(call_id), self.memory.find, self.memory.relink)
