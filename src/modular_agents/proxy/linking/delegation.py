"""A conversation begins because somebody asked for it: its first words stand in an earlier answer.

Rules, strongest first: `said.parent` (X-Parent-Call-ID), `tool_input` and `plan` (the prompt equals, or holds word for word,
a string of an earlier call's tool use or plan), `header.parent-thread` (the tooling names the conversation that opened this
one), `return` (what this conversation answered came back as the result of that tool use).

Several calls may have said the same. Then, in this order: who the tooling names, who shares the session, who is of the same process,
who is not only repeating what opened him, whose tool use is still unanswered, whose words match in most of their length, to whom the
answer came back, who has nobody yet. What is still even is taken in order and recorded as ambiguous.

Openers by words rest on earlier openers by words, never on a `return`: so no two of them rest on each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modular_agents.proxy.linking.facts import Facts
from modular_agents.proxy.linking.identity import MAIN
from modular_agents.proxy.linking.kinds import COMPACTION, NOISE
from modular_agents.proxy.linking.offers import Offer
from modular_agents.proxy.linking.returns import followers_of, heard_by, opened_by
from modular_agents.proxy.linking.sight import HOUR_NS, MINUTE_NS, Known, Link, Sight
from modular_agents.proxy.linking.text import Reading
from modular_agents.proxy.linking.threads import QUEUE_NS, alike, said_alike, same
from modular_agents.proxy.linking.tokens import BRANCH, THREAD, TOOK, mark, turned

DELEGATION = "delegation"
RETURN = "return"
PLAN = "plan"
MAX_OPENERS = 8
"""Calls with the same words that are weighed against each other; the newest."""
OPEN_WINDOW_NS = 24 * HOUR_NS
"""How long an unanswered tool use may wait for its agent's first call."""
PLAN_WINDOW_NS = HOUR_NS
"""The same for a plan, of which nobody can tell when it was done."""
CLOSED_WINDOW_NS = 10 * MINUTE_NS
"""The same for a tool use that was answered meanwhile: agents that run in the background start about then."""
SHORT_CHARS = 20
"""Below this, equal words may be chance."""


@dataclass(frozen=True, slots=True)
class Match:
    """An earlier call with the offers of its answer that stand in the new prompt, longest first."""

    known: Known
    offers: tuple[Offer, ...]
    is_whole: bool
    is_closed: bool = False

    @property
    def size(self) -> int:
        """Characters that match."""
        return sum({offer.piece.whole: offer.piece.size for offer in self.offers}.values())


def opener(me: Facts, sight: Sight, reading: Reading, found: Sequence[Known]) -> Link | None:
    """Return the call that asked for the conversation `me` begins; `found` holds whatever shares words with it."""
    if me.parent_call:
        for other in sight.calls((me.parent_call,)):
            return Link(other, DELEGATION, "said.parent")
    matches = [match for other in _meant(me, found) if (match := _match(me, reading, other))]
    if matches and (timely := _timely(me, sight, matches[-MAX_OPENERS:])):
        return _chosen(me, sight, timely)
    if (me.parent_branch or (me.thread and me.parent_thread)) and (link := _named(me, sight)):
        return link
    return _returned(me, sight)


def _meant(me: Facts, found: Sequence[Known]) -> Sequence[Known]:
    """Leave out whoever the tooling says is not the opener: others may have said the same words at the same time."""
    return [other for other in found if _is_named(me, other.facts)] if me.parent_thread or me.parent_branch else found


def taken(piece: int) -> int:
    """Return the token that a thread's first call leaves under the piece of text by which it was opened."""
    return turned(piece, TOOK)


def _match(me: Facts, reading: Reading, other: Known) -> Match | None:
    """Return the offers of `other` that stand in the prompt."""
    if not other.facts.offers or other.facts.kind == COMPACTION or not said_alike(me, other.facts):
        return None
    handed = other.facts.handed
    # A prompt that repeats a whole answer was handed it; that the answer's parts stand in it as well says nothing.
    repeated = reading.count(handed) if handed else 0
    held = [offer for offer in other.facts.offers if reading.holds(offer.piece) and (not repeated or reading.count(offer.piece) > repeated)]
    if not held:
        return None
    held.sort(key=lambda offer: -offer.piece.size)
    return Match(other, tuple(held), any(reading.equals(offer.piece) for offer in held))


def _timely(me: Facts, sight: Sight, matches: Sequence[Match]) -> list[Match]:
    """Leave out calls that asked too long ago, and mark those whose tool use had been answered when `me` began."""
    followers = sight.before([key for match in matches for key in followers_of(match.known.facts)])
    kept = []
    for match in matches:
        mine = match.known.facts
        next_turns = [
            other
            for other in followers
            if (other.facts.tips and other.facts.tips[0] in mine.tip) or (mine.response and other.facts.previous == mine.response)
        ]
        uses = {heard.tool_id for other in next_turns for heard in other.facts.heard}
        is_plan = not match.offers[0].tool_id
        is_closed = match.offers[0].tool_id in uses if not is_plan else bool(next_turns)
        window = CLOSED_WINDOW_NS if is_closed else PLAN_WINDOW_NS if is_plan else OPEN_WINDOW_NS
        if me.started_ns - (mine.ended_ns or mine.started_ns) <= window:
            kept.append(Match(match.known, match.offers, match.is_whole, is_closed))
    return kept


