"""What the stand-in provider received and sent, exactly, for tests to look at from another thread."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.replies import Headers


@dataclass(slots=True)
class Connection:
    """One TCP connection. Times are `time.monotonic()` seconds."""

    number: int
    opened_at: float
    received: bytearray = field(default_factory=bytearray)
    """Every byte, as it came."""
    eof_at: float | None = None
    """The peer closed, or at least its sending half."""
    lost_at: float | None = None
    reset: bool = False
    """It ended with RST."""

    @property
    def gone_at(self) -> float | None:
        """When the peer was first seen to be gone."""
        return self.eof_at if self.eof_at is not None else self.lost_at


@dataclass(slots=True)
class Received:
    """One request. `head` is raw with its blank line; `wire_body` is raw with any chunk framing; `body` is without."""

    connection: Connection
    method: str
    target: str
    version: str
    headers: Headers
    head: bytes
    at: float
    wire_body: bytes = b""
    body: bytes = b""
    trailers: Headers = ()
    complete_at: float | None = None
    status: int | None = None
    sent_head: bytes = b""
    pieces: list[tuple[float, int]] = field(default_factory=list)
    """(when, bytes) of each body piece handed to the socket."""
    sent_bytes: int = 0
    finished_at: float | None = None
    """The whole answer was handed to the socket."""
    messages: list[str | bytes] = field(default_factory=list)
    """WebSocket messages from the client."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Ledger:
    """The lists, and waiting for them to say something."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections: list[Connection] = []
        self._changed = threading.Condition()

    def add_connection(self) -> Connection:
        """Make and keep the record of a new connection."""
        connection = Connection(len(self.connections), time.monotonic())
        with self._changed:
            self.connections.append(connection)
            self._changed.notify_all()
        return connection

    def add_request(self, request: Received) -> None:
        """Keep a request whose head has been read."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def touched(self) -> None:
        """Tell those who wait that some record changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Return when `condition()` holds. Raises AssertionError after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(condition()), timeout_s):
                msg = f"not within {timeout_s} s; the provider saw {[f'{r.method} {r.target} {r.status}' for r in self.requests]}"
                raise AssertionError(msg)

    def forget(self) -> None:
        """Empty the lists."""
        with self._changed:
            self.requests.clear()
            self.connections.clear()

    @property
    def open_connections(self) -> int:
        """Connections whose peer has not gone."""
        return sum(1 for c in self.connections if c.gone_at is None)
