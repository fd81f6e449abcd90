"""A client on a bare socket: it sends exactly the bytes it is given and keeps exactly what comes back, and when.

with RawClient(port) as client:
    client.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    answer = client.read_response()
"""

import contextlib
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_READ_BYTES = 1 << 16


@dataclass(slots=True)
class RawResponse:
    """One response: `head` raw with its blank line, `wire_body` raw with chunk framing, `body` without it."""

    head: bytes
    status: int
    reason: str
    headers: list[tuple[str, str]]
    wire_body: bytes = b""
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    """Bodies of the chunks, when chunked."""
    complete: bool = False
    """The framing said that this was all (a body that ends with the connection is complete on a clean FIN)."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class RawClient:
    """One connection. Every wait has a deadline: `TimeoutError` instead of a test that hangs."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, timeout_s: float = 30.0, tls: ssl.SSLContext | None = None) -> None:
        raw = socket.create_connection((host, port), timeout_s)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = tls.wrap_socket(raw, server_hostname="localhost") if tls else raw
        except OSError:
            raw.close()
            raise
        self.received = bytearray()
        """Every byte that came."""
        self.segments: list[tuple[float, int]] = []
        """(seconds since the connection was made, bytes) of each read."""
        self.eof = False
        self.reset = False
        self._start = time.monotonic()
        self._read_to = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def send(self, data: bytes, *, step: int = 0, pause_s: float = 0.0) -> None:
        """Send bytes, whole or `step` at a time."""
        for at in range(0, len(data), step or len(data) or 1):
            self.sock.sendall(data[at : at + (step or len(data))])
            if pause_s:
                time.sleep(pause_s)

    def half_close(self) -> None:
        """Say that no more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close with FIN."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def read_some(self) -> bytes:
        """Return what one read brings; b"" at the end (`eof`, and `reset` when it was an RST)."""
        try:
            data = self.sock.recv(_READ_BYTES)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            self.reset = True
            data = b""
        except TimeoutError as error:
            raise TimeoutError(f"nothing more came; unread: {bytes(self.received[self._read_to :])[:500]!r}") from error
        self.eof = self.eof or not data
        if data:
            self.received += data
            self.segments.append((time.monotonic() - self._start, len(data)))
        return data

    def read_until(self, mark: bytes) -> bytes:
        """Return unread bytes up to and including `mark`, or all up to the end of the connection."""
        while (at := self.received.find(mark, self._read_to)) < 0 and not self.eof:
            self.read_some()
        return self._take(len(self.received) if at < 0 else at + len(mark))

    def read_exactly(self, count: int) -> bytes:
        """Return `count` unread bytes, fewer only at the end of the connection."""
        while len(self.received) - self._read_to < count and not self.eof:
            self.read_some()
        return self._take(min(self._read_to + count, len(self.received)))

    def read_to_end(self) -> bytes:
        """Return everything unread until the peer closes."""
        while not self.eof:
            self.read_some()
        return self._take(len(self.received))

    def read_response(self, *, head_only: bool = False, skip_informational: bool = True) -> RawResponse:
        """Read one response by its framing. A connection that ends early leaves `complete` False."""
        response = _parse(self.read_until(b"\r\n\r\n"))
        if not response.head.endswith(b"\r\n\r\n"):
            return response
        if skip_informational and 100 <= response.status < 200 and response.status != 101:
            return self.read_response(head_only=head_only)
        if head_only or response.status in {101, 204, 304} or response.status < 200:
            response.complete = True
        elif "chunked" in (response.header("transfer-encoding") or "").lower():
            self._read_chunked(response)
        elif (length := response.header("content-length")) is not None:
            response.wire_body = response.body = self.read_exactly(int(length))
            response.complete = len(response.body) == int(length)
        else:
            response.wire_body = response.body = self.read_to_end()
            response.complete = not self.reset
        return response

    def _read_chunked(self, response: RawResponse) -> None:
        start = self._read_to
        while True:
            line = self.read_until(b"\r\n")
            size = int(line.split(b";")[0], 16) if line.endswith(b"\r\n") else -1
            if size <= 0:
                break
            chunk = self.read_exactly(size + 2)
            response.chunks.append(chunk[:size])
            if len(chunk) < size + 2:
                size = -1
                break
        while size == 0:
            line = self.read_until(b"\r\n")
            if line == b"\r\n":
                response.complete = True
                break
            if not line.endswith(b"\r\n"):
                break
            name, _, value = line.decode("latin-1").strip().partition(":")
            response.trailers.append((name, value.strip()))
        response.wire_body = bytes(self.received[start : self._read_to])
        response.body = b"".join(response.chunks)

    def _take(self, to: int) -> bytes:
        taken = bytes(self.received[self._read_to : to])
        self._read_to = to
        return taken


def request_bytes(
    method: str, target: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = (), *, host: str = "127.0.0.1"
) -> bytes:
    """Return an ordinary request: Host first, Content-Length when there is a body or the method wants one."""
    length = (("Content-Length", str(len(body))),) if body or method in {"POST", "PUT", "PATCH"} else ()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (("Host", host), *headers, *length))
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def _parse(head: bytes) -> RawResponse:
    lines = head.decode("latin-1").split("\r\n")
    parts = [*lines[0].split(" ", 2), "", ""][:3]
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
    return RawResponse(head, int(parts[1]) if parts[1].isdigit() else 0, parts[2], headers)
