"""A proxy from start to stop: lock, sockets, children; then their lives; then the drain, in an order that loses nothing.

Stopping: workers finish their calls (a second signal interrupts them, one after that kills), then the recorder brings over what
they left in the journal, then the dashboard closes. What does not end in time is killed; the journal makes that harmless.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

from modular_agents.proxy.config import Settings
from modular_agents.proxy.errors import AlreadyRunning, OwnFault, UsageError
from modular_agents.proxy.journal.segment import LOCK_SUFFIX, SUFFIX, FolderLock, is_held, make_private
from modular_agents.proxy.model.status import Trouble, write_troubles
from modular_agents.proxy.supervisor.binding import bind, check_exposure, reserve
from modular_agents.proxy.supervisor.child import Child
from modular_agents.proxy.supervisor.keys import Keys, read_or_make_keys
from modular_agents.proxy.supervisor.plan import dashboard_role, otlp_role, port_of, recorder_role, relay_role, url_of
from modular_agents.proxy.supervisor.runtime import LOCK_NAME, Runtime, put_private, write_runtime

START_S = 30.0
"""All children must be ready within this: a slow disk's first import takes seconds."""
START_TRIES = 3
"""A child that dies this often before anybody was served will not live."""
DRAIN_EXTRA_S = 5.0
"""Time beyond the workers' own limit before they are killed."""
PATIENCE_S = 2.0
"""Time to interrupt calls and to record that, before a further signal kills: a killed recorder leaves rows that look as if they ran."""
LOOK_S = 1.0
"""How often the supervisor looks whether its files are still there."""
SAY_AFTER_S = 1.0
"""A stop that takes longer says what it waits for."""
RECORDER_S = 30.0
"""Time for the recorder to bring over what is in the journal; the rest waits for the next start."""
DASHBOARD_S = 5.0
OTLP_S = 15.0
"""Time to send the last calls to a collector that answers slowly."""
DASHBOARD_BACKLOG = 256
INTERRUPTED = 130
"""Exit code after a second signal, as a shell gives it for Ctrl-C."""

_log = logging.getLogger("anton.supervisor")


