"""The dashboard as a server: joins guard, API, live feed and page on given sockets, and stops gracefully."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from modular_agents.proxy.correcting.correct import Corrector
from modular_agents.proxy.dashboard import openapi
from modular_agents.proxy.dashboard.access import Access
from modular_agents.proxy.dashboard.answers import error_response, json_response
from modular_agents.proxy.dashboard.api import ENDPOINTS, Endpoint, Source, answer_error
from modular_agents.proxy.dashboard.asking import BadQuestion, read_after, read_query
from modular_agents.proxy.dashboard.deciding import Deciding
from modular_agents.proxy.dashboard.exporting import Exports
from modular_agents.proxy.dashboard.guard import Guard, Site
from modular_agents.proxy.dashboard.live import MAX_SUBSCRIBERS, Live
from modular_agents.proxy.dashboard.page import STATIC, Page
from modular_agents.proxy.dashboard.reading import Readers
from modular_agents.proxy.dashboard.shapes import ErrorBody
from modular_agents.proxy.errors import ProxyError
from modular_agents.proxy.model.status import ProxyStatus
from modular_agents.proxy.ports import Reader

log = logging.getLogger(__name__)

STOP_S = 3
"""What is being answered may take this long after a stop was asked for."""
BACKLOG = 256
MAX_CONNECTIONS = 1000
"""Open connections; more are answered 503."""
MAX_INCOMING_BYTES = 4096
"""A WebSocket client has nothing to say; a longer message closes the connection."""


@dataclass(frozen=True, slots=True)
class DashboardParts:
    """What the dashboard is made of; `app.py` names the concrete ones."""

    open_reader: Callable[[], Reader]
    """Called once per reading thread; may raise `ProxyError`, which is then shown to whoever asked."""
    status: Callable[[], ProxyStatus | None]
    access: Access
    site: Site
    version: str
    db: str
    static: Path = STATIC
    corrector: Corrector | None = None
    """Keeps what a person says of the graph; None: this dashboard only shows."""


def build_app(parts: DashboardParts, on_crash: Callable[[], None]) -> ASGIApp:
    """Return the whole dashboard as one ASGI application. `on_crash` is called when the live feed died: nothing here works without it."""
    readers, watching = Readers(parts.open_reader), Readers(parts.open_reader, threads=1)
    live, page = Live(watching, readers), Page(parts.static)
    deciding = Deciding(readers, parts.corrector)
    source = Source(readers, parts.status, parts.version, parts.db, Exports(parts.open_reader), deciding)
    described = msgspec.json.encode(openapi.document(parts.version))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        polling = asyncio.create_task(live.poll())
        polling.add_done_callback(lambda task: None if task.cancelled() else on_crash())
        try:
            yield
        finally:
            polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await polling
            for pool in (readers, watching):
                await asyncio.to_thread(pool.close)

    async def openapi_document(request: Request) -> Response:
        read_query(request.scope["query_string"], ())
        return json_response(described)

    async def not_in_api(_: Request) -> Response:
        return _no_such_route(404)

    async def any_page(request: Request) -> Response:
        return await asyncio.to_thread(page.answer, request.scope["path"])

    app = Starlette(
        routes=[
            *(Route(endpoint.path, _bound(endpoint, source), methods=[endpoint.method]) for endpoint in ENDPOINTS),
            Route("/api/openapi.json", openapi_document),
            Route("/api/{rest:path}", not_in_api),
            WebSocketRoute("/ws", lambda websocket: follow(live, websocket)),
            Route("/{rest:path}", any_page),
        ],
        exception_handlers={ProxyError: _say_proxy_error, HTTPException: _say_http_error, Exception: _say_crash},
        lifespan=lifespan,
    )
    return Guard(app, parts.site, parts.access)


def _bound(endpoint: Endpoint, source: Source) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        return await endpoint.handler(source, request)

    return handler


async def _say_proxy_error(_: Request, error: Exception) -> Response:
    return answer_error(error if isinstance(error, ProxyError) else ProxyError(str(error)))


async def _say_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:  # noqa: PLR2004 - method not allowed
        return error_response(status, ErrorBody("caller", "That cannot be done here.", "docs/api.md says how each route is used."))
    return _no_such_route(status)


def _no_such_route(status: int) -> Response:
    return error_response(status, ErrorBody("caller", "There is no such route.", "docs/api.md lists them; so does /api/openapi.json."))


async def _say_crash(_: Request, __: Exception) -> Response:
    return error_response(
        500, ErrorBody("dashboard", "The dashboard failed to answer.", "This is a fault of the dashboard; its log says more.")
    )


async def follow(live: Live, websocket: WebSocket) -> None:
    """Serve one WebSocket; the boundary of one subscriber: whatever goes wrong with it ends it and nobody else."""
    try:
        after = read_after(websocket.scope["query_string"])
    except BadQuestion as error:
        await websocket.send_denial_response(answer_error(error))
        return
    if live.follower_count >= MAX_SUBSCRIBERS:
        body = ErrorBody("caller", f"{MAX_SUBSCRIBERS} pages follow already.", "Close one.")
        await websocket.send_denial_response(error_response(503, body))
        return
    await websocket.accept()
    following = asyncio.create_task(live.follow(after, websocket.send_text))
    leaving = asyncio.create_task(_wait_until_gone(websocket))
    try:
        await asyncio.wait({following, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            await following
    except WebSocketDisconnect:
        pass
    except Exception:  # the boundary of one subscriber: a defect of ours ends this page's feed and no other
        log.exception("one subscriber failed")
        await websocket.close(1011, "the dashboard failed; connect again")
    finally:
        following.cancel()
        leaving.cancel()
        await asyncio.gather(following, leaving, return_exceptions=True)


async def _wait_until_gone(websocket: WebSocket) -> None:
    """Read and drop what a client says until it is gone."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


class DashboardServer(uvicorn.Server):
    """Uvicorn without its signal handling: the signals are ours to give."""

    def __init__(self, parts: DashboardParts, ready: Callable[[], None] = lambda: None) -> None:
        self.crashed = False
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                build_app(parts, self._crash),
                http="httptools",
                ws="websockets-sansio",
                ws_max_size=MAX_INCOMING_BYTES,
                ws_per_message_deflate=False,
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                backlog=BACKLOG,
                timeout_graceful_shutdown=STOP_S,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._ready()

    def stop(self) -> None:
        """Stop: gracefully when asked once, at once when asked again. Call it on the server's loop."""
        self.force_exit = self.should_exit
        self.should_exit = True

    def _crash(self) -> None:
        log.error("the live feed died; the dashboard stops so that it can be started anew")
        self.crashed = True
        self.should_exit = True


def run_dashboard(parts: DashboardParts, sockets: Sequence[socket.socket], ready: Callable[[], None] = lambda: None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. `ready` is called once requests are answered. Owns the sockets."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # its INFO lines hold addresses with their queries

    async def serve() -> int:
        server = DashboardServer(parts, ready)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        await server.serve(list(sockets))
        return int(server.crashed)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve())
