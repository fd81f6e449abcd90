"""The one place that turns what happens on the wire into journal frames.

Law: a frame is appended before its bytes are passed on, and END before the client's last byte. What happens in one
read of a socket is one append. Nothing here waits, and nothing here looks into a body.
"""

import hashlib
import struct
from collections.abc import Callable
from typing import Protocol

from modular_agents.proxy.journal.frames import FLAG_CAPPED, FLAG_LAST, End, Kind, encode, pack_fields
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.model.ids import CallIds, clean_opaque_id
from modular_agents.proxy.relay.framing import FramingError, parse_request_line
from modular_agents.proxy.relay.headers import AGENT, PARENT, REPLAY, TRACE, Request
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.routing import Route

_SIZE = struct.Struct("<I")
_REQUEST_HEAD, _REQUEST_BODY, _RESPONSE_HEAD, _INFORMATIONAL = (
    int(Kind.REQUEST_HEAD),
    int(Kind.REQUEST_BODY),
    int(Kind.RESPONSE_HEAD),
    int(Kind.INFORMATIONAL),
)
_RESPONSE_BODY, _END, _TUNNEL_UP, _TUNNEL_DOWN = int(Kind.RESPONSE_BODY), int(Kind.END), int(Kind.TUNNEL_UP), int(Kind.TUNNEL_DOWN)
_TARGETS = 1024
"""Redacted targets remembered."""
_NO_HINTS = bytes(16)
"""Four empty fields: trace, agent, parent call, replay of."""
_NO_UPSTREAM = bytes(8)
"""Two empty fields: upstream and its URL."""
_COMPLETE_FIELDS = _SIZE.pack(8) + b"complete" + _SIZE.pack(0)
_NO_DIGESTS = bytes(12)
"""Three empty fields: two digests, trailers."""
_CALL_ID_SIZE = _SIZE.pack(26)
_UP, _DOWN = 1 << _REQUEST_BODY | 1 << _TUNNEL_UP, 1 << _RESPONSE_BODY | 1 << _TUNNEL_DOWN


class Appender(Protocol):
    """What the tap needs of a journal."""

    def append(self, data: bytes, frames: int) -> None:
        """Append whole frames; never raises, never waits."""


