"""What an agent found out comes back to whoever asked: as a tool's result, as a person's words, or as part of a new prompt.

An edge `response` leads from the last call of the thread that answered to the call that brings its answer. Rules:
`tool_result` (the tool use that opened the thread is answered here), `text_result` (the answer's words come back), `handoff`
(they stand in the first prompt of another conversation), `after` (the opener goes on, and the thread had ended; nothing else fits).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from modular_agents.proxy.linking.facts import UNANSWERED, Facts
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.sight import HOUR_NS, Known, Link, Sight, is_over
from modular_agents.proxy.linking.text import Reading
from modular_agents.proxy.linking.threads import nearest, said_alike, same
from modular_agents.proxy.linking.tokens import FOLLOWING, HISTORY, OPENED, TOLD, mark, named, turned

RESPONSE = "response"
MIN_HANDED_CHARS = 16
"""Shorter answers (`Done.`) are given by everybody: their coming back tells nothing without a tool use."""
RETURN_WINDOW_NS = HOUR_NS
"""How long an answer may wait to be brought somewhere by its words alone."""
MAX_KEYS = 32
"""Marks of one turn's tool results by which answers that came back are looked for."""


def opened_by(call_id: str, use: str) -> int:
    """Return the token that the first call of a thread leaves under its opener and the tool use."""
    return mark(OPENED, f"{call_id}/{use}")


def told_to(root_id: str) -> int:
    """Return the token that a turn leaves which brings an answer of the thread that `root_id` opened."""
    return mark(TOLD, root_id)


def followers_of(facts: Facts) -> tuple[int, ...]:
    """Return the tokens that the next turn after a call leaves."""
    tokens = tuple([named(HISTORY, tip) for tip in facts.tip])
    return (*tokens, turned(facts.response, FOLLOWING)) if facts.response else tokens


class Returns(NamedTuple):
    """What comes back with a turn: edges, and the roots of all threads whose words it may bring."""

    links: tuple[Link, ...] = ()
    told: tuple[str, ...] = ()


NOTHING = Returns()


def came_back(me: Facts, sight: Sight, parent: Known, reading: Reading | None, found: Sequence[Known]) -> Returns:
    """Return what the turn `me`, which goes on from `parent`, brings back from other threads. `found`: whatever shares words with it."""
    if not me.heard and not reading:
        return NOTHING
    opened = [opened_by(parent.call_id, use) for use in ("", *(heard.tool_id for heard in me.heard))]
    children = sight.since(parent.facts, opened, lasting=True)
    links: dict[str, Link] = {}
    for child in children:
        if child.opener_id == parent.call_id and child.is_root and (link := _answer_of(me, sight, child, reading)):
            links[link.source.call_id] = link
    told: dict[str, None] = {}
    answered = {link.source.root_id for link in links.values()}
    for said, rule, tool_id in _told(me, parent.root_id, reading, found):
        told.update(dict.fromkeys([other.root_id for other in said]))
        link = _one_of(me, said, rule, tool_id)
        if link.source.root_id not in answered:
            links.setdefault(link.source.call_id, link)
    if not links:
        return NOTHING if not told else Returns((), tuple(told))
    return Returns(tuple(sorted(links.values(), key=lambda link: link.source.facts.moment)), tuple(told))


def _answer_of(me: Facts, sight: Sight, child: Known, reading: Reading | None) -> Link | None:
    """Return the edge from the thread that `child` opened, if it had ended when `me` was asked."""
    turns = sight.thread(child.thread_id)
    ended = [turn for turn in turns if turn.ended_before(me) and turn.facts.kind not in NOISE]
    if not ended:
        return None
    last = ended[-1]
    use = child.stand.use
    heard = [one for one in me.heard if one.tool_id == use] if use else []
    if any(last.facts.head in one.heads for one in heard):
        return Link(last, RESPONSE, "tool_result", "its answer comes back as the result of the tool use that opened it", 1.0)
    handed = last.facts.handed
    if not use and handed and reading and reading.holds(handed):
        return Link(last, RESPONSE, "text_result", "its answer, word for word", 0.95)
    if handed is None and last.facts.status not in UNANSWERED:
        return None
    if use and heard:
        return Link(last, RESPONSE, "tool_result", "the tool use that opened it is answered here", 0.8)
    if not use and turns[-1] is last:
        return Link(last, RESPONSE, "after", "the opener goes on after it had ended", 0.6)
    return None


