"""What linking costs: CPU µs per call, both of its versions, by kind of call; it must stay flat.

    python -m bench.linking                     new traces, a thread of 200 turns, a trace of 2,000 calls, and what is alike in hundreds
    python -m bench.linking --only NAME         those whose names begin so
    python -m bench.linking --stored 1000000    the same beside a million calls (about a quarter of an hour to make)
    python -m bench.linking --stored 1000000 --db FILE    keeps the database and takes it the next time
    python -m bench.linking --batch 4           as when fewer calls come: each batch finds the processor's caches cold

Everything goes through a real SQLite store, in batches of `--batch` versions. *linking* is reading the facts, every look-up in the
store and placing anew (`settle` and `revise`); *keeping* is what the store does to find the call again (tokens, facts). Median
and 95th percentile over the calls of a kind, and the median of the first and last tenth of the trace.
"""

import argparse
import gc
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.stored import T0, given, message, put_all
from tests.support.talks import SECOND, Talk, World, result, running, text, use

from bench.counting import instructions
from bench.store import Talker
from modular_agents.proxy.app import GC_ALLOCATIONS
from modular_agents.proxy.linking import read, revise, settle
from modular_agents.proxy.model.call import Call, Cost
from modular_agents.proxy.model.exchange import Exchange, RequestSide
from modular_agents.proxy.store.sqlite import SqliteStore
from modular_agents.proxy.store.sqlite.links import Links

BATCH = 16
"""Versions per transaction: what a recorder takes up at a time at 50 calls a second, each with a beginning and an end."""
AT_ONCE = 50
"""Equal requests under way, as a load test has them; each takes a second."""
ALIKE = 1000
"""Calls of a run in which many are alike."""
LEAD_TURNS = 40
"""A lead's conversation; then another lead takes over, as a person's next question does."""
TOKENS_STORED = 3
"""What a call of long ago still has in the index: its history, a thread or session, a response id."""
NOW_S = T0 / SECOND + 31 * 24 * 3600
"""When the measured calls begin: after a month of stored ones."""


