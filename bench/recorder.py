"""What the recorder costs: CPU µs per 4 KB call from journal to committed rows, everything on, by kind of call and by stage.

    python -m bench.recorder                        every kind, three interleaved rounds
    python -m bench.recorder --stages               where the time goes
    python -m bench.recorder --kinds talk --profile one kind under cProfile
    python -m bench.recorder --links none           every call placed by its first message, at no cost: what everything but linking costs
    python -m bench.recorder --rate 0               a backlog: everything is in the journal before the recorder begins

The journal is written by the real writer, at `--rate` calls a second of a given clock, while the recorder pauses; then the
real recorder takes its turn: reading, redaction, linking, prices, rows, search index, housekeeping, checkpoints and fsyncs are
all in. Calls last a second (`short`: no time at all), so most are stored twice, running and final, as in real life. The first
calls are not counted: tables, caches and the ring of events fill up. Counted is CPU time of the recorder's thread alone.
"""

import argparse
import cProfile
import gc
import json
import pstats
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.counting import instructions
from bench.stages import Stages
from bench.traffic import KINDS, Event, traffic
from modular_agents.proxy.app import GC_ALLOCATIONS, build_rooms, build_store
from modular_agents.proxy.config import Retention
from modular_agents.proxy.journal.writer import JournalWriter
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.link import Indexed, Linked
from modular_agents.proxy.model.trace import Evidence, Placement
from modular_agents.proxy.recorder.loop import Recorder
from modular_agents.proxy.recorder.pace import BUSY_S, LOADED_S
from modular_agents.proxy.recorder.redact import Redactor

BATCH_NS = 5_000_000
"""How long a batch takes, roughly: it goes by beside the recorder's own pause."""
RETENTION = Retention(30 * 24 * 3600.0, 5 * 1024**3)


class GivenClock:
    """Time that goes on when told."""

    def __init__(self) -> None:
        self.wall_ns, self.mono_ns = time.time_ns(), 1_000_000_000

    def now_ns(self) -> int:
        return self.wall_ns + self.mono_ns

    def monotonic_ns(self) -> int:
        return self.mono_ns


class Pace:
    """Is the recorder's `pause`: stops the count, lets time go on, appends what came meanwhile, counts again.

    Two parts of traffic follow each other, the first of them not counted; the next begins when the recorder has nothing to do.
    """

    def __init__(self, parts: list[list[Event]], clock: GivenClock, writer: JournalWriter, *, backlog: bool) -> None:
        self._parts, self._clock, self._writer, self._backlog = parts, clock, writer, backlog
        self._events: list[Event] = []
        self._at = self._start_ns = 0
        self._warm = True
        self.spent_ns = self.instructions = 0
        self._counter = instructions()
        self.profile: cProfile.Profile | None = None
        self._began_ns, self._began = time.thread_time_ns(), 0

    @property
    def counts(self) -> bool:
        """Whether what is done now is counted."""
        return not self._warm and not self._parts

    def close(self) -> None:
        if self._counter:
            self._counter.close()

    def pause(self, wait_s: float) -> bool:
        if self.profile:
            self.profile.disable()
        if self.counts:
            self.spent_ns += time.thread_time_ns() - self._began_ns
            self.instructions += (self._counter.read() if self._counter else 0) - self._began
        done = self._go_on(wait_s)
        if self.profile and self.counts:
            self.profile.enable()
        self._began = self._counter.read() if self._counter else 0
        self._began_ns = time.thread_time_ns()
        return done

    def _go_on(self, wait_s: float) -> bool:
        clock, events = self._clock, self._events
        clock.mono_ns += int(wait_s * 1e9) + BATCH_NS
        if self._at == len(events):
            if wait_s in {0.0, BUSY_S, LOADED_S}:
                return False
            if not self._parts:
                return True
            self._warm = len(self._parts) > 1
            self._events, self._at, self._start_ns = self._parts.pop(0), 0, clock.mono_ns
            gc.collect()
            gc.freeze()  # the traffic is not the recorder's; what it has made by now mostly stays
            gc.set_threshold(GC_ALLOCATIONS)  # as in its own process
            return False
        while self._at < len(events) and (self._backlog or events[self._at].at_ns <= clock.mono_ns - self._start_ns):
            events[self._at].append(self._writer, self._start_ns)
            self._at += 1
        return False