def _told(me: Facts, mine: str, reading: Reading | None, found: Sequence[Known]) -> Iterable[tuple[list[Known], str, str]]:
    """Yield calls of other threads whose words `me` brings, those that said the same together, with rule and tool use."""
    telling = [other for other in found if other.facts.handed and other.root_id != mine and may_tell(me, other)]
    if not telling:
        return
    for result in me.heard:
        alike: dict[int, list[Known]] = {}
        for other in telling:
            if other.facts.head in result.heads:
                alike.setdefault(other.facts.head, []).append(other)
        for said in alike.values():
            yield said, "tool_result", result.tool_id
    equal: dict[int, list[Known]] = {}
    for other in telling:
        handed = other.facts.handed
        if reading and handed and reading.holds(handed):
            equal.setdefault(handed.whole, []).append(other)
    for said in equal.values():
        yield said, "text_result", ""


def _one_of(me: Facts, said: Sequence[Known], rule: str, tool_id: str) -> Link:
    near = _near(me, said, 1)
    count = len(near)
    detail = f"its answer comes back as the result of {tool_id}" if tool_id else "its answer, word for word"
    if count > 1:
        return Link(near[-1], RESPONSE, rule, f"ambiguous: {count} calls said this; {detail}", 0.9 / count, is_doubtful=True)
    return Link(near[-1], RESPONSE, rule, detail, 0.9)


def _near(me: Facts, said: Sequence[Known], count: int) -> Sequence[Known]:
    """Of more than `count` equal answers return those given to the same session, process and connection, as far as there are any."""
    near = [other for other in said if same(me.session, other.facts.session)] or said
    return near if len(near) <= count else nearest(me, near)


def heads_of(me: Facts) -> list[int]:
    """Return the marks by which answers are found that `me` may bring back."""
    return [head for heard in me.heard for head in heard.heads][:MAX_KEYS]


def may_tell(me: Facts, other: Known) -> bool:
    """Return whether the answer of `other` was there to be brought by `me`."""
    return other.ended_before(me) and _may_bring(me, other.facts)


def _may_bring(me: Facts, facts: Facts) -> bool:
    """Return whether `me` may bring an answer that was there."""
    if facts.handed is None or facts.handed.size < MIN_HANDED_CHARS or facts.kind in NOISE:
        return False
    return said_alike(me, facts) and me.started_ns - (facts.ended_ns or 0) <= RETURN_WINDOW_NS


def handed_over(me: Facts, reading: Reading, found: Sequence[Known]) -> list[Link]:
    """Return edges from earlier answers that stand in the first prompt `me`: as many of equal ones as the prompt holds."""
    equal: dict[int, list[Known]] = {}
    for other in found:
        handed = other.facts.handed
        if handed and may_tell(me, other) and reading.holds(handed):
            equal.setdefault(handed.whole, []).append(other)
    links: list[Link] = []
    for said in equal.values():
        handed = said[-1].facts.handed
        count = reading.count(handed) if handed else 1
        near = _near(me, said, count)
        doubt = len(near) > count
        detail = f"its answer stands in the prompt, {handed.size if handed else 0} characters, word for word"
        links += [
            Link(
                other,
                RESPONSE,
                "handoff",
                f"ambiguous: {len(near)} calls answered this; {detail}" if doubt else detail,
                0.9 * count / len(near) if doubt else 0.9,
                is_doubtful=doubt,
            )
            for other in near[-count:]
        ]
    return sorted(links, key=lambda link: link.source.facts.moment)


class Hearing(NamedTuple):
    """A turn that brought a thread's answer as a tool's result: who goes on there, by which tool use, how many threads answered so."""

    parent: str
    use: str
    rivals: int


def heard_by(me: Facts, sight: Sight) -> list[Hearing]:
    """Return where answers of the thread that `me` opened came back as tool results, oldest first. It rests on threads and words alone."""
    found: list[Hearing] = []
    for turn in sight.anytime(me, (told_to(me.call_id),)):
        if turn.is_root or not turn.stand.parent or turn.root_id == me.call_id:
            continue
        told = [
            (other.facts.head, other.root_id) for other in sight.ahead_of(turn.facts, heads_of(turn.facts)) if may_tell(turn.facts, other)
        ]
        if is_over(me, turn.facts) and _may_bring(turn.facts, me):
            told.append((me.head, me.call_id))  # a thread of one call
        for one in turn.facts.heard:
            roots = {root_id for head, root_id in told if head in one.heads} - {turn.root_id}
            if me.call_id in roots:
                found.append(Hearing(turn.stand.parent, one.tool_id, len(roots)))
    return found
