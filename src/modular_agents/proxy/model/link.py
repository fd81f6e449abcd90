"""What linking asks of the store and gets back: look-ups, the calls they find, and what a call leaves behind to be found.

A token is a number below 2^60 made by `linking` from a kind and a value (a hash of a history, a session id, a piece of text …).
To the store it means nothing. A call leaves *lasting* tokens, by which it is found as long as it is stored, and *recent* ones, by
which it is found while it is among the latest calls. It also says for which tokens it *asked* when it was placed: whoever leaves
one of them afterwards may have changed its place.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from modular_agents.proxy.model.call import Message
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.model.trace import Placement

ANYBODY = "\0"
"""No agent's name: cleaned names have no such character."""
CALLS_PER_TOKEN = 16
"""How many calls one token finds. Bounds the cost of a look-up; a text that more calls than this hold tells nothing apart."""
CALLS_BESIDE = 8
"""How many calls `Lookup.beside` finds on each side: the nearest is meant, or one of the next if that is of another session."""
Pair = tuple[str, str]
"""Two words that stand side by side."""
CALLS_TOLD = 128
"""How many calls are looked through for words that were said after they began: whoever was told them began shortly before."""
CALLS_PER_THREAD = 4
"""How many calls `Lookup.thread` finds."""
RECENT_TOKENS = 120_000
RECENT_CHARS = 16_000_000
"""The latest calls are those that left and asked for the last so many tokens, some 5,000, unless they were told more than so many
characters. Bounds memory to some 30 MB.

Calls that reach the store while they are among one another's latest are linked the same in any order; `relink` mends the rest.
"""


@quick
@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to the store; each field costs indexed look-ups only, but `holding`. Empty fields ask nothing.

    at_ns: the moment that all but `calls` and `roots` refer to.
    earlier: per token, the `CALLS_PER_TOKEN` newest of the latest calls that left it and began at or before `at_ns`.
    pairs: per pair of words, the newest likewise of those that left it (`Indexed.pairs`). Each iterable is gone through once.
    later: per token, the oldest of those that began at or after `at_ns`.
    beside: per token, the `CALLS_BESIDE` nearest before and after `at_ns`; the call `but` is none of them.
    ever, ever_later: the same of lasting tokens; when none of the latest calls left any of them, of all calls.
    calls: calls by id. new: the id of a call that began at `at_ns` and is probably not stored.
    thread: the `CALLS_PER_THREAD` calls of this thread that began nearest before or at `at_ns`.
    members: the calls of these threads that began at or after `at_ns`. roots: the root call of every thread of these traces.
    asking: those of the latest calls that asked for one of these tokens and began at or after `at_ns`, or that watch one.
    watching: those of `asking` for which only neighbours count: whoever watches one and has `CALLS_BESIDE` others of it nearer
    than `at_ns` need not be found.
    holding: of those of the latest calls that began after `at_ns` the `CALLS_TOLD` last ones, as far as one of their
    `Indexed.texts` holds one of these strings: whole words, with single spaces between them.
    """

    at_ns: int = 0
    earlier: Collection[int] = ()
    ever: Collection[int] = ()
    later: Collection[int] = ()
    beside: Collection[int] = ()
    but: str = ""
    ever_later: Collection[int] = ()
    calls: Sequence[str] = ()
    new: str | None = None
    thread: str | None = None
    members: Sequence[str] = ()
    roots: Sequence[str] = ()
    asking: Collection[int] = ()
    watching: Collection[int] = ()
    holding: Sequence[str] = ()
    pairs: Sequence[Iterable[Pair]] = ()


class Passing(NamedTuple):
    """What serves placing a call anew, for as long as it is among the latest.

    asked: tokens of earlier calls on which its place rests; watched: tokens of any call, earlier or later.
    """

    asked: tuple[int, ...] = ()
    watched: tuple[int, ...] = ()


NO_PASSING = Passing()


Told = tuple[Sequence[Message], Sequence[Message]]
"""A call's system prompt and its messages, of which only role and parts need be right."""


class Candidate(NamedTuple):
    """A stored call as linking sees it: what it left behind and where it stands now. Each call is found once per look-up."""

    call_id: str
    facts: bytes
    """As `Indexed.facts` were given; linking's own, opaque to everybody else."""
    trace_id: str
    thread_id: str
    root_id: str
    opener_id: str | None
    agent_name: str | None
    passing: Passing | None = None
    """None when the call is no longer among the latest: it is not placed anew."""
    live: object = None
    """As `Indexed.live` was given, when the store still has it."""
    said: Callable[[], Told] | None = None
    """Reads its system prompt and its messages again; None when it was told nothing, or is no longer among the latest."""


@quick
@dataclass(frozen=True, slots=True)
class Indexed:
    """What a call leaves behind: the tokens by which it is found and the facts that linking reads when it was.

    passing: None leaves what an earlier version of the call left, its `texts` and whether it `is_told` anything.
    is_told: its words may be needed again (`Candidate.said`).
    pairs: words by which it is found as by recent tokens, where they stand side by side.
    texts: what the call was told, in which others' words may stand (`Lookup.holding`). A store that was opened anew need not have
    them: to it the call may then hold anything.
    live: whatever `facts` say, and what linking read of the call's words, not encoded: the store may keep it in memory and give it
    back, as long as the call stands where this says.
    """

    tokens: tuple[int, ...] = ()
    facts: bytes = b""
    recent: tuple[int, ...] = ()
    passing: Passing | None = NO_PASSING
    live: object = None
    texts: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    is_told: bool = False


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
    unsure: bool = False
    """What it rests on has become known since it was placed: it is placed anew once it is stored."""