@dataclass(frozen=True)
class Timed:
    kind: str
    linking_us: float
    keeping_us: float
    instructions: float
    """Thousands, of linking."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="calls of the large trace (default: %(default)s)")
    parser.add_argument("--stored", type=int, default=0, help="calls that are stored before (default: none)")
    parser.add_argument("--db", type=Path, help="the database with the stored calls; made if it is not there")
    parser.add_argument("--batch", type=int, default=BATCH, help="versions of calls per transaction (default: %(default)s)")
    parser.add_argument("--only", default="", help="what the names of runs begin with (default: all)")
    told = parser.parse_args()
    talker = Talker()
    runs: dict[str, Callable[[World], dict[str, str]]] = {
        "new traces": lambda world: new_traces(world, talker),
        "thread of 200 turns": lambda world: long_thread(world, talker),
        f"trace of {told.calls} calls": lambda world: large_trace(world, told.calls),
        "a server that searches before each question": searching,
        f"one request, {AT_ONCE} under way": alike,
        f"one request that fails, {AT_ONCE} under way": lambda world: alike(world, None),
        "one program of two agents, a run each second": runs_alike,
    }
    with tempfile.TemporaryDirectory() as directory:
        base = told.db
        if told.stored and (base is None or not base.exists()):
            base = base or Path(directory) / "stored.db"
            fill(told.stored, base, talker)
        for name, play in runs.items():
            if not name.startswith(told.only):
                continue
            world = World(NOW_S)
            kinds = play(world)
            db = Path(directory) / "run.db"
            for part in Path(directory).glob("run.db*"):
                part.unlink()
            if told.stored and base:
                shutil.copy(base, db)
            show(name, measured(db, world.calls, kinds, told.batch))


def measured(db: Path, calls: Sequence[Call], kinds: dict[str, str], batch_size: int = BATCH) -> list[Timed]:
    """Link and store calls as they begin and end; return what each cost, in the order in which they began."""
    store = SqliteStore(db)
    linking, keeping, counted = (dict.fromkeys((call.call_id for call in calls), 0.0) for _ in range(3))
    counter = instructions()
    instructions_now = counter.read if counter else lambda: 0
    was_read: dict[str, object] = {}
    kept = clock(Links, "put")
    moments = sorted(
        [(call.started_ns, running(call)) for call in calls] + [(call.ended_ns or 0, call) for call in calls], key=lambda one: one[0]
    )
    waiting = [version for _, version in moments]
    gc.collect()
    gc.freeze()  # the calls to come are not the recorder's
    gc.set_threshold(GC_ALLOCATIONS)  # as in its own process
    while waiting:
        reads: list[object] = []
        for version in waiting[:batch_size]:  # as the recorder does: a batch is read before any of it is placed
            count, begun = instructions_now(), time.thread_time()
            reads.append(read(version, was_read.get(version.call_id)))
            was_read[version.call_id] = reads[-1]
            linking[version.call_id] += time.thread_time() - begun
            counted[version.call_id] += instructions_now() - count
        with store.batch() as batch:
            for version, was in zip(waiting[:batch_size], reads, strict=True):
                call_id = version.call_id
                count, begun = instructions_now(), time.thread_time()
                linked = settle(version, batch.find, was)
                linking[call_id] += time.thread_time() - begun
                counted[call_id] += instructions_now() - count
                kept[0] = 0.0
                batch.put_call(version, crossed(version), linked.placement, Cost(None), linked.indexed)
                keeping[call_id] += kept[0]
                count, begun = instructions_now(), time.thread_time()
                revise(linked, batch.find, batch.relink)
                linking[call_id] += time.thread_time() - begun
                counted[call_id] += instructions_now() - count
        del waiting[:batch_size]
    store.close()
    return [Timed(kinds[one.call_id], linking[one.call_id] * 1e6, keeping[one.call_id] * 1e6, counted[one.call_id] / 1000) for one in calls]


def clock(owner: Any, name: str) -> list[float]:  # noqa: ANN401 - a class of the product
    """Count the time of a method; return where it is counted."""
    spent, plain = [0.0], getattr(owner, name)
    if hasattr(plain, "timed"):
        plain = plain.timed

    def timed(*values: Any) -> Any:  # noqa: ANN401 - whatever the method takes
        begun = time.thread_time()
        answer = plain(*values)
        spent[0] += time.thread_time() - begun
        return answer

    timed.timed = plain  # type: ignore[attr-defined]
    setattr(owner, name, timed)
    return spent


def crossed(call: Call) -> Exchange:
    request = RequestSide(call.method, call.path, call.path, call.request_headers)
    return Exchange(call.call_id, call.connection_id, call.client, call.upstream, "", call.hints, call.started_ns, request)


def show(name: str, times: Sequence[Timed]) -> None:
    print(f"{name}: CPU µs per call")
    print(f"{'':24}{'calls':>7}{'linking':>9}{'p95':>7}{'keeping':>9}{'k instr':>9}")
    for kind in (*dict.fromkeys(one.kind for one in times), "all"):
        some = [one for one in times if kind in {one.kind, "all"}]
        linking = sorted(one.linking_us for one in some)
        keeping = statistics.median(one.keeping_us for one in some)
        count = statistics.median(one.instructions for one in some)
        middle, high = statistics.median(linking), linking[int(len(some) * 0.95)]
        print(f"  {kind:22}{len(some):>7}{middle:>9.0f}{high:>7.0f}{keeping:>9.0f}{count:>9.0f}")
    tenth = max(len(times) // 10, 1)
    first, last = (statistics.median(one.linking_us for one in part) for part in (times[:tenth], times[-tenth:]))
    print(f"  first tenth {first:.0f}, last tenth {last:.0f}: {last / first:.2f} times", flush=True)


def new_traces(world: World, talker: Talker) -> dict[str, str]:
    """Conversations that have nothing to do with each other: a prompt of some 300 words, an answer, a second question."""
    kinds = {}
    for number in range(150):
        talk = world.talk(f"You are a helpful assistant. {talker.text(1500)}", tools=4, connection=f"c{number % 8}")
        kinds[talk.turn(talker.text(1800), talker.text(900)).call_id] = "first turn"
        kinds[talk.turn(talker.text(120), talker.text(900)).call_id] = "second turn"
    return kinds


def long_thread(world: World, talker: Talker) -> dict[str, str]:
    """One coding agent: each turn brings a tool's result of some 2 KB and asks for the next."""
    talk = world.talk(f"You are a coding agent. {talker.text(6000)}", tools=12)
    said: Any = talker.text(600)
    kinds = {}
    for turn in range(200):
        lines = "\n".join(talker.text(60) for _ in range(30))
        call = talk.turn(
            said, [*([text(talker.text(100))] if turn % 3 else []), use(f"u{turn}", "Bash", command=f"sed -n 1,40p src/{talker.text(20)}")]
        )
        kinds[call.call_id] = f"turn {turn // 50 * 50 + 1}-{turn // 50 * 50 + 50}"
        said = result(f"u{turn}", lines)
    return kinds


def large_trace(world: World, wanted: int) -> dict[str, str]:
    """A lead that delegates, turn after turn, to two agents of five turns each, which work at the same time."""
    kinds: dict[str, str] = {}
    lead = new_lead(world, 0)
    asked: str = "Keep the whole repository in order, one module after the other."
    answers: dict[str, str] = {}
    turn = 0
    while len(world.calls) < wanted:
        turn += 1
        tasks = {f"t{turn}.{n}": f"Look after module {turn} part {n}: read it, test it, and write down what is missing." for n in (1, 2)}
        said = [result(key, answer) for key, answer in answers.items()] or asked
        kinds[lead.turn(said, [use(key, "Task", prompt=task) for key, task in tasks.items()]).call_id] = "lead's turn"
        begun = world.now
        answers, ends = {}, []
        for key, task in tasks.items():
            world.now = begun
            answers[key] = work(world, key, task, kinds)
            ends.append(world.now)
        world.now = max(ends)
        if turn % LEAD_TURNS == 0:
            lead = new_lead(world, turn)
            asked = f"Go on with the modules from {turn} on, please."
            answers = {}
    del world.calls[wanted:]
    return kinds


