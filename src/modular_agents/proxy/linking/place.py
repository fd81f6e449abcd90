"""A call is placed by its own evidence and by what earlier calls left; nothing else decides, so that order does not matter.

First what it goes on from (`threads`), else who asked for it (`delegation`), what it was handed (`returns`) and whom it stands
beside (`kin`). The trace written here is provisional where several come together; `grouping` has the last word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modular_agents.proxy.linking.delegation import opener
from modular_agents.proxy.linking.facts import Came, Facts, Stand, Words
from modular_agents.proxy.linking.grouping import is_given, trace_after
from modular_agents.proxy.linking.kin import kin, kin_keys
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.known import Known, Link, Step, ask, asked_for, before
from modular_agents.proxy.linking.returns import came_back, handed_over, may_tell, opened_by
from modular_agents.proxy.linking.text import Reading
from modular_agents.proxy.linking.threads import REQUEST, predecessor
from modular_agents.proxy.linking.tokens import token
from modular_agents.proxy.model.link import Lookup
from modular_agents.proxy.model.trace import HELPERS, Edge, EdgeType, Evidence, Placement

COMPACTION = "compaction"
PEERS = 4
"""Calls of the same session that are asked for their trace."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a call stands, and the tokens of the words by which it was looked for."""

    facts: Facts
    words: Words
    stand: Stand
    trace_id: str
    root_id: str
    opener_id: str | None
    agent_name: str | None
    loose: frozenset[str] = frozenset()
    reading_keys: tuple[int, ...] = ()

    @property
    def thread_id(self) -> str:
        """Threads are named after the call that opened them."""
        return thread_of(self.root_id)

    @property
    def placement(self) -> Placement:
        """The same as the store keeps it."""
        facts, stand = self.facts, self.stand
        is_root = self.root_id == facts.call_id
        return Placement(
            trace_id=self.trace_id,
            thread_id=self.thread_id,
            trace_evidence=trace_evidence(facts, self.trace_id),
            agent_name=self.agent_name,
            parent_id=stand.parent,
            edges=tuple(_edge(came, facts.call_id) for came in stand.came),
            task_description=facts.task if is_root and facts.kind not in NOISE else None,
            kind=stand.kind,
            root_id=self.root_id,
            opener_id=self.opener_id,
            agent_given=facts.agent is not None,
        )


def thread_of(root_id: str) -> str:
    """Return the id of the thread that a call opened."""
    return f"th-{root_id}"


def _edge(came: Came, call_id: str) -> Edge:
    return Edge(came.source, call_id, EdgeType(came.type), Evidence(came.rule, came.detail, came.confidence))


def place(me: Facts, words: Words, at: Known | None) -> Step[Placed]:
    """Place a call. `at` is where it stands already, if it does: its own thread tells where its answer went."""
    link = None if me.replay_of else (yield from predecessor(me))
    if link is None and (words.texts or words.briefing) and me.kind not in NOISE:
        reading = Reading((*words.texts, words.briefing))
        keys = asked_for(reading.keys)
        found = yield from ask(Lookup(me.started_ns, earlier=keys))
        link = yield from _compacted(me, reading, found)
        if link is None:
            return (yield from _opened(me, words, at, reading, found))
    if link is None:
        return (yield from _opened(me, words, at, Reading(()), ()))
    if me.said and not link.source.facts.said and link.source.trace_id != me.said:
        return _said_apart(me, words, link)
    return (yield from _joined(me, words, link))


def _joined(me: Facts, words: Words, link: Link) -> Step[Placed]:
    """Place a call in the thread of the one it goes on from."""
    source = link.source
    back: list[Link] = []
    if link.rule != "retry":
        back = yield from came_back(me, source, source.thread_id)
    links = (link, *back)
    stand = Stand(
        parent=source.call_id,
        kind="retry" if link.rule == "retry" else me.kind,
        came=tuple(one.came for one in links),
        is_doubtful=any(one.is_doubtful for one in links),
    )
    kept = words if link.rule == COMPACTION or me.is_first else Words()
    return Placed(
        me,
        kept,
        stand,
        source.trace_id,
        source.root_id,
        source.opener_id,
        me.agent or _speaker(me, source),
        frozenset(one.source.trace_id for one in links) - {source.trace_id},
        asked_for(Reading((*kept.texts, kept.briefing)).keys),
    )


def _speaker(me: Facts, source: Known) -> str | None:
    """Return who speaks on: the same as before, unless an agent known by its introduction is followed by one with another (a handoff)."""
    before = source.facts.intro
    return me.intro if me.intro and before and before != me.intro and source.agent_name == before else source.agent_name


def _said_apart(me: Facts, words: Words, link: Link) -> Placed:
    """Place a call that goes on from an unnamed trace but says another: it opens a thread there, tied to where it came from."""
    stand = Stand(link.source.call_id, me.kind, (link.came,), is_doubtful=link.is_doubtful)
    agent = me.agent or link.source.agent_name
    trace = me.said or ""
    return Placed(me, words, stand, trace, me.call_id, link.source.call_id, agent, frozenset((link.source.trace_id, trace)))


