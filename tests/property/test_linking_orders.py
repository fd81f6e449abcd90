"""The law of order: any arrival gives the same graph, for agents that do whatever dice tell them to, with words they share."""

import random
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import pytest
from tests.linking.runs import linked, stands
from tests.support.link_store import placed, record
from tests.support.talks import Talk, World, in_disorder, result, running, use

from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.store.sqlite import SqliteStore

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
        assert stands(linked(known_late(in_disorder(calls, dice), dice))) == wanted, f"order {order}"


def known_late(versions: list[Call], dice: random.Random) -> list[Call]:
    """Let nobody know the process of most calls before they end."""
    return [replace(call, process="") if call.status is Status.RUNNING and dice.random() < 0.7 else call for call in versions]


def with_helpers(calls: list[Call], dice: random.Random) -> list[Call]:
    """Put calls that are no turns among others, at any time: on their connections or on their own, of their processes or of nobody's."""
    began = [call.started_ns / 1e9 for call in calls]
    world = World(calls=calls, count=len(calls))
    for number in range(dice.randint(5, 40)):
        words = dice.choice((*TASKS, f"a text of its own, the {number}th"))
        operation = dice.choice(("embeddings", "count_tokens", "models", "other"))
        talk = world.talk(connection=dice.choice(("c1", "c2", f"own {number}")))
        process = dice.choice(("", "1@1", "2@1", "3@1"))
        at = dice.uniform(min(began) - 400, max(began) + 400) if dice.random() < 0.3 else dice.choice(began) + dice.uniform(-0.02, 0.02)
        talk.turn(words, dice.choice(("ok", None)), at=at, operation=operation, process=process)
    return world.calls


@pytest.mark.parametrize("world", range(30))
def test_so_it_does_with_helpers_among_them_and_in_a_file(world: int, tmp_path: Path) -> None:
    dice = random.Random(world)
    calls = with_helpers(village(world, processes=3), dice)
    wanted = stands(linked(sorted(calls, key=lambda call: (call.started_ns, call.call_id))))
    for order in range(2):
        assert stands(linked(known_late(in_disorder(calls, random.Random(order)), dice))) == wanted, f"order {order}"
    for order in range(2):
        path = tmp_path / f"{order}.db"
        versions = known_late(in_disorder(calls, random.Random(order)), dice)
        middle = dice.randrange(len(versions))
        for part in (versions[:middle], versions[middle:]):
            store = SqliteStore(path)
            record(store, part, per_batch=dice.randint(1, 9))
            store.close()
        places = {call_id: (one.trace_id, one.thread_id, one.parent_id, one.agent_name) for call_id, one in wanted.items()}
        assert placed(path) == places, f"in a file, order {order}"


@pytest.mark.parametrize("storm", range(40))
def test_so_it_does_for_one_request_sent_again_and_again(storm: int) -> None:
    """By many at once; some fail, and are tried again with or without a count of it."""
    dice = random.Random(storm)
    world = World(1_000_000.0)
    counted = dice.random() < 0.7
    for number in range(dice.randint(3, 14)):
        talk = world.talk("You are polite.", connection=f"c{number % 3}")
        if counted and dice.random() < 0.4:
            talk.headers = {"x-stainless-retry-count": str(dice.randint(1, 2))}
        more = FAILED if dice.random() < 0.4 else {"answer": dice.choice(ANSWERS)}
        at = 1_000_000.0 + dice.choice((0, 1, 2.5, 4, 130)) + dice.random() / 10
        talk.turn("Good morning.", at=at, takes=dice.choice((0.05, 1, 3)), **more)  # type: ignore[arg-type]
    calls = world.calls
    wanted = stands(linked(sorted(calls, key=lambda call: (call.started_ns, call.call_id))))
    for order in range(6):
        assert stands(linked(in_disorder(calls, random.Random(order)))) == wanted, f"order {order}"
    assert stands(linked(by_time(calls))) == wanted, "as they came"


def test_an_answer_that_frees_a_failure_for_another_attempt() -> None:
    """While a request was only slow, a second attempt was taken for its, and another call for that of the failure beside it."""
    world = World(1_000_000.0)
    again = {"x-stainless-retry-count": "1"}
    failed, slow, second, other = (
        world.talk(headers=headers, connection=f"c{at}").turn("Good morning.", answer, at=1_000_000.0 + at, takes=takes, status=status)
        for headers, answer, at, takes, status in (
            (again, None, 0.0, 2.9, Status.FAILED),
            ({}, "Hello.", 0.5, 8.0, Status.COMPLETED),
            (again, "Hello.", 4.0, 0.1, Status.COMPLETED),
            ({}, "Hello.", 5.0, 0.1, Status.COMPLETED),
        )
    )
    memory = linked(by_time(world.calls)[:-1])
    assert [memory.rows[one.call_id].placement.parent_id for one in (slow, second, other)] == [None, slow.call_id, failed.call_id]
    memory = linked(by_time(world.calls))
    assert [memory.rows[one.call_id].placement.parent_id for one in (slow, second, other)] == [None, failed.call_id, None]
    assert stands(memory) == stands(linked(world.calls))


def by_time(calls: list[Call]) -> list[Call]:
    """Return each call as it begins and as it ends."""
    versions = [(call.started_ns, running(call)) for call in calls] + [(call.ended_ns or 0, call) for call in calls]
    return [version for _, version in sorted(versions, key=itemgetter(0))]
