"""Spans go to an OpenTelemetry collector over OTLP/HTTP (protobuf, gzip): the one host besides upstreams that is contacted, when asked.

Where to and how is said by OpenTelemetry's own variables (opentelemetry.io/docs/specs/otel/protocol/exporter). A batch is offered again
when the collector says so (429, 502, 503, 504) or cannot be reached, at its pace; anything else it refuses is lost, and counted.
Redirects are not followed. Headers may hold keys: nothing here puts them into words.
"""

import gzip
import http.client
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export.otlp import Batch

TRACES_PATH = "/v1/traces"
TIMEOUT_S = 10.0
"""The specification's default for one try, from connecting to the end of the answer."""
MAX_ANSWER_BYTES = 64 * 1024
"""An answer says a few words; more is not read."""
TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Doubled after each try, half of it by chance, so that many clients do not come back at once."""
LONGEST_ASKED_S = 120.0
"""A Retry-After of more is cut to this."""
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same batch may be sent again (OTLP specification, "Retryable Response Codes")."""
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Target:
    """A collector. `headers` may be secret and are not shown."""

    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    compressed: bool = True
    timeout_s: float = TIMEOUT_S
    certificate: str | None = None

    @property
    def shown(self) -> str:
        """Return the address as a person may see it: without path or headers, either of which may hold a key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try. `retry` None: it is settled; else how long the collector wants to be left alone, 0 when it did not say."""

    accepted: bool
    rejected: int = 0
    """Spans of an accepted batch that the collector left out."""
    retry_after_s: float | None = None
    said: str = ""


@dataclass(slots=True)
class Pushed:
    """What came of a push. Every span is one of them."""

    sent: int = 0
    rejected: int = 0
    """Left out by the collector (partial success), or part of a batch that it refused."""
    failed: int = 0
    """Given up after `TRIES`."""
    said: str = ""
    """The last complaint."""


def target_of(endpoint: str | None, environ: Mapping[str, str]) -> Target:
    """Return the collector that a flag or the environment names. Raises `UsageError`."""

    def told(name: str) -> str:
        return environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""

    protocol = told("PROTOCOL")
    if protocol not in {"", "http/protobuf"}:
        raise UsageError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol[:40]!r}; only http/protobuf is spoken here.")
    whole = None if endpoint else environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    url = whole or endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or ""
    if not url:
        raise UsageError("There is no collector to push to: give --endpoint URL, or set OTEL_EXPORTER_OTLP_ENDPOINT.")
    scheme, host, port, path = _address(url)
    timeout = told("TIMEOUT")
    return Target(
        scheme,
        host,
        port,
        (path or "/") if whole else path.removesuffix("/").removesuffix(TRACES_PATH) + TRACES_PATH,
        _headers(told("HEADERS")),
        told("COMPRESSION") != "none",
        int(timeout) / 1000 if timeout.isascii() and timeout.isdigit() and int(timeout) else TIMEOUT_S,
        told("CERTIFICATE") or None,
    )


def _address(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError("The collector's address is no URL as http://127.0.0.1:4318 (keys go into OTEL_EXPORTER_OTLP_HEADERS).")
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}[parts.scheme], parts.path


def _headers(said: str) -> tuple[tuple[str, str], ...]:
    """Return `key=value,key2=value2`, values percent-encoded (W3C Baggage), as headers."""
    pairs = []
    for piece in filter(None, (piece.strip() for piece in said.split(","))):
        name, equals, value = piece.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not equals or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or not value.isprintable():
            raise UsageError("OTEL_EXPORTER_OTLP_HEADERS is not a list as name=value,name2=value2.")
        pairs.append((name, value))
    return tuple(pairs)


