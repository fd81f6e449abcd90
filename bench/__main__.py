"""`make bench`, or `python -m bench [--cases …] [--rounds N]`: side by side, interleaved, medians and ratios to nginx.

One JSON line per measurement goes to `bench/results/`. Needs Debian's `nginx-light` and `wrk` (apt-get install).
Timings on a shared machine mean little; ratios of one run mean much.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import cases
from bench.contenders import Contender, contenders
from bench.idle import idle
from bench.processes import Running

RESULTS = Path(__file__).parent / "results"
CASES = ("calls", "varying", "latency", "chunks", "ttfb", "workers", "idle")
DEFAULT = "nginx,relay-off,relay,product,aiohttp"


class Book:
    """Keeps every measurement, writes each as one JSON line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self.path = path
        self.rows: dict[tuple[str, str, str], list[float]] = {}
        self._about = {"commit": _commit(), "machine": _machine(), "python": platform.python_version()}

    def add(self, case: str, who: str, figures: cases.Figures) -> None:
        line = {"at": time.time(), "case": case, "who": who, **figures, **self._about}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in figures.items():
            self.rows.setdefault((case, name, who), []).append(value)

    def median(self, case: str, name: str, who: str) -> float | None:
        values = self.rows.get((case, name, who))
        return statistics.median(values) if values else None

    def show(self) -> None:
        """Print medians with ranges, and the ratio to nginx where it was measured."""
        print(f"\n{'case':<9} {'figure':<17} {'who':<12} {'median':>11} {'range':>21} {'x nginx':>8}")
        for (case, name, who), values in sorted(self.rows.items()):
            median = statistics.median(values)
            base = self.median(case, name, "nginx")
            ratio = f"{median / base:.2f}" if base and who != "nginx" else ""
            print(f"{case:<9} {name:<17} {who:<12} {median:>11.1f} {min(values):>10.1f}-{max(values):<10.1f} {ratio:>8}")
        self._added()

    def _added(self) -> None:
        for case, says in (("latency", "added latency p50"), ("ttfb", "added time to the first byte, p50")):
            direct, base, mine = (self.median(case, "p50_us", who) for who in ("direct", "nginx", "relay"))
            if direct and base and mine and base > direct:
                ratio = (mine - direct) / (base - direct)
                print(f"{says}: nginx {base - direct:.0f} us, relay {mine - direct:.0f} us: x {ratio:.2f}")
        one, two = self.median("workers", "cpu_us", "1"), self.median("workers", "cpu_us", "2")
        if one and two:
            print(f"CPU per call with 2 workers: x {two / one:.2f} of one")


def main() -> int:
    options = _options()
    for tool, package in (("nginx", "nginx-light"), ("wrk", "wrk")):
        if shutil.which(tool) is None:
            print(f"{tool} is missing: apt-get install {package}", file=sys.stderr)
            return 2
    book = Book(Path(options.out) if options.out else RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.jsonl")
    who = contenders(options.who.split(","))
    wanted = options.cases.split(",")
    for contender in who:
        print(f"{contender.name:<10} {contender.says}")
    with tempfile.TemporaryDirectory() as folder:
        where = cases.place(Path(folder), options.seconds)
        _compare(book, who, wanted, where, options.rounds)
        if "workers" in wanted:
            with cases.answering(where) as origin:
                for _ in range(options.rounds):
                    for count in (1, 2):
                        book.add("workers", str(count), cases.workers(where, origin, count))
        if "idle" in wanted:
            book.add("idle", "relay", idle(where, options.idle))
    book.show()
    print(f"\n{book.path}")
    return 0


def _compare(book: Book, who: list[Contender], wanted: list[str], where: cases.Place, rounds: int) -> None:
    measures: dict[str, Callable[[Running], cases.Figures]] = {
        "calls": lambda server: cases.calls(server, where),
        "varying": lambda server: cases.calls(server, where, varying=True),
        "latency": lambda server: cases.latency(server.port, where),
    }
    if set(measures) & set(wanted):
        with cases.answering(where) as origin, cases.started(who, origin, where) as servers:
            for _ in range(rounds):
                for case in [name for name in measures if name in wanted]:
                    if case == "latency":
                        book.add(case, "direct", cases.latency(origin, where))
                    for name, server in servers.items():
                        book.add(case, name, measures[case](server))
    if {"chunks", "ttfb"} & set(wanted):
        with cases.streaming(where) as origin, cases.started(who, origin, where) as servers:
            for _ in range(rounds):
                _stream(book, wanted, origin, servers)


def _stream(book: Book, wanted: list[str], origin: int, servers: dict[str, Running]) -> None:
    if "ttfb" in wanted:
        book.add("ttfb", "direct", cases.first_byte(origin))
    for name, server in servers.items():
        if "chunks" in wanted:
            book.add("chunks", name, cases.chunks(server))
        if "ttfb" in wanted:
            book.add("ttfb", name, cases.first_byte(server.port))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="calls,latency,chunks,ttfb", help=f"of {', '.join(CASES)} (default: %(default)s)")
    parser.add_argument("--who", default=DEFAULT, help="contenders (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per measurement (default: %(default)s)")
    parser.add_argument("--idle", type=int, default=8000, help="idle streams of the case `idle` (default: %(default)s)")
    parser.add_argument("--out", help="file for the JSON lines (default: bench/results/<time>.jsonl)")
    return parser.parse_args()


def _commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()} x {len(models)}"


if __name__ == "__main__":
    sys.exit(main())
