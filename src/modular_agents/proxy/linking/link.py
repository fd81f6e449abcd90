"""Placing a call, and placing again what it shows in another light. The one driver of everything in this room.

`settle` says where a call stands and what it leaves behind; when that is stored, `revise` finds the calls on which it sheds
new light (it came late, its answer was still to come, its id joins two traces) and says what changes of them.
"""

from collections.abc import Callable, Generator, Sequence

import msgspec

from modular_agents.proxy.linking.facts import Facts, encode, encode_words
from modular_agents.proxy.linking.gather import gather, words_of
from modular_agents.proxy.linking.known import Known, Step, ask
from modular_agents.proxy.linking.place import Placed, left_by, place
from modular_agents.proxy.linking.revision import Revising, revision
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import Candidate, Indexed, LinkChanges, Linked, Lookup

Find = Callable[[Lookup], Sequence[Candidate]]


def settle(call: Call, find: Find) -> Linked:
    """Place a version of a call among what `find` finds."""
    asking = _settled(call)
    return _driven(asking, find)


def revise(call_id: str, loose: Sequence[str], find: Find, relink: Callable[[LinkChanges], None]) -> None:
    """Place anew what the stored call `call_id` concerns, and group the `loose` traces; `relink` is called for every change."""
    revising: Revising = revision(call_id, loose)
    try:
        wanted = next(revising)
        while True:
            if isinstance(wanted, Lookup):
                wanted = revising.send(find(wanted))
            else:
                relink(wanted)
                wanted = next(revising)
    except StopIteration:
        return


def _driven(asking: Generator[Lookup, Sequence[Candidate], Linked], find: Find) -> Linked:
    lookup = next(asking)
    while True:
        try:
            lookup = asking.send(find(lookup))
        except StopIteration as done:
            linked: Linked = done.value
            return linked


def _settled(call: Call) -> Step[Linked]:
    facts = gather(call)
    stored = yield from ask(Lookup(calls=(facts.call_id,)))
    if stored:
        facts = msgspec.structs.replace(facts, was_seen=True)
        placed = _again(facts, stored[0])
        tokens, _ = left_by(placed)
        return Linked(placed.placement, Indexed(tokens, encode(facts, placed.stand), None, None))
    placed = yield from place(facts, words_of(call), None)
    tokens, passing = left_by(placed)
    indexed = Indexed(tokens, encode(facts, placed.stand), passing, encode_words(placed.words))
    return Linked(placed.placement, indexed, tuple(sorted(placed.loose)))


def _again(facts: Facts, at: Known) -> Placed:
    """A later version of a call stands where the first one was put: what it goes on from has not changed."""
    return Placed(facts, at.words, at.stand, at.trace_id, at.root_id, at.opener_id, at.agent_name)
