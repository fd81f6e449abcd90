"""What storing costs and how a large database answers. Everything goes through the real store.

    python -m bench.store put                        CPU per 4 KB call, running and final version, batches of 20
    python -m bench.store talk                       bytes per turn of a 200-turn conversation
    python -m bench.store retain --calls 2000        how long deleting holds the writer while 50 calls/s arrive
    python -m bench.store scale --calls 1000000      fills a database, then times list, open, search and statistics

`--db FILE` keeps the file and asks it, or deletes from it, again the next time; a million calls take a quarter of an hour to make on
a quiet machine. `--out FILE` adds the figures of `scale` and `retain` to a file of results. Wall time is what a person waits for; on a
machine that is busy with other things the CPU time beside it says what our part was.
"""

import argparse
import gc
import random
import statistics
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from tests.support.stored import Given, given, message, put_all
from tests.support.talk import conversation

from bench.book import Book, about
from modular_agents.proxy.app import GC_ALLOCATIONS
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
PUT_PER_S, HOLD_MS = 50, 50
"""Calls that arrive while others are deleted, and how long one slice may hold the writer."""
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
                while store.tidy():  # as the recorder does between two turns
                    pass
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


class Holds:
    """How long the writer was held, by what for: no batch of new calls can begin meanwhile. In ms, wall time and CPU."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def timed(self, name: str, act: Callable[[], int]) -> int:
        """Note how long `act` takes; return what it does."""
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        done = act()
        self.cpu.setdefault(name, []).append((time.thread_time_ns() - cpu) / 1e6)
        self.wall.setdefault(name, []).append((time.perf_counter_ns() - wall) / 1e6)
        return done

    def told(self) -> dict[str, float]:
        """Return the figures. What is wall time and not CPU was waiting: for the disk, or for a processor that others had."""
        told: dict[str, float] = {}
        for name in self.wall:
            for what, values in ((name, sorted(self.wall[name])), (f"{name}_cpu", sorted(self.cpu[name]))):
                count = len(values)
                told |= {f"{what}_p{part}_ms": values[min(count - 1, count * part // 100)] for part in (50, 95, 99)}
                told |= {f"{what}_max_ms": values[-1], f"{what}_over_50_ms": sum(value > HOLD_MS for value in values)}
            told[f"{name}_count"] = len(self.wall[name])
        return told


def retain(count: int, db: Path, book: Book) -> None:
    """Delete the `count` oldest calls in slices, while others are put between the slices at 50 calls/s of real time; then tidy."""
    fill(2 * count, db)
    store, reader = SqliteStore(db), SqliteReader(db)
    wal, before_ns = db.with_name(db.name + "-wal"), started_ns(reader, count)
    have = int(reader.stats(StatsQuery(step_hours=0)).total.calls)
    reader.close()
    coming, added, gone = calls(sys.maxsize, Teller(seed=have + 7), have), 0, 0
    put_all(store, next(coming)[1])  # the first batch of a process reads the latest calls (docs/decisions/0018), and no later one
    gc.freeze()  # as the recorder does
    gc.set_threshold(GC_ALLOCATIONS)
    holds, largest, began = Holds(), 0, time.perf_counter()

    def put_what_came() -> int:
        due = int((time.perf_counter() - began) * PUT_PER_S) - added
        made = [final for _, final in islice(coming, due)]
        if made:
            holds.timed("put", lambda: put_all(store, *made) or len(made))
        return len(made)

    while gone < count:
        added += put_what_came()
        slice_size = holds.timed("slice", lambda: store.purge(before_ns, None))
        gone, largest = gone + slice_size, max(largest, wal.stat().st_size)
        if not slice_size:
            break
    deleting_s = time.perf_counter() - began
    while holds.timed("tidy", store.tidy):  # merge the search index, give space back
        added += put_what_came()
        largest = max(largest, wal.stat().st_size)
    told = {"deleted": gone, "seconds": deleting_s, "tidying_s": time.perf_counter() - began - deleting_s, "came": added}
    told |= {"wal_mb": largest / 1e6, **holds.told()}
    store.close()
    book.add("retain", f"{count:,} calls", told)
    print("\n".join(f"  {name:20} {value:12.1f}" for name, value in told.items()))


def started_ns(reader: SqliteReader, place: int) -> int:
    """Return when the call began that is the `place`-th oldest."""
    cursor, seen = None, 0
    while True:
        page = reader.priced(cursor, 1000)
        if seen + len(page.items) > place:
            return page.items[place - seen].call.started_ns
        cursor, seen = page.next_cursor, seen + len(page.items)


def scale(count: int, db: Path, book: Book) -> None:
    """Fill a database, then ask it."""
    fill(count, db)
    reader = SqliteReader(db)
    for name, ask in questions(reader).items():
        took, spent = [], []
        for run in range(RUNS):
            began, cpu = time.perf_counter_ns(), time.thread_time_ns()
            ask(run)
            took.append((time.perf_counter_ns() - began) / 1e6)
            spent.append((time.thread_time_ns() - cpu) / 1e6)
        took.sort()
        told = {"p50_ms": statistics.median(took), "p95_ms": took[int(RUNS * 0.95) - 1], "cpu_ms": statistics.median(spent)}
        book.add(f"store {count:,}", name, told)
        print(f"  {name:34} p50 {told['p50_ms']:8.1f} ms   p95 {told['p95_ms']:8.1f} ms   CPU {told['cpu_ms']:8.1f} ms")
    reader.close()


def questions(reader: SqliteReader) -> dict[str, Callable[[int], object]]:
    """Return what is asked, each with the number of the run."""
    page = reader.calls(ALL, None, 50)
    middle = middle_ns(reader)
    old = reader.calls(CallFilter(until_ns=middle), None, 50)
    words = Talker().words
    hour = 3600 * 10**9

    def calls_of(**given: Any) -> object:  # noqa: ANN401 - as `CallFilter` has them
        return reader.calls(CallFilter(**given), None, 50)

    def traces_of(**given: Any) -> object:  # noqa: ANN401 - as above
        return reader.traces(CallFilter(**given), None, 50)

    return {
        "list calls": lambda _: calls_of(),
        "list calls, deep": lambda _: reader.calls(ALL, old.next_cursor, 50),
        "list calls of a time long ago": lambda n: calls_of(since_ns=middle - (n + 1) * hour, until_ns=middle - n * hour),
        "list traces": lambda _: traces_of(),
        "list traces of a time long ago": lambda n: traces_of(until_ns=middle - n * hour),
        "list of a rare model": lambda _: calls_of(model="rare-model"),
        "list traces of a rare model": lambda _: traces_of(model="rare-model"),
        "list traces of an unknown model": lambda _: traces_of(model="nobody's"),
        "list traces of an agent": lambda n: traces_of(agent=AGENTS[n % 4]),
        "list, model and agent": lambda n: calls_of(model=MODELS[n % 5], agent="coder"),
        "list, never together": lambda n: calls_of(model="rare-model", agent=AGENTS[1 + n % 3]),
        "list, dear calls": lambda _: calls_of(min_cost_usd=0.99),
        "list, errors (none)": lambda _: calls_of(has_error=True),
        "list traces, failed (none)": lambda _: traces_of(status="failed"),
        "open a call": lambda n: reader.call(old.items[n].call_id),
        "open its bytes": lambda n: reader.raw(old.items[n].call_id),
        "open a trace": lambda n: reader.trace(page.items[n].trace_id),
        "open by the end of an id": lambda n: reader.call(old.items[n].call_id[-8:]),
        "search a common word": lambda n: calls_of(text=words[n % 3]),
        "search a middling word": lambda n: calls_of(text=words[200 + n]),
        "search a rare word": lambda n: calls_of(text=words[-1 - n]),
        "search two words": lambda n: calls_of(text=f"{words[n]} {words[900 + n]}"),
        "search words in this order": lambda n: calls_of(text=f'"{words[n % 5]} {words[n % 7]}"'),
        "search, rare model": lambda n: calls_of(text=words[n % 3], model="rare-model"),
        "search in a time long ago": lambda n: calls_of(text=words[n], since_ns=middle - (n + 9) * hour, until_ns=middle - n * hour),
        "search one letter and more": lambda n: calls_of(text=f"{words[n][:1]}*"),
        "search the beginning of a word": lambda n: calls_of(text=f"{words[100 + n][:3]}*"),
        "search traces": lambda n: traces_of(text=words[50 + n]),
        "statistics by model and day": lambda _: reader.stats(StatsQuery(by="model")),
        "statistics by agent and hour": lambda _: reader.stats(StatsQuery(by="agent", step_hours=1)),
        "how much is expired": lambda n: reader.room(middle - n * hour),
    }


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
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    if told.what == "put":
        put(told.calls)
    elif told.what == "talk":
        talk(told.turns)
    else:
        measure = retain if told.what == "retain" else scale
        with tempfile.TemporaryDirectory() as folder:
            measure(told.calls, told.db or Path(folder) / "bench.db", Book(told.out, about()))


if __name__ == "__main__":
    main()
