"""What storing costs and how a large database answers. Everything goes through the real store.

    python -m bench.store put                        CPU per 4 KB call, running and final version, batches of 20
    python -m bench.store talk                       bytes per turn of a 200-turn conversation
    python -m bench.store retain                     how long deleting holds the writer while 50 calls/s arrive
    python -m bench.store scale --calls 1000000      fills a database, then times list, open, search and statistics

`scale --db FILE` keeps the file and asks it again the next time; a million calls take about a quarter of an hour to make.
"""

import argparse
import random
import statistics
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

from tests.support.stored import Given, given, message, put_all
from tests.support.talk import conversation

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.query import CallFilter, StatsQuery
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore

BATCH = 20
MODELS = ("claude-sonnet-4-5", "claude-opus-4-5", "gpt-5", "gpt-5-mini", "gemini-2.5-pro")
AGENTS = ("orchestrator", "coder", "reviewer", "tester", None)
ALL = CallFilter()
RUNS = 40
SENTENCES, WORDS_PER_SENTENCE = 100_000, 14
"""Enough that the rarest words stand in a few of them."""
FILL_BATCH = 2000
"""Calls per batch while a database is filled: what is written for each is the same, the log is emptied less often."""


class Talker:
    """Text with the word frequencies of language (Zipf), the same in every run."""

    def __init__(self, seed: int = 7) -> None:
        self.dice = random.Random(seed)
        letters = "etaoinshrdlu"
        self.words = ["".join(self.dice.choices(letters, k=self.dice.randint(2, 9))) for _ in range(30_000)]
        self.shares = list(accumulate(1 / (rank + 1) for rank in range(len(self.words))))

    def text(self, size: int) -> str:
        words: list[str] = []
        length = 0
        while length < size:
            words.append(self.words[bisect(self.shares, self.dice.random() * self.shares[-1])])
            length += len(words[-1]) + 1
        return " ".join(words)


