"""A call stands where the strongest evidence puts it, and what put it there is written down.

Order of belief: ids given by the person or app, ids of the agent's own tooling, the conversation itself. A call that
nothing ties to an earlier one opens a trace whose id is made from the call's own, so that reading a journal twice gives the same ids.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from modular_agents.proxy.linking.facts import Facts, Stand, decode, encode, gather
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import Candidate, Indexed, Linked, Lookup
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence, Placement

Asking = Generator[Lookup, Sequence[Candidate], Linked]
UNANSWERED = frozenset({"failed", "cancelled", "interrupted"})


@dataclass(frozen=True, slots=True)
class Known:
    """A stored call, decoded."""

    facts: Facts
    stand: Stand
    trace_id: str
    thread_id: str
    root_id: str
    opener_id: str | None
    agent_name: str | None


def link(call: Call) -> Asking:
    """Place a call: yields look-ups, is sent what they find, returns what changes. Pure: the same answers, the same result."""
    facts = gather(call)
    wanted = (facts.request, facts.previous, *facts.tips)
    named = tuple(call_id for call_id in (facts.replay_of, facts.parent_call) if call_id)
    found = yield Lookup(facts.started_ns, earlier=tuple(key for key in wanted if key), calls=named)
    known = [_known(candidate) for candidate in found if candidate.call_id != facts.call_id]
    parent, evidence = _parent(facts, known)
    continues = parent is not None and evidence.rule != "said.parent"
    placement = _placement(facts, parent, evidence, continues=continues)
    stand = Stand(placement.parent_id, placement.kind, tuple(_row(edge) for edge in placement.edges))
    return Linked(placement, Indexed(_left(facts), encode(facts, stand)))


def settle(call: Call, find: Callable[[Lookup], Sequence[Candidate]]) -> Linked:
    """Drive `link` with a store's `find`."""
    asking = link(call)
    lookup = next(asking)
    while True:
        try:
            lookup = asking.send(find(lookup))
        except StopIteration as done:
            linked: Linked = done.value
            return linked


def _known(candidate: Candidate) -> Known:
    record = decode(candidate.facts)
    return Known(
        record.facts,
        record.stand,
        candidate.trace_id,
        candidate.thread_id,
        candidate.root_id,
        candidate.opener_id,
        candidate.agent_name,
    )


def _left(facts: Facts) -> tuple[int, ...]:
    return tuple(key for key in (facts.request, facts.tip, facts.response) if key)


def _row(edge: Edge) -> tuple[str, str, str, str, float]:
    return edge.from_call_id, str(edge.edge_type), edge.evidence.rule, edge.evidence.detail, edge.evidence.confidence


def _placement(facts: Facts, parent: Known | None, evidence: Evidence, *, continues: bool) -> Placement:
    trace_id, trace_evidence = _trace(facts, parent, evidence)
    joined = parent if continues else None
    kind = EdgeType.REQUEST if continues else EdgeType.DELEGATION
    return Placement(
        trace_id=trace_id,
        thread_id=facts.thread or (joined.thread_id if joined else f"th-{facts.call_id}"),
        trace_evidence=trace_evidence,
        agent_name=facts.agent or (joined.agent_name if joined else None) or facts.intro,
        parent_id=parent.facts.call_id if parent else None,
        edges=() if parent is None else (Edge(parent.facts.call_id, facts.call_id, kind, evidence),),
        task_description=None if joined else facts.task,
        kind="retry" if evidence.rule == "retry" else facts.kind,
        root_id=joined.root_id if joined else facts.call_id,
        opener_id=joined.opener_id if joined else parent.facts.call_id if parent else None,
        agent_given=facts.agent is not None,
    )


def _parent(facts: Facts, earlier: Sequence[Known]) -> tuple[Known | None, Evidence]:
    """Return the call whose edge leads here, with the evidence; the first rule that finds one decides."""
    for other in earlier:
        if other.facts.call_id == facts.replay_of:
            return other, Evidence("replay")
    attempts = [other for other in earlier if other.facts.request == facts.request and _is_attempt(facts, other.facts)]
    if facts.request and attempts:
        return min(attempts, key=_moment), Evidence("retry", f"attempt {facts.attempt + 1}" if facts.attempt else "")
    answered = [other for other in earlier if _ended_before(facts, other.facts)]
    for other in answered:
        if facts.previous and other.facts.response == facts.previous:
            return other, Evidence("response_id")
    for tip in facts.tips:
        if found := [other for other in answered if other.facts.tip == tip]:
            return _best(facts, found)
    for other in earlier:
        if other.facts.call_id == facts.parent_call:
            return other, Evidence("said.parent")
    return None, Evidence("none", "", 0.0)


def _moment(known: Known) -> tuple[int, str]:
    return known.facts.started_ns, known.facts.call_id


def _best(facts: Facts, found: Sequence[Known]) -> tuple[Known, Evidence]:
    """Return the match on the same connection if any, closest in time."""
    same = [other for other in found if other.facts.connection == facts.connection] or found
    rivals = len(found) - 1
    doubt = f"{rivals} other calls match as well" if rivals else ""
    return max(same, key=_moment), Evidence("continuation", doubt, 1 / (1 + rivals))


def _ended_before(facts: Facts, other: Facts) -> bool:
    return other.ended_ns is not None and other.ended_ns <= facts.started_ns


def _is_attempt(facts: Facts, other: Facts) -> bool:
    return facts.attempt > other.attempt or (other.status in UNANSWERED and _ended_before(facts, other))


def _trace(facts: Facts, parent: Known | None, evidence: Evidence) -> tuple[str, Evidence]:
    if facts.said:
        return facts.said, Evidence(facts.said_rule)
    if facts.session:
        return facts.session, Evidence(facts.session_rule)
    if parent:
        return parent.trace_id, evidence
    return f"tr-{facts.call_id}", Evidence("conversation", "nothing ties this call to an earlier one", 0.5)
