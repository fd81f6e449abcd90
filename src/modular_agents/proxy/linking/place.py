"""A call is placed by its own evidence and by what other calls left; nothing else decides, so that order does not matter.

First what it goes on from (`threads`), else who asked for it (`delegation`), what it was handed (`returns`) and whom it stands
beside (`kin`). These rest on each other in one direction: threads on earlier threads; openers on threads and on earlier openers; what
comes back on threads and openers; kin on all of them. The trace written here is provisional where several come together:
`grouping` has the last word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from modular_agents.proxy.linking.delegation import PLAN, opener, taken
from modular_agents.proxy.linking.facts import BY_HAND, Came, Facts, Stand, Words
from modular_agents.proxy.linking.grouping import is_given, trace_after
from modular_agents.proxy.linking.identity import CLAUDE_SESSION, MAIN
from modular_agents.proxy.linking.kin import kin, kin_keys
from modular_agents.proxy.linking.kinds import COMPACTION, NOISE
from modular_agents.proxy.linking.returns import NOTHING, Returns, came_back, handed_over, heads_of, may_tell, opened_by, told_to
from modular_agents.proxy.linking.sight import Known, Link, Sight
from modular_agents.proxy.linking.text import Reading, Said
from modular_agents.proxy.linking.threads import REQUEST, Recall, predecessor, sought
from modular_agents.proxy.linking.tokens import BRANCH, FOLLOWING, HISTORY, SESSION, THREAD, TIED, TIP, mark, named, turned
from modular_agents.proxy.model.link import Pair
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.trace import HELPERS, Edge, EdgeType, Evidence, Placement

PEERS = 4
"""Calls of the same session that are asked for their trace."""
_CLAUDE = f"header.{CLAUDE_SESSION}"
MAIN_SESSIONS = frozenset({_CLAUDE, "header.x-session-id", "header.x-session-affinity"})
"""Rules of sessions that have a main conversation, which sub-agents name as what opened them: Claude Code's, OpenCode's."""
SILENCE = Reading(())
_EDGE_TYPES = {str(one): one for one in EdgeType}


@quick
@dataclass(frozen=True, slots=True)
class Placed:
    """Where a call stands, and why."""

    facts: Facts
    words: Words
    stand: Stand
    trace_id: str
    root_id: str
    opener_id: str | None
    agent_name: str | None
    loose: frozenset[str] = frozenset()

    @property
    def thread_id(self) -> str:
        """Threads are named after the call that opened them."""
        return thread_of(self.root_id)

    @property
    def placement(self) -> Placement:
        """The same as the store keeps it."""
        facts, stand, root_id = self.facts, self.stand, self.root_id
        is_root = root_id == facts.call_id
        return Placement(
            self.trace_id,
            thread_of(root_id),
            trace_evidence(facts, self.trace_id),
            self.agent_name,
            stand.parent,
            tuple([_edge(came, facts.call_id) for came in stand.came]),
            facts.trace_name,
            facts.task if is_root and facts.kind not in NOISE else None,
            stand.kind,
            root_id,
            self.opener_id,
            facts.agent is not None,
        )


def thread_of(root_id: str) -> str:
    """Return the id of the thread that a call opened."""
    return f"th-{root_id}"


def _edge(came: Came, call_id: str) -> Edge:
    source, kind, rule, detail, confidence = came
    return Edge(source, call_id, _EDGE_TYPES[kind], _evidence(rule, detail, confidence))


_evidence = lru_cache(maxsize=256)(Evidence)
"""Most edges rest on the same."""


def place(me: Facts, words: Words, sight: Sight, recall: Recall | None = None) -> Placed:
    """Place a call by what the wire tells. `recall` reads of its messages what is needed when its history was edited."""
    reading = words.reading if has_reading(me, words) else None
    recent, lasting = sought(me)
    found = sight.before(recent, lasting, reading, heads_of(me))
    link: Link | None = None
    if not me.replay_of:
        link, me = predecessor(me, sight, found, recall)
    if link is None and reading:
        link = _compacted(me, sight, reading, found)
    if link is None:
        return _opened(me, words, sight, reading or SILENCE, found)
    if link.rule == "retry":
        return _joined(me, words, link, NOTHING)
    if me.said and me.said not in {link.source.stand.named, link.source.stand.freed}:
        return _said_apart(me, words, link)
    return _joined(me, words, link, came_back(me, sight, link.source, reading, found))


def _joined(me: Facts, words: Words, link: Link, back: Returns) -> Placed:
    """Place a call in the thread of the one it goes on from."""
    source, above = link.source, link.source.stand
    came: tuple[Came, ...] = (link.came,)
    is_doubtful = link.is_doubtful
    if back.links:
        came += tuple([one.came for one in back.links])
        is_doubtful = is_doubtful or any(one.is_doubtful for one in back.links)
    speaker = _speaker(me, source)
    stand = Stand(
        source.call_id,
        "retry" if link.rule == "retry" else me.kind,
        came,
        is_doubtful=is_doubtful,
        told=back.told,
        named=above.named,
        agent=speaker,
        freed=above.freed,
    )
    return Placed(me, words, stand, source.trace_id, source.root_id, source.opener_id, me.agent or speaker)


def _speaker(me: Facts, source: Known) -> str | None:
    """Return who speaks on: the same as before, unless an agent known by its introduction is followed by one with another (a handoff)."""
    before, name = source.facts.intro, source.stand.agent
    return me.intro if me.intro and before and before != me.intro and name == before else name


def _said_apart(me: Facts, words: Words, link: Link) -> Placed:
    """Place a call that goes on from a trace of another name, or of none: it opens a thread where it says, tied to where it came from."""
    agent = me.agent or link.source.stand.agent
    source = link.source
    stand = Stand(source.call_id, me.kind, (link.came,), is_doubtful=link.is_doubtful, named=me.said, agent=agent, tied=(source.root_id,))
    trace = me.said or ""
    return Placed(me, words, stand, trace, me.call_id, source.call_id, agent, frozenset((source.trace_id, trace)))


def _compacted(me: Facts, sight: Sight, reading: Reading, found: Sequence[Known]) -> Link | None:
    """Return the thread that a conversation beginning with a summary goes on from."""
    telling = [other for other in found if other.facts.kind == COMPACTION and other.facts.handed and may_tell(me, other)]
    for other in reversed(telling):
        if other.facts.handed and not reading.holds(other.facts.handed):
            continue
        if other.facts.system == me.system:
            return Link(other, REQUEST, COMPACTION, "its summary stands in the prompt, word for word", 0.95)
        sources = [came.source for came in other.stand.came if came.type == REQUEST]
        for source in reversed([one for one in sight.calls(sources) if one.facts.system == me.system]):
            return Link(source, REQUEST, COMPACTION, f"a summary of it, made by {other.call_id}, stands in the prompt", 0.9)
    return None


def _opened(me: Facts, words: Words, sight: Sight, reading: Reading, found: Sequence[Known]) -> Placed:
    """Place the first call of a thread."""
    links: list[Link] = []
    beside: tuple[Known, str] | None = None
    kind = me.kind
    if me.replay_of:
        links = [Link(other, REQUEST, "replay") for other in sight.calls((me.replay_of,))]
        kind = "replay"
    elif me.kind in NOISE:
        beside = kin(me, words, sight)
    else:
        link = opener(me, sight, reading, found)
        links = handed_over(me, reading, found)
        if link and not (link.rule == PLAN and _is_done(link.source, links, sight)):
            links.insert(0, link)
        beside = None if links else _brought(me, sight)
    first = links[0] if links else None
    freed = me.said if first and me.said and first.source.stand.freed == me.said else None
    said = None if freed else me.said
    agent = me.agent or (first.agent if first else None) or HELPERS.get(me.kind) or me.intro
    stand = Stand(
        parent=first.source.call_id if first else None,
        kind=kind,
        came=tuple([link.came for link in links]),
        kin=beside[0].call_id if beside else None,
        kin_rule=beside[1] if beside else "",
        took=first.took if first else 0,
        use=first.use if first else "",
        is_doubtful=any(link.is_doubtful for link in links),
        named=said,
        agent=agent,
        tied=tuple(dict.fromkeys(link.source.root_id for link in links)) if said else (),
        freed=freed,
    )
    touched = {link.source.trace_id for link in links} | ({beside[0].trace_id} if beside else set())
    if me.session and not me.said:
        touched |= {other.trace_id for other in _peers(me, sight)}
    trace_id = _trace(me, said, links, sorted(touched))
    opened = first.source.call_id if first and first.type != "response" else None
    return Placed(me, words, stand, trace_id, me.call_id, opened, agent, _loose(me, trace_id, touched))


def _is_done(plan: Known, handed: Sequence[Link], sight: Sight) -> bool:
    """Return whether every part of a plan had its agent, and their answers are here: who reads those is none of them."""
    opened = sight.since(plan.facts, (opened_by(plan.call_id, ""),), lasting=True)
    roots = {root.call_id for root in opened if root.opener_id == plan.call_id and root.is_root}
    parts = {offer.piece.whole for offer in plan.facts.offers}
    return len(roots) >= len(parts) and any(link.source.root_id in roots for link in handed)


def _brought(me: Facts, sight: Sight) -> tuple[Known, str] | None:
    """Return the turn that brought this thread's answer, when nothing else ties the thread to any other."""
    for turn in sight.anytime(me, (told_to(me.call_id),)):
        sources = [came.source for came in turn.stand.came if came.type == "response"]
        if turn.root_id != me.call_id and any(source.root_id == me.call_id for source in sight.calls(sources)):
            return turn, "answer-used"
    return None