def _compacted(me: Facts, reading: Reading, found: Sequence[Known]) -> Step[Link | None]:
    """Return the thread that a conversation beginning with a summary goes on from."""
    telling = [other for other in before(me, found) if other.facts.handed and reading.holds(other.facts.handed)]
    for other in reversed([one for one in telling if one.facts.kind == COMPACTION and may_tell(me, one)]):
        if other.facts.system == me.system:
            return Link(other, REQUEST, COMPACTION, "its summary stands in the prompt, word for word", 0.95)
        sources = tuple(came.source for came in other.stand.came)
        known = yield from ask(Lookup(calls=sources))
        for source in reversed([one for one in known if one.facts.system == me.system]):
            return Link(source, REQUEST, COMPACTION, f"a summary of it, made by {other.call_id}, stands in the prompt", 0.9)
    return None


def _opened(me: Facts, words: Words, at: Known | None, reading: Reading, found: Sequence[Known]) -> Step[Placed]:
    """Place the first call of a thread."""
    links: list[Link] = []
    beside: tuple[Known, str] | None = None
    kind = me.kind
    if me.replay_of:
        links = [Link(other, REQUEST, "replay") for other in (yield from ask(Lookup(calls=(me.replay_of,))))]
        kind = "replay"
    elif me.kind in NOISE:
        beside = yield from kin(me, words)
    else:
        link = yield from opener(me, at, reading, found)
        links = ([link] if link else []) + handed_over(me, reading, found)
    if not links and beside is None and me.kind not in NOISE:
        beside = yield from _brought(me, at)
    first = links[0] if links else None
    stand = Stand(
        parent=first.source.call_id if first else None,
        kind=kind,
        came=tuple(link.came for link in links),
        kin=beside[0].call_id if beside else None,
        kin_rule=beside[1] if beside else "",
        took=first.took if first else 0,
        use=first.use if first else "",
        was_told=any(link.was_told for link in links),
        is_doubtful=any(link.is_doubtful for link in links),
    )
    touched = {link.source.trace_id for link in links} | ({beside[0].trace_id} if beside else set())
    touched |= {other.trace_id for other in (yield from _peers(me))}
    trace_id = _trace(me, links, sorted(touched))
    opened = first.source.call_id if first and first.type != "response" else None
    agent = me.agent or (first.agent if first else None) or HELPERS.get(me.kind) or me.intro
    loose = _loose(me, trace_id, touched)
    return Placed(me, words, stand, trace_id, me.call_id, opened, agent, loose, asked_for(reading.keys))


def _brought(me: Facts, at: Known | None) -> Step[tuple[Known, str] | None]:
    """Return the turn that brought this thread's answer, when nothing else ties the thread to any other."""
    if at is None:
        return None
    ended = [other for other in (yield from ask(Lookup(2**62, before=at.thread_id))) if other.facts.handed_keys]
    if not ended:
        return None
    last = ended[-1]
    keys = tuple(~key for key in last.facts.handed_keys)
    later = yield from ask(Lookup(last.facts.started_ns, later=keys))
    for turn in later:
        if any(came.source == last.call_id for came in turn.stand.came) and turn.root_id != me.call_id:
            return turn, "answer-used"
    return None


def _peers(me: Facts) -> Step[list[Known]]:
    """Return calls of the same session, for their trace."""
    if not me.session or me.said:
        return []
    key = (token("session", me.session),)
    found = yield from ask(Lookup(me.started_ns, earlier=key, later=key))
    return [other for other in found if other.call_id != me.call_id and not other.facts.said][:PEERS]


def _trace(me: Facts, links: Sequence[Link], touched: Sequence[str]) -> str:
    """Return the trace of a thread's first call, as far as it can be told now."""
    if me.said:
        return me.said
    if links:
        return links[0].source.trace_id
    return touched[0] if touched else me.session or trace_after(me.call_id)


def trace_evidence(me: Facts, trace_id: str) -> Evidence:
    """Return why a call's trace is recognised: an id that came with it, or the conversation alone (edges say more)."""
    if me.said == trace_id:
        return Evidence(me.said_rule)
    if me.session == trace_id:
        return Evidence(me.session_rule, "", 0.95)
    return Evidence("conversation", "", 0.5)


def _loose(me: Facts, trace_id: str, touched: set[str]) -> frozenset[str]:
    """Return the traces to group anew: those that come together here, or whose name this thread may change."""
    others = touched - {trace_id}
    may_rename = bool(touched) and not me.said and not is_given(trace_id) and (bool(me.session) or trace_after(me.call_id) < trace_id)
    return frozenset(touched | {trace_id}) if others or may_rename else frozenset()


def left_by(placed: Placed) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens a call leaves: for good, and for those that come late."""
    me = placed.facts
    is_root = placed.root_id == me.call_id
    offered = [key for offer in me.offers for key in offer.piece.keys]
    handed = [*me.handed.keys, *me.handed_keys] if me.handed else []
    own = [me.request, me.asked, *me.tip, me.answer, me.response, *offered, *handed]
    own += [token("thread", me.thread)] if me.thread else []
    own += [token("session", me.session)] if me.session else []
    looking = [*me.tips, me.previous, *me.recalled, *me.reasked, *(key for heard in me.heard for key in heard.keys)]
    if is_root:
        own += [opened_by(placed.opener_id, placed.stand.use)] if placed.opener_id else []
        looking += [placed.stand.took, *placed.reading_keys]
    passing = [~key for key in looking if key]
    if is_root:
        passing += kin_keys(me, placed.words)
    kept = asked_for(own)
    return kept, tuple(key for key in dict.fromkeys(passing) if key not in set(kept))
