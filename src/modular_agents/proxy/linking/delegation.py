"""A conversation begins because somebody asked for it: its first words stand in an earlier answer.

Rules, strongest first: `said.parent` (X-Parent-Call-ID), `tool_input` and `plan` (the prompt equals, or holds word for word,
a string of an earlier call's tool use or plan), `header.parent-thread` (the tooling names the conversation that opened this
one), `return` (what this conversation answered came back as the result of that tool use).

Several calls may have said the same. Then, in this order: who the tooling names, who shares the session, who is not only
repeating what opened him, whose tool use is still unanswered, whose words match in most of their length, to whom the answer came
back, who has nobody yet. What is still even is taken in order and recorded as ambiguous.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from modular_agents.proxy.linking.facts import Facts
from modular_agents.proxy.linking.identity import MAIN
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.known import (
    FOREVER_NS,
    HOUR_NS,
    MINUTE_NS,
    Known,
    Link,
    Step,
    ask,
    before,
    mirrored,
)
from modular_agents.proxy.linking.offers import Offer
from modular_agents.proxy.linking.returns import opened_by
from modular_agents.proxy.linking.text import Reading, brought
from modular_agents.proxy.linking.threads import QUEUE_NS, said_alike, same
from modular_agents.proxy.linking.tokens import token
from modular_agents.proxy.model.link import Lookup

DELEGATION = "delegation"
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


def opener(me: Facts, at: Known | None, reading: Reading, found: Sequence[Known]) -> Step[Link | None]:
    """Return the call that asked for the conversation `me` begins; `found` holds whatever shares words with it."""
    if me.parent_call:
        for other in (yield from ask(Lookup(calls=(me.parent_call,)))):
            return Link(other, DELEGATION, "said.parent")
    matches = [match for other in _meant(me, before(me, found)) if (match := _match(me, reading, other))]
    if matches:
        matches = yield from _timely(me, matches[-MAX_OPENERS:])
    if matches:
        return (yield from _chosen(me, at, matches))
    if me.thread and me.parent_thread and (link := (yield from _named(me))):
        return link
    return (yield from _returned(me, at))


def _meant(me: Facts, found: Sequence[Known]) -> Sequence[Known]:
    """Leave out whoever the tooling says is not the opener: others may have said the same words at the same time."""
    return [other for other in found if _is_named(me, other.facts)] if me.parent_thread else found


def _match(me: Facts, reading: Reading, other: Known) -> Match | None:
    """Return the offers of `other` that stand in the prompt."""
    if not said_alike(me, other.facts):
        return None
    handed = other.facts.handed
    # A prompt that repeats a whole answer was handed it; that the answer's parts stand in it as well says nothing.
    repeated = reading.count(handed) if handed and reading.holds(handed) else 0
    held = [offer for offer in other.facts.offers if reading.holds(offer.piece) and (not repeated or reading.count(offer.piece) > repeated)]
    if not held:
        return None
    held.sort(key=lambda offer: -offer.piece.size)
    return Match(other, tuple(held), any(reading.equals(offer.piece) for offer in held))


def _timely(me: Facts, matches: Sequence[Match]) -> Step[list[Match]]:
    """Leave out calls that asked too long ago, and mark those whose tool use had been answered when `me` began."""
    tips = mirrored(key for match in matches for key in (*match.known.facts.tip, match.known.facts.response))
    first = min(match.known.facts.started_ns for match in matches)
    followers = before(me, (yield from ask(Lookup(first, later=tips))))
    kept = []
    for match in matches:
        mine = match.known.facts
        next_turns = [
            other
            for other in followers
            if set(other.facts.tips) & set(mine.tip) or (mine.response and other.facts.previous == mine.response)
        ]
        uses = {heard.tool_id for other in next_turns for heard in other.facts.heard}
        is_plan = not match.offers[0].tool_id
        is_closed = match.offers[0].tool_id in uses if not is_plan else bool(next_turns)
        window = CLOSED_WINDOW_NS if is_closed else PLAN_WINDOW_NS if is_plan else OPEN_WINDOW_NS
        if me.started_ns - (mine.ended_ns or mine.started_ns) <= window:
            kept.append(Match(match.known, match.offers, match.is_whole, is_closed))
    return kept


def _chosen(me: Facts, at: Known | None, matches: Sequence[Match]) -> Step[Link]:
    """Weigh calls that said the same words."""
    if len(matches) == 1:
        return _link(matches[0], 1, 1.0)
    openers = {match.known.opener_id for match in matches}

    def rank(match: Match) -> tuple[float, ...]:
        facts = match.known.facts
        return (
            _is_named(me, facts),
            1.0 if same(me.session, facts.session) else 0.5 if not (me.session and facts.session) else 0.0,
            match.known.call_id not in openers,
            not match.is_closed,
            match.is_whole,
            match.size,
        )

    best = max(map(rank, matches))
    equal = [match for match in matches if rank(match) == best]
    if len(equal) == 1:
        return _link(equal[0], 1, 1.0)
    came_back = yield from returned_to(at)
    heard = [match for match in equal if match.known.call_id in came_back]
    if len(heard) == 1:
        return replace(_link(heard[0], 1, 1.0, "; the answer came back there"), was_told=True)
    return (yield from _in_turn(me, equal))


def _in_turn(me: Facts, equal: Sequence[Match]) -> Step[Link]:
    """Give each of the equal calls the conversations they asked for, in order."""
    piece = equal[0].offers[0].piece.whole
    rivals = before(me, (yield from ask(Lookup(me.started_ns, earlier=(~piece,)))))
    taken = [rival.stand.came[0].source for rival in rivals if rival.stand.took == piece and rival.stand.came]

    def is_free(match: Match) -> bool:
        return taken.count(match.known.call_id) < sum(offer.piece.whole == piece for offer in match.offers)

    free = [match for match in equal if is_free(match)] or list(equal)
    latest = max(match.known.facts.ended_ns or match.known.facts.started_ns for match in free)
    queue = [match for match in free if latest - (match.known.facts.ended_ns or match.known.facts.started_ns) <= QUEUE_NS]
    near = [match for match in queue if match.known.facts.connection == me.connection] or queue
    chosen = min(near, key=lambda match: (match.known.facts.ended_ns or 0, match.known.facts.moment))
    if len(free) == 1:
        return _link(chosen, 1, 0.8, "; the others have their agents")
    return _link(chosen, len(equal), 1.0)


def _is_named(me: Facts, facts: Facts) -> bool:
    """Return whether the tooling says that this call's thread opened ours."""
    if not me.parent_thread:
        return False
    if me.parent_thread.endswith(f"/{MAIN}"):
        return facts.thread is None and same(me.session, facts.session)
    return facts.thread == me.parent_thread or (facts.thread is None and facts.session == me.parent_thread)


