"""An OpenTelemetry collector on loopback that keeps what it is sent, and answers as it is told: taken, in part, refused, later, never.

with RunningCollector([Reply(503), Reply(200)]) as collector:
    ...  # push to collector.url; then collector.spans
"""

import gzip
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Reply:
    """What one request is answered. `hangs`: for so long, then the connection is closed; `closes`: at once."""

    status: int = 200
    rejected: int = 0
    said: str = ""
    retry_after: str | None = None
    hangs_s: float = 0
    closes: bool = False
    body: bytes | None = None


@dataclass
class Asked:
    """One request."""

    path: str
    headers: dict[str, str]
    data: bytes
    reply: Reply
    at_s: float

    @property
    def spans(self) -> list[Span]:
        request = ExportTraceServiceRequest.FromString(self.data)
        return [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is what some tests are about."""


@dataclass
class RunningCollector:
    """Answers with `replies` one after another, then with 200 for ever."""

    replies: Sequence[Reply] = ()
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                collector.take(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def spans(self) -> dict[bytes, Span]:
        """Every span that was taken, by its id; the last one holds."""
        with self.lock:
            return {span.span_id: span for one in self.asked if one.reply.status == 200 and not one.reply.closes for span in one.spans}

    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans.values())

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        data = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        with self.lock:
            reply = self.replies[len(self.asked)] if len(self.asked) < len(self.replies) else Reply()
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.asked.append(Asked(handler.path, headers, data, reply, time.monotonic()))
        if reply.hangs_s:
            self.stopped.wait(reply.hangs_s)
        if reply.closes or reply.hangs_s:
            handler.close_connection = True
            return
        told = ExportTraceServiceResponse()
        if reply.rejected or reply.said:
            told.partial_success.rejected_spans = reply.rejected
            told.partial_success.error_message = reply.said
        body = told.SerializeToString() if reply.body is None else reply.body
        handler.send_response(reply.status)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", str(len(body)))
        if reply.retry_after is not None:
            handler.send_header("Retry-After", reply.retry_after)
        if reply.status in {301, 302, 307, 308}:
            handler.send_header("Location", "http://127.0.0.1:9/elsewhere")
        handler.end_headers()
        handler.wfile.write(body)
