"""New light on earlier calls: each one that a call concerns is placed again, oldest first, until nothing changes any more.

A call concerns those that asked for a token it leaves. What a placement rests on runs in one direction (see `place`), so that placing
again whatever asked for something that changed ends where placing all calls in the order of time would have led. Traces are grouped at
the end, once, by their threads alone.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from modular_agents.proxy.linking.facts import Told, encode
from modular_agents.proxy.linking.grouping import Thread, group
from modular_agents.proxy.linking.hand import ruled, untold
from modular_agents.proxy.linking.place import Placed, has_reading, lasting_of, pairs_of, place, recent_of, words_of
from modular_agents.proxy.linking.sight import Find, Known, Sight, concerned_by, known
from modular_agents.proxy.linking.tokens import CALL, MEMBER, TIED, mark
from modular_agents.proxy.model.link import NO_PASSING, Candidate, Indexed, LinkChanges, Lookup, Passing, Replaced, ThreadMove
from modular_agents.proxy.model.quick import changed
from modular_agents.proxy.model.trace import Placement

MAX_REVISED = 512
"""Calls placed again because of one. Reached only by floods of equal prompts that arrive in disorder; `relink` goes on from there."""
MAX_TRACES = 64
"""Traces followed from link to link while grouping; those that come together at once are all taken, however many."""


def indexed_of(placed: Placed, passing: Passing | None, placement: Placement) -> Indexed:
    """Return what a placed call leaves behind."""
    facts, words, stand = placed.facts, placed.words, placed.stand
    is_root, opener_id = placed.root_id == facts.call_id, placed.opener_id
    return Indexed(
        lasting_of(facts, stand, is_root=is_root, opener_id=opener_id),
        encode(facts, stand),
        recent_of(facts, words, stand, is_root=is_root),
        passing,
        Told(facts, stand, words, placement),
        words.reading.texts if passing is not None and has_reading(facts, words) else (),
        pairs_of(facts),
        bool(words),
    )


class Revision:
    """One round of placing anew."""

    def __init__(self, find: Find, relink: Callable[[LinkChanges], None], loose: Iterable[str]) -> None:
        self._find, self._relink = find, relink
        self._traces = set(loose)
        self._waiting: dict[str, tuple[int, str]] = {}

    def of(self, call_id: str, concerned: Sequence[Candidate], *, itself: bool = False) -> None:
        """Place anew the calls that a call concerns which has just been stored (and it `itself`), and whatever they concern, then group."""
        self._wait(call_id, concerned)
        if itself:
            self._wait("", self._find(Lookup(calls=(call_id,))))
        self._run()

    def again(self, call_id: str) -> None:
        """Place a call anew of which a person said something, and whatever it concerns, then group."""
        found = self._find(Lookup(calls=(call_id,)))
        self._traces |= {one.trace_id for one in found}
        self._wait("", found, is_told=True)
        self._run()

    def _run(self) -> None:
        left = MAX_REVISED
        while self._waiting and left:
            left -= 1
            waiting = self._waiting
            next_id = min(waiting, key=lambda one: waiting[one])
            del waiting[next_id]
            for other in self._known(Lookup(calls=(next_id,))):
                self._place(other)
        if self._traces:
            self._group()

    def _known(self, lookup: Lookup) -> list[Known]:
        return [one for one in map(known, self._find(lookup)) if one is not None]

    def _concern(self, me: Known, tokens: Collection[int], words: Sequence[str]) -> None:
        """Let whatever asked for one of these tokens be placed again, or was told these words: calls after `me`, and those that watch."""
        self._wait(me.call_id, self._find(concerned_by(me.facts.started_ns, tokens, words)))

    def _wait(self, call_id: str, found: Sequence[Candidate], *, is_told: bool = False) -> None:
        for other in map(known, found):
            if other is not None and other.call_id != call_id and (other.passing is not None or is_told):
                self._waiting[other.call_id] = other.facts.moment

    def _place(self, old: Known) -> None:
        sight = Sight(self._find, old.facts)
        before = old.passing or NO_PASSING
        is_recent = bool(before.asked or before.watched)  # neither of old ones nor of imported ones are the words here
        placed = ruled(place(old.facts, old.words, sight) if is_recent else untold(old, sight), sight)
        passing = sight.passing() if is_recent else old.passing
        if _stands(old, placed):
            if (
                is_recent
                and passing
                and not (before.asked and set(passing.asked) <= set(before.asked) and set(passing.watched) <= set(before.watched))
            ):
                asked, watched = {*passing.asked, *before.asked}, {*passing.watched, *before.watched}
                self._relink(LinkChanges((self._replaced(old, _as_it_is(old), Passing(tuple(asked), tuple(watched))),)))
            return
        if placed.root_id == old.root_id:
            # grouping decides about traces; until then the thread stays together
            placed = changed(placed, trace_id=old.trace_id)
        followers = self._followers(old, placed)
        mine = self._replaced(old, placed, passing)
        moved = [self._replaced(one, _following(one, placed), one.passing) for one in followers]
        moves: tuple[ThreadMove, ...] = ()
        if old.is_root:
            name, was = placed.stand.agent, old.stand.agent
            moves = (ThreadMove(old.thread_id, placed.thread_id, placed.trace_id, placed.root_id, placed.opener_id, name, was),)
        is_moved = (old.root_id, old.opener_id) != (placed.root_id, placed.opener_id)
        members = self._known(Lookup(members=(old.thread_id,))) if old.is_root and is_moved else []
        self._relink(LinkChanges((mine, *moved), moves))
        self._traces |= {old.trace_id, placed.trace_id, *placed.loose}
        now = self._known(Lookup(calls=(old.call_id,)))
        self._concern(old, {*_left(old), *(key for one in now for key in _left(one))}, words_of(old.facts))
        followers += [one for one in members if one.call_id != old.call_id]
        for one in followers:
            self._concern(one, {*_left(one), mark(MEMBER, placed.thread_id)}, words_of(one.facts))

    def _followers(self, old: Known, placed: Placed) -> list[Known]:
        """Return the later calls of a thread that go where an earlier one goes, when that is no longer in this thread."""
        if old.is_root or placed.root_id == old.root_id:
            return []
        taken = {old.call_id}
        found = []
        members = self._known(Lookup(members=(old.thread_id,), at_ns=old.facts.started_ns))
        for one in sorted(members, key=lambda member: member.facts.moment):
            if one.stand.parent in taken and not one.is_root:
                taken.add(one.call_id)
                found.append(one)
        return found

    def _replaced(self, old: Known, placed: Placed, passing: Passing | None) -> Replaced:
        placement = placed.placement
        return Replaced(old.call_id, placement, indexed_of(placed, passing, placement))

    def _group(self) -> None:
        """Group the threads of these traces, and of those they are tied to, and move what stands in another."""
        traces = set(self._traces)
        while True:
            roots = self._known(Lookup(roots=tuple(sorted(traces))))
            ties = {root.call_id: _ties(root) for root in roots}
            ends = self._known(Lookup(calls=tuple(sorted({one for tie in ties.values() for one in tie}))))
            tied = tuple([mark(TIED, root.call_id) for root in roots if not root.facts.said])
            more = {end.trace_id for end in (*ends, *self._known(Lookup(ever_later=tied)))} - traces
            if not more or len(traces) > MAX_TRACES + len(self._traces):
                break
            traces |= more
        root_of = {end.call_id: end.root_id for end in ends}
        names = group([_thread(root, root_of, ties[root.call_id]) for root in roots])
        moves = tuple(
            ThreadMove(
                root.thread_id, root.thread_id, names[root.call_id], root.call_id, root.opener_id, root.stand.agent, root.stand.agent
            )
            for root in roots
            if names[root.call_id] != root.trace_id
        )
        if moves:
            self._relink(LinkChanges(moves=moves))


def _left(one: Known) -> list[int]:
    """Return every token by which others may have asked for a call."""
    lasting = lasting_of(one.facts, one.stand, is_root=one.is_root, opener_id=one.opener_id)
    recent = recent_of(one.facts, one.words, one.stand, is_root=one.is_root)
    return [*lasting, *recent, mark(CALL, one.call_id), mark(MEMBER, one.thread_id)]


def _stands(at: Known, placed: Placed) -> bool:
    """Return whether a call stands where it is placed."""
    return (at.stand, at.root_id, at.opener_id, at.agent_name) == (placed.stand, placed.root_id, placed.opener_id, placed.agent_name)


def _as_it_is(old: Known) -> Placed:
    return Placed(old.facts, old.words, old.stand, old.trace_id, old.root_id, old.opener_id, old.agent_name)


def _following(one: Known, new: Placed) -> Placed:
    """Take a later call of a thread along to where an earlier one goes."""
    return Placed(one.facts, one.words, one.stand, new.trace_id, new.root_id, new.opener_id, one.agent_name)


def _ties(root: Known) -> tuple[str, ...]:
    hand = root.facts.hand
    if hand and hand.places:
        return tuple(filter(None, (hand.opener or hand.beside,)))
    came = tuple(one.source for one in root.stand.came)
    return (*came, root.stand.kin) if root.stand.kin else came


def _thread(root: Known, root_of: dict[str, str], ties: Sequence[str]) -> Thread:
    links = tuple(root_of[one] for one in ties if one in root_of and root_of[one] != root.call_id)
    facts, hand = root.facts, root.facts.hand
    if hand and hand.places:
        return Thread(root.call_id, None if links or not hand.trace else hand.trace, None, links, by_hand=True)
    return Thread(root.call_id, None if root.stand.freed else facts.said, facts.session, links)