class Supervisor:
    """Runs one proxy. `on_ready` is called once, when it takes requests."""

    def __init__(self, settings: Settings, version: str, on_ready: Callable[[Runtime], None]) -> None:
        self._settings, self._version, self._on_ready = settings, version, on_ready
        self._signals, self._signaled_s = 0, 0.0
        self._changed = asyncio.Event()
        self._relays: list[Child] = []
        self._recorder: Child | None = None
        self._dashboard: Child | None = None
        self._otlp: Child | None = None
        self._runtime: Runtime | None = None

    def signal(self) -> None:
        """Drain; the second time interrupt; after that kill, once interrupting has had its time (`stop`, then `stop --now` are three)."""
        now_s = time.monotonic()
        if self._signals > 1 and now_s - self._signaled_s < PATIENCE_S:
            return
        self._signals, self._signaled_s = self._signals + 1, now_s
        self._changed.set()
        if self._signals > 1:
            number = signal.SIGTERM if self._signals == 2 else signal.SIGKILL  # noqa: PLR2004 - the second and the third time
            for child in self._relays if self._signals == 2 else self._children():  # noqa: PLR2004 - likewise
                child.stop(number)

    async def run(self) -> int:
        """Serve until told to stop; return the exit code. Raises `UsageError` or `OwnFault` when it cannot start."""
        settings = self._settings
        check_exposure(settings.host, settings.token)
        with ExitStack() as stack:
            self._lock = stack.enter_context(_locked(settings))
            keys = read_or_make_keys(settings.secrets_file)
            _sweep(settings)
            sockets = [stack.enter_context(sock) for sock in bind(settings.host, settings.port, settings.limits.backlog)]
            panes = self._bind_dashboard(stack)
            echo_port = port_of([stack.enter_context(reserve())])
            pipe = _callers_pipe(stack) if settings.client_identity else (-1, -1)
            self._make_children(keys, sockets, panes, echo_port, pipe)
            runtime = replace(runtime_of(settings, self._version, sockets, panes), echo_port=echo_port)
            lives = [asyncio.create_task(child.keep()) for child in self._children()]
            try:
                await self._wait_until_ready(lives)
                stack.callback(settings.runtime_file.unlink, missing_ok=True)
                self._runtime = runtime
                self._note_change()
                self._on_ready(self._runtime)
                await self._wait_for_signal()
                await self._drain(sockets)
            finally:
                for life in lives:
                    life.cancel()
                await asyncio.gather(*lives, return_exceptions=True)
        return INTERRUPTED if self._signals > 1 else 0

    def _children(self) -> list[Child]:
        return [*self._relays, *(child for child in (self._recorder, self._otlp, self._dashboard) if child is not None)]

    def _bind_dashboard(self, stack: ExitStack) -> list[socket.socket]:
        settings = self._settings
        if not settings.dashboard:
            return []
        return [
            stack.enter_context(sock)
            for sock in bind(settings.dashboard_host, settings.dashboard_port, DASHBOARD_BACKLOG, "--dashboard-port")
        ]

    def _make_children(
        self, keys: Keys, sockets: Sequence[socket.socket], panes: Sequence[socket.socket], echo_port: int, pipe: tuple[int, int]
    ) -> None:
        settings, on_change = self._settings, self._note_change
        relay = relay_role(settings, keys, sockets, echo_port, pipe[1])
        self._relays = [Child(relay, on_change) for _ in range(settings.workers)]
        self._recorder = Child(recorder_role(settings, keys, pipe[0]), on_change)
        self._dashboard = Child(dashboard_role(settings, keys, panes), on_change) if panes else None
        self._otlp = Child(otlp_role(settings), on_change) if settings.otlp_endpoint else None

    async def _wait_until_ready(self, lives: Sequence[asyncio.Task[None]]) -> None:
        """Return when every child works. Raises `UsageError` when one refuses, `OwnFault` when one does not come up."""
        try:
            async with asyncio.timeout(START_S):
                while not all(child.is_ready for child in self._children()) and not self._signals:
                    for child in self._children():
                        if child.refusal is not None:
                            raise UsageError(child.refusal)
                        if child.starts > START_TRIES and not child.is_ready:
                            msg = f"the {child.role.name} process dies as soon as it is started: its messages stand above"
                            raise OwnFault(msg)
                    changed = asyncio.create_task(self._changed.wait())
                    await asyncio.wait([changed, *lives], return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
                    self._changed.clear()
        except TimeoutError:
            late = ", ".join(child.role.name for child in self._children() if not child.is_ready)
            msg = f"not ready after {START_S:.0f} s: {late}"
            raise OwnFault(msg) from None

    async def _wait_for_signal(self) -> None:
        while not self._signals:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_S)
            self._changed.clear()
            self._keep_files()

    def _keep_files(self) -> None:
        """Put back the lock and the runtime file when somebody deleted them: without them this proxy is not found, or not alone."""
        settings = self._settings
        try:
            make_private(settings.control_dir)
            if not self._lock.renew():
                _log.error("another proxy took the journal at %s over: this one finishes its calls and stops", settings.journal_dir)
                self.signal()
        except OSError as error:
            _log.warning("the journal at %s cannot be locked again: %s", settings.journal_dir, error)
        if not settings.runtime_file.exists():
            self._note_change()

    async def _drain(self, sockets: Sequence[socket.socket]) -> None:
        for sock in sockets:
            sock.close()  # or new connections would queue here with nobody to take them
        for relay in self._relays:
            relay.stop()
        drain_s = self._settings.limits.drain_s
        saying = asyncio.get_running_loop().call_later(SAY_AFTER_S, self._say_draining, drain_s)
        await self._wait_until_gone(self._relays, drain_s + DRAIN_EXTRA_S)
        saying.cancel()
        for child, limit_s in ((self._recorder, RECORDER_S), (self._otlp, OTLP_S), (self._dashboard, DASHBOARD_S)):
            if child is not None:
                child.stop()
                await self._wait_until_gone([child], limit_s)

    def _say_draining(self, drain_s: float) -> None:
        if self._signals == 1:
            _log.warning("stopping: running calls have %.0f s to finish; Ctrl-C (or another SIGTERM) interrupts them", drain_s)

    async def _wait_until_gone(self, children: Sequence[Child], limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while any(child.pid is not None for child in children):
                    await self._changed.wait()
                    self._changed.clear()
        except TimeoutError:
            for child in children:
                _log.warning("%s did not stop in %.0f s and is killed", child.role.name, limit_s)
                child.stop(signal.SIGKILL)

    def _note_change(self) -> None:
        """Keep the runtime file true, and wake whoever waits for a change."""
        self._changed.set()
        if self._runtime is None:
            return
        self._runtime = replace(
            self._runtime,
            worker_pids=tuple(relay.pid for relay in self._relays if relay.pid is not None),
            recorder_pid=self._recorder.pid if self._recorder else None,
            dashboard_pid=self._dashboard.pid if self._dashboard else None,
        )
        try:
            write_runtime(self._settings.runtime_file, self._runtime)
            self._tell_troubles()
        except OSError as error:
            _log.warning("the runtime file cannot be written, other commands will not find this proxy: %s", error)

    def _tell_troubles(self) -> None:
        """Keep the file of troubles true. Raises OSError."""
        troubles = [Trouble(child.role.name, child.trouble) for child in self._children() if child.trouble]
        path = self._settings.troubles_file
        if not troubles:
            path.unlink(missing_ok=True)
            return
        put_private(path, write_troubles(troubles))


def supervise(settings: Settings, version: str, on_ready: Callable[[Runtime], None]) -> int:
    """Run a proxy until SIGTERM or SIGINT; return the exit code. Raises `UsageError` or `OwnFault` when it cannot start."""

    async def main() -> int:
        supervisor = Supervisor(settings, version, on_ready)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, supervisor.signal)
        return await supervisor.run()

    return asyncio.run(main())


