"""What a call was told is read again from its stored messages: the same as when it came."""

import json
from pathlib import Path

import pytest
from tests.support.link_store import record, record_in
from tests.support.talks import World, result, text, use

from modular_agents.proxy.linking import read
from modular_agents.proxy.linking.gather import words_again
from modular_agents.proxy.linking.link import Read
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import Lookup
from modular_agents.proxy.store.sqlite import SqliteStore

LONG = " ".join(f"word{number}" for number in range(4000))


def calls() -> dict[str, Call]:
    world = World()
    lead, bare, many = world.talk("You lead.\n" + LONG), world.talk(), world.talk("You work.")
    first = lead.turn(
        "<system-reminder>Mind it.</system-reminder>Look  after\nthe roses.", [use("t", "Task", prompt="Water the roses now.")]
    )
    return {
        "first": first,
        "results": lead.turn([result("t", "All of them have been watered.")], "Good."),
        "next": lead.turn("And now the tulips, all of them?\n- red ones\n- Task: blue ones", "Yes, these too."),
        "long": bare.turn(LONG, "That is long."),
        "json": bare.turn(json.dumps({"task": "Look after the beds behind the house.", "n": 3}), "I do."),
        "many": many.turn([text(f"Text number {number} of them all.") for number in range(30)], "I see."),
        "title": world.talk("Generate a short title for this conversation.").turn("Look after the roses.\nAll of them.", "Roses"),
    }


@pytest.mark.parametrize("name", calls())
def test_words_are_the_same_again(name: str, tmp_path: Path) -> None:
    call = calls()[name]
    was_read = read(call)
    assert isinstance(was_read, Read)
    store = SqliteStore(tmp_path / "t.db")
    record(store, calls().values())
    store.close()
    store = SqliteStore(tmp_path / "t.db")
    with store.batch() as batch:
        (found,) = batch.find(Lookup(calls=(call.call_id,)))
        assert (found.said is not None) == bool(was_read.words)
        if found.said is not None:
            assert words_again(was_read.facts, *found.said()) == was_read.words
    store.close()


def test_words_of_a_call_of_the_same_batch(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.db")
    call = calls()["long"]
    was_read = read(call)
    assert isinstance(was_read, Read)
    with store.batch() as batch:
        record_in(batch, call, was_read)
        (found,) = batch.find(Lookup(calls=(call.call_id,)))
        assert found.said is not None
        assert words_again(was_read.facts, *found.said()) == was_read.words
    store.close()
