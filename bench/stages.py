"""Where the recorder's time goes: a clock around each stage, its own time only. The stages are named by what they wrap."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from bench.counting import instructions
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.recorder.assemble import Assembler
from modular_agents.proxy.recorder.loop import Recorder
from modular_agents.proxy.recorder.pipeline import Pipeline
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.store import crossing, recipe
from modular_agents.proxy.store.sqlite import batch as rows
from modular_agents.proxy.store.sqlite import parts
from modular_agents.proxy.store.sqlite.calls import Calls
from modular_agents.proxy.store.sqlite.contents import Contents
from modular_agents.proxy.store.sqlite.edges import Edges
from modular_agents.proxy.store.sqlite.events import Events
from modular_agents.proxy.store.sqlite.hours import Hours
from modular_agents.proxy.store.sqlite.links import Links
from modular_agents.proxy.store.sqlite.progress import Progress
from modular_agents.proxy.store.sqlite.requests import Requests
from modular_agents.proxy.store.sqlite.store import SqliteStore
from modular_agents.proxy.store.sqlite.traces import Traces
from modular_agents.proxy.store.sqlite.words import Words
from modular_agents.proxy.wire.reader import CallReader

TRIALS = 2000
Wrapped = tuple[object, str, str]
_STAGES: tuple[Wrapped, ...] = (
    (Recorder, "turn", "the rest"),
    (JournalReader, "poll", "journal: read"),
    (Assembler, "give", "assemble"),
    (Assembler, "take", "assemble"),
    (Redactor, "request", "redact"),
    (Redactor, "response", "redact"),
    (Redactor, "ending", "redact"),
    (Redactor, "tunnel", "redact"),
    (Redactor, "is_clean", "redact"),
    (CallReader, "__init__", "read"),
    (CallReader, "request", "read"),
    (CallReader, "response", "read"),
    (CallReader, "feed", "read: stream"),
    (CallReader, "finish", "read"),
    (Pipeline, "_put", "link, revise, price, glue"),
    (Pipeline, "_read", "live calls, glue"),
    (Pipeline, "_gather", "link: gather"),
    (Pipeline, "_price", "price"),
    (Pipeline, "_commit", "commit: glue"),
    (Pipeline, "_tidy", "tidy"),
    (rows.SqliteBatch, "find", "links: find"),
    (rows.SqliteBatch, "relink", "links: relink"),
    (rows.SqliteBatch, "expect", "expect"),
    (rows.SqliteBatch, "put_call", "put: glue"),
    (rows.SqliteBatch, "_settle", "settle: glue"),
    (rows.SqliteBatch, "flush", "flush: glue"),
    (rows.SqliteBatch, "put_deltas", "deltas"),
    (rows.SqliteBatch, "_write_records", "flush: records"),
    (rows, "make_record", "put: record"),
    (parts, "make_answer", "put: record"),
    (crossing, "encode_asked", "put: asked"),
    (crossing, "encode_ended", "put: ended"),
    (Requests, "put", "put: request"),
    (recipe, "make", "put: recipe"),
    (Contents, "messages", "put: contents"),
    (Contents, "texts", "put: contents"),
    (Contents, "expect", "expect: hashes"),
    (Contents, "look_up", "expect: look up"),
    (Contents, "write", "settle: contents"),
    (Contents, "flush", "flush: contents"),
    (Calls, "stored", "put: calls"),
    (Calls, "add", "put: calls"),
    (Calls, "finish", "put: calls"),
    (Calls, "place", "put: calls"),
    (Calls, "write", "settle: calls"),
    (Traces, "enter", "put: traces"),
    (Traces, "add", "put: traces"),
    (Traces, "change", "put: traces"),
    (Traces, "write", "settle: traces"),
    (Traces, "flush", "flush: traces"),
    (Edges, "add", "put: edges"),
    (Edges, "replace", "put: edges"),
    (Links, "put", "links: put"),
    (Links, "flush", "links: flush"),
    (Words, "add", "words: gather"),
    (Words, "flush", "words: index"),
    (Hours, "count", "hours"),
    (Hours, "flush", "hours"),
    (Events, "flush", "events"),
    (Events, "end_deltas", "events"),
    (Progress, "set", "progress"),
    (SqliteStore, "_checkpoint", "checkpoint"),
    (SqliteStore, "batch", "batch: begin, COMMIT, fsync"),
)


class Stages:
    """Wraps the stages for the life of the process, and adds up what each takes."""

    def __init__(self) -> None:
        self._counter = instructions()
        self._read = self._counter.read if self._counter else int
        self._own_ns: dict[str, int] = {}
        self._own: dict[str, int] = {}
        self._times: dict[str, int] = {}
        self._inner: list[list[int]] = []
        self._cost: tuple[float, float] = (0, 0)
        self._self_cost: tuple[float, float] = (0, 0)
        self.counts: Callable[[], bool] = lambda: True
        """Whether what happens now is counted."""
        self._cost = self._calibrated()
        for owner, name, stage in _STAGES:
            setattr(owner, name, self._timed(getattr(owner, name), stage))

    def _calibrated(self) -> tuple[float, float]:
        """Return what one measurement costs whoever calls the measured (ns, instructions), and subtract what it costs the measured."""
        inner = self._timed(int, "inner")
        self._timed(lambda: [inner() for _ in range(TRIALS)], "outer")()
        cost = self._own_ns["outer"] / TRIALS, self._own["outer"] / TRIALS
        self._self_cost = self._own_ns["inner"] / TRIALS, self._own["inner"] / TRIALS
        for book in (self._own_ns, self._own, self._times):
            book.clear()
        return cost

    def show(self, calls: int) -> None:
        """Print µs per call of each stage, dearest first."""
        whole = sum(self._own_ns.values())
        print(f"\n{'stage':30} {'µs/call':>9} {'share':>7} {'times/call':>11} {'kilo-instr.':>12}")
        for stage, own in sorted(self._own_ns.items(), key=lambda item: -self._own[item[0]] or -item[1]):
            share, times, many = 100 * own / whole, self._times[stage] / calls, self._own[stage] / calls / 1000
            print(f"{stage:30} {own / calls / 1000:9.1f} {share:6.1f}% {times:11.2f} {many:12.0f}")
        print(f"{'all':30} {whole / calls / 1000:9.1f}")

    def _timed(self, work: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(work)
        def timed(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever is wrapped
            if not self.counts():
                return work(*args, **named)
            inner = self._inner
            inner.append([0, 0])
            began_ns, began = time.thread_time_ns(), self._read()
            try:
                return work(*args, **named)
            finally:
                took, took_ns = self._read() - began, time.thread_time_ns() - began_ns
                own_ns, own = inner.pop()
                own_ns += int(self._self_cost[0])
                own += int(self._self_cost[1])
                self._own_ns[stage] = self._own_ns.get(stage, 0) + took_ns - own_ns
                self._own[stage] = self._own.get(stage, 0) + took - own
                self._times[stage] = self._times.get(stage, 0) + 1
                if inner:
                    inner[-1][0] += took_ns + int(self._cost[0])
                    inner[-1][1] += took + int(self._cost[1])

        return timed
