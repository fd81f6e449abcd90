"""Helpers and probes belong to the conversation they stand beside: without an edge, but in the same trace.

A title helper repeats the conversation's first words; anything else is placed by the client connection it shares. The nearest
in time is meant, before or after: a title is often asked for first.
"""

from collections.abc import Sequence

from modular_agents.proxy.linking.facts import Facts, Words
from modular_agents.proxy.linking.identity import LOOSE
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.sight import MINUTE_NS, Known, Sight
from modular_agents.proxy.linking.threads import agrees, alike
from modular_agents.proxy.linking.tokens import CONNECTION, PROMPT, mark

KIN_WINDOW_NS = 5 * MINUTE_NS
"""A helper's call stands this near to what it helps."""
SAME_PROMPT = "same-prompt"
BY_CONNECTION = "connection"


def kin_keys(me: Facts, words: Words) -> tuple[int, ...]:
    """Return the tokens that the first call of a thread leaves, and noise looks for: its prompts and its connection."""
    return (*prompts(words), mark(CONNECTION, me.connection))


def prompts(words: Words) -> tuple[int, ...]:
    """Return marks of a call's own user texts."""
    own = words.reading.prompts if words.texts else ()
    return (*own, *[mark(PROMPT, line) for line in words.prompts])


def kin(me: Facts, words: Words, sight: Sight) -> tuple[Known, str] | None:
    """Return the call of another thread that `me`, which is noise, stands beside, and the rule that says so."""
    found = sight.around(kin_keys(me, words))
    beside = [other for other in found if other.facts.kind not in NOISE and other.is_root and _is_near(me, other.facts)]
    alike = set(prompts(words))
    same_prompt = [other for other in beside if alike & set(prompts(other.words))]
    if same_prompt:
        return _nearest(me, same_prompt), SAME_PROMPT
    connected = [other for other in beside if other.facts.connection == me.connection]
    return (_nearest(me, connected), BY_CONNECTION) if connected else None


def _is_near(me: Facts, other: Facts) -> bool:
    if not agrees(me, other) or (me.session and other.session and me.session != other.session and not _is_loose(me, other)):
        return False
    return other.started_ns - KIN_WINDOW_NS <= me.started_ns <= (other.ended_ns or other.started_ns) + KIN_WINDOW_NS


def _is_loose(me: Facts, other: Facts) -> bool:
    return me.session_rule in LOOSE or other.session_rule in LOOSE


def _nearest(me: Facts, others: Sequence[Known]) -> Known:
    """Return the nearest in time: best on the same connection, of the same process, with a session or none as mine."""

    def far(other: Known) -> tuple[object, ...]:
        facts = other.facts
        return (
            facts.connection != me.connection,
            -alike(me.process, facts.process),
            bool(facts.session) != bool(me.session),
            abs(facts.started_ns - me.started_ns),
            facts.moment,
        )

    return min(others, key=far)
