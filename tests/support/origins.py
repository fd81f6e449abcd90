"""Real HTTP servers behind the relay, each noting what it took each request to be: method, raw target, body.

with Aiohttp() as origin:      # or Uvicorn("h11"), Uvicorn("httptools"), Nginx(folder)
    ...                        # requests to origin.url
    origin.understood
"""

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import uvicorn
from aiohttp import web
from tests.support.provider_server import ProviderServer

DEADLINE_S = 30.0
BODY_BYTES = 80 * 1024 * 1024
HEAD_BYTES = 256 * 1024
"""More than the relay lets through: its limits are what is tested, not the servers'."""


@dataclass(frozen=True, slots=True)
class Understood:
    """One request as a server handed it to its application, read to its end."""

    method: str
    target: str
    body: bytes


class Origin(Protocol):
    """A running server."""

    url: str

    @property
    def understood(self) -> list[Understood]:
        """What it has taken for whole requests so far, in order."""

    def forget(self) -> None:
        """Begin anew."""


class _InThread:
    """A server on a loop of its own; a subclass says what runs there."""

    def __init__(self) -> None:
        self.understood: list[Understood] = []
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited: uvicorn's answers would wait 40 ms otherwise
        self.port: int = self._sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._done = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def forget(self) -> None:
        self.understood.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(DEADLINE_S), "the origin did not start"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(DEADLINE_S)
        self._sock.close()

    async def serve(self) -> None:
        """Serve on `_sock`; set `_ready`; return after `_done`."""
        raise NotImplementedError

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.serve())
        self._loop.close()


class Aiohttp(_InThread):
    """aiohttp's server with its own parser."""

    async def serve(self) -> None:
        server = web.Server(self._answer, max_line_size=HEAD_BYTES, max_field_size=HEAD_BYTES, max_headers=300, access_log=None)
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.SockSite(runner, self._sock).start()
        self._ready.set()
        await self._done.wait()
        await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.understood.append(Understood(request.method, request.raw_path, body))
        return web.Response(text="ok")


class Uvicorn(_InThread):
    """uvicorn over one of its two parsers: `h11` or `httptools` (llhttp)."""

    def __init__(self, parser: str) -> None:
        super().__init__()
        self._parser: Any = parser

    async def serve(self) -> None:
        config = uvicorn.Config(
            self._application,
            interface="asgi3",
            http=self._parser,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve([self._sock]))
        while not server.started:  # noqa: ASYNC110 - uvicorn says it by this flag only
            await asyncio.sleep(0.01)
        self._ready.set()
        await self._done.wait()
        server.should_exit = True
        server.force_exit = True
        await serving

    async def _application(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                query = scope["query_string"].decode("latin-1")
                target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
                self.understood.append(Understood(scope["method"], target, body))
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
                await send({"type": "http.response.body", "body": b"ok"})
                return


_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size {body}; client_body_buffer_size 1m; large_client_header_buffers 8 {head}; merge_slashes off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; }} }}
}}
"""


class Nginx:
    """nginx; what it understood is what it asks of a recording server behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._behind = ProviderServer()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def understood(self) -> list[Understood]:
        return [Understood(r.method, r.target, r.body) for r in self._behind.requests if r.complete_at is not None]

    def forget(self) -> None:
        self._behind.reset()

    def __enter__(self) -> Self:
        self._behind.start()
        path = self._folder / "nginx.conf"
        path.write_text(_NGINX.format(folder=self._folder, port=self.port, behind=self._behind.port, body=BODY_BYTES, head=HEAD_BYTES))
        self._process = subprocess.Popen([find_nginx() or "nginx", "-e", str(self._folder / "error.log"), "-c", str(path)])
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, "nginx did not start"
                assert self._process.poll() is None, (self._folder / "error.log").read_text()
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self._behind.stop()


def find_nginx() -> str | None:
    """Return nginx's program, if it is installed: Debian keeps it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