class Teller(Talker):
    """The same language in sentences made beforehand, ten times faster; its words are the same whatever the seed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        said = self.dice.choices(self.words, cum_weights=self.shares, k=SENTENCES * WORDS_PER_SENTENCE)
        self.sentences = [" ".join(said[at : at + WORDS_PER_SENTENCE]) for at in range(0, len(said), WORDS_PER_SENTENCE)]
        self.length = sum(map(len, self.sentences)) / SENTENCES
        self.dice.seed(seed)

    def text(self, size: int) -> str:
        return ". ".join(self.dice.choices(self.sentences, k=max(1, round(size / self.length))))


def calls(count: int, talker: Talker, first: int = 0) -> Iterator[tuple[Given, Given]]:
    """Yield calls of some 4 KB, ten to a trace, 2.6 s apart: a million in 30 days."""
    system = (message("system", talker.text(1500)),)
    for number in range(first, first + count):
        trace = f"tr-{number // 10}"
        call = given(
            number,
            at_ms=number * 2600,
            messages=(message("user", talker.text(2300)),),
            system=system,
            trace=trace,
            thread=f"th-{number // 5}",
            agent=AGENTS[number // 5 % len(AGENTS)],
            model=MODELS[number % len(MODELS)] if number % 1000 else "rare-model",
            provider="claude" if number % 5 < 2 else "openai",
            tokens=tuple(talker.dice.getrandbits(62) for _ in range(4)),
            facts=talker.dice.randbytes(250),
            task=talker.text(60) if number % 10 == 0 else None,
        )
        yield call, call.finished(talker.text(900), usd=talker.dice.random() ** 8)


def put(count: int) -> None:
    """CPU of `put_call`, everything on."""
    made = list(calls(count, Talker()))
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bench.db")
        cpu, wall = time.process_time(), time.perf_counter()
        for start in range(0, count, BATCH):
            put_all(store, *(running for running, _ in made[start : start + BATCH]))
            put_all(store, *(final for _, final in made[start : start + BATCH]))
        while store.tidy():
            pass
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        store.close()
        size = (Path(folder) / "bench.db").stat().st_size
    body = len(made[0][0].exchange.request.body)
    print(f"{count} calls, request body {body} bytes: {cpu / count * 1e6:.0f} µs CPU, {wall / count * 1e6:.0f} µs in all")
    print(f"{size / count:.0f} bytes per call on disk")


def talk(turns: int) -> None:
    """Bytes that each turn adds to the file, of a conversation that grows to some 400 KB."""
    with tempfile.TemporaryDirectory() as folder:
        store, reader = SqliteStore(Path(folder) / "bench.db"), SqliteReader(Path(folder) / "bench.db")
        sent, sizes = 0, []
        for at, call in enumerate(conversation(turns, new_chars=1500, answer_chars=500)):
            put_all(store, call)
            if at % 2:
                store.tidy()
                sent += len(call.exchange.request.body)
                sizes.append(sum(row.bytes for row in reader.sizes() if row.kind != "free space") if at % 40 == 39 else 0)
        marks = [size for size in sizes if size]
        early, late = (marks[1] - marks[0]) / 20, (marks[-1] - marks[-2]) / 20
        print(f"{turns} turns, {sent / 1e6:.1f} MB sent, {marks[-1] / 1e6:.2f} MB stored: {100 * marks[-1] / sent:.1f} %")
        print(f"bytes per turn: turns 20-40 {early:.0f}, last 20 {late:.0f}: {late / early:.2f} times")
        for row in reader.sizes():
            print(f"  {row.bytes / 1024:8.0f} KB  {row.kind}")
        reader.close()
        store.close()


def retain(count: int) -> None:
    """Delete `count` calls in slices, while others are put between the slices at 50 calls/s of real time."""
    made = [final for _, final in calls(2 * count, Talker())]
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bench.db")
        for at in range(0, count, 250):
            put_all(store, *made[at : at + 250])
        while store.tidy():
            pass
        began, added, gone = time.perf_counter(), count, 0
        walls, cpus = [], []
        before_ns = made[count].call.started_ns
        while gone < count:
            due = count + int((time.perf_counter() - began) * 50)
            if due > added:
                put_all(store, *made[added:due])
                added = due
            wall, cpu = time.perf_counter(), time.thread_time()
            gone += store.purge(before_ns, None)
            walls.append((time.perf_counter() - wall) * 1000)
            cpus.append((time.thread_time() - cpu) * 1000)
        store.close()
    print(f"{gone} calls deleted in {len(walls)} slices while {added - count} came: {sum(cpus) / gone * 1000:.0f} µs CPU each")
    for name, values in (("in all", walls), ("CPU", cpus)):
        cut = statistics.quantiles(values, n=20)
        print(f"a slice, {name:6}: p50 {statistics.median(values):6.1f} ms   p95 {cut[-1]:6.1f} ms   max {max(values):6.1f} ms")


def scale(count: int, db: Path) -> None:
    """Fill a database, then ask it."""
    fill(count, db)
    reader = SqliteReader(db)
    page = reader.calls(ALL, None, 50)
    middle = reader.calls(CallFilter(until_ns=middle_ns(reader)), None, 50)
    words = Talker()
    questions: dict[str, Callable[[int], object]] = {
        "list calls": lambda _: reader.calls(ALL, None, 50),
        "list calls, deep": lambda _: reader.calls(ALL, middle.next_cursor, 50),
        "list traces": lambda _: reader.traces(ALL, None, 50),
        "list of a rare model": lambda _: reader.calls(CallFilter(model="rare-model"), None, 50),
        "list, model and agent": lambda n: reader.calls(CallFilter(model=MODELS[n % 5], agent="coder"), None, 50),
        "list, dear calls": lambda _: reader.calls(CallFilter(min_cost_usd=0.99), None, 50),
        "list, errors (none)": lambda _: reader.calls(CallFilter(has_error=True), None, 50),
        "open a call": lambda n: reader.call(middle.items[n].call_id),
        "open its bytes": lambda n: reader.raw(middle.items[n].call_id),
        "open a trace": lambda n: reader.trace(page.items[n].trace_id),
        "open by the end of an id": lambda n: reader.call(middle.items[n].call_id[-8:]),
        "search a common word": lambda n: reader.calls(CallFilter(text=words.words[n % 3]), None, 50),
        "search a middling word": lambda n: reader.calls(CallFilter(text=words.words[200 + n]), None, 50),
        "search a rare word": lambda n: reader.calls(CallFilter(text=words.words[-1 - n]), None, 50),
        "search two words": lambda n: reader.calls(CallFilter(text=f"{words.words[n]} {words.words[900 + n]}"), None, 50),
        "search, rare model": lambda n: reader.calls(CallFilter(text=words.words[n % 3], model="rare-model"), None, 50),
        "search traces": lambda n: reader.traces(CallFilter(text=words.words[50 + n]), None, 50),
        "statistics by model and day": lambda _: reader.stats(StatsQuery(by="model")),
        "statistics by agent and hour": lambda _: reader.stats(StatsQuery(by="agent", step_hours=1)),
    }
    for name, ask in questions.items():
        took = []
        for run in range(RUNS):
            began = time.perf_counter()
            ask(run)
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        print(f"  {name:30} p50 {statistics.median(took):8.1f} ms   p95 {took[int(RUNS * 0.95) - 1]:8.1f} ms")
    reader.close()


def fill(count: int, db: Path) -> None:
    """Bring a database to `count` calls."""
    store, reader = SqliteStore(db), SqliteReader(db)
    have = int(reader.stats(StatsQuery(step_hours=0)).total.calls)
    began, cpu, talker = time.perf_counter(), time.process_time(), Teller(seed=have + 7)
    waiting: list[Given] = []
    for number, (_, final) in enumerate(calls(count - have, talker, have), 1):
        waiting.append(final)
        if len(waiting) == FILL_BATCH:
            patiently(store, waiting)
            waiting.clear()
        if number % 50_000 == 0:
            print(f"  {have + number:,} calls, {(time.perf_counter() - began) / number * 1e6:.0f} µs each", flush=True)
    patiently(store, waiting)
    while store.tidy():
        pass
    made = count - have
    if made > 0:
        print(f"made {made:,} calls: {(time.process_time() - cpu) / made * 1e6:.0f} µs CPU each, making their text included")
    reader.close()
    store.close()
    print(f"{count:,} calls, {db.stat().st_size / 1e9:.2f} GB on disk")


def patiently(store: SqliteStore, calls: list[Given]) -> None:
    """Put calls as the recorder does: while somebody who reads for long is in the way, again."""
    while True:
        try:
            put_all(store, *calls)
        except StoreUnavailable:
            time.sleep(1)
        else:
            return


def middle_ns(reader: SqliteReader) -> int:
    """The start of a call in the middle of all."""
    newest = reader.calls(ALL, None, 1).items[0].call_id
    exchange = reader.exchange(newest)
    first = reader.priced(None, 1).items[0].call.started_ns
    return first if exchange is None else (first + exchange.started_ns) // 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["put", "talk", "retain", "scale"])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--db", type=Path)
    told = parser.parse_args()
    if told.what == "put":
        put(told.calls)
    elif told.what == "retain":
        retain(told.calls)
    elif told.what == "talk":
        talk(told.turns)
    elif told.db:
        scale(told.calls, told.db)
    else:
        with tempfile.TemporaryDirectory() as folder:
            scale(told.calls, Path(folder) / "bench.db")


if __name__ == "__main__":
    main()
