"""One process that is kept alive: started, waited for, started again; one that keeps dying with ever more time between."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from modular_agents.proxy.supervisor.lifeline import READY, Told

MODULE = "modular_agents.proxy.app"
"""The composition root, started as a program: the supervisor names no room."""
FIRST_WAIT_S, LONGEST_WAIT_S, LONGEST_READY_WAIT_S = 0.1, 5.0, 1.0
"""Pause before starting again: doubles from the first to the longest, which is shorter for a child that had become ready."""
FIRST_REFUSED_WAIT_S, LONGEST_REFUSED_WAIT_S = 1.0, 60.0
"""The same for a child that said that it cannot work: a person has to change something, and then should not have to wait long."""
FRUITLESS = 3
"""A child that ended so often without having become ready is told of as trouble."""
STEADY_S = 10.0
"""A child that was ready and lived for so long is started again at once: whatever ended it, it is no loop."""

_log = logging.getLogger("anton.supervisor")


@dataclass(frozen=True, slots=True)
class Role:
    """What a child is to be. `settings` is its line of JSON; `fds` are listening sockets it inherits."""

    name: str
    settings: bytes
    fds: tuple[int, ...] = ()
    log_level: str = "info"
    log_format: str = "text"
    pipes: tuple[int, ...] = ()
    """Other descriptors it inherits; its settings say what for."""


class Child:
    """`keep` runs it for as long as it is wanted. `on_change` is called when its pid or its readiness changed."""

    def __init__(self, role: Role, on_change: Callable[[], None]) -> None:
        self.role = role
        self.pid: int | None = None
        self.is_ready = False
        self.refusal: str | None = None
        """Why it cannot work, as it said when it was last started; None once it works."""
        self.starts = 0
        self._fruitless = 0
        self._ended = ""
        self._on_change = on_change
        self._was_ready = False
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def trouble(self) -> str:
        """Why it does not work and will not the next moment, in words; empty while all is well."""
        if self.refusal is not None:
            return self.refusal
        return f"ends as soon as it is started ({self._ended})" if self._fruitless >= FRUITLESS else ""

    async def keep(self) -> None:
        """Start it and start it again until `stop`. Returns when no process is left."""
        wait_s = -1.0
        while not self._stopping.is_set():
            self._was_ready = False
            began_s = time.monotonic()
            try:
                self._ended = _words(await self._live())
            except OSError as error:  # no process, no memory, no descriptor is free: that passes
                self._ended = error.strerror or str(error)
            if self._stopping.is_set():
                break
            self._fruitless = 0 if self._was_ready else self._fruitless + 1
            if self.refusal is not None:
                wait_s = refused_pause_s(wait_s)
                _log.error("%s cannot work: %s. It is tried again in %.0f s", self.role.name, self.refusal, wait_s)
            else:
                wait_s = pause_s(wait_s, time.monotonic() - began_s, was_ready=self._was_ready)
                _log.warning("%s ended (%s) and is started again", self.role.name, self._ended)
            self._on_change()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop; it is not started again."""
        self._stopping.set()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _live(self) -> int:
        role = self.role
        command = [sys.executable, "-P", "-m", MODULE, role.name, role.log_level, role.log_format]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, pass_fds=(*role.fds, *role.pipes), start_new_session=True
        )
        self._process, self.pid = process, process.pid
        self.starts += 1
        self._on_change()
        if self._stopping.is_set():
            process.terminate()
        try:
            await self._hear(process)
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        finally:
            self._process, self.pid, self.is_ready = None, None, False
            self._on_change()
        return code

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        """Hand over the settings and hear whether the child is ready. Standard input stays open: it is the lifeline."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(msgspec.json.encode(Told(msgspec.Raw(self.role.settings), self.role.fds)) + b"\n")
            await stdin.drain()
        self._hears(await stdout.readline())

    def _hears(self, line: bytes) -> None:
        if line == READY:
            self.is_ready = self._was_ready = True
            self.refusal, self._fruitless = None, 0
            self._on_change()
        elif line:
            with contextlib.suppress(msgspec.DecodeError):
                self.refusal = str(msgspec.json.decode(line)["refused"])


def pause_s(before_s: float, lived_s: float, *, was_ready: bool) -> float:
    """Return the pause before the next start, in seconds. `before_s` is the pause before this one, negative for the first."""
    if was_ready and (before_s < 0 or lived_s >= STEADY_S):
        return 0.0
    return min(max(2 * before_s, FIRST_WAIT_S), LONGEST_READY_WAIT_S if was_ready else LONGEST_WAIT_S)


def refused_pause_s(before_s: float) -> float:
    """Return the pause after a refusal, in seconds."""
    return min(max(2 * before_s, FIRST_REFUSED_WAIT_S), LONGEST_REFUSED_WAIT_S)


def _words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
