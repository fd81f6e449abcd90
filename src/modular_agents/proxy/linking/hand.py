"""What a person said goes above everything: a call is placed by what the wire tells first, and then where the person put it.

Rule `by hand`, confidence 1. Where it would stand otherwise is kept beside (`Stand.unruled`), so that a decision can be taken back of
a call whose words are gone. What goes on from the call goes along; so does what hangs below it.
"""

from collections.abc import Iterable

import msgspec

from modular_agents.proxy.linking.delegation import DELEGATION
from modular_agents.proxy.linking.facts import BY_HAND, Came, Facts, Hand
from modular_agents.proxy.linking.grouping import trace_after
from modular_agents.proxy.linking.place import Placed
from modular_agents.proxy.linking.returns import RESPONSE
from modular_agents.proxy.linking.sight import Known, Sight
from modular_agents.proxy.linking.threads import REQUEST
from modular_agents.proxy.model.decision import PLACING, Decision, DecisionKind
from modular_agents.proxy.model.quick import changed


def hand_of(decisions: Iterable[Decision]) -> Hand | None:
    """Return what was said of one call; None when nothing was."""
    said = sorted(decisions, key=lambda one: (one.made_ns, one.decision_id))
    if not said:
        return None
    placing = [one for one in said if one.kind in PLACING][-1:]
    cut = tuple((one.other, one.edge_type) for one in said if one.kind is DecisionKind.CUT)
    if not placing:
        return Hand(cut=cut)
    one = placing[0]
    detail = f"said by {one.made_by} at {one.made_at}"
    opener = one.other if one.kind is DecisionKind.OPENED_BY else ""
    trace = one.other if one.kind is DecisionKind.TRACE else ""
    return Hand(places=True, opener=opener, beside=one.beside if trace else "", trace=trace, cut=cut, detail=detail)


def with_hand(facts: Facts, decisions: Iterable[Decision]) -> Facts:
    """Return facts with what was said of their call."""
    return msgspec.structs.replace(facts, hand=hand_of(decisions))


def ruled(placed: Placed, sight: Sight) -> Placed:
    """Return where a call stands after what was said of it."""
    facts, told, root_id = placed.facts, placed.stand, placed.root_id
    hand = facts.hand
    if hand is None:
        return placed
    came = tuple([one for one in told.came if (one.source, one.type) not in hand.cut])
    goes_on = root_id != facts.call_id
    if goes_on and not hand.places and came[:1] == told.came[:1]:
        return changed(placed, stand=msgspec.structs.replace(told, came=came, unruled=told))
    if not hand.places:
        return _opening(placed, came, placed.trace_id, told.freed)
    came = tuple([one for one in came if one.type == RESPONSE])
    trace_id = hand.trace or trace_after(facts.call_id)
    for above in sight.calls(filter(None, (hand.opener or hand.beside,))):
        trace_id = above.trace_id
        if hand.opener:
            came = (Came(above.call_id, DELEGATION, BY_HAND, hand.detail, 1.0), *came)
    return _opening(placed, came, trace_id, facts.said)


def _opening(placed: Placed, came: tuple[Came, ...], trace_id: str, freed: str | None) -> Placed:
    """Let a call open a thread to which `came` leads."""
    facts, words, told, was = placed.facts, placed.words, placed.stand, placed.trace_id
    agent_name, loose = placed.agent_name, placed.loose
    first = came[0] if came else None
    is_same = bool(first and told.came and (first.source, first.type) == (told.came[0].source, told.came[0].type))
    stand = msgspec.structs.replace(
        told,
        parent=first.source if first else None,
        kind=facts.kind,
        came=came,
        kin=None if facts.hand and facts.hand.places else told.kin,
        took=told.took if is_same else 0,
        use=told.use if is_same else "",
        is_doubtful=any(one.detail.startswith("ambiguous") for one in came),
        named=None if freed else facts.said,
        tied=() if freed else told.tied,
        freed=freed,
        unruled=told,
    )
    if stand.named:
        trace_id = stand.named
    opener = first.source if first and first.type != RESPONSE else None
    return Placed(facts, words, stand, trace_id, facts.call_id, opener, agent_name, loose | {was, trace_id, trace_after(facts.call_id)})


def untold(old: Known, sight: Sight) -> Placed:
    """Return where a call stood before anybody said anything, when its words are gone by which it could be placed anew."""
    stand = old.stand.unruled or old.stand
    facts = old.facts
    if old.stand.unruled is None:
        return Placed(facts, old.words, stand, old.trace_id, old.root_id, old.opener_id, old.agent_name)
    agent = facts.agent or stand.agent
    first = stand.came[0] if stand.came else None
    for above in sight.calls([first.source] if first else ()):
        if first and first.type == REQUEST and stand.kind != "replay" and not stand.tied:
            return Placed(facts, old.words, stand, above.trace_id, above.root_id, above.opener_id, agent)
        trace_id = stand.named or above.trace_id
        opener = above.call_id if first and first.type != RESPONSE else None
        return Placed(facts, old.words, stand, trace_id, facts.call_id, opener, agent, frozenset((trace_id, old.trace_id)))
    own = trace_after(facts.call_id)
    trace_id = stand.named or facts.session or own
    return Placed(facts, old.words, stand, trace_id, facts.call_id, None, agent, frozenset((trace_id, own, old.trace_id)))