class Tap:
    """Opens records. One per worker. `now_ns` is UTC, `monotonic_ns` the clock of the frames."""

    __slots__ = (
        "_exchanges",
        "_ids",
        "_redactor",
        "_targets",
        "journal",
        "monotonic_ns",
        "now_ns",
        "recorded_bytes",
        "recorded_tunnel_bytes",
    )

    def __init__(
        self,
        journal: Appender,
        redactor: Redactor,
        worker_nonce: int,
        now_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        recorded_bytes: int,
        recorded_tunnel_bytes: int,
    ) -> None:
        self.journal = journal
        self.now_ns = now_ns
        self.monotonic_ns = monotonic_ns
        self.recorded_bytes = recorded_bytes
        self.recorded_tunnel_bytes = recorded_tunnel_bytes
        self._redactor = redactor
        self._ids = CallIds(worker_nonce)
        self._exchanges = 0
        self._targets: dict[tuple[bytes, bytes, bytes], bytes] = {}

    def open(self, origin: bytes, request: Request, route: Route, *, last: bool) -> "Record":
        """Begin the record of a call. `origin` is the packed connection id and client address (`pack_origin`)."""
        self._exchanges = number = self._exchanges % 0xFFFFFFFF + 1
        record = Record(self, number, 0 if route.private else self.recorded_bytes)
        destination = route.destination
        hints = _NO_HINTS
        if request.said or route.trace or route.agent:
            hints = self._hints(request, route)
        key = (request.method, request.target, route.target)
        targets = self._targets.get(key)
        if targets is None:
            targets = self._pack_targets(key)
        lines = _utf8(request.shown().partition(b"\r\n")[2])
        call_id = self._ids.next(self.now_ns() // 1_000_000)
        record.head_frame(
            _REQUEST_HEAD,
            b"".join((_CALL_ID_SIZE, call_id.encode(), origin, destination.packed, hints, targets, _SIZE.pack(len(lines)), lines)),
            FLAG_LAST if last else 0,
        )
        if request.chunked or request.length > self.recorded_bytes:
            record.request_hash = hashlib.sha256()
        return record

    def refused(self, origin: bytes, line: bytes, answer_head: bytes, answer_body: bytes, why: str) -> None:
        """Record a request that we refused: its request line, if that can be read, and our answer; never its malformed rest."""
        try:
            method, target, _ = parse_request_line(line)
        except FramingError:
            return
        self._exchanges = number = self._exchanges % 0xFFFFFFFF + 1
        record = Record(self, number, self.recorded_bytes)
        call_id = self._ids.next(self.now_ns() // 1_000_000)
        targets = self._pack_targets((method, target, target))
        payload = b"".join((_CALL_ID_SIZE, call_id.encode(), origin, _NO_UPSTREAM, _NO_HINTS, targets, _SIZE.pack(0)))
        record.head_frame(_REQUEST_HEAD, payload, FLAG_LAST)
        record.response_head(answer_head, last=False, hashed=False)
        record.response_body(answer_body, last=True)
        record.end(Outcome.REFUSED, why)
        record.flush()

    def _pack_targets(self, key: tuple[bytes, bytes, bytes]) -> bytes:
        method, received, sent = key
        if len(self._targets) >= _TARGETS:
            self._targets.clear()
        self._targets[key] = packed = pack_fields(method, _utf8(self._redactor.target(received)), _utf8(self._redactor.target(sent)))
        return packed

    def _hints(self, request: Request, route: Route) -> bytes:
        trace, agent, parent, replay_of = (_clean(request.said.get(kind, b"")) for kind in (TRACE, AGENT, PARENT, REPLAY))
        said = (route.trace or trace, route.agent or agent, parent, replay_of)
        return pack_fields(*(self._redactor.text(text.encode("utf-8", "replace")) for text in said))


class Record:
    """The record of one exchange. Frames gather until `flush`, which appends them in one write."""

    __slots__ = (
        "_capped", "_frames", "_left_down", "_left_up", "_number", "_tap", "ended", "request_hash", "request_size",
        "response_hash", "response_size",
    )  # fmt: skip

    def __init__(self, tap: Tap, number: int, recorded_bytes: int) -> None:
        self._tap = tap
        self._number = number
        self._frames: list[bytes] = []
        self._left_up = self._left_down = recorded_bytes
        self._capped = 0
        self.ended = False
        self.request_size = 0
        self.response_size = 0
        self.request_hash: hashlib._Hash | None = None
        """Kept for bodies that may turn out longer than what is recorded."""
        self.response_hash: hashlib._Hash | None = None

    def head_frame(self, kind: int, payload: bytes, flags: int = 0) -> None:
        """Add a frame as it is."""
        self._frames.append(encode(kind, self._number, self._tap.monotonic_ns(), payload, flags))

    def request_body(self, payload: bytes, *, last: bool) -> None:
        """Add body bytes of the request."""
        self.request_size += len(payload)
        if self.request_hash is not None:
            self.request_hash.update(payload)
        self._left_up = self._body(_REQUEST_BODY, payload, self._left_up, last=last)

    def response_head(self, shown: bytes, *, last: bool, hashed: bool) -> None:
        """Add the answer's head; `hashed` when its body may outgrow the record."""
        if hashed:
            self.response_hash = hashlib.sha256()
        self.head_frame(_RESPONSE_HEAD, shown, FLAG_LAST if last else 0)

    def informational(self, shown: bytes) -> None:
        """Add a 1xx head."""
        self.head_frame(_INFORMATIONAL, shown)

    def response_body(self, payload: bytes, *, last: bool) -> None:
        """Add body bytes of the answer."""
        self.response_size += len(payload)
        if self.response_hash is not None:
            self.response_hash.update(payload)
        self._left_down = self._body(_RESPONSE_BODY, payload, self._left_down, last=last)

    def tunnel_begins(self) -> None:
        """From now on both directions are a tunnel: they have a cap of their own."""
        self._left_up = self._left_down = self._tap.recorded_tunnel_bytes
        self.request_hash, self.response_hash = hashlib.sha256(), hashlib.sha256()
        self.request_size = self.response_size = 0

    def tunnel(self, data: bytes, *, up: bool) -> None:
        """Add bytes of an upgraded connection."""
        if up:
            self.request_size += len(data)
            if self.request_hash is not None:
                self.request_hash.update(data)
            self._left_up = self._body(_TUNNEL_UP, data, self._left_up, last=False)
        else:
            self.response_size += len(data)
            if self.response_hash is not None:
                self.response_hash.update(data)
            self._left_down = self._body(_TUNNEL_DOWN, data, self._left_down, last=False)

    def end(self, outcome: Outcome, detail: str = "", trailers: bytes = b"") -> None:
        """Add END, once; later calls do nothing."""
        if self.ended:
            return
        self.ended = True
        up = self.request_hash.hexdigest() if self.request_hash is not None and self._capped & _UP else ""
        down = self.response_hash.hexdigest() if self.response_hash is not None and self._capped & _DOWN else ""
        payload = End(outcome.value, detail, self.request_size, self.response_size, up, down, trailers.decode("latin-1")).pack()
        self._frames.append(encode(_END, self._number, self._tap.monotonic_ns(), payload))

    def complete(self, trailers: bytes = b"") -> None:
        """Add END for a whole answer: the common case, without the general one's cost."""
        if trailers or self._capped or self.ended:
            self.end(Outcome.COMPLETE, "", trailers)
            return
        self.ended = True
        up, down = b"%d" % self.request_size, b"%d" % self.response_size
        payload = b"".join((_COMPLETE_FIELDS, _SIZE.pack(len(up)), up, _SIZE.pack(len(down)), down, _NO_DIGESTS))
        self._frames.append(encode(_END, self._number, self._tap.monotonic_ns(), payload))

    def flush(self) -> None:
        """Append what has gathered, in one write."""
        frames = self._frames
        if len(frames) == 1:
            self._tap.journal.append(frames[0], 1)
            frames.clear()
        elif frames:
            self._tap.journal.append(b"".join(frames), len(frames))
            frames.clear()

    def _body(self, kind: int, payload: bytes, left: int, *, last: bool) -> int:
        """Add a body frame within the `left` bytes that are recorded; return what is left."""
        size = len(payload)
        flags = FLAG_LAST if last else 0
        if size > left:
            if left >= 0:
                self._capped |= 1 << kind
                self.head_frame(kind, payload[:left], flags | FLAG_CAPPED)
            elif last:
                self.head_frame(kind, b"", flags)
            return -1
        if size or last:
            self._frames.append(encode(kind, self._number, self._tap.monotonic_ns(), payload, flags))
        return left - size


def pack_origin(connection_id: str, client: str) -> bytes:
    """Return the two fields of a REQUEST_HEAD that belong to a client connection."""
    return pack_fields(connection_id.encode(), client.encode())


def _utf8(raw: bytes) -> bytes:
    """Return latin-1 bytes as the UTF-8 that frames hold."""
    return raw if raw.isascii() else raw.decode("latin-1").encode()


def _clean(raw: bytes) -> str:
    return (clean_opaque_id(raw.decode("utf-8", "replace")) or "") if raw else ""