def _link(match: Match, rivals: int, sure: float, why: str = "") -> Link:
    offer = match.offers[0]
    rule = "tool_input" if offer.tool_id else "plan"
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


def _named(me: Facts) -> Step[Link | None]:
    """Believe the tooling: the newest call of the thread it names, best one that asked for a tool."""
    parent = me.parent_thread or ""
    keys = (token("session", me.session or ""),) if parent.endswith(f"/{MAIN}") else (token("thread", parent), token("session", parent))
    found = before(me, (yield from ask(Lookup(me.started_ns, earlier=keys))))
    speaking = [other for other in found if _is_named(me, other.facts) and other.facts.kind not in NOISE]
    asking = [other for other in speaking if any(offer.tool_id for offer in other.facts.offers)]
    chosen = (asking or speaking)[-1:]
    return Link(chosen[0], DELEGATION, "header.parent-thread", "the tooling names the opener", 0.9) if chosen else None


def returned_to(at: Known | None) -> Step[dict[str, str]]:
    """Return the call whose tool use was the first to be answered with this thread's own last words: call id → tool use id."""
    if at is None:
        return {}
    ends = [other for other in (yield from ask(Lookup(FOREVER_NS, before=at.thread_id))) if other.facts.handed]
    if not ends:
        return {}
    last = ends[-1].facts
    later = yield from ask(Lookup(last.started_ns, later=mirrored(last.handed_keys)))
    for turn in later:
        if turn.stand.parent and ends[-1].ended_before(turn.facts):
            uses = [heard.tool_id for heard in turn.facts.heard if heard.tool_id and brought(heard.keys, last.handed_keys)]
            if uses:
                return {turn.stand.parent: uses[0]}
    return {}


def _returned(me: Facts, at: Known | None) -> Step[Link | None]:
    """Infer the opener from where the answer went, when its prompt was made of other words."""
    back = yield from returned_to(at)
    if not back:
        return None
    openers = before(me, (yield from ask(Lookup(calls=tuple(sorted(back))))))
    openers = [other for other in openers if said_alike(me, other.facts)]
    if len(openers) != 1:
        return None
    use = back[openers[0].call_id]
    opened = yield from ask(Lookup(openers[0].facts.started_ns, later=(opened_by(openers[0].call_id, use),)))
    if any(other.opener_id == openers[0].call_id and other.is_root and not other.stand.was_told for other in opened):
        return None  # it has its agent already, which happened to answer the same
    return Link(openers[0], DELEGATION, "return", "its answer came back as the result of that tool use", 0.8, was_told=True, use=use)
