"""The client's process tells equal rivals apart, and joins nobody: a server's many tasks are of one process, too."""

from dataclasses import replace

import pytest
from tests.linking.runs import linked
from tests.support.link_memory import LinkMemory
from tests.support.talks import World, result, running, use

from modular_agents.proxy.model.call import Call

TASK = "Read the barometer of the lighthouse."


def two_alike(processes: tuple[str, str]) -> tuple[list[Call], dict[str, str]]:
    """Two programs, word for word the same, at the same time; return their calls, and who really opened whom."""
    world = World(1000.0)
    opened: dict[str, str] = {}
    leads = [world.talk("You forecast.", connection=f"l{n}") for n in range(2)]
    asked = []
    for n, lead in enumerate(leads):
        uses = [use(f"t{n}", "Task", prompt=TASK)]
        asked.append(lead.turn("Forecast.", uses, at=1000.0 + n / 100, process=processes[n]))
    for n in (1, 0):  # not in the order in which they were asked
        worker = world.talk("You read.", connection=f"w{n}")
        first = worker.turn(TASK, [use(f"b{n}", "Bash", command="read")], at=1002.0 + (1 - n) / 100, process=processes[n])
        opened[first.call_id] = asked[n].call_id
        last = worker.turn(result(f"b{n}", "ok"), "It stands at 1010 and falls.", at=1004.0 + (1 - n) / 100, process=processes[n])
        leads[n].turn(result(f"t{n}", "It stands at 1010 and falls."), "Expect rain.", at=1006.0 + n / 100, process=processes[n])
        assert last
    return world.calls, opened


def openers(memory: LinkMemory, calls: dict[str, str]) -> dict[str, tuple[str, str]]:
    edges = {call_id: memory.rows[call_id].placement.edges[0] for call_id in calls}
    return {call_id: (edge.from_call_id, edge.evidence.detail) for call_id, edge in edges.items()}


def test_of_two_programs_word_for_word_alike_each_keeps_its_own() -> None:
    calls, opened = two_alike(("11@5", "12@6"))
    found = openers(linked(calls), opened)
    assert {call_id: opener for call_id, (opener, _) in found.items()} == opened
    assert all("2 calls said this, one of the same process" in detail and "ambiguous" not in detail for _, detail in found.values())


@pytest.mark.parametrize("processes", [("", ""), ("11@5", "11@5")])
def test_without_it_they_are_taken_in_turn_and_marked(processes: tuple[str, str]) -> None:
    calls, opened = two_alike(processes)
    found = openers(linked(calls), opened)
    assert {call_id: opener for call_id, (opener, _) in found.items()} != opened
    assert any("ambiguous" in detail or "have their agents" in detail for _, detail in found.values())


def test_it_counts_as_soon_as_it_is_known() -> None:
    calls, opened = two_alike(("11@5", "12@6"))
    memory = LinkMemory()
    for call in calls:
        memory.link(replace(running(call), process=""))
    for call in calls:
        memory.link(call)
    assert {call_id: opener for call_id, (opener, _) in openers(memory, opened).items()} == opened


def test_conversations_of_one_process_stay_apart() -> None:
    world = World(1000.0)
    for n, place in enumerate(("Lisbon", "Oslo", "Turin")):
        world.talk("You answer.", connection=f"c{n}").turn(
            f"What is the weather in {place}?", f"Fine in {place}.", at=1000.0, process="7@1"
        )
    assert len({row.placement.trace_id for row in linked(world.calls).rows.values()}) == len(world.calls)


def test_a_call_of_another_process_may_still_have_opened_it() -> None:
    """A program starts another: Claude Code from a script."""
    world = World(1000.0)
    lead = world.talk("You lead.").turn("Go.", [use("t", "Bash", command=f'claude -p "{TASK}"')], process="11@5")
    child = world.talk("You read.", connection="x").turn(TASK, "1010.", process="12@6")
    edge = linked(world.calls).rows[child.call_id].placement.edges[0]
    assert (edge.from_call_id, str(edge.edge_type)) == (lead.call_id, "delegation")
