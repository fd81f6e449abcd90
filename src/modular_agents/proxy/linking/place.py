"""A call stands where the strongest evidence puts it, and what put it there is written down.

Order of belief: ids given by the person or app, ids of the agent's own tooling, the conversation itself. A call that
nothing ties to an earlier one opens a trace whose id is made from the call's own, so that reading a journal twice gives the same ids.
"""

from collections.abc import Callable, Sequence

from modular_agents.proxy.linking.identity import Identity, identify
from modular_agents.proxy.linking.names import kind_of, named_agent, task_of
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import Candidate
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence, Placement

UNANSWERED = frozenset({"failed", "cancelled", "interrupted"})


def place(call: Call, candidates: Sequence[Candidate]) -> Placement:
    """Return where `call` stands, given the earlier calls that its `keys` found. Pure: the same arguments, the same place."""
    identity = identify(call)
    earlier = [other for other in candidates if other.call_id != call.call_id and other.started_ns <= call.started_ns]
    parent, rule = _parent(call, identity, earlier)
    same_thread = parent is not None and rule.rule != "header.x-parent-call-id"
    trace_id, trace_evidence = _trace(call, identity, parent, rule)
    thread_id = parent.thread_id if parent and same_thread else identity.thread or f"th-{call.call_id}"
    agent = identity.agent or (parent.agent_name if parent and same_thread else None) or named_agent(call)
    return Placement(
        trace_id=trace_id,
        thread_id=thread_id,
        trace_evidence=trace_evidence,
        agent_name=agent,
        parent_id=parent.call_id if parent else None,
        edges=() if parent is None else (Edge(parent.call_id, call.call_id, _edge_type(rule), rule),),
        task_description=task_of(call) if parent is None else None,
        kind="retry" if rule.rule == "retry" else kind_of(call, identity),
    )


def _edge_type(rule: Evidence) -> EdgeType:
    return EdgeType.DELEGATION if rule.rule == "header.x-parent-call-id" else EdgeType.REQUEST


def _parent(call: Call, identity: Identity, earlier: Sequence[Candidate]) -> tuple[Candidate | None, Evidence]:
    """Return the call whose edge leads here, with the evidence; the first rule that finds one decides."""
    rules: tuple[tuple[str, str, float, Callable[[Candidate], bool]], ...] = (
        ("replay", "call", 1.0, lambda other: other.call_id == identity.replay_of),
        ("retry", "history", 1.0, lambda other: _is_first_attempt(call, identity, other)),
        ("response_id", "response_id", 1.0, lambda other: other.key == call.previous_response_id),
        ("continuation", "tip", 1.0, lambda other: _ended_before(call, other)),
        ("header.x-parent-call-id", "call", 1.0, lambda other: other.call_id == identity.parent_call),
        ("header.thread", "thread", 0.9, lambda other: other.key == identity.thread),
    )
    for rule, matched, confidence, holds in rules:
        found = [other for other in earlier if other.matched == matched and holds(other)]
        if found:
            best = _best(call, found, first=rule == "retry")
            rivals = len({other.call_id for other in found if other.key == best.key}) - 1 if rule == "continuation" else 0
            return best, Evidence(rule, f"{rivals} other calls match as well" if rivals else "", confidence / (1 + rivals))
    return None, Evidence("none", "", 0.0)


def _best(call: Call, found: Sequence[Candidate], *, first: bool) -> Candidate:
    """Return the longest match, on the same connection if any, closest in time (the first attempt, for retries)."""
    longest = [other for other in found if other.key == found[0].key]
    same = [other for other in longest if other.connection_id == call.connection_id] or longest
    by_time = sorted(same, key=lambda other: (other.started_ns, other.call_id))
    return by_time[0] if first else by_time[-1]


def _ended_before(call: Call, other: Candidate) -> bool:
    return other.ended_ns is not None and other.ended_ns <= call.started_ns


def _is_first_attempt(call: Call, identity: Identity, other: Candidate) -> bool:
    if identity.attempt:
        return True
    return other.status in UNANSWERED and _ended_before(call, other)


def _trace(call: Call, identity: Identity, parent: Candidate | None, rule: Evidence) -> tuple[str, Evidence]:
    if identity.trace:
        return identity.trace, Evidence(identity.trace_rule)
    if identity.session:
        return identity.session, Evidence(identity.session_rule)
    if parent:
        return parent.trace_id, rule
    return f"tr-{call.call_id}", Evidence("conversation", "nothing ties this call to an earlier one", 0.5)
