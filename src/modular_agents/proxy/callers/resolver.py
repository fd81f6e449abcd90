"""A thread that hears of connections by a pipe and finds out whose they are, as soon as they are made: short-lived programs are soon gone.

It belongs to the recorder's process: what it takes is taken from nobody who answers a client. Its law: it fails in silence.
"""

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from modular_agents.proxy.callers.asked import Asked, read_lines
from modular_agents.proxy.callers.cleaning import clean, clean_text
from modular_agents.proxy.callers.darwin import DarwinProcesses
from modular_agents.proxy.callers.linux import LinuxProcesses, Process
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.secret import Secrets

READ_BYTES = 64 * 1024
"""A pipe holds no more."""
MOST_WAITING = 10_000
"""Answers kept while the store is away; beyond it the oldest are forgotten."""

_log = logging.getLogger("anton.callers")


class Processes(Protocol):
    """How a system finds processes."""

    def find(self, asked: Sequence[Asked]) -> dict[Asked, Process]:
        """Return what is found."""


class Resolver:
    """Answers what comes through `fd`, the reading end of the relay's pipe, until that ends. `take` gives the answers."""

    def __init__(self, fd: int, processes: Processes, secrets: Secrets, now_ns: Callable[[], int]) -> None:
        self._fd, self._processes, self._secrets, self._now_ns = fd, processes, secrets, now_ns
        self._found: deque[Caller] = deque(maxlen=MOST_WAITING)
        self._rest = b""

    def start(self) -> None:
        """Begin to listen, in a thread of its own."""
        threading.Thread(target=self._run, name="callers", daemon=True).start()

    def take(self) -> list[Caller]:
        """Return what was found since the last time."""
        found = []
        while self._found:
            found.append(self._found.popleft())
        return found

    def hear(self, data: bytes) -> None:
        """Take bytes from the pipe and look for whom they ask."""
        lines, _, self._rest = (self._rest + data).rpartition(b"\n")
        asked = read_lines(lines)
        if not asked:
            return
        try:
            self._found.extend(self._caller(one, process) for one, process in self._processes.find(asked).items())
        except (OSError, ValueError, IndexError) as error:  # a system that speaks otherwise than its manual says
            _log.debug("whose a connection is cannot be told: %s", error)

    def _run(self) -> None:
        while True:
            try:
                data = os.read(self._fd, READ_BYTES)
            except OSError:
                return
            if not data:
                return
            self.hear(data)

    def _caller(self, one: Asked, process: Process) -> Caller:
        return Caller(
            one.connection_id,
            self._now_ns(),
            process.pid,
            process.started_ns,
            clean_text(process.executable.encode("utf-8", "surrogateescape"), self._secrets),
            clean(process.arguments, self._secrets),
            clean_text(process.directory.encode("utf-8", "surrogateescape"), self._secrets),
        )


def listen(pipe: int, key: bytes, now_ns: Callable[[], int]) -> Callable[[], list[Caller]]:
    """Return what gives whose connections are, as it is found out; where nobody asks (-1), or the system cannot say, nothing ever."""
    processes = processes_here() if pipe >= 0 else None
    if processes is None:
        return list
    resolver = Resolver(pipe, processes, Secrets(key), now_ns)
    resolver.start()
    return resolver.take


def processes_here(platform: str = sys.platform) -> Processes | None:
    """Return how this system finds processes; None where it cannot."""
    if platform.startswith("linux"):
        return LinuxProcesses()
    return DarwinProcesses() if platform == "darwin" else None
