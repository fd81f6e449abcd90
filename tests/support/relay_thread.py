"""A relay worker in a thread of the test's process, and its journal read back.

with RelayThread({"openai": provider.url}, directory) as relay:
    ...  # calls to relay.url
    relay.exchanges()
"""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import uvloop

from modular_agents.proxy.config import Limits, RelaySettings, Upstream
from modular_agents.proxy.journal.frames import FLAG_LAST, End, Frame, Kind, RequestHead, decode
from modular_agents.proxy.relay.worker import Worker

DEADLINE_S = 30.0


@dataclass(slots=True)
class Taken:
    """One exchange as its frames tell it."""

    request: RequestHead
    request_body: bytes = b""
    request_last: bool = False
    response_head: bytes = b""
    informational: list[bytes] = field(default_factory=list)
    response_body: bytes = b""
    response_last: bool = False
    pieces: list[bytes] = field(default_factory=list)
    """Payloads of the answer's body frames."""
    up: bytes = b""
    down: bytes = b""
    end: End | None = None
    flags: int = 0

    def take(self, frame: Frame) -> None:
        kind, payload = frame.kind, frame.payload
        assert self.end is None, "END is the last frame of an exchange"
        self.flags |= frame.flags
        last = bool(frame.flags & FLAG_LAST)
        if kind == Kind.REQUEST_BODY:
            assert not self.request_last
            self.request_body += payload
            self.request_last = last
        elif kind == Kind.RESPONSE_HEAD:
            self.response_head = payload
            self.response_last = last
        elif kind == Kind.INFORMATIONAL:
            self.informational.append(payload)
        elif kind == Kind.RESPONSE_BODY:
            assert not self.response_last
            self.response_body += payload
            self.pieces.append(payload)
            self.response_last = last
        elif kind == Kind.TUNNEL_UP:
            self.up += payload
        elif kind == Kind.TUNNEL_DOWN:
            self.down += payload
        elif kind == Kind.END:
            self.end = End.unpack(payload)


def read_journal(directory: Path) -> list[Taken]:
    """Return what a journal directory tells, in order of the requests."""
    found: dict[tuple[str, int], Taken] = {}
    for path in sorted(directory.glob("*.seg")):
        for frame in decode(path.read_bytes()):
            key = (path.name.split("-")[1], frame.exchange)
            if frame.kind == Kind.REQUEST_HEAD:
                found[key] = Taken(RequestHead.unpack(frame.payload), request_last=bool(frame.flags & FLAG_LAST))
            elif frame.exchange:
                found[key].take(frame)
    return list(found.values())


def until(condition: Callable[[], object], seconds: float = DEADLINE_S) -> None:
    """Return when the condition holds. Fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def upstream(name: str, url: str, *, mend: bool = True) -> Upstream:
    """Return an upstream from a plain URL without `/v1`."""
    parts = urlsplit(url)
    return Upstream(
        name, parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme], parts.path.rstrip("/"), mend
    )


class RelayThread:
    """A worker on 127.0.0.1, port 0."""

    def __init__(
        self,
        upstreams: Mapping[str, str],
        directory: Path,
        *,
        default: str | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        token: str = "",
        host: str = "127.0.0.1",
        durability: str = "none",
    ) -> None:
        self.journal = directory / "journal"
        self.control = directory / "control"
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.port: int = self.sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = RelaySettings(
            upstreams=tuple(upstream(name, url) for name, url in upstreams.items()),
            default_upstream=default or next(iter(upstreams)),
            journal_dir=str(self.journal),
            fingerprint_key="00ff" * 8,
            limits=limits or Limits(),
            durability=durability,
            control_dir=str(self.control),
            token=token,
        )
        self._tls = tls
        self._ready = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(DEADLINE_S)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def call(self, function: Callable[[], object]) -> None:
        """Run something on the relay's loop."""
        self._loop.call_soon_threadsafe(function)

    def stop(self, times: int = 2) -> None:
        """Stop as SIGTERM does; twice interrupts. Waits for the end."""
        if self._thread.is_alive():
            for _ in range(times):
                self.call(self.worker.stop)
            self._thread.join(DEADLINE_S)
        if self._failure is not None:
            raise self._failure

    def drain(self) -> None:
        """Ask once to stop, and do not wait."""
        self.call(self.worker.stop)

    @property
    def alive(self) -> bool:
        """Whether the worker still serves or drains."""
        return self._thread.is_alive()

    def exchanges(self) -> list[Taken]:
        """Return what the journal holds now."""
        return read_journal(self.journal)

    def ended(self, count: int = 1) -> list[Taken]:
        """Return the journal's exchanges once `count` of them have ended."""
        until(lambda: sum(taken.end is not None for taken in self.exchanges()) >= count)
        return self.exchanges()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            self._failure = error
        finally:
            self._ready.set()
            self._loop.close()
            self.sock.close()

    async def _main(self) -> None:
        self.worker = Worker(self.settings, [self.sock], tls=self._tls)
        await self.worker.run(self._ready.set)
