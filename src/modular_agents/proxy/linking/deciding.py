"""A person decides: what was said is checked against what is stored, then the call and whatever rests on it are placed anew.

Nobody is opened by his own descendant, nor by what came later; an edge that is cut must be there; what was said by hand is taken
back, not cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from modular_agents.proxy.errors import NotFound, UsageError
from modular_agents.proxy.linking.facts import BY_HAND
from modular_agents.proxy.linking.hand import with_hand
from modular_agents.proxy.linking.place import Placed
from modular_agents.proxy.linking.revision import Revision, indexed_of
from modular_agents.proxy.linking.sight import Find, Known, known
from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.model.link import LinkChanges, Lookup, Replaced
from modular_agents.proxy.model.trace import HELPERS

MAX_ABOVE = 1000
"""Calls followed upwards when an opener is checked: bounds the work on a graph that is wrong already."""


def checked(decision: Decision, find: Find) -> Decision:
    """Return a decision that can be kept. Raises `NotFound` for what is not there, `UsageError` for what cannot be."""
    me = _call(decision.call_id, find)
    match decision.kind:
        case DecisionKind.OPENED_BY:
            _check_opener(me, _call(decision.other, find), find)
        case DecisionKind.TRACE:
            return replace(decision, beside=_standing_for(decision.other, me, find).call_id)
        case DecisionKind.CUT:
            _check_cut(decision, me)
        case DecisionKind.APART:
            pass
    return decision


def decide(call_id: str, decisions: Sequence[Decision], find: Find, relink: Callable[[LinkChanges], None]) -> None:
    """Let a stored call stand after these decisions, which are all that were made of it; whatever rests on it follows."""
    me = _call(call_id, find)
    placed = Placed(with_hand(me.facts, decisions), me.words, me.stand, me.trace_id, me.root_id, me.opener_id, me.agent_name)
    placement = placed.placement
    relink(LinkChanges((Replaced(call_id, placement, indexed_of(placed, me.passing, placement)),)))
    Revision(find, relink, ()).again(call_id)


def _call(call_id: str, find: Find) -> Known:
    found = find(Lookup(calls=(call_id,)))
    if not found:
        raise NotFound(f"There is no call {call_id!r}.")
    one = known(found[0])
    if one is None:
        raise UsageError(f"The call {call_id} was recorded by an earlier version. Run `anton proxy relink` first.")
    return one


def _check_opener(me: Known, opener: Known, find: Find) -> None:
    if opener.call_id == me.call_id:
        raise UsageError("A call cannot open itself.")
    above: Known | None = opener
    for _ in range(MAX_ABOVE):
        if above is None or above.facts.moment < me.facts.moment:
            break
        if me.call_id in {above.root_id, above.stand.parent}:
            raise UsageError(f"The call {opener.call_id} hangs below {me.call_id}: nobody is opened by his own descendant.")
        up = above.opener_id if above.is_root else above.stand.parent
        above = _call(up, find) if up else None
    if opener.facts.moment > me.facts.moment:
        raise UsageError(f"The call {opener.call_id} began after {me.call_id}: what came later cannot have asked for it.")


def _standing_for(trace_id: str, me: Known, find: Find) -> Known:
    """Return the call by which a trace is found again when it has another name: the oldest that opened a thread there by itself."""
    if me.trace_id == trace_id:
        raise UsageError(f"The call {me.call_id} stands in {trace_id} already.")
    roots = [one for one in map(known, find(Lookup(roots=(trace_id,)))) if one is not None]
    if not roots:
        raise NotFound(f"There is no trace {trace_id!r}.")
    return min(roots, key=lambda one: (bool(one.facts.hand and one.facts.hand.places), one.stand.kind in HELPERS, one.facts.moment))


def _check_cut(decision: Decision, me: Known) -> None:
    for one in me.stand.came:
        if (one.source, one.type) == (decision.other, decision.edge_type):
            if one.rule == BY_HAND:
                raise UsageError("A person said so: take that decision back instead of cutting the edge.")
            return
    raise NotFound(f"There is no edge of type {decision.edge_type!r} from {decision.other!r} to {me.call_id!r}.")
