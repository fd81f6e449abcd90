"""The installed program as a person runs it: `anton …` in a process of its own, with settings of its own."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 40, 40


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment that owes nothing to the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTON_", "ANTHROPIC_", "OPENAI_", "XDG_"))}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PYTHONPATH": str(ROOT / "src"), **more}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "modular_agents.cli", *words]


def anton(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command(*words), env=environment(home, **more), capture_output=True, text=True, check=False, timeout=60)


@dataclass
class Running:
    """A command that stays. Its standard output is read line by line."""

    process: subprocess.Popen[str]
    lines: "queue.Queue[str | None]"
    said: list[str]

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match of a pattern in what it prints."""
        end = time.monotonic() + START_S
        while True:
            line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            if line is None:
                message = f"ended before it said {pattern!r}: {''.join(self.said)}"
                raise AssertionError(message)
            self.said.append(line)
            found = re.search(pattern, line)
            if found is not None:
                return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_S)


@contextlib.contextmanager
def running(home: Path, *words: str, **more: str) -> Iterator[Running]:
    """Start a command that stays; stop it afterwards."""
    process = subprocess.Popen(command(*words), env=environment(home, **more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    started = Running(process, lines, [])
    try:
        yield started
    finally:
        try:
            started.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            reader.join(STOP_S)
            assert process.stdout is not None
            process.stdout.close()