class Collector:
    """One collector, spoken to by one thread, over one connection that is kept while it works."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connection: http.client.HTTPConnection | None = None

    def offer(self, batch: Batch) -> Answer:
        """Send a batch once."""
        body = gzip.compress(batch.data, 5, mtime=0) if self.target.compressed else batch.data
        headers = dict(self.target.headers) | {"Content-Type": "application/x-protobuf", "User-Agent": "anton-proxy"}
        if self.target.compressed:
            headers["Content-Encoding"] = "gzip"
        was_kept = self._connection is not None
        try:
            try:
                return self._ask(body, headers, batch.spans)
            except ConnectionError:  # a kept connection may be gone since: spans that come twice are the same spans
                if not was_kept:
                    raise
                self.close()
                return self._ask(body, headers, batch.spans)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(accepted=False, retry_after_s=0.0, said=f"{self.target.shown} cannot be reached: {_reason(error)}")

    def _ask(self, body: bytes, headers: Mapping[str, str], spans: int) -> Answer:
        connection = self._connection = self._connection or self._connect()
        connection.request("POST", self.target.path, body, headers)
        response = connection.getresponse()
        data = _read(response, time.monotonic() + self.target.timeout_s)
        if response.will_close or data is None:
            self.close()
        return _judge(response.status, response.getheader("Retry-After"), data or b"", spans)

    def close(self) -> None:
        """Let the connection go. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        target = self.target
        if target.scheme == "http":
            return http.client.HTTPConnection(target.host, target.port, timeout=target.timeout_s)
        context = ssl.create_default_context(cafile=target.certificate)
        return http.client.HTTPSConnection(target.host, target.port, timeout=target.timeout_s, context=context)


def deliver(collector: Collector, batch: Batch, told: Pushed, wait: Callable[[float], object], dice: Callable[[], float]) -> None:
    """Offer a batch until it is settled, at most `TRIES` times. `wait` sleeps; `dice` gives 0 to 1."""
    answer = Answer(accepted=False)
    for attempt in range(TRIES):
        if attempt:
            wait(pause_s(attempt - 1, answer.retry_after_s, dice()))
        answer = collector.offer(batch)
        if answer.retry_after_s is None:
            told.sent += batch.spans - answer.rejected
            told.rejected += answer.rejected
            told.said = answer.said or told.said
            return
    told.failed += batch.spans
    told.said = answer.said


def pause_s(attempt: int, asked_s: float | None, chance: float) -> float:
    """Return how long to wait after the `attempt`-th try (from 0): what was asked for, else longer each time, half of it by chance."""
    if asked_s:
        return min(asked_s, LONGEST_ASKED_S)
    longest = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
    return float(longest * (0.5 + chance / 2))


def content_is_wanted(environ: Mapping[str, str]) -> bool:
    """Say whether OpenTelemetry's own variable asks for what was said."""
    said = environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "")
    return said.lower() in {"true", "1", "span_only", "span_and_event"}


def usual_dice() -> float:
    """Return chance for pauses."""
    return random.random()  # noqa: S311 - it spreads retries, it guards nothing


def _read(response: http.client.HTTPResponse, until_s: float) -> bytes | None:
    """Return a short answer; None when it is longer than one should be, or comes too slowly."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(MAX_ANSWER_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES or time.monotonic() > until_s:
            return None
    response.close()  # an empty one is not closed by reading nothing of it, and the connection would not be used again
    return b"".join(pieces)


def _judge(status: int, retry_after: str | None, data: bytes, spans: int) -> Answer:
    if status in AGAIN:
        return Answer(accepted=False, retry_after_s=seconds_of(retry_after, datetime.now(UTC)), said=f"the collector answers {status}")
    if status not in _OK:
        return Answer(accepted=False, rejected=spans, said=f"the collector refuses with {status}")
    told = ExportTraceServiceResponse()
    try:
        told.ParseFromString(data)
    except DecodeError:  # an answer in JSON, or a proxy's page: it was taken all the same
        return Answer(accepted=True)
    partial = told.partial_success
    return Answer(accepted=True, rejected=max(0, min(spans, partial.rejected_spans)), said=partial.error_message[:500])


def seconds_of(retry_after: str | None, now: datetime) -> float:
    """Return the seconds that a Retry-After says (RFC 9110, 10.2.3); 0 when it says nothing."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__
