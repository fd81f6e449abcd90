"""New light on earlier calls: each one that a call concerns is placed again, oldest first, until nothing changes any more.

A call concerns: those that look for what it left (it came late, or its answer was still to come), those that compete with it,
the turn that hears its thread's answer, the thread whose answer it hears. In order of time there is nearly never any.
Traces are grouped at the end, once, by their threads alone.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

from modular_agents.proxy.linking.facts import UNANSWERED, Facts, encode, encode_words
from modular_agents.proxy.linking.grouping import Thread, group
from modular_agents.proxy.linking.kin import kin_keys
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.known import Known, Step, ask, asked_for, mirrored
from modular_agents.proxy.linking.place import COMPACTION, Placed, left_by, place
from modular_agents.proxy.linking.returns import MAX_KEYS
from modular_agents.proxy.linking.text import brought
from modular_agents.proxy.linking.tokens import token
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Lookup, Replaced, ThreadMove

Revising = Generator[Lookup | LinkChanges, Sequence[Candidate], None]

MAX_REVISED = 256
"""Calls placed again because of one. Reached only by floods of equal prompts that arrive in disorder; `relink` goes on from there."""
MAX_TRACES = 64
"""Traces followed from link to link while grouping; those that come together at once are all taken, however many."""


def revision(call_id: str, loose: Iterable[str]) -> Revising:
    """Yield look-ups and changes until everything that the stored call `call_id` concerns stands right."""
    traces = set(loose)
    found = yield from ask(Lookup(calls=(call_id,)))
    waiting: dict[str, tuple[int, str]] = {}
    for me in found:
        for other in (yield from _concerned(me)):
            waiting[other.call_id] = other.facts.moment
    left = MAX_REVISED
    while waiting and left:
        left -= 1
        next_id = min(waiting, key=lambda one: waiting[one])
        del waiting[next_id]
        for other in (yield from ask(Lookup(calls=(next_id,)))):
            placed = yield from place(other.facts, other.words, other)
            if _stands(other, placed):
                continue
            yield (yield from _changes(other, placed))
            traces |= {other.trace_id, placed.trace_id, *placed.loose}
            for one in (yield from _shaken(other, placed)):
                waiting[one.call_id] = one.facts.moment
    if traces:
        yield from _grouped(traces)


def _stands(at: Known, placed: Placed) -> bool:
    """Return whether a call stands where it is placed."""
    return (at.stand, at.root_id, at.opener_id, at.agent_name) == (placed.stand, placed.root_id, placed.opener_id, placed.agent_name)


def _concerned(me: Known) -> Step[list[Known]]:
    """Return the calls that must be placed again because of `me`."""
    facts = me.facts
    offered = [key for offer in facts.offers for key in offer.piece.keys]
    handed = [*facts.handed.keys, *facts.handed_keys] if facts.handed else []
    looked_for = [*facts.tip, facts.response, facts.answer, facts.asked, *offered, *handed]
    rivals = [*facts.tips[:1], me.stand.took]
    keys = [*mirrored((*looked_for, *rivals))]
    keys += [facts.request]
    keys += [token("thread", facts.thread)] if facts.thread else []
    wanted = asked_for(keys)
    found = (yield from ask(Lookup(facts.started_ns, later=wanted))) if wanted else []
    concerned = [other for other in found if other.facts.moment > facts.moment]
    if me.opener_id and (facts.handed is not None or facts.status in UNANSWERED):
        concerned += yield from _hearers((me.opener_id,))
    if facts.was_seen:
        return concerned  # what it asked, and what it heard, concerned others when it was asked
    if me.is_root and facts.kind not in NOISE:
        beside = kin_keys(facts, me.words)
        near = yield from ask(Lookup(facts.started_ns, earlier=beside, later=beside))
        concerned += [other for other in near if other.facts.kind in NOISE and other.is_root]
    if me.stand.parent and any(heard.tool_id for heard in facts.heard):
        concerned += [other for other in (yield from _asked_by((me.stand.parent,))) if other.facts.moment > facts.moment]
    return concerned + (yield from _unopened((yield from _heard_from(me))))


def _heard_from(me: Known) -> Step[set[str]]:
    """Return the calls whose answers `me` brings, or may seem to: where an answer went may tell who opened its thread."""
    sources = {came.source for came in me.stand.came if came.type == "response"}
    keys = tuple(dict.fromkeys(key for heard in me.facts.heard if heard.tool_id for key in heard.keys))[:MAX_KEYS]
    if keys:
        told = yield from ask(Lookup(me.facts.started_ns, earlier=keys))
        sources |= {one.call_id for one in told if any(brought(heard.keys, one.facts.handed_keys) for heard in me.facts.heard)}
    return sources


def _hearers(openers: Iterable[str]) -> Step[list[Known]]:
    """Return the turns that go on from these calls: they hear what the threads opened there answer."""
    found = yield from ask(Lookup(calls=tuple(sorted(set(openers)))))
    keys = asked_for(key for one in found for key in mirrored((*one.facts.tip, one.facts.response)))
    if not keys:
        return []
    return (yield from ask(Lookup(min(one.facts.started_ns for one in found), later=keys)))


def _asked_by(openers: Iterable[str]) -> Step[list[Known]]:
    """Return the threads' first calls whose words these calls offered: who else only repeats them has changed."""
    found = yield from ask(Lookup(calls=tuple(sorted(set(openers)))))
    keys = asked_for(~offer.piece.whole for one in found for offer in one.facts.offers)
    if not keys:
        return []
    takers = yield from ask(Lookup(min(one.facts.started_ns for one in found), later=keys))
    return [taker for taker in takers if taker.is_root]