def runtime_of(settings: Settings, version: str, sockets: Sequence[socket.socket], panes: Sequence[socket.socket]) -> Runtime:
    """Return what is known before any child runs."""
    return Runtime(
        version=version,
        pid=os.getpid(),
        started_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        url=url_of(sockets),
        port=port_of(sockets),
        worker_pids=(),
        recorder_pid=None,
        dashboard_pid=None,
        dashboard_url=url_of(panes) if panes else None,
        control_token=secrets.token_hex(16),
        db=str(settings.db),
        journal_dir=str(settings.journal_dir),
        control_dir=str(settings.control_dir),
    )


def _callers_pipe(stack: ExitStack) -> tuple[int, int]:
    """Return a pipe from the workers to the recorder: both ends stay open here, so that either may die and come back."""
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    os.set_blocking(ends[1], False)
    return ends


@contextlib.contextmanager
def _locked(settings: Settings) -> Iterator[FolderLock]:
    """Hold the journal for one proxy. Raises `AlreadyRunning` or `UsageError`."""
    path = settings.journal_dir / LOCK_NAME
    lock = FolderLock(path, str(os.getpid()))
    try:
        make_private(settings.control_dir)
        is_ours = lock.take()
    except OSError as error:
        msg = f"the journal at {settings.journal_dir} cannot be used: {error.strerror}"
        raise UsageError(msg) from error
    if not is_ours:
        pid = path.read_text().strip()
        msg = (
            f"another proxy (pid {pid}) already records into {settings.db}: stop it with `anton proxy stop`, or name another file with --db"
        )
        raise AlreadyRunning(msg)
    try:
        yield lock
    finally:
        lock.close()


def _sweep(settings: Settings) -> None:
    """Remove what dead workers of earlier runs left: their counters, and locks of those that left no segment."""
    journal, control = settings.journal_dir, settings.control_dir
    owners = {path.name.split("-")[1] for path in journal.glob(f"*-*-*{SUFFIX}")}
    locks = [path for path in journal.glob(f"*{LOCK_SUFFIX}") if path.stem not in owners and path.name != LOCK_NAME]
    settings.troubles_file.unlink(missing_ok=True)
    for path in (*control.glob("*.counters"), *locks):
        if not is_held(path):
            path.unlink(missing_ok=True)
