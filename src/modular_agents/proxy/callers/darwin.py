"""macOS: `lsof` names the process of a connection and its working directory, `ps` its start and its command line.

Slow (some 100 ms for each new process), and nothing waits for it. What was found of a process is remembered as long as it runs.
"""

import shlex
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime

from modular_agents.proxy.callers.asked import Asked
from modular_agents.proxy.callers.linux import Process

COMMAND_S = 5.0
"""`lsof` that takes longer hangs on a network drive."""
_START_CHARS = 24
"""`lstart`: `Sun Nov 22 09:30:00 2026`."""
_PLAIN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/bin"}
_NS = 10**9
_MOST_KNOWN = 1000

Run = Callable[[Sequence[str]], str]


class DarwinProcesses:
    """Finds processes with the system's own commands; `run` runs one and returns what it prints, nothing when it fails."""

    def __init__(self, run: Run | None = None) -> None:
        self._run = run or run_command
        self._known: dict[tuple[int, str], Process] = {}

    def find(self, asked: Sequence[Asked]) -> dict[Asked, Process]:
        """Return the processes that hold the other ends of connections; those that are not found are left out."""
        found = {}
        for one in asked:
            pid = self._pid(one)
            if pid is not None:
                found[one] = self._process(pid)
        return found

    def _pid(self, one: Asked) -> int | None:
        pid = None
        for line in self._run(("lsof", "-nP", f"-iTCP:{one.port}", "-Fpn")).splitlines():
            if line.startswith("p") and line[1:].isdigit():
                pid = int(line[1:])
            elif line.startswith("n"):
                mine, _, theirs = line[1:].partition("->")
                if mine.endswith(f":{one.port}") and theirs.endswith(f":{one.own_port}"):
                    return pid
        return None

    def _process(self, pid: int) -> Process:
        line = self._run(("ps", "-ww", "-o", "lstart=,command=", "-p", str(pid))).strip()
        start, command = line[:_START_CHARS], line[_START_CHARS:].strip()
        known = self._known.get((pid, start))
        if known is not None:
            return known
        folder = next(
            (text[1:] for text in self._run(("lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn")).splitlines() if text[:1] == "n"), ""
        )
        arguments = tuple(word.encode() for word in _split(command))
        executable = self._run(("ps", "-o", "comm=", "-p", str(pid))).strip()
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        found = self._known[pid, start] = Process(pid, _started_ns(start), executable, arguments, folder)
        return found


def run_command(command: Sequence[str]) -> str:
    """Return what one of the system's commands prints; nothing when it fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_S, check=False, env=_PLAIN)  # noqa: S603 - our own words and numbers
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _split(command: str) -> list[str]:
    """Return the words of a command line; `ps` does not say where one argument ends."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _started_ns(start: str) -> int | None:
    try:
        return int(datetime.strptime(start, "%a %b %d %H:%M:%S %Y").timestamp()) * _NS  # noqa: DTZ007 - `ps` speaks local time
    except ValueError:
        return None
