"""Facts that an earlier version kept are read as today's, so that a conversation goes on over an update."""

import base64
from pathlib import Path

import msgspec
import pytest
from tests.support.talks import World, result, use

from modular_agents.proxy.linking import read
from modular_agents.proxy.linking.facts import Facts, Stand, decode, encode
from modular_agents.proxy.linking.link import Read
from modular_agents.proxy.linking.text import Reading
from modular_agents.proxy.model.call import Call

CORPUS = Path(__file__).parents[2] / "corpus" / "store" / "facts-2.txt"
"""What version 2 kept of `calls()`, a line each, in base64."""
TASK = "Look after the token bucket of module seven and write down what is missing."
ANSWER = "The bucket of module seven loses its tokens when the clock goes back."


def calls() -> list[Call]:
    """Return a lead that delegates a task and a short one, its agent, and the lead's next turn."""
    world = World()
    lead, agent = world.talk("You lead."), world.talk("You work.")
    asked = lead.turn("Is everything in order?", [use("t1", "Task", prompt=TASK, note="Be quick!")])
    done = agent.turn(TASK, ANSWER)
    return [asked, done, lead.turn([result("t1", ANSWER)], "No, it is not.")]


def facts_of(call: Call) -> Facts:
    was_read = read(call)
    assert isinstance(was_read, Read)
    return was_read.facts


@pytest.mark.parametrize(("kept", "call"), [*zip(CORPUS.read_text().split(), calls(), strict=True)])
def test_facts_of_version_2(kept: str, call: Call) -> None:
    now = facts_of(call)
    facts, stand = decode(base64.b64decode(kept))
    assert stand == Stand()
    bare = {"offers": (), "handed": None}
    assert msgspec.structs.replace(facts, **bare) == msgspec.structs.replace(now, **bare)  # type: ignore[arg-type]
    pieces = [(*(offer.piece for offer in one.offers), one.handed) for one in (facts, now)]
    for before, after in zip(*pieces, strict=True):
        assert (before is None) == (after is None)
        if before and after:
            assert (before.size, before.whole, before.short) == (after.size, after.whole, after.short)
            assert not before.words or before.anchor
            for text in (TASK, ANSWER, "No, it is not."):
                assert Reading([text], [text]).holds(before) == Reading([text], [text]).holds(after)


def test_facts_of_today_and_of_no_version() -> None:
    for call in calls():
        facts = facts_of(call)
        assert decode(encode(facts, Stand(took=7))) == (facts, Stand(took=7))
    with pytest.raises(msgspec.DecodeError):
        decode(b"\x01" + encode(facts, Stand())[1:])
