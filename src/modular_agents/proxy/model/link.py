"""What linking asks of the store and gets back: look-ups, the calls they find, and what a call leaves behind to be found.

A token is a signed 64-bit number made by `linking` from a kind and a value (a hash of a history, a session id, a piece of
text …). To the store it means nothing: it keeps `(token, started_ns, call)` in one index and answers look-ups from it.
"""

from dataclasses import dataclass

from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.trace import Placement

ANYBODY = "\0"
"""No agent's name: cleaned names have no such character."""
CALLS_PER_TOKEN = 16
"""How many calls one token finds. Bounds the cost of a look-up; a text that more calls than this hold tells nothing apart."""
LATE_NS = 3600 * 10**9
"""Calls that reach the store within an hour of one another's start are linked the same in any order; beyond it, `relink` does it again."""
CALLS_PER_THREAD = 4
"""How many calls `before` and `after` find."""


@quick
@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to the store; each field costs indexed look-ups only, none a scan. Empty fields ask nothing.

    at_ns: the moment that `earlier`, `later`, `before` and `after` refer to.
    earlier: per token, the `CALLS_PER_TOKEN` newest calls that left it and started at or before `at_ns`.
    later: per token, the `CALLS_PER_TOKEN` oldest calls that left it and started at or after `at_ns`.
    calls: calls by id.
    before, after: of the named thread, the `CALLS_PER_THREAD` calls that started nearest before or at, after or at, `at_ns`.
    members: all calls of these threads. roots: the root call of every thread of these traces.
    """

    at_ns: int = 0
    earlier: tuple[int, ...] = ()
    later: tuple[int, ...] = ()
    calls: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    members: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored call as linking sees it: what it left behind and where it stands now. Each call is found once per look-up."""

    call_id: str
    matched: tuple[int, ...]
    """The tokens by which it was found."""
    facts: bytes
    """As `Indexed.facts` were given; linking's own, opaque to everybody else."""
    trace_id: str
    thread_id: str
    root_id: str
    opener_id: str | None
    agent_name: str | None
    passing_facts: bytes = b""
    """As `Indexed.passing_facts` were given; empty when they have been dropped."""


@quick
@dataclass(frozen=True, slots=True)
class Indexed:
    """What a call leaves behind: the tokens by which it is found and the facts that linking reads when it was.

    What is `passing` serves calls that arrive late, or out of order, and may be dropped `LATE_NS` after the call began.
    """

    tokens: tuple[int, ...] = ()
    facts: bytes = b""
    passing_tokens: tuple[int, ...] | None = ()
    """None: those that an earlier version of the call left stay."""
    passing_facts: bytes | None = b""
    """None: likewise."""


@quick
@dataclass(frozen=True, slots=True)
class ThreadMove:
    """Every call of the thread `thread_id` goes to the thread `into` (often the same) and to `trace_id`.

    `root_id` and `opener_id` are written to each of them, the agent's name where `named` says so.
    """

    thread_id: str
    into: str
    trace_id: str
    root_id: str
    opener_id: str | None = None
    agent_name: str | None = None
    known_as: str | None = ANYBODY
    """The name the thread had: whoever goes by another took over from him, and keeps his own."""

    def named(self, name: str | None, *, is_given: bool) -> str | None:
        """Return the new name of a call that had this one; a name that was given stays."""
        return name if is_given or self.known_as not in {ANYBODY, name} else self.agent_name


@quick
@dataclass(frozen=True, slots=True)
class Replaced:
    """An earlier call whose place changed: `placement` with exactly these edges leading to it, found by `indexed` from now on."""

    call_id: str
    placement: Placement
    indexed: Indexed


@quick
@dataclass(frozen=True, slots=True)
class LinkChanges:
    """What a call changes of others that are stored. Applied in this order; changing nothing is no event."""

    replaced: tuple[Replaced, ...] = ()
    moves: tuple[ThreadMove, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Linked:
    """All that linking says about a call before it is stored."""

    placement: Placement
    indexed: Indexed
    loose: tuple[str, ...] = ()
    """Traces that this call may have joined: they are grouped anew once it is stored."""