def measured(
    kind: str, told: argparse.Namespace, stages: Stages | None, profile: cProfile.Profile | None
) -> tuple[float, dict[str, float]]:
    """Return CPU µs per call of one run, and what else was measured. Instructions in thousands per call."""
    with tempfile.TemporaryDirectory() as name:
        folder, clock = Path(name), GivenClock()
        db = folder / "traces.db"
        writer = JournalWriter(folder / "journal", "be01", clock, durability="none")
        rooms = build_rooms()
        if told.links == "none":
            rooms = replace(rooms, link=link_by_first_message, revise=lambda *_: None, gather=lambda *_: None)
        redactor = Redactor(bytes(32))
        recorder = Recorder(
            folder / "journal", lambda: build_store(db, RETENTION), lambda: db, rooms, redactor, clock, folder / "recorder.json", db
        )
        parts = [traffic(kind, told.warm, told.rate or 200, 1), traffic(kind, told.calls, told.rate or 200, 2)]
        pace = Pace(parts, clock, writer, backlog=told.rate == 0)
        pace.profile = profile
        if stages:
            stages.counts = lambda: pace.counts
        recorder.run(pace.pause)
        writer.close()
        pace.close()
        others: dict[str, float] = {"kilo_instructions": round(pace.instructions / told.calls / 1000), "db_bytes": db.stat().st_size}
    return pace.spent_ns / told.calls / 1000, others


def link_by_first_message(call: Call, _find: object, _read: object) -> Linked:
    """Place a call in the thread of its first message; it leaves as much as linking should: a few tokens, some facts."""
    first = call.messages[0].digest if call.messages else call.call_id.encode()
    thread = first.hex()
    tokens = tuple(int.from_bytes(message.digest[:8], "big", signed=True) for message in call.messages[-4:])
    evidence = Evidence("first message", "", 0.5)
    return Linked(Placement(f"tr-{thread}", f"th-{thread}", evidence, kind="turn", root_id=call.call_id), Indexed(tokens, first * 12))


def main() -> int:
    told = _options()
    kinds = told.kinds.split(",")
    stages = Stages() if told.stages else None
    profile = cProfile.Profile() if told.profile else None
    figures: dict[str, list[tuple[float, float]]] = {}
    for _ in range(told.rounds):
        for kind in kinds:
            cpu_us, others = measured(kind, told, stages, profile)
            figures.setdefault(kind, []).append((cpu_us, others["kilo_instructions"]))
            print(json.dumps({"kind": kind, "calls": told.calls, "rate": told.rate, "cpu_us": round(cpu_us, 1), **others}), flush=True)
    for kind, values in figures.items():
        cpu = sorted(one for one, _ in values)
        count = statistics.median(many for _, many in values)
        print(f"{kind:8} {statistics.median(cpu):8.0f} µs CPU per call   ({cpu[0]:.0f}-{cpu[-1]:.0f})   {count:8.0f} thousand instructions")
    if stages:
        stages.show(told.calls * told.rounds * len(kinds))
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.recorder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", default=",".join(KINDS), help="of the kinds of traffic (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=600, help="counted calls of each kind (default: %(default)s)")
    parser.add_argument("--warm", type=int, default=300, help="calls before those (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=200, help="calls a second; 0: a backlog (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--links", choices=["real", "none"], default="real", help="linking, or a stand-in that costs nothing")
    parser.add_argument("--stages", action="store_true", help="tell where the time goes")
    parser.add_argument("--profile", action="store_true", help="run the counted turns under cProfile")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
