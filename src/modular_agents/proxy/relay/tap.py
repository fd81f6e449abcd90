"""The one place that turns what happens on the wire into journal frames.

Law: a frame is appended before its bytes are passed on, and END before the client's last byte. What happens in one
read of a socket is one append at most (`turn`). Nothing here waits, and nothing here looks into a body.
"""

import hashlib
import struct
from collections.abc import Callable
from typing import Protocol
from zlib import crc32

from modular_agents.proxy.journal.frames import FLAG_CAPPED, FLAG_LAST, FORMAT, End, Kind, add, encode, pack_check, pack_fields, pack_tail
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.model.ids import CallIds
from modular_agents.proxy.relay.framing import FramingError, parse_request_line
from modular_agents.proxy.relay.plan import Plan
from modular_agents.proxy.relay.redaction import Redactor

_pack_size = struct.Struct("<I").pack
# Plain numbers: an attribute of an enum costs ten times a global's.
_REQUEST_HEAD, _REQUEST_BODY = int(Kind.REQUEST_HEAD), int(Kind.REQUEST_BODY)
_RESPONSE_HEAD, _RESPONSE_BODY = int(Kind.RESPONSE_HEAD), int(Kind.RESPONSE_BODY)
_INFORMATIONAL, _END = int(Kind.INFORMATIONAL), int(Kind.END)
_TUNNEL_UP, _TUNNEL_DOWN = int(Kind.TUNNEL_UP), int(Kind.TUNNEL_DOWN)
_UP, _DOWN = 1 << _REQUEST_BODY | 1 << _TUNNEL_UP, 1 << _RESPONSE_BODY | 1 << _TUNNEL_DOWN
_CALL_ID_SIZE = _pack_size(26)
UNHASHED_BYTES = 8 * 1024
"""Held back from a stream's digest: a digest per 40 events instead of per event. Bounds memory per stream."""
_EMPTY = bytes(4)
"""An empty field."""
_COMPLETE = b"\x08\0\0\0complete\0\0\0\0%c\0\0\0%b%c\0\0\0%b\0\0\0\0\0\0\0\0\0\0\0\0"
"""An `End` as it packs: outcome, no detail, two sizes, then two digests and trailers, all empty."""


class Appender(Protocol):
    """What the tap needs of a journal: nothing is passed on before what was appended until then is in it (`turn.Turn`)."""

    def append(self, data: bytes, frames: int) -> None:
        """Append whole frames; never raises, never waits."""


