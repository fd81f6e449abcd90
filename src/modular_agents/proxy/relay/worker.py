"""One worker process: a loop, the listening sockets it inherited, and everything its connections share.

SIGTERM drains: no new connections, running calls are finished, for at most `limits.drain_s`. A second one, or the end
of that time, interrupts. A worker whose parent has died drains too: nobody would restart it or free its port.
"""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from modular_agents.proxy.config import RelaySettings
from modular_agents.proxy.journal.clock import SystemClock
from modular_agents.proxy.journal.segment import measure
from modular_agents.proxy.journal.writer import JournalWriter
from modular_agents.proxy.model.status import RECORDER_NUMBERS_NAME, TROUBLES_NAME, Trouble, read_numbers, read_troubles
from modular_agents.proxy.relay.counters import Counters, add_up, prometheus
from modular_agents.proxy.relay.headers import Heads
from modular_agents.proxy.relay.hops import keep_opening
from modular_agents.proxy.relay.plan import Plans
from modular_agents.proxy.relay.pool import Pool
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.routing import Router
from modular_agents.proxy.relay.server import ClientConnection
from modular_agents.proxy.relay.shared import Shared
from modular_agents.proxy.relay.sockets import allow_many, keep_probing
from modular_agents.proxy.relay.tap import Tap
from modular_agents.proxy.relay.turn import Turn

SWEEP_S = 0.25
"""How often clocks are looked at: a client that went away is noticed within this, a limit passes at most this late."""
CHORES_S = 1.0
"""How often what is not a connection's is seen to: the journal's folder and segment, the numbers that others add up, the supervisor."""
FAREWELL_S = 0.2
"""Time for last bytes to leave after an interruption."""

_log = logging.getLogger("anton.relay")


