"""Placing a call, and placing again what it shows in another light. The one driver of everything in this room.

`settle` says where a call stands and what it leaves behind; when that is stored, `revise` finds the calls on which it sheds
new light (it came late, its answer was still to come, its id joins two traces) and says what changes of them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from modular_agents.proxy.linking.facts import COMPLETED, Facts, Told, Words
from modular_agents.proxy.linking.gather import answered_as, completed, gather, recall
from modular_agents.proxy.linking.hand import ruled, with_hand
from modular_agents.proxy.linking.place import Placed, pieces_of, place, words_of
from modular_agents.proxy.linking.revision import Revision, indexed_of
from modular_agents.proxy.linking.sight import Find, Known, Sight, concerned_by, known
from modular_agents.proxy.linking.text import Said
from modular_agents.proxy.linking.threads import tried_from
from modular_agents.proxy.linking.tokens import CALL, MEMBER, TRIED, mark, turned
from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.model.decision import Decision
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Linked, Lookup
from modular_agents.proxy.model.trace import Placement

_RUNNING = Status.RUNNING


class Read(NamedTuple):
    """A call as linking reads it, before anything is known of others."""

    facts: Facts
    words: Words
    before: Facts | None = None
    """The facts as they were read of an earlier version."""


def read(call: Call, before: object = None) -> Read:
    """Read a version of a call; `before` is what was read of an earlier one. It rests on the call alone, so a batch is read at once."""
    if isinstance(before, Read):
        facts, words, _ = before
    else:
        facts, words = gather(call)
    return Read(facts, words, facts) if call.status is _RUNNING else Read(completed(facts, call), words, facts)


def settle(call: Call, find: Find, was_read: object = None, said: Sequence[Decision] = ()) -> Linked:
    """Place a version of a call among what `find` finds. `was_read`: what `read` made of it, if it has been read.

    said: what a person said of it, for a call that is not stored.
    """
    facts, words, before = was_read if isinstance(was_read, Read) else read(call)
    for candidate in find(Lookup(call.started_ns, new=call.call_id)):
        if (stored := known(candidate)) is not None:
            return _again(facts if stored.facts is before else answered_as(stored.facts, facts), stored)
    if said:
        facts = with_hand(facts, said)
    sight = Sight(find, facts)
    placed = place(facts, words, sight, lambda one: recall(one, call))
    if facts.hand is not None:
        placed = ruled(placed, sight)
    placement = placed.placement
    loose = tuple(sorted(placed.loose)) if placed.loose else ()
    return Linked(placement, indexed_of(placed, sight.passing(), placement), loose)


def _again(now: Facts, at: Known) -> Linked:
    """A later version of a call stands where the first one was put: what it goes on from has not changed."""
    placed = Placed(now, at.words, at.stand, at.trace_id, at.root_id, at.opener_id, at.agent_name)
    placement = at.placement or placed.placement
    return Linked(
        placement, indexed_of(placed, None, placement), unsure=now.process != at.facts.process and bool(at.stand.came or at.stand.kin)
    )


def revise(linked: Linked, find: Find, relink: Callable[[LinkChanges], None]) -> None:
    """Place anew what the call concerns, which is stored as `linked` by now, and group traces; `relink` is called for every change.

    That it ended matters to the same request of others only if they say that they are sent again, or began when it had failed: a
    hundred may be under way at once.
    """
    leaves = linked.indexed
    told = leaves.live
    if not isinstance(told, Told):
        return
    me = told.facts
    own = (mark(CALL, me.call_id), mark(MEMBER, linked.placement.thread_id))
    keys, words = (*leaves.tokens, *leaves.recent, *own), words_of(me)
    has_ended = leaves.passing is None and me.ended_ns is not None
    if has_ended:
        keys = tuple([turned(key, TRIED) if key == me.request else key for key in keys])
    concerned = find(concerned_by(me.started_ns, keys, words))
    if words and concerned:  # hardly ever
        pieces = pieces_of(me)
        told = [one for one in find(Lookup(me.started_ns, holding=words)) if _holds(one, pieces)]
        concerned = [*find(concerned_by(me.started_ns, keys)), *told]
    if has_ended and me.status != COMPLETED and me.request:
        concerned = [*concerned, *find(Lookup(tried_from(me), asking=(me.request,)))]
    if concerned or linked.loose or linked.unsure:
        Revision(find, relink, linked.loose).of(me.call_id, concerned, itself=linked.unsure)


def _holds(candidate: Candidate, pieces: Sequence[Said]) -> bool:
    """Return whether one of the pieces stands in what a call was told: a few of its words may be all they share."""
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