def _unopened(sources: Iterable[str]) -> Step[list[Known]]:
    """Return the first calls of threads whose answers were heard and whose opener is not known for sure."""
    wanted = tuple(sorted(set(sources)))
    if not wanted:
        return []
    ends = yield from ask(Lookup(calls=wanted))
    roots = yield from ask(Lookup(calls=tuple(sorted({one.root_id for one in ends}))))
    return [root for root in roots if _is_unsure(root)]


def _is_unsure(root: Known) -> bool:
    """Return whether where a thread's answer went may tell who opened it."""
    return root.is_root and (root.opener_id is None or root.stand.is_doubtful or root.stand.was_told)


def _shaken(old: Known, new: Placed) -> Step[list[Known]]:
    """Return the calls whose place may change because that of `old` did."""
    facts = old.facts
    keys = [~key for key in {old.stand.took, new.stand.took} if key]
    if old.stand.parent != new.stand.parent:
        keys += mirrored(facts.tips[:1])
    if facts.kind == COMPACTION and facts.handed:
        keys += mirrored(facts.handed.keys)
    found = (yield from ask(Lookup(facts.started_ns, later=asked_for(keys)))) if keys else []
    shaken = [other for other in found if other.facts.moment > facts.moment]
    if (old.opener_id, old.root_id) != (new.opener_id, new.root_id):
        openers = [one for one in (old.opener_id, new.opener_id) if one]
        shaken += yield from _hearers(openers)
        shaken += yield from _asked_by(openers)
    if old.root_id != new.root_id:
        shaken += [root for root in (yield from ask(Lookup(calls=(old.root_id, new.root_id)))) if _is_unsure(root)]
    before, after = ({came.source for came in stand.came if came.type == "response"} for stand in (old.stand, new.stand))
    shaken += yield from _unopened(before ^ after if old.stand.parent == new.stand.parent else before | (yield from _heard_from(old)))
    return [other for other in shaken if other.call_id != old.call_id]


def _changes(old: Known, new: Placed) -> Step[LinkChanges]:
    """Return what has to change in the store for `old` to stand as `new`."""
    if new.root_id == old.root_id:
        # grouping decides about traces; until then the thread stays together
        new = replace(new, trace_id=old.trace_id)
    mine = Replaced(old.call_id, new.placement, _indexed(new))
    if old.is_root:
        move = ThreadMove(old.thread_id, new.thread_id, new.trace_id, new.root_id, new.opener_id, new.agent_name, old.agent_name)
        return LinkChanges((mine,), (move,))
    if new.root_id == old.root_id:
        return LinkChanges((mine,))
    members = yield from ask(Lookup(members=(old.thread_id,)))
    return LinkChanges((mine, *(_follow(one, old, new) for one in _descendants(old.call_id, members))))


def _indexed(new: Placed) -> Indexed:
    tokens, passing = left_by(new)
    return Indexed(tokens, encode(new.facts, new.stand), passing, encode_words(new.words))


def _follow(one: Known, old: Known, new: Placed) -> Replaced:
    """Take a later call of a thread along to where an earlier one goes."""
    placed = Placed(
        one.facts,
        one.words,
        one.stand,
        new.trace_id,
        new.root_id,
        new.opener_id,
        one.facts.agent or (new.agent_name if one.agent_name == old.agent_name else one.agent_name),
    )
    return Replaced(one.call_id, placed.placement, _indexed(placed))


def _descendants(call_id: str, members: Sequence[Known]) -> list[Known]:
    """Return the calls of a thread that go on from `call_id`, directly or not. `members` are oldest first."""
    taken = {call_id}
    descendants = []
    for one in members:
        if one.stand.parent in taken and not one.is_root:
            taken.add(one.call_id)
            descendants.append(one)
    return descendants


def _grouped(loose: set[str]) -> Revising:
    """Group the threads of these traces, and of those they are tied to, and move what stands in another."""
    traces = set(loose)
    while True:
        roots = yield from ask(Lookup(roots=tuple(sorted(traces))))
        ties = {root.call_id: _ties(root) for root in roots}
        ends = yield from ask(Lookup(calls=tuple(sorted({one for tie in ties.values() for one in tie}))))
        more = {end.trace_id for end in ends} - traces
        if not more or len(traces) > MAX_TRACES + len(loose):
            break
        traces |= more
    root_of = {end.call_id: end.root_id for end in ends}
    names = group([_thread(root.facts, root_of, ties[root.call_id]) for root in roots])
    moves = tuple(
        ThreadMove(root.thread_id, root.thread_id, names[root.call_id], root.call_id, root.opener_id, root.agent_name, root.agent_name)
        for root in roots
        if names[root.call_id] != root.trace_id
    )
    if moves:
        yield LinkChanges(moves=moves)


def _ties(root: Known) -> tuple[str, ...]:
    came = tuple(one.source for one in root.stand.came)
    return (*came, root.stand.kin) if root.stand.kin else came


def _thread(facts: Facts, root_of: dict[str, str], ties: Iterable[str]) -> Thread:
    links = tuple(root_of[one] for one in ties if one in root_of and root_of[one] != facts.call_id)
    return Thread(facts.call_id, facts.said, facts.session, links)
