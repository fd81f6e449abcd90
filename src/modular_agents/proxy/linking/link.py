"""Placing a call, and placing again what it shows in another light. The one driver of everything in this room.

`settle` says where a call stands and what it leaves behind; when that is stored, `revise` finds the calls on which it sheds
new light (it came late, its answer was still to come, its id joins two traces) and says what changes of them.
"""

from collections.abc import Callable, Sequence

from modular_agents.proxy.linking.facts import Told, encode_words
from modular_agents.proxy.linking.gather import completed, gather, recall
from modular_agents.proxy.linking.place import Placed, late_of, place
from modular_agents.proxy.linking.revision import Revision, indexed_of
from modular_agents.proxy.linking.sight import Find, Known, Sight, known
from modular_agents.proxy.linking.text import Said
from modular_agents.proxy.linking.tokens import CALL, MEMBER, mark
from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Linked, Lookup
from modular_agents.proxy.model.trace import Placement

_RUNNING = Status.RUNNING


def settle(call: Call, find: Find) -> Linked:
    """Place a version of a call among what `find` finds."""
    for candidate in find(Lookup(call.started_ns, new=call.call_id)):
        if (stored := known(candidate)) is not None:
            return _again(call, stored)
    facts, words = gather(call)
    if call.status is not _RUNNING:
        facts = completed(facts, call)
    sight = Sight(find, facts)
    placed = place(facts, words, sight, lambda one: recall(one, call))
    placement = placed.placement
    loose = tuple(sorted(placed.loose)) if placed.loose else ()
    return Linked(placement, indexed_of(placed, sight.passing(encode_words(words)), placement), loose)


def _again(call: Call, at: Known) -> Linked:
    """A later version of a call stands where the first one was put: what it goes on from has not changed."""
    facts = completed(at.facts, call) if call.status is not _RUNNING else at.facts
    placed = Placed(facts, at.words, at.stand, at.trace_id, at.root_id, at.opener_id, at.agent_name)
    placement = at.placement or placed.placement
    return Linked(placement, indexed_of(placed, None, placement))


def revise(linked: Linked, find: Find, relink: Callable[[LinkChanges], None]) -> None:
    """Place anew what the call concerns, which is stored as `linked` by now, and group traces; `relink` is called for every change."""
    leaves = linked.indexed
    told = leaves.live
    if not isinstance(told, Told):
        return
    me = told.facts
    own = (mark(CALL, me.call_id), mark(MEMBER, linked.placement.thread_id))
    concerned = list(find(Lookup(me.started_ns, asking=(*leaves.tokens, *leaves.recent, *own))))
    if late := late_of(me):
        pieces = [offer.piece for offer in me.offers] + ([me.handed] if me.handed else [])
        concerned += [one for one in find(Lookup(me.started_ns, asking=late)) if _holds(one, pieces)]
    if concerned or linked.loose:
        Revision(find, relink, linked.loose).of(me.call_id, concerned)


def _holds(candidate: Candidate, pieces: Sequence[Said]) -> bool:
    """Return whether one of the pieces stands in what a call was told: words that are common may be all they share."""
    one = known(candidate)
    if one is None or not one.words:
        return False
    reading = one.words.reading
    return any(reading.holds(piece) for piece in pieces)


def standing(candidate: Candidate) -> tuple[Placement, Indexed] | None:
    """Return where a stored call stands and what it leaves behind; None when linking knows nothing of it."""
    if (one := known(candidate)) is None:
        return None
    placed = Placed(one.facts, one.words, one.stand, one.trace_id, one.root_id, one.opener_id, one.agent_name)
    placement = placed.placement
    return placement, indexed_of(placed, one.passing, placement)
