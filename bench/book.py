"""Keeps every measurement: one JSON line each in a file, medians with ranges and ratios to nginx on the screen."""

import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path
from typing import Self

BASE = "nginx"
"""Who the others are compared with."""
_ABOUT = ("commit", "machine", "python")


class Book:
    """`about` stands in every line: commit, machine, Python."""

    def __init__(self, path: Path | None, about: dict[str, str]) -> None:
        if path is not None:
            path.parent.mkdir(exist_ok=True)
        self.path = path
        self.about = about
        self.rows: dict[tuple[str, str, str], list[float]] = {}
        self.behind: dict[tuple[str, str], str] = {}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the book of an earlier run."""
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        book = cls(None, {name: lines[0][name] for name in _ABOUT})
        for line in lines:
            figures = {name: value for name, value in line.items() if name not in {"at", "case", "who", "behind", *_ABOUT}}
            if "behind" in line:
                book.fell_behind(line["case"], line["who"], line["behind"])
            else:
                book.add(line["case"], line["who"], figures)
        return book

    def add(self, case: str, who: str, figures: dict[str, float]) -> None:
        """Note a measurement."""
        self._write({"at": round(time.time()), "case": case, "who": who} | {name: round(value, 3) for name, value in figures.items()})
        for name, value in figures.items():
            self.rows.setdefault((case, name, who), []).append(value)

    def fell_behind(self, case: str, who: str, says: str) -> None:
        """Note that somebody did not get done."""
        print(f"{case}: {says}")
        self._write({"at": round(time.time()), "case": case, "who": who, "behind": says})
        self.behind[case, who] = says

    def median(self, case: str, name: str, who: str) -> float | None:
        """Return the median of a figure, None when it was not measured."""
        values = self.rows.get((case, name, who))
        return statistics.median(values) if values else None

    def show(self) -> None:
        """Print medians with ranges, and the ratio to nginx where it was measured."""
        print("\n" + ", ".join(f"{name} {value}" for name, value in self.about.items()))
        print(f"{'case':<9} {'figure':<21} {'who':<12} {'median':>11} {'range':>21} {'x nginx':>8}")
        for (case, name, who), values in sorted(self.rows.items()):
            median = statistics.median(values)
            base = self.median(case, name, BASE)
            ratio = f"{median / base:.2f}" if base and who != BASE else ""
            print(f"{case:<9} {name:<21} {who:<12} {median:>11.1f} {min(values):>10.1f}-{max(values):<10.1f} {ratio:>8}")
        for (case, _), says in self.behind.items():
            print(f"{case:<9} {says}")
        self._derived()

    def _derived(self) -> None:
        for case, says in (("latency", "added latency p50"), ("ttfb", "added time to the first byte, p50")):
            direct, base, mine = (self.median(case, "p50_us", who) for who in ("direct", BASE, "relay"))
            if direct and base and mine and base > direct:
                ratio = (mine - direct) / (base - direct)
                print(f"{says}: nginx {base - direct:.0f} us, relay {mine - direct:.0f} us: x {ratio:.2f}")
        one, two = self.median("workers", "cpu_us", "1"), self.median("workers", "cpu_us", "2")
        if one and two:
            print(f"CPU per call with 2 workers: x {two / one:.2f} of one")
        off, on = self.median("calls", "cpu_us", "relay-off"), self.median("calls", "cpu_us", "relay")
        if off and on:
            print(f"the journal's writes: {on - off:.0f} us of {on:.0f} us per call")

    def _write(self, line: dict[str, object]) -> None:
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(line | self.about) + "\n")


def about() -> dict[str, str]:
    """Return what stands in every line of a run."""
    built = " ".join(platform.python_build()[1].split()[:3])  # the same version from two builders differs by a tenth
    return {"commit": _commit(), "machine": _machine(), "python": f"{platform.python_version()} built {built}"}


def _commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    """Return what the machine is, not whose: cores that may be used and the processor's model."""
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    load = os.getloadavg()[0]
    return f"{len(os.sched_getaffinity(0))} shared cores, {models[0] if models else platform.machine()}, load {load:.1f} before"