def _chosen(me: Facts, sight: Sight, matches: Sequence[Match]) -> Link:
    """Weigh calls that said the same words."""
    if len(matches) == 1:
        return _link(matches[0], 1, 1.0)
    openers = _openers(sight, matches)

    def rank(match: Match) -> tuple[float, ...]:
        facts = match.known.facts
        return (
            _is_named(me, facts),
            1.0 if same(me.session, facts.session) else 0.5 if not (me.session and facts.session) else 0.0,
            alike(me.process, facts.process),
            match.known.call_id not in openers,
            not match.is_closed,
            match.is_whole,
            match.size,
        )

    best = max(map(rank, matches))
    equal = [match for match in matches if rank(match) == best]
    if len(equal) == 1:
        rivals = sum(_but_process(rank(match)) == _but_process(best) for match in matches)
        if rivals == 1:
            return _link(equal[0], 1, 1.0)
        return _link(equal[0], 1, 0.9, f"; {rivals} calls said this, one of the same process")
    parents = {hearing.parent for hearing in heard_by(me, sight)}
    heard = [match for match in equal if match.known.call_id in parents]
    if len(heard) == 1:
        return _link(heard[0], 1, 1.0, "; the answer came back there")
    return _in_turn(me, sight, equal)


def _but_process(rank: tuple[float, ...]) -> tuple[float, ...]:
    return rank[:2] + rank[3:]


def _openers(sight: Sight, matches: Sequence[Match]) -> set[str]:
    """Return the calls that opened the threads in which the matches stand, as far as words tell."""
    roots = sight.calls(match.known.root_id for match in matches if match.known.opener_id)
    return {root.opener_id for root in roots if root.opener_id and not is_returned(root)}


def is_returned(root: Known) -> bool:
    """Return whether only where its answer went tells who opened a thread."""
    return any(came.rule == RETURN for came in root.stand.came)


def _in_turn(me: Facts, sight: Sight, equal: Sequence[Match]) -> Link:
    """Give each of the equal calls the conversations they asked for, in order."""
    piece = equal[0].offers[0].piece.whole
    rivals = sight.before((taken(piece),))
    takers = [rival.stand.parent for rival in rivals if rival.stand.took == piece]

    def is_free(match: Match) -> bool:
        return takers.count(match.known.call_id) < sum(offer.piece.whole == piece for offer in match.offers)

    free = [match for match in equal if is_free(match)] or list(equal)
    latest = max(match.known.facts.ended_ns or match.known.facts.started_ns for match in free)
    queue = [match for match in free if latest - (match.known.facts.ended_ns or match.known.facts.started_ns) <= QUEUE_NS]
    near = [match for match in queue if match.known.facts.connection == me.connection] or queue
    chosen = min(near, key=lambda match: (match.known.facts.ended_ns or 0, match.known.facts.moment))
    if len(free) == 1:
        return _link(chosen, 1, 0.8, "; the others have their agents")
    return _link(chosen, len(equal), 1.0)


def _is_named(me: Facts, facts: Facts) -> bool:
    """Return whether the tooling says that this call's thread, or this very call, opened ours."""
    if me.parent_branch and me.parent_branch == facts.branch:
        return True
    if not me.parent_thread:
        return False
    if me.parent_thread.endswith(f"/{MAIN}"):
        return facts.thread is None and same(me.session, facts.session)
    return facts.thread == me.parent_thread or (facts.thread is None and facts.session == me.parent_thread)


def _link(match: Match, rivals: int, sure: float, why: str = "") -> Link:
    offer = match.offers[0]
    rule = "tool_input" if offer.tool_id else PLAN
    size = offer.piece.size
    where = f"an argument of {offer.tool}" if offer.tool else "a part of its plan"
    if match.is_whole:
        detail, confidence = f"the prompt equals {where}", 1.0 if size >= SHORT_CHARS else 0.9
    else:
        detail, confidence = f"the prompt holds {where}, {size} characters, word for word", 0.95 if size >= SHORT_CHARS else 0.7
    if rivals > 1:
        detail = f"ambiguous: {rivals} calls said this; {detail}"
    return Link(
        match.known,
        DELEGATION,
        rule,
        detail + why,
        min(confidence, sure) / rivals,
        is_doubtful=rivals > 1 or sure < 1,
        took=offer.piece.whole,
        use=offer.tool_id,
        agent=offer.agent,
    )


def _named(me: Facts, sight: Sight) -> Link | None:
    """Believe the tooling: the newest call of the thread it names, best one that asked for a tool."""
    named = ((THREAD, me.parent_thread), (BRANCH, me.parent_branch))
    found = sight.before((), [mark(kind, name) for kind, name in named if name])
    speaking = [other for other in found if _is_named(me, other.facts) and other.facts.kind not in NOISE]
    asking = [other for other in speaking if any(offer.tool_id for offer in other.facts.offers)]
    chosen = (asking or speaking)[-1:]
    return Link(chosen[0], DELEGATION, "header.parent-thread", "the tooling names the opener", 0.9) if chosen else None


def _returned(me: Facts, sight: Sight) -> Link | None:
    """Infer the opener from where the answer went, when its prompt was made of other words."""
    hearings = heard_by(me, sight)
    if not hearings:
        return None
    first = hearings[0]
    openers = [other for other in sight.calls((first.parent,)) if other.facts.moment < me.moment and said_alike(me, other.facts)]
    if not openers or _has_agent(sight, openers[0], first.use):
        return None
    detail = "its answer came back as the result of that tool use"
    if first.rivals > 1:
        detail = f"ambiguous: {first.rivals} threads answered this; {detail}"
    return Link(openers[0], DELEGATION, RETURN, detail, 0.8 / first.rivals, is_doubtful=first.rivals > 1, use=first.use)


def _has_agent(sight: Sight, parent: Known, use: str) -> bool:
    """Return whether a thread was opened by that tool use for its words: then another only happened to answer the same."""
    opened = sight.anytime(parent.facts, (opened_by(parent.call_id, use),), lasting=True)
    return any(other.opener_id == parent.call_id and other.is_root and not is_returned(other) for other in opened)
