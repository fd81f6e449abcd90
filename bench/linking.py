"""Time per call of linking in one trace that grows to 2,000 calls, over a real SQLite store: it must stay flat.

    python -m bench.linking [--calls 2000]

The trace is a lead that delegates, turn after turn, to two agents of five turns each. Counted are reading the facts, every look-up
in the store and placing anew (`settle` + `revise`); writing the rows is the store's and is not. Median and 95th percentile
per call (both of its versions), for each tenth of the trace.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.talks import Talk, World, result, running, use

from modular_agents.proxy.linking import revise, settle
from modular_agents.proxy.model.call import Call, Cost
from modular_agents.proxy.model.exchange import Exchange, RequestSide
from modular_agents.proxy.store.sqlite import SqliteStore

PARTS = 10
LEAD_TURNS = 40
"""A lead's conversation; then another lead takes over, as a person's next question does."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    wanted = parser.parse_args().calls
    calls = trace(wanted)
    with tempfile.TemporaryDirectory() as directory:
        store = SqliteStore(Path(directory) / "bench.db")
        times = [timed(store, call) for call in calls]
        store.close()
    print(f"{len(calls)} calls, CPU µs per call (both versions, look-ups in SQLite included)")
    print(f"{'calls':>12}{'median':>10}{'p95':>10}")
    size = len(calls) // PARTS
    for part in range(PARTS):
        some = sorted(times[part * size : (part + 1) * size])
        print(f"{part * size:>6}-{(part + 1) * size:<5}{statistics.median(some):>10.0f}{some[int(len(some) * 0.95)]:>10.0f}")
    print(f"{'all':>12}{statistics.median(times):>10.0f}{sorted(times)[int(len(times) * 0.95)]:>10.0f}")


def timed(store: SqliteStore, call: Call) -> float:
    spent = 0.0
    for version in (running(call), call):
        with store.batch() as batch:
            begun = time.thread_time()
            linked = settle(version, batch.find)
            spent += time.thread_time() - begun
            request = RequestSide(call.method, call.path, call.path, call.request_headers)
            crossed = Exchange(call.call_id, call.connection_id, call.client, call.upstream, "", call.hints, call.started_ns, request)
            batch.put_call(version, crossed, linked.placement, Cost(None), linked.indexed)
            begun = time.thread_time()
            revise(call.call_id, linked.loose, batch.find, batch.relink)
            spent += time.thread_time() - begun
    return spent * 1e6


def trace(wanted: int) -> Sequence[Call]:
    world = World(1_000_000.0)
    lead = new_lead(world, 0)
    asked: str = "Keep the whole repository in order, one module after the other."
    answers: dict[str, str] = {}
    turn = 0
    while len(world.calls) < wanted:
        turn += 1
        tasks = {f"t{turn}.{n}": f"Look after module {turn} part {n}: read it, test it, and write down what is missing." for n in (1, 2)}
        said = [result(key, answer) for key, answer in answers.items()] or asked
        lead.turn(said, [use(key, "Task", prompt=task) for key, task in tasks.items()])
        answers = {key: work(world, key, task) for key, task in tasks.items()}
        if turn % LEAD_TURNS == 0:
            lead = new_lead(world, turn)
            asked = f"Go on with the modules from {turn} on, please."
            answers = {}
    return world.calls[:wanted]


def new_lead(world: World, turn: int) -> Talk:
    return world.talk(
        "You are the Orchestrator Agent. " + "Delegate with care. " * 40,
        tools=3,
        headers={"x-session-id": "bench"},
        connection=f"lead{turn}",
    )


def work(world: World, key: str, task: str) -> str:
    worker = world.talk("You are a module agent. " + "Be thorough. " * 60, tools=5, headers={"x-session-id": "bench"})
    worker.turn(f"Your task: {task}\n\nRules: " + "keep to the style of the code; " * 20, use(f"{key}.0", "Read", path=f"src/{key}.py"))
    for step in range(1, 4):
        found = "\n".join(f"{n}: def function_{n}(value): return value * {step}" for n in range(30))
        worker.turn(result(f"{key}.{step - 1}", found), use(f"{key}.{step}", "Bash", command=f"pytest -q tests/{key} -k step{step}"))
    answer = f"Module {key} is in order now: eleven tests pass, two are missing."
    worker.turn(result(f"{key}.3", "11 passed in 0.4s"), answer)
    return answer


if __name__ == "__main__":
    main()