class Tap:
    """Opens records. One per worker. `now_ns` is UTC, `monotonic_ns` the clock of the frames."""

    __slots__ = ("_exchanges", "_ids", "_redactor", "append", "monotonic_ns", "now_ns", "recorded_bytes", "recorded_tunnel_bytes")

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
        self.append = journal.append
        self.now_ns = now_ns
        self.monotonic_ns = monotonic_ns
        self.recorded_bytes = recorded_bytes
        self.recorded_tunnel_bytes = recorded_tunnel_bytes
        self._redactor = redactor
        self._ids = CallIds(worker_nonce)
        self._exchanges = 0

    def open(self, origin: bytes, plan: Plan, digits: bytes, length: int, payload: bytes, *, last: bool) -> "Record":
        """Begin the record of a call: its head and what came of its body, in one append.

        `origin` is the packed connection id and client address (`pack_origin`); `digits` and `length` are its
        Content-Length, b"" and 0 without one.
        """
        self._exchanges = number = self._exchanges % 0xFFFFFFFF + 1
        lines = plan.shown_before + digits + plan.shown_after
        call_id = self._ids.next(self.now_ns() // 1_000_000)
        head = b"".join((_CALL_ID_SIZE, call_id, origin, plan.facts, _pack_size(len(lines)), lines))
        recorded = 0 if plan.private else self.recorded_bytes
        record = Record(self, number, recorded)
        tail = pack_tail(_REQUEST_HEAD, FLAG_LAST if last and not payload else 0, FORMAT, number, record.now_ns)
        check = pack_check(len(head), crc32(head, crc32(tail)))
        size = len(payload)
        if last and 0 < size <= recorded:
            record.request_size = size
            body_tail = pack_tail(_REQUEST_BODY, FLAG_LAST, FORMAT, number, record.now_ns)
            body_check = pack_check(size, crc32(payload, crc32(body_tail)))
            self.append(b"".join((check, tail, head, body_check, body_tail, payload)), 2)
            return record
        record.parts += (check, tail, head)
        if plan.chunked or length > recorded:
            record.request_hash = hashlib.sha256()
        if payload:
            record.request_body(payload, last=last)
        record.flush()
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
        shown = self._redactor.target(target)
        no_upstream_no_hints = _EMPTY * 6
        payload = b"".join((_CALL_ID_SIZE, call_id, origin, no_upstream_no_hints, pack_fields(method, shown, shown, b"")))
        add(record.parts, _REQUEST_HEAD, number, record.now_ns, payload, FLAG_LAST)
        record.response_head(answer_head, last=False, hashed=False)
        record.response_body(self._redactor.text(answer_body), last=True)  # it may repeat what stood in the path
        record.end(Outcome.REFUSED, self._redactor.text(why.encode("utf-8", "replace")).decode())
        record.flush()


class Record:
    """The record of one exchange. Frames gather in `parts` until `flush`, which appends them in one write."""

    # No slots but defaults of the class: most of them are never set, and a record is made per call.
    _capped = 0
    ended = False
    request_size = 0
    response_size = 0
    request_trailers = b""
    """Trailer lines of the request as they may be recorded; set once its body has been read to the end."""
    request_hash: "hashlib._Hash | None" = None
    """Kept for bodies that may turn out longer than what is recorded."""
    response_hash: "hashlib._Hash | None" = None
    _unhashed: list[bytes] | None = None
    """Pieces of the answer that its digest has still to take in; None when it needs no digest."""
    _unhashed_bytes = 0

    def __init__(self, tap: Tap, number: int, recorded_bytes: int) -> None:
        self._tap = tap
        self._number = number
        self._left_up = self._left_down = recorded_bytes
        self.parts: list[bytes] = []
        self.now_ns = tap.monotonic_ns()
        """When something last came: the time of the frames being gathered. `touch` renews it."""

    def touch(self) -> None:
        """Take the time: something came."""
        self.now_ns = self._tap.monotonic_ns()

    def request_body(self, payload: bytes, *, last: bool) -> None:
        """Add body bytes of the request."""
        self.request_size += len(payload)
        if self.request_hash is not None:
            self.request_hash.update(payload)
        self._left_up = self._body(_REQUEST_BODY, payload, self._left_up, last=last)

    def response_head(self, shown: bytes, *, last: bool, hashed: bool) -> None:
        """Add the answer's head; `hashed` when its body may outgrow the record."""
        if hashed:
            self._unhashed = []
        add(self.parts, _RESPONSE_HEAD, self._number, self.now_ns, shown, FLAG_LAST if last else 0)

    def informational(self, shown: bytes) -> None:
        """Add a 1xx head."""
        add(self.parts, _INFORMATIONAL, self._number, self.now_ns, shown, 0)

    def response_body(self, payload: bytes, *, last: bool) -> None:
        """Add body bytes of the answer."""
        self.response_size += len(payload)
        if self._unhashed is not None:
            self._hash_later(self._unhashed, payload)
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
        if self._capped & _DOWN and self._unhashed is not None:
            self._hash_now(self._unhashed)
        down = self.response_hash.hexdigest() if self.response_hash is not None and self._capped & _DOWN else ""
        trailed, asked = trailers.decode("latin-1"), self.request_trailers.decode("latin-1")
        payload = End(outcome.value, detail, self.request_size, self.response_size, up, down, trailed, asked).pack()
        add(self.parts, _END, self._number, self.now_ns, payload, 0)

    def complete(self, trailers: bytes = b"") -> None:
        """Add END for a whole answer: the common case, without the general one's cost."""
        if trailers or self._capped or self.request_trailers:
            self.end(Outcome.COMPLETE, "", trailers)
            return
        self.ended = True
        up, down = b"%d" % self.request_size, b"%d" % self.response_size
        add(self.parts, _END, self._number, self.now_ns, _COMPLETE % (len(up), up, len(down), down), 0)

    def answer(self, shown: bytes, payload: bytes) -> None:
        """Append a whole answer: head, body, END."""
        tap, number, size = self._tap, self._number, len(payload)
        self.now_ns = now_ns = tap.monotonic_ns()
        self.response_size = size
        if size > self._left_down or self._capped or self.request_trailers:
            self.response_size = 0
            self.response_head(shown, last=False, hashed=True)
            self.response_body(payload, last=True)
            self.complete()
            self.flush()
            return
        self.ended = True
        head_tail = pack_tail(_RESPONSE_HEAD, 0, FORMAT, number, now_ns)
        body_tail = pack_tail(_RESPONSE_BODY, FLAG_LAST, FORMAT, number, now_ns)
        end_tail = pack_tail(_END, 0, FORMAT, number, now_ns)
        up, down = b"%d" % self.request_size, b"%d" % size
        end = _COMPLETE % (len(up), up, len(down), down)
        tap.append(
            b"".join((
                pack_check(len(shown), crc32(shown, crc32(head_tail))), head_tail, shown,
                pack_check(size, crc32(payload, crc32(body_tail))), body_tail, payload,
                pack_check(len(end), crc32(end, crc32(end_tail))), end_tail, end,
            )),
            3,
        )  # fmt: skip

    def piece(self, payload: bytes) -> None:
        """Append more body of the answer: what happens for each event of a stream."""
        size = len(payload)
        self.response_size += size
        if self._unhashed is not None:
            self._hash_later(self._unhashed, payload)
        left = self._left_down - size
        tap = self._tap
        self.now_ns = now_ns = tap.monotonic_ns()
        if left >= 0:
            self._left_down = left
            tap.append(encode(_RESPONSE_BODY, self._number, now_ns, payload, 0), 1)
        else:
            self._left_down = self._cap(_RESPONSE_BODY, payload, self._left_down, last=False)
            self.flush()

    def flush(self) -> None:
        """Append what has gathered, in one write."""
        parts = self.parts
        if parts:
            self._tap.append(b"".join(parts), len(parts) // 3)
            parts.clear()

    def _body(self, kind: int, payload: bytes, left: int, *, last: bool) -> int:
        """Add a body frame within the `left` bytes that are recorded; return what is left."""
        size = len(payload)
        if size > left:
            return self._cap(kind, payload, left, last=last)
        if size or last:
            add(self.parts, kind, self._number, self.now_ns, payload, FLAG_LAST if last else 0)
        return left - size

    def _hash_later(self, unhashed: list[bytes], payload: bytes) -> None:
        """Keep a piece for the digest. A short stream, which is never capped, thus costs no digest at all."""
        unhashed.append(payload)
        self._unhashed_bytes += len(payload)
        if self._unhashed_bytes > UNHASHED_BYTES:
            self._hash_now(unhashed)

    def _hash_now(self, unhashed: list[bytes]) -> None:
        if self.response_hash is None:
            self.response_hash = hashlib.sha256()
        self.response_hash.update(b"".join(unhashed))
        unhashed.clear()
        self._unhashed_bytes = 0

    def _cap(self, kind: int, payload: bytes, left: int, *, last: bool) -> int:
        flags = FLAG_LAST if last else 0
        if left >= 0:
            self._capped |= 1 << kind
            add(self.parts, kind, self._number, self.now_ns, payload[:left], flags | FLAG_CAPPED)
        elif last:
            add(self.parts, kind, self._number, self.now_ns, b"", flags)
        return -1


def pack_origin(connection_id: str, peer: tuple[str, int] | None) -> bytes:
    """Return the two fields of a REQUEST_HEAD that belong to a client connection."""
    host, port = peer or ("", 0)
    client = f"[{host}]:{port}" if ":" in host else f"{host}:{port}" if peer else ""
    return pack_fields(connection_id.encode(), client.encode())
