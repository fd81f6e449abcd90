"""What an agent found out comes back to whoever asked: as a tool's result, as a person's words, or as part of a new prompt.

An edge `response` leads from the last call of the thread that answered to the call that brings its answer. Rules:
`tool_result` (the tool use that opened the thread is answered here), `text_result` (the answer's words come back), `handoff`
(they stand in the first prompt of another conversation), `after` (the opener goes on, and the thread had ended; nothing else fits).
"""

from collections.abc import Iterable, Sequence

from modular_agents.proxy.linking.facts import UNANSWERED, Facts, Heard
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.known import HOUR_NS, Known, Link, Step, ask, before
from modular_agents.proxy.linking.text import Reading, brought
from modular_agents.proxy.linking.threads import said_alike, same
from modular_agents.proxy.linking.tokens import token
from modular_agents.proxy.model.link import Lookup

RESPONSE = "response"
MIN_HANDED_CHARS = 16
"""Shorter answers (`Done.`) are given by everybody: their coming back tells nothing without a tool use."""
RETURN_WINDOW_NS = HOUR_NS
"""How long an answer may wait to be brought somewhere by its words alone."""
MAX_KEYS = 24
"""Tokens of one turn by which answers that came back are looked for."""


def opened_by(call_id: str, use: str) -> int:
    """Return the token that the first call of a thread leaves under its opener and the tool use."""
    return token("opened", f"{call_id}/{use}")


def came_back(me: Facts, parent: Known, thread_id: str) -> Step[list[Link]]:
    """Return what the turn `me`, which goes on from `parent` in `thread_id`, brings back from other threads."""
    if not me.heard:
        return []
    uses = {heard.tool_id for heard in me.heard} | {""}
    opened = tuple(opened_by(parent.call_id, use) for use in sorted(uses))
    children = yield from ask(Lookup(parent.facts.started_ns, later=opened))
    keys = tuple(dict.fromkeys(key for heard in me.heard for key in heard.keys))[:MAX_KEYS]
    telling = before(me, (yield from ask(Lookup(me.started_ns, earlier=keys)))) if keys else []
    links: dict[str, Link] = {}
    for child in before(me, children):
        if child.opener_id == parent.call_id and child.is_root and (link := (yield from _answer_of(me, child))):
            links[link.source.call_id] = link
    heard_of = {link.source.thread_id for link in links.values()}
    for link in _told(me, telling, thread_id):
        if link.source.thread_id not in heard_of:
            links.setdefault(link.source.call_id, link)
    return sorted(links.values(), key=lambda link: link.source.facts.moment)


def _answer_of(me: Facts, child: Known) -> Step[Link | None]:
    """Return the edge from the thread that `child` opened, if it had ended when `me` was asked."""
    turns = before(me, (yield from ask(Lookup(me.started_ns, before=child.thread_id))))
    ended = [turn for turn in turns if turn.ended_before(me) and turn.facts.kind not in NOISE]
    if not ended:
        return None
    last = ended[-1]
    use = child.stand.use
    heard = [one for one in me.heard if one.tool_id == use] if use else [one for one in me.heard if not one.tool_id]
    if any(brought(one.keys, last.facts.handed_keys) for one in heard):
        return Link(last, RESPONSE, "tool_result" if use else "text_result", "its answer, word for word", 1.0 if use else 0.95)
    if last.facts.handed is None and last.facts.status not in UNANSWERED:
        return None
    if use and heard:
        return Link(last, RESPONSE, "tool_result", "the tool use that opened it is answered here", 0.8)
    if not use and turns[-1] is last:
        return Link(last, RESPONSE, "after", "the opener goes on after it had ended", 0.6)
    return None


def _told(me: Facts, telling: Sequence[Known], thread_id: str) -> Iterable[Link]:
    """Yield edges from answers whose words `me` brings."""
    for heard in me.heard:
        said = [
            other
            for other in telling
            if other.thread_id != thread_id and may_tell(me, other) and brought(heard.keys, other.facts.handed_keys)
        ]
        if said:
            yield _one_of(me, said, "tool_result" if heard.tool_id else "text_result", heard)


def _one_of(me: Facts, said: Sequence[Known], rule: str, heard: Heard | None) -> Link:
    near = [other for other in said if same(me.session, other.facts.session)] or said
    count = len(near)
    detail = "its answer, word for word" + (f", as the result of {heard.tool_id}" if heard and heard.tool_id else "")
    if count > 1:
        return Link(near[-1], RESPONSE, rule, f"ambiguous: {count} calls said this; {detail}", 0.9 / count, is_doubtful=True)
    return Link(near[-1], RESPONSE, rule, detail, 0.9)


def may_tell(me: Facts, other: Known) -> bool:
    """Return whether the answer of `other` was there to be brought by `me`."""
    facts = other.facts
    if facts.handed is None or facts.handed.size < MIN_HANDED_CHARS or not other.ended_before(me) or facts.kind in NOISE:
        return False
    return said_alike(me, facts) and me.started_ns - (facts.ended_ns or 0) <= RETURN_WINDOW_NS


def handed_over(me: Facts, reading: Reading, found: Sequence[Known]) -> list[Link]:
    """Return edges from earlier answers that stand in the first prompt `me`: as many of equal ones as the prompt holds."""
    telling = [other for other in before(me, found) if may_tell(me, other)]
    equal: dict[int, list[Known]] = {}
    for other in telling:
        handed = other.facts.handed
        if handed and reading.holds(handed):
            equal.setdefault(handed.whole, []).append(other)
    links: list[Link] = []
    for said in equal.values():
        near = [other for other in said if same(me.session, other.facts.session)] or said
        handed = near[-1].facts.handed
        count = reading.count(handed) if handed else 1
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
