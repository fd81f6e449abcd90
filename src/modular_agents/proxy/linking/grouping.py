"""A trace is every thread that hangs together; ids that a person or the app gave are never merged away.

What a person said by hand goes first: such a thread and what hangs below it stand where he said.

Threads are joined by their links and by a common session. A thread that was given a trace id keeps it, and a group of others
that touches threads of one given id takes that id (of several: the one that opened or fed the group, if that is one). Else the
group is named by its oldest session, else after its oldest call. The same threads and links give the same names, in any order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread in the eyes of grouping: its first call, what it was given, and the threads that lead to it, by root id."""

    root_id: str
    said: str | None
    session: str | None
    links: tuple[str, ...]
    """The first one is the thread below which it hangs."""
    by_hand: bool = False
    """A person said where it belongs: beside its one link, or to nothing."""
    follows: bool = False
    """It goes by the name of what it was put beside, however old it is."""


def trace_after(root_id: str) -> str:
    """Return the id of a trace that nobody named: made from its oldest call, so that reading a journal twice gives the same."""
    return f"tr-{root_id}"


def is_given(trace_id: str) -> bool:
    """Return whether a trace id came from outside (or looks like it)."""
    return not trace_id.startswith("tr-")


def group(threads: Sequence[Thread]) -> dict[str, str]:
    """Return the trace of each thread, by root id. Links to threads that are not among `threads` are ignored."""
    threads = _by_hand(threads)
    known = {thread.root_id: thread for thread in threads}
    leader = _joined(threads, known)
    members: dict[str, list[Thread]] = {}
    for thread in sorted(threads, key=lambda one: one.root_id):
        members.setdefault(_find(leader, thread.root_id), []).append(thread)
    traces: dict[str, str] = {}
    for some in members.values():
        naming = [thread for thread in some if not thread.follows] or some
        name = naming[0].said or _name(naming, threads, known)
        traces.update((thread.root_id, name) for thread in some)
    return traces


def _by_hand(threads: Sequence[Thread]) -> Sequence[Thread]:
    """Let what a person placed, with all that hangs below it, be tied to others by his word alone: no session, no other link counts."""
    if not any(thread.by_hand for thread in threads):
        return threads
    known = {thread.root_id: thread for thread in threads}
    rulers = {thread.root_id: _ruler(thread, known) for thread in threads}
    told = []
    for thread in threads:
        ruler = rulers[thread.root_id]
        follows = ruler is not None and bool(known[ruler].links)
        links = thread.links if thread.by_hand else tuple(one for one in thread.links if rulers.get(one) == ruler)
        told.append(replace(thread, session=None if ruler else thread.session, links=links, follows=follows))
    return told


def _ruler(thread: Thread, known: Mapping[str, Thread]) -> str | None:
    """Return the nearest thread above, or itself, that a person placed."""
    passed: set[str] = set()
    while not thread.by_hand:
        passed.add(thread.root_id)
        above = known.get(thread.links[0]) if thread.links else None
        if above is None or above.root_id in passed:
            return None
        thread = above
    return thread.root_id


def _joined(threads: Iterable[Thread], known: Mapping[str, Thread]) -> dict[str, str]:
    """Join threads without a given trace id by links and sessions; the others stand alone."""
    leader: dict[str, str] = {}
    by_session: dict[str, str] = {}
    for thread in threads:
        if thread.said is not None:
            continue
        for other in thread.links:
            if other in known and known[other].said is None:
                _unite(leader, thread.root_id, other)
        if thread.session is not None:
            _unite(leader, thread.root_id, by_session.setdefault(thread.session, thread.root_id))
    return leader


def _find(leader: dict[str, str], one: str) -> str:
    while (up := leader.get(one, one)) != one:
        leader[one] = leader.get(up, up)
        one = up
    return one


def _unite(leader: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_find(leader, one), _find(leader, other)))
    leader[second] = first


def _name(some: Sequence[Thread], threads: Iterable[Thread], known: Mapping[str, Thread]) -> str:
    mine = {thread.root_id for thread in some}
    above = {known[other].said or "" for thread in some for other in thread.links if other in known} - {""}
    below = {thread.said for thread in threads if thread.said and any(other in mine for other in thread.links)}
    for given in (above, below):
        if len(given) == 1:
            return min(given)
        if given:
            break
    session = next((thread.session for thread in some if thread.session is not None), None)
    return session or trace_after(some[0].root_id)
