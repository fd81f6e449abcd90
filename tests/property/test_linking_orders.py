"""The law of order: any arrival gives the same graph, for agents that do whatever dice tell them to, with words they share."""

import random
from dataclasses import replace

import pytest
from tests.linking.runs import linked, stands
from tests.support.talks import Talk, World, in_disorder, result, use

from modular_agents.proxy.model.call import Call, Status

TASKS = (
    "Count the sheep on the northern hill.",
    "Count the sheep on the southern hill.",
    "Mend the fence along the road to the mill.",
    "Read every letter of the year and file it.",
)
ANSWERS = ("There are forty sheep on the hill now.", "The fence is mended, every letter is filed.", "It is done as you asked, all of it.")
FAILED = {"answer": None, "status": Status.FAILED}


def village(seed: int, processes: int = 0) -> list[Call]:
    """A few leads, one after the other or at the same time; each delegates, some agents delegate again, some calls fail first.

    processes: each lead with all below him runs in one of so many, except that of every fifth call nobody knows it.
    """
    dice = random.Random(seed)
    world = World(1_000_000.0)
    for number in range(dice.randint(1, 3)):
        begun = world.now
        talk = world.talk("You are the Mayor Agent." if dice.random() < 0.7 else "", connection=f"c{dice.randint(1, 2)}")
        known = len(world.calls)
        work(world, talk, dice.choice(TASKS), dice, depth=0, key=f"m{number}")
        if processes:
            process = f"{dice.randint(1, processes)}@1"
            world.calls[known:] = [replace(call, process=process if dice.random() < 0.8 else "") for call in world.calls[known:]]
        if dice.random() < 0.5:
            world.now = begun + 0.005
    return world.calls


def work(world: World, talk: Talk, task: str, dice: random.Random, *, depth: int, key: str) -> str:
    said: object = task if dice.random() < 0.6 else f"Your task: {task}\nBe quick about it."
    for turn in range(dice.randint(0, 2)):
        if dice.random() < 0.2:
            talk.turn(said, **FAILED)  # type: ignore[arg-type]
        uses = {f"{key}.{turn}.{n}": dice.choice(TASKS) for n in range(dice.randint(1, 2))}
        delegates = depth < 2 and dice.random() < 0.6
        name = "Task" if delegates else "Bash"
        talk.turn(said, [use(one, name, prompt=words) for one, words in uses.items()])  # type: ignore[arg-type]
        start, results = world.now, []
        for one, words in uses.items():
            if delegates:
                world.now = start + dice.random() / 100 if dice.random() < 0.5 else world.now
                worker = world.talk("You are a farm hand.", connection=f"c{dice.randint(1, 2)}")
                results.append(result(one, work(world, worker, words, dice, depth=depth + 1, key=one)))
            else:
                results.append(result(one, "ok"))
        world.now = max([call.ended_ns or 0 for call in world.calls]) / 1e9 + 0.01
        said = results
    answer = dice.choice(ANSWERS)
    talk.turn(said, answer)  # type: ignore[arg-type]
    return answer


@pytest.mark.parametrize("world", range(30))
def test_any_order_gives_the_same_graph(world: int) -> None:
    calls = village(world)
    wanted = stands(linked(sorted(calls, key=lambda call: (call.started_ns, call.call_id))))
    for order in range(3):
        assert stands(linked(in_disorder(calls, random.Random(order)))) == wanted, f"order {order}"


@pytest.mark.parametrize("world", range(30))
def test_so_it_does_when_processes_are_known_a_moment_later(world: int) -> None:
    calls = village(world, processes=3)
    wanted = stands(linked(sorted(calls, key=lambda call: (call.started_ns, call.call_id))))
    for order in range(3):
        dice = random.Random(order)
        arrived = in_disorder(calls, dice)
        late = [replace(call, process="") if call.status is Status.RUNNING and dice.random() < 0.7 else call for call in arrived]
        assert stands(linked(late)) == wanted, f"order {order}"
