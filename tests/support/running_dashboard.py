"""A real dashboard server on a free port, in a thread of this process, over a `FakeStore`."""

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from tests.support.fake_reader import FakeStore

from modular_agents.proxy import app
from modular_agents.proxy.dashboard.access import Access, make_link_token
from modular_agents.proxy.dashboard.guard import make_site
from modular_agents.proxy.dashboard.server import BACKLOG, DashboardParts, DashboardServer
from modular_agents.proxy.model.status import ProxyStatus
from modular_agents.proxy.supervisor.binding import bind

TOKEN = "dummy-dashboard-token"
START_S = 60


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for header, value in self.headers if header.lower() == name), None)

    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


@dataclass
class RunningDashboard:
    port: int
    store: FakeStore
    links: Path
    server: DashboardServer
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    proxy: list[ProxyStatus | None] = field(default_factory=lambda: [None])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def link(self) -> str:
        return make_link_token(self.links)

    def ask(
        self,
        target: str,
        *headers: tuple[str, str],
        method: str = "GET",
        host: str | None = None,
        bearer: str | None = TOKEN,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request whose target and headers are exactly these."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host if host is None else host)
            if bearer is not None:
                connection.putheader("Authorization", f"Bearer {bearer}")
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join(START_S)


@contextlib.contextmanager
def running_dashboard(
    folder: Path,
    store: FakeStore | None = None,
    static: Path | None = None,
    port: int = 0,
    db: Path | None = None,
) -> Iterator[RunningDashboard]:
    """Start a dashboard, stop it afterwards; fails when it does not stop. `db`: a real database instead of a fake store."""
    store = store or FakeStore()
    sockets = bind("127.0.0.1", port, BACKLOG)
    port = sockets[0].getsockname()[1]
    access = Access(TOKEN, folder / "links")
    proxy: list[ProxyStatus | None] = [None]
    site = make_site(port, ["127.0.0.1", "::1"])
    open_reader = partial(app.build_reader, db) if db else store.reader
    corrector = app.corrector(db) if db else None
    parts = DashboardParts(open_reader, lambda: proxy[0], access, site, "0.0.0", "traces.db", static or folder / "static", corrector)
    ready = threading.Event()
    started: list[tuple[DashboardServer, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        server = DashboardServer(parts, ready.set)
        started.append((server, asyncio.get_running_loop()))
        await server.serve(sockets)

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="dashboard")
    thread.start()
    assert ready.wait(START_S), "the dashboard did not start"
    running = RunningDashboard(port, store, folder / "links", *started[0], thread, proxy)
    try:
        yield running
    finally:
        if thread.is_alive():
            running.stop()
        assert not thread.is_alive(), "the dashboard did not stop"