class Worker:
    """Serves until it is told to stop. `run` belongs to one loop; `stop` is called on it."""

    def __init__(self, settings: RelaySettings, sockets: Sequence[socket.socket], *, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._sockets = sockets
        self._tls = tls
        self._stops = 0
        self._changed = asyncio.Event()
        self._parent = os.getppid()
        self._next_sweep: asyncio.TimerHandle | None = None
        self._next_chores_ns = 0
        self._put_back = 0
        nonce = secrets.randbits(48)
        self.worker_id = f"{nonce:012x}"
        self._nonce = nonce
        self._control = Path(settings.control_dir) if settings.control_dir else None

    def stop(self) -> None:
        """Drain; the second time: interrupt."""
        self._stops += 1
        self._changed.set()

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Serve until stopped. Raises OSError or `AlreadyRunning` when the journal cannot be used."""
        settings, clock = self._settings, SystemClock()
        self._journal = journal = JournalWriter(
            settings.journal_dir,
            self.worker_id,
            clock,
            durability=settings.durability,
            fsync_interval_s=settings.fsync_interval_s,
            segment_bytes=settings.segment_bytes,
            cap_bytes=settings.journal_cap_bytes,
        )
        self.counters = Counters(self._control, self.worker_id)
        try:
            self._shared = shared = self._share(clock)
            loop = asyncio.get_running_loop()
            servers = []
            for sock in self._sockets:
                keep_probing(sock)
                keep_opening(sock)
                servers.append(await loop.create_server(lambda: ClientConnection(shared), sock=sock, backlog=settings.limits.backlog))
            self._sweep_s = min(SWEEP_S, *(limit / 4 for limit in _times(settings)))
            self._sweep()
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 50, 100)  # the hot path makes no cycles; a full pass over thousands of streams is a pause
            if on_ready is not None:
                on_ready()
            await self._changed.wait()
            for server in servers:
                server.close()
            await self._drain()
        finally:
            if self._next_sweep is not None:
                self._next_sweep.cancel()
                self._shared.turn.end()
            self._count()
            journal.close()
            self._count()
            self.counters.close()

    def _share(self, clock: SystemClock) -> Shared:
        settings, limits = self._settings, self._settings.limits
        redactor = Redactor(bytes.fromhex(settings.fingerprint_key))
        loop = asyncio.get_running_loop()
        addresses = frozenset((sock.getsockname()[0], sock.getsockname()[1]) for sock in self._sockets if sock.family != socket.AF_UNIX)
        turn = Turn(self._journal.append, loop.call_soon)
        tap = Tap(turn, redactor, self._nonce, clock.now_ns, clock.monotonic_ns, limits.recorded_body_bytes, limits.recorded_tunnel_bytes)
        requests, answers = Heads(redactor, limits.head_fields), Heads(redactor, limits.head_fields)
        return Shared(
            loop=loop,
            limits=limits,
            plans=Plans(requests, Router(settings.upstreams, settings.default_upstream), redactor),
            requests=requests,
            turn=turn,
            tap=tap,
            pool=Pool(loop, limits, answers, self.counters, self._tls or client_tls(), clock.monotonic_ns, addresses, turn),
            counters=self.counters,
            worker_id=self.worker_id,
            token=settings.token.encode(),
            metrics=self._metrics,
            troubles=self._troubles,
            keepalive_ns=int(limits.client_keepalive_s * 1e9),
            callers_pipe=settings.callers_pipe,
            own_port=next((port for _, port in addresses), 0),
        )

    async def _drain(self) -> None:
        """Let running calls finish; interrupt what is left when asked again or when time is up."""
        shared = self._shared
        shared.draining = True
        for client in list(shared.clients):
            client.drain()
        shared.pool.close()
        try:
            async with asyncio.timeout(self._settings.limits.drain_s):
                while shared.counters.requests_open and self._stops < 2:  # noqa: PLR2004 - the second time interrupts
                    self._changed.clear()
                    await self._pause()
        except TimeoutError:
            if shared.counters.requests_open:
                _log.warning("the drain time is over: %d calls are interrupted", shared.counters.requests_open)
        for client in list(shared.clients):
            client.interrupt()
        if shared.clients:
            await asyncio.sleep(FAREWELL_S)
        for client in list(shared.clients):
            client.abort()
        await asyncio.sleep(0)

    async def _pause(self) -> None:
        """Wait for a moment, or until `stop` is called again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._sweep_s):
                await self._changed.wait()

    def _sweep(self) -> None:
        shared = self._shared
        now_ns = shared.tap.monotonic_ns()
        for client in list(shared.clients):
            client.tick(now_ns)
        shared.pool.sweep(now_ns)
        if now_ns >= self._next_chores_ns:
            self._next_chores_ns = now_ns + int(CHORES_S * 1e9)
            self._do_chores()
        self._next_sweep = shared.loop.call_later(self._sweep_s, self._sweep)

    def _do_chores(self) -> None:
        self._journal.turn_over()
        self._count()
        self.counters.publish()
        if os.getppid() != self._parent and not self._stops:
            _log.warning("the supervisor is gone: this worker finishes its calls and stops")
            self.stop()

    def _count(self) -> None:
        """Take the journal's counts over into the worker's."""
        journal, counters = self._journal, self.counters
        if bool(counters.journal_degraded) != journal.degraded:
            _log.warning(
                "journal degraded: %s" if journal.degraded else "journal well again (last trouble: %s)", journal.counters.last_error
            )
        if journal.counters.put_back > self._put_back:
            self._put_back = journal.counters.put_back
            _log.error("somebody deleted the journal's folder: it was made again, with the open segment; older ones are lost if unread")
        counters.journal_degraded = int(journal.degraded)
        counters.journal_queued_bytes = journal.queued_bytes
        counters.journal_frames_total = journal.written_frames
        counters.journal_bytes_total = journal.written_bytes
        counters.journal_dropped_frames_total = journal.counters.dropped_frames
        counters.journal_dropped_bytes_total = journal.counters.dropped_bytes
        counters.journal_degraded_total = journal.counters.degraded_times
        counters.journal_failed_fsyncs_total = journal.counters.failed_fsyncs

    def _metrics(self) -> str:
        self._count()
        self.counters.publish()
        total = add_up(self._control) if self._control is not None else self.counters.alone()
        with contextlib.suppress(OSError):  # a journal that is away for the moment is measured the next time
            total["journal_size_bytes"] = measure(Path(self._settings.journal_dir))
        total["troubles"] = len(self._troubles())
        total |= {f"recorder_{name}": number for name, number in self._recorder_numbers().items()}
        return prometheus(total)

    def _recorder_numbers(self) -> dict[str, int]:
        """Return what the recorder counts, as it said last; nothing where there is no recorder."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                return read_numbers((self._control / RECORDER_NUMBERS_NAME).read_bytes())
        return {}

    def _troubles(self) -> tuple[Trouble, ...]:
        """Return what the supervisor says does not work."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                return read_troubles((self._control / TROUBLES_NAME).read_bytes())
        return ()


def _times(settings: RelaySettings) -> tuple[float, ...]:
    limits = settings.limits
    waits = (limits.request_head_s, limits.connect_s, limits.first_byte_s, limits.stream_silence_s, limits.vanished_s)
    return (*waits, limits.client_keepalive_s, limits.upstream_keepalive_s)


def client_tls() -> ssl.SSLContext:
    """Return the context for providers: the system's trust store (or `SSL_CERT_FILE`), HTTP/1.1 only."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def run_worker(settings: RelaySettings, sockets: Sequence[socket.socket], on_ready: Callable[[], None] | None = None) -> int:
    """Serve on inherited listening sockets until SIGTERM; return the exit code. `on_ready` is called when requests are taken."""

    async def main() -> None:
        worker = Worker(settings, sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, worker.stop)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal's Ctrl-C reaches us too; the supervisor decides
        await worker.run(on_ready)

    allow_many()
    uvloop.run(main())
    return 0
