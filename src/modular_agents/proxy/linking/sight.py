"""How linking asks: every look at another call goes through a `Sight`, which remembers what was asked for.

So nothing that a placement rests on can be forgotten: the tokens asked for are kept beside the call, and whoever leaves one of
them later makes it be placed again. `asked` are tokens of calls before it in time, `watched` of any call.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from modular_agents.proxy.linking.facts import NO_WORDS, Came, Facts, Stand, Told, Words, decode
from modular_agents.proxy.linking.gather import words_again
from modular_agents.proxy.linking.text import Reading
from modular_agents.proxy.linking.tokens import CALL, MEMBER, is_beside, mark
from modular_agents.proxy.model.link import Candidate, Lookup, Passing
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.trace import Placement

Find = Callable[[Lookup], Sequence[Candidate]]

SLACK_NS = 1_000_000_000
"""A client that streams may go on before the end of the answer has been recorded, by less than this."""
MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS


class Known:
    """A stored call, decoded: its facts, why it stands where it stands, and where that is now."""

    __slots__ = (
        "_said", "_words", "agent_name", "call_id", "facts", "opener_id", "passing", "placement", "root_id", "stand", "thread_id",
        "trace_id",
    )  # fmt: skip

    def __init__(self, candidate: Candidate, told: Told) -> None:
        self.facts: Facts
        self.stand: Stand
        self.placement: Placement | None
        self.facts, self.stand, self._words, self.placement = told.facts, told.stand, told.words, told.placement
        (
            self.call_id, _, self.trace_id, self.thread_id, self.root_id, self.opener_id, self.agent_name, self.passing, _, self._said,
        ) = candidate  # fmt: skip

    @property
    def words(self) -> Words:
        """What it was told: read again if need be, and nothing once it is no longer among the latest."""
        if self._words is None:
            self._words = words_again(self.facts, *self._said()) if self._said else NO_WORDS
        return self._words

    @property
    def is_root(self) -> bool:
        """It opened its thread."""
        return self.root_id == self.call_id

    def ended_before(self, other: Facts) -> bool:
        """Return whether its answer was there when `other` was asked."""
        return is_over(self.facts, other)


def is_over(facts: Facts, other: Facts) -> bool:
    """Return whether the answer of one call was there when another was asked."""
    return facts.ended_ns is not None and facts.ended_ns <= other.started_ns + SLACK_NS


@quick
@dataclass(frozen=True, slots=True)
class Link:
    """What leads to a call, and why we believe it. `is_doubtful` when others might as well."""

    source: Known
    type: str
    rule: str
    detail: str = ""
    confidence: float = 1.0
    is_doubtful: bool = False
    took: int = 0
    use: str = ""
    agent: str = ""

    @property
    def came(self) -> Came:
        """The edge as it is kept."""
        return Came(self.source.call_id, self.type, self.rule, self.detail, round(self.confidence, 3))


def concerned_by(at_ns: int, tokens: Collection[int], words: Sequence[str] = ()) -> Lookup:
    """Ask for the calls to which it matters that one which began at `at_ns` leaves these tokens, or says these words."""
    return Lookup(at_ns, asking=tokens, watching=[one for one in tokens if is_beside(one)], holding=words)


class Sight:
    """What `me` can see of other calls. Everything found comes oldest first, whatever order it came in, and never `me`."""

    __slots__ = ("_find", "_me", "asked", "watched")

    def __init__(self, find: Find, me: Facts) -> None:
        self._find, self._me = find, me
        self.asked: list[int] = []
        self.watched: list[int] = []

    def before(
        self, tokens: Collection[int], ever: Collection[int] = (), reading: Reading | None = None, heads: Collection[int] = ()
    ) -> list[Known]:
        """Return earlier calls that left one of these tokens, or one of those that a reading looks for; `ever` are lasting ones.

        Of those that left one of `heads` only the nearest.

        What a reading holds need not be remembered: a call is found by the texts themselves when a piece comes late.
        """
        asked, moment = self.asked, self._me.moment
        asked += tokens
        asked += ever
        asked += heads
        if reading is not None:
            asked += reading.shorts
            found = self._find(Lookup(moment[0], [*tokens, *reading.shorts], ever, beside=heads, but=moment[1], pairs=reading.pairs()))
        else:
            found = self._find(Lookup(moment[0], tokens, ever, beside=heads, but=moment[1])) if tokens or ever or heads else ()
        return [other for other in self._known(found) if other.facts.moment < moment] if found else []

    def since(self, other: Facts, tokens: Sequence[int], *, lasting: bool = False) -> list[Known]:
        """Return the first calls between `other` and `me` that left one of these tokens."""
        if not tokens:
            return []
        self.asked += tokens
        if lasting:
            return self._earlier(Lookup(other.started_ns, ever_later=tokens))
        return self._earlier(Lookup(other.started_ns, later=tokens))

    def around(self, tokens: Sequence[int]) -> list[Known]:
        """Return the nearest calls before and after `me` that left one of these tokens."""
        self.watched += tokens
        return self._known(self._find(Lookup(self._me.started_ns, beside=tokens, but=self._me.call_id)))

    def anytime(self, other: Facts, tokens: Sequence[int], *, lasting: bool = False) -> list[Known]:
        """Return the first calls from `other` on, before or after `me`, that left one of these tokens."""
        self.watched += tokens
        if lasting:
            return self._known(self._find(Lookup(other.started_ns, ever_later=tokens)))
        return self._known(self._find(Lookup(other.started_ns, later=tokens)))

    def ahead_of(self, other: Facts, tokens: Sequence[int]) -> list[Known]:
        """Return the nearest calls earlier than `other`, which may come after `me`, that left one of these tokens."""
        if not tokens:
            return []
        self.watched += tokens
        found = self._known(self._find(Lookup(other.started_ns, beside=tokens, but=self._me.call_id)))
        return [one for one in found if one.facts.moment < other.moment]

    def calls(self, call_ids: Iterable[str]) -> list[Known]:
        """Return calls by their ids."""
        wanted = tuple(dict.fromkeys(call_ids))
        if not wanted:
            return []
        self.watched += [mark(CALL, call_id) for call_id in wanted]
        return self._known(self._find(Lookup(calls=wanted)))

    def thread(self, thread_id: str) -> list[Known]:
        """Return the last calls of a thread before `me`."""
        self.asked.append(mark(MEMBER, thread_id))
        return self._earlier(Lookup(self._me.started_ns, thread=thread_id))

    def peers(self, session: int) -> list[Known]:
        """Return calls of a session, for their trace: grouping has the last word about it, so nothing rests on them."""
        return self._known(self._find(Lookup(self._me.started_ns, ever=(session,), ever_later=(session,))))

    def passing(self) -> Passing:
        """Return what was asked for, to be kept."""
        return Passing(tuple(dict.fromkeys(self.asked)), tuple(dict.fromkeys(self.watched)))

    def _earlier(self, lookup: Lookup) -> list[Known]:
        found = self._find(lookup)
        if not found:
            return []
        moment = self._me.moment
        return [other for other in self._known(found) if other.facts.moment < moment]

    def _known(self, found: Sequence[Candidate]) -> list[Known]:
        calls = [one for one in map(known, found) if one is not None and one.call_id != self._me.call_id]
        if len(calls) > 1:
            calls.sort(key=_moment)
        return calls


def _moment(one: Known) -> tuple[int, str]:
    return one.facts.moment


def known(candidate: Candidate) -> Known | None:
    """Decode what a look-up found; None when its facts are those of another version, or none."""
    told = candidate.live
    if isinstance(told, Told):
        if not isinstance(told.known, Known):
            told.known = Known(candidate, told)
        return told.known
    if not candidate.facts:
        return None
    try:
        told = Told(*decode(candidate.facts), None)
    except msgspec.DecodeError:
        return None
    return Known(candidate, told)
