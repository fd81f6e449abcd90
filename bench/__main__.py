"""`make bench`, or `python -m bench [--cases …] [--rounds N]`: side by side, interleaved, medians and ratios to nginx.

One JSON line per measurement goes to `bench/results/`; `--show FILE` prints such a file again. Needs Debian's `nginx-light` and
`wrk` (apt-get install). Timings on a shared machine mean little; ratios of one run mean much. It ends by itself: a server that does
not get done with what it was given is left out from then on, and that is said as its result.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import cases
from bench.book import Book, about
from bench.contenders import Contender, contenders
from bench.idle import idle
from bench.processes import Running
from bench.steady import nginx_steady, steady

RESULTS = Path(__file__).parent / "results"
CASES = ("calls", "varying", "latency", "chunks", "ttfb", "workers", "steady", "idle")
DEFAULT = "nginx,relay-off,relay,aiohttp,uvicorn"


class Run:
    """One run: what is measured, where it is noted, and who has fallen out."""

    def __init__(self, book: Book, where: cases.Place, wanted: list[str], rounds: int) -> None:
        self.book, self.where, self.wanted, self.rounds = book, where, wanted, rounds
        self._behind: set[str] = set()

    def note(self, case: str, who: str, measure: Callable[[], cases.Figures]) -> None:
        """Measure and note, unless `who` did not get done with an earlier case."""
        if who in self._behind:
            return
        try:
            self.book.add(case, who, measure())
        except cases.Behind as behind:
            self._behind.add(who)
            self.book.fell_behind(case, who, str(behind))

    def compare(self, who: list[Contender]) -> None:
        """Measure the contenders side by side."""
        where = self.where
        measures: dict[str, Callable[[Running], cases.Figures]] = {
            "calls": lambda server: cases.calls(server, where),
            "varying": lambda server: cases.calls(server, where, varying=True),
            "latency": lambda server: cases.latency(server.port, where),
        }
        if set(measures) & set(self.wanted):
            with cases.answering(where) as origin, cases.started(who, origin, where) as servers:
                for _ in range(self.rounds):
                    for case in [name for name in measures if name in self.wanted]:
                        if case == "latency":
                            self.book.add(case, "direct", cases.latency(origin, where))
                        for name, server in servers.items():
                            self.note(case, name, lambda case=case, server=server: measures[case](server))  # type: ignore[misc]
        if {"chunks", "ttfb"} & set(self.wanted):
            with cases.streaming(where) as origin, cases.started(who, origin, where) as servers:
                for _ in range(self.rounds):
                    self._streams(origin, servers)

    def _streams(self, origin: int, servers: dict[str, Running]) -> None:
        if "ttfb" in self.wanted:
            self.book.add("ttfb", "direct", cases.first_byte(origin))
        for name, server in servers.items():
            if "chunks" in self.wanted:
                self.note("chunks", name, lambda server=server: cases.chunks(server))  # type: ignore[misc]
            if "ttfb" in self.wanted:
                self.note("ttfb", name, lambda server=server: cases.first_byte(server.port))  # type: ignore[misc]

    def ourselves(self, rates: list[float], streams: int) -> None:
        """Measure what only we promise: workers, the whole product at a steady rate, idle streams."""
        where = self.where
        if {"workers", "steady"} & set(self.wanted):
            with cases.answering(where) as origin:
                for _ in range(self.rounds):
                    for count in (1, 2) if "workers" in self.wanted else ():
                        self.note("workers", str(count), lambda count=count: cases.workers(where, origin, count))  # type: ignore[misc]
                    for rate in rates if "steady" in self.wanted else ():
                        self.note("steady", f"{rate:g}/s", lambda rate=rate: steady(where, origin, rate, 2 * where.seconds))  # type: ignore[misc]
                        self.note("steady", f"nginx {rate:g}/s", lambda rate=rate: nginx_steady(where, origin, rate, where.seconds))  # type: ignore[misc]
        if "idle" in self.wanted:
            self.note("idle", "relay", lambda: idle(where, streams))


def main() -> int:
    options = _options()
    if options.show:
        Book.read(Path(options.show)).show()
        return 0
    for tool, package in (("nginx", "nginx-light"), ("wrk", "wrk")):
        if shutil.which(tool) is None:
            print(f"{tool} is missing: apt-get install {package}", file=sys.stderr)
            return 2
    path = Path(options.out) if options.out else RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.jsonl"
    book = Book(path, about())
    who = contenders(options.who.split(","))
    for contender in who:
        print(f"{contender.name:<10} {contender.says}")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(book, cases.place(Path(folder), options.seconds), options.cases.split(","), options.rounds)
        run.compare(who)
        run.ourselves([float(rate) for rate in options.rates.split(",")], options.idle)
    book.show()
    print(f"\n{path}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="calls,latency,chunks,ttfb,steady", help=f"of {', '.join(CASES)} (default: %(default)s)")
    parser.add_argument("--who", default=DEFAULT, help="contenders; also product and mitmproxy (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per measurement (default: %(default)s)")
    parser.add_argument("--rates", default="50,200,1000", help="calls a second of the case `steady` (default: %(default)s)")
    parser.add_argument("--idle", type=int, default=8000, help="idle streams of the case `idle` (default: %(default)s)")
    parser.add_argument("--out", help="file for the JSON lines (default: bench/results/<time>.jsonl)")
    parser.add_argument("--show", metavar="FILE", help="print the medians and ratios of an earlier run")
    options = parser.parse_args()
    unknown = set(options.cases.split(",")) - set(CASES)
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
