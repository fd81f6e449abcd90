"""What exports cost: `python -m bench.export [--calls 20000] [--db FILE] [--formats jsonl,csv]`.

Fills a database with calls through the real store (as `bench.store` does; one that is there already is used as it is), then runs the
command as a person does: seconds of CPU, calls per second, size, and the most memory it had. Last, JSON lines are imported again. Memory
must not grow with the calls: run it with `--calls 2000` and `--calls 20000` and compare.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.store import fill

FORMATS = "jsonl,csv,parquet,har,otlp"
HTML_CALLS = 5000


def measured(*words: str) -> tuple[float, float, int]:
    """Run a command; return seconds by the clock, seconds of CPU, and its greatest size in MB."""
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "modular_agents.cli", "proxy", *words], os.environ)
    _, status, used = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(words)} failed")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def run(calls: int, db: Path, folder: Path, formats: list[str]) -> None:
    """Print a line for each format."""
    print(f"{calls:,} calls, database {db.stat().st_size / 1e6:,.0f} MB")
    print(f"{'':9} {'s':>7} {'CPU s':>7} {'calls/s':>8} {'MB':>8} {'RSS MB':>7}")
    for name in formats:
        file = folder / f"calls.{name}"
        line(name, calls, measured("export", "--format", name, "--db", str(db), "-o", str(file), "--force"), file)
    file = folder / "calls.jsonl"
    if file.exists():
        line("import", calls, measured("import", str(file), "--db", str(folder / "copy.db")), folder / "copy.db")


def line(name: str, calls: int, figures: tuple[float, float, int], file: Path) -> None:
    """Print figures."""
    clock, cpu, rss = figures
    print(f"{name:9} {clock:7.1f} {cpu:7.1f} {calls / clock:8,.0f} {file.stat().st_size / 1e6:8,.1f} {rss:7,}", flush=True)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--formats", default=FORMATS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = given.db or Path(folder) / "calls.db"
        if not db.exists():
            fill(given.calls, db)
        run(given.calls, db, Path(folder), given.formats.split(","))


if __name__ == "__main__":
    main()