def _peers(me: Facts, sight: Sight) -> list[Known]:
    """Return first calls of the same session, for their trace."""
    found = sight.peers(mark(SESSION, me.session or ""))
    return [other for other in found if other.facts.session == me.session and not other.facts.said][:PEERS]


def _trace(me: Facts, said: str | None, links: Sequence[Link], touched: Sequence[str]) -> str:
    """Return the trace of a thread's first call, as far as it can be told now."""
    if said:
        return said
    if links:
        return links[0].source.trace_id
    return touched[0] if touched else me.session or trace_after(me.call_id)


def trace_evidence(me: Facts, trace_id: str) -> Evidence:
    """Return why a call's trace is recognised: an id that came with it, or the conversation alone (edges say more)."""
    if me.said == trace_id:
        return _evidence(me.said_rule, "", 1.0)
    if me.session == trace_id:
        return _evidence(me.session_rule, "", 0.95)
    if me.hand and me.hand.places and trace_id == trace_after(me.call_id):
        return _evidence(BY_HAND, me.hand.detail, 1.0)
    return _evidence("conversation", "", 0.5)


def _loose(me: Facts, trace_id: str, touched: set[str]) -> frozenset[str]:
    """Return the traces to group anew: those that come together here, or whose name this thread may change."""
    others = touched - {trace_id}
    may_rename = bool(touched) and not me.said and not is_given(trace_id) and (bool(me.session) or trace_after(me.call_id) < trace_id)
    return frozenset(touched | {trace_id}) if others or may_rename else frozenset()