def searching(world: World) -> dict[str, str]:
    """A server of one process on one connection: an embedding, then a conversation of one question, again and again."""
    kinds = {}
    for number in range(ALIKE // 2):
        talk = world.talk("You answer questions.", connection="pool")
        search = world.talk(connection="pool").turn(f"question {number}", "", takes=0.05, operation="embeddings", process="1@1")
        kinds[search.call_id] = "embedding"
        question = talk.turn(f"What about the {number}th lighthouse?", f"It was built in {number}.", takes=0.05, process="1@1")
        kinds[question.call_id] = "question"
    return kinds


def alike(world: World, answer: str | None = "I am fine, thank you very much.") -> dict[str, str]:
    """Many clients send the same request, each again as soon as it is answered."""
    begun, kinds = world.now, {}
    for number in range(ALIKE):
        talk = world.talk("You are polite.", connection=f"c{number % AT_ONCE}")
        kinds[talk.turn("Good morning, how are you?", answer, at=begun + number / AT_ONCE).call_id] = "request"
    return kinds


def runs_alike(world: World) -> dict[str, str]:
    """An evaluation: a lead and its agent, word for word as in every other run, three runs of one process under way at a time."""
    begun, kinds = world.now, {}
    for run in range(ALIKE // 3):
        lead, agent = world.talk("You lead.", connection=f"l{run}"), world.talk("You count.", connection=f"a{run}")
        at, task, answer = begun + run, "Count the sheep on the hill now.", "There are forty sheep on the hill."
        kinds[lead.turn("Plan the day.", use(f"t{run}", "Task", prompt=task), at=at, process="1@1").call_id] = "lead asks"
        kinds[agent.turn(task, answer, at=at + 1.1, process="1@1").call_id] = "agent"
        kinds[lead.turn(result(f"t{run}", answer), "Forty sheep are counted.", at=at + 2.2, process="1@1").call_id] = "lead goes on"
    return kinds


def new_lead(world: World, turn: int) -> Talk:
    return world.talk(
        "You are the Orchestrator Agent. " + "Delegate with care. " * 40,
        tools=3,
        headers={"x-session-id": "bench"},
        connection=f"lead{turn}",
    )


def work(world: World, key: str, task: str, kinds: dict[str, str]) -> str:
    worker = world.talk("You are a module agent. " + "Be thorough. " * 60, tools=5, headers={"x-session-id": "bench"}, connection=key[-1])
    first = worker.turn(
        f"Your task: {task}\n\nRules: " + "keep to the style of the code; " * 20, use(f"{key}.0", "Read", path=f"src/{key}.py")
    )
    kinds[first.call_id] = "delegation"
    for step in range(1, 4):
        found = "\n".join(f"{n}: def function_{n}(value): return value * {step}" for n in range(30))
        turn = worker.turn(result(f"{key}.{step - 1}", found), use(f"{key}.{step}", "Bash", command=f"pytest -q tests/{key} -k step{step}"))
        kinds[turn.call_id] = "agent's turn"
    answer = f"Module {key} is in order now: eleven tests pass, two are missing."
    kinds[worker.turn(result(f"{key}.3", "11 passed in 0.4s"), answer).call_id] = "agent's last turn"
    return answer


def fill(count: int, db: Path, talker: Talker) -> None:
    """Store calls of a month, small ones, each with what linking keeps of a call of long ago."""
    begun, dice = time.perf_counter(), random.Random(1)
    store = SqliteStore(db)
    made = stored(count, talker, dice)
    for _ in range(0, count, 500):
        put_all(store, *(next(made) for _ in range(min(500, count))))
    while store.tidy():
        pass
    store.close()
    print(f"{count} calls stored in {time.perf_counter() - begun:.0f} s, {db.stat().st_size / 1e9:.2f} GB", flush=True)


def stored(count: int, talker: Talker, dice: random.Random) -> Iterator[Any]:
    system = (message("system", talker.text(200)),)
    every = 30 * 24 * 3600 * 1000 // count
    for number in range(count):
        call = given(
            number,
            at_ms=number * every,
            messages=(message("user", f"{number} {talker.words[number % 30_000]}"),),
            system=system,
            trace=f"tr-{number // 10}",
            thread=f"th-{number // 5}",
            tokens=tuple(dice.getrandbits(60) for _ in range(TOKENS_STORED)),
            facts=dice.randbytes(500),
        )
        yield call.finished("fine", usd=0.1)


if __name__ == "__main__":
    main()
