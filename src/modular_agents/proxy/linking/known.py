"""How linking asks: a step yields look-ups, is sent what they find, and returns its finding. It touches nothing itself."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from modular_agents.proxy.linking.facts import Came, Facts, Stand, Words, decode, decode_words
from modular_agents.proxy.model.link import Candidate, Lookup

_T = TypeVar("_T")
Step = Generator[Lookup, Sequence[Candidate], _T]
"""A computation that may ask the store on its way."""

SLACK_NS = 1_000_000_000
"""A client that streams may go on before the end of the answer has been recorded, by less than this."""
MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
FOREVER_NS = 2**62
"""Later than every call: asks for the newest."""


@dataclass(frozen=True, slots=True)
class Known:
    """A stored call, decoded: its facts, why it stands where it stands, and where that is now."""

    facts: Facts
    words: Words
    stand: Stand
    trace_id: str
    thread_id: str
    root_id: str
    opener_id: str | None
    agent_name: str | None

    @property
    def call_id(self) -> str:
        """The call's id."""
        return self.facts.call_id

    @property
    def is_root(self) -> bool:
        """It opened its thread."""
        return self.root_id == self.facts.call_id

    def ended_before(self, other: Facts) -> bool:
        """Return whether its answer was there when `other` was asked."""
        return self.facts.ended_ns is not None and self.facts.ended_ns <= other.started_ns + SLACK_NS


@dataclass(frozen=True, slots=True)
class Link:
    """What leads to a call, and why we believe it. `is_doubtful` when others might as well."""

    source: Known
    type: str
    rule: str
    detail: str = ""
    confidence: float = 1.0
    is_doubtful: bool = False
    was_told: bool = False
    took: int = 0
    use: str = ""
    agent: str = ""

    @property
    def came(self) -> Came:
        """The edge as it is kept."""
        return Came(self.source.call_id, self.type, self.rule, self.detail, round(self.confidence, 3))


def ask(lookup: Lookup) -> Step[list[Known]]:
    """Ask the store; what it finds comes oldest first, whatever order it came in."""
    found = yield lookup
    return sorted((known(candidate) for candidate in found if candidate.facts), key=lambda other: other.facts.moment)


def known(candidate: Candidate) -> Known:
    """Decode what a look-up found."""
    facts, stand = decode(candidate.facts)
    return Known(
        facts,
        decode_words(candidate.passing_facts),
        stand,
        candidate.trace_id,
        candidate.thread_id,
        candidate.root_id,
        candidate.opener_id,
        candidate.agent_name,
    )


def before(me: Facts, found: Iterable[Known]) -> list[Known]:
    """Return those that began before `me`."""
    return [other for other in found if other.facts.moment < me.moment]


def mirrored(keys: Iterable[int]) -> tuple[int, ...]:
    """Return the tokens left by those who look for `keys`: a call that comes late finds them by these."""
    return tuple(~key for key in keys if key)


def asked_for(keys: Iterable[int]) -> tuple[int, ...]:
    """Return the tokens that say something."""
    return tuple(dict.fromkeys(key for key in keys if key))