def lasting_of(me: Facts, stand: Stand, *, is_root: bool, opener_id: str | None) -> tuple[int, ...]:
    """Return the tokens by which a call is found for good: its history, the ids of its answer, its conversation, who opened it."""
    found = [named(TIP, tip) for tip in me.tip] if me.tip else []
    if me.response:
        found.append(me.response)
    if me.thread:
        found.append(mark(THREAD, me.thread))
    elif me.session_rule in MAIN_SESSIONS and me.kind not in NOISE:
        found.append(mark(THREAD, f"{me.session}/{MAIN}" if me.session_rule == _CLAUDE else me.session or ""))
    if me.branch:
        found.append(mark(BRANCH, me.branch))
    if is_root:
        if me.session:
            found.append(mark(SESSION, me.session))
        if opener_id:
            found.append(opened_by(opener_id, stand.use))
        if stand.tied:
            found += [mark(TIED, root) for root in stand.tied]
    return tuple(found)


def recent_of(me: Facts, words: Words, stand: Stand, *, is_root: bool) -> tuple[int, ...]:
    """Return the tokens by which a call is found while it is among the latest."""
    found = [me.request, me.answer, me.asked]
    if me.tips:
        found.append(named(HISTORY, me.tips[0]))
    if me.previous:
        found.append(turned(me.previous, FOLLOWING))
    if me.offers:
        found += [offer.piece.short for offer in me.offers]
    if me.handed:
        found.append(me.handed.short)
        found.append(me.head)
    if stand.told:
        found += [told_to(root) for root in stand.told]
    if is_root:
        if stand.took:
            found.append(taken(stand.took))
        if me.kind not in NOISE:
            found += kin_keys(me, words)
    return tuple(dict.fromkeys(filter(None, found)))


def pieces_of(me: Facts) -> Sequence[Said]:
    """Return what the answer holds that others may have been told."""
    if not me.offers:
        return (me.handed,) if me.handed else ()
    found = [offer.piece for offer in me.offers]
    return [*found, me.handed] if me.handed else found


def pairs_of(me: Facts) -> tuple[Pair, ...]:
    """Return the pairs of words by which a call is found where these pieces may stand."""
    pieces = pieces_of(me)
    return tuple(dict.fromkeys([piece.anchor for piece in pieces if piece.words])) if pieces else ()


def words_of(me: Facts) -> Sequence[str]:
    """Return words of these pieces by which texts are found in which they may stand; short ones are found by their tokens."""
    pieces = pieces_of(me)
    return [piece.words for piece in pieces if piece.words] if pieces else ()


def has_reading(me: Facts, words: Words) -> bool:
    """Return whether earlier pieces are looked for in what a call was told."""
    return bool(words) and not me.replay_of and me.kind not in NOISE
