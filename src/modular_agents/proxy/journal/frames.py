"""Frames of the journal: bytes in, values out. A frame that does not check is never half-believed.

A segment file is a run of frames. Every frame is a 24-byte header and a payload:

    size u32 │ crc u32 │ kind u8 │ flags u8 │ format u16 │ exchange u32 │ time u64 │ payload (size bytes)

Little-endian. `crc` is CRC-32 (zlib) over everything after it, payload included. `exchange` numbers the exchanges of
one worker's life. `time` is that worker's monotonic clock in ns; the SEGMENT frame that opens each file anchors it to UTC.
A file may end anywhere (kill -9, power loss): what follows the last frame that checks is a torn tail.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

from modular_agents.proxy.model.quick import quick

HEADER = struct.Struct("<IIBBHIQ")
_TAIL = struct.Struct("<BBHIQ")
_FIELD = struct.Struct("<I")
pack_tail = _TAIL.pack
"""Second part of a frame's header: kind, flags, FORMAT, exchange (fits 32 bits), time. For those who write frames by the thousand."""
pack_check = struct.Struct("<II").pack
"""First part: size of the payload, `crc32(payload, crc32(tail))`."""
FORMAT = 1
"""Version of this layout; a reader refuses a later one."""
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
"""A larger size field means damage: the relay reads at most a few hundred KB at a time, a head is at most 128 KB."""

FLAG_LAST = 1
"""No more body frames follow in this direction. On a head: there is no body at all."""
FLAG_CAPPED = 2
"""Bytes passed in this direction that are not recorded (size cap); the true size is in the END frame."""


class Kind(IntEnum):
    """What a frame holds. Payloads are fields (`pack_fields`) unless said otherwise."""

    SEGMENT = 0
    """magic, wall clock ns (decimal text), worker id (hex), pid, segment number. `time` is the monotonic anchor."""
    REQUEST_HEAD = 1
    """The fields of `RequestHead`."""
    REQUEST_BODY = 2
    """Raw bytes."""
    RESPONSE_HEAD = 3
    """Raw bytes: status line and header lines (CRLF), secrets replaced."""
    INFORMATIONAL = 4
    """Raw bytes: a 1xx head."""
    RESPONSE_BODY = 5
    """Raw bytes."""
    END = 6
    """The fields of `End`. The last frame of an exchange, always."""
    TUNNEL_UP = 7
    """Raw bytes, client to provider, after an upgrade."""
    TUNNEL_DOWN = 8
    """Raw bytes, provider to client, after an upgrade."""
    DROPPED = 9
    """Decimal counts of frames and bytes that were lost just before this one."""
    SEALED = 10
    """The segment is whole: the worker went on to the next one, or stopped cleanly. No payload."""


MAGIC = b"ANTONJ01"
_END_FIELDS = 7
"""Of an `End` as it was first: what came later is optional."""


@quick
@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `offset` and `end` are its place in the segment."""

    kind: int
    flags: int
    exchange: int
    time_ns: int
    payload: bytes
    offset: int
    end: int


@quick
@dataclass(frozen=True, slots=True)
class RequestHead:
    """Everything known when a request's head has been read. Text is latin-1, secrets already replaced."""

    call_id: str
    connection_id: str
    client: str
    upstream: str
    upstream_url: str
    trace: str
    agent: str
    parent_call: str
    replay_of: str
    method: str
    target_received: str
    target: str
    head: str
    """Header lines as the client sent them, each ending in CRLF, without the request line."""

    def pack(self) -> bytes:
        """Return the payload of a REQUEST_HEAD frame."""
        return pack_fields(*(getattr(self, name).encode("utf-8", "surrogateescape") for name in type(self).__match_args__))

    @classmethod
    def unpack(cls, payload: bytes) -> "RequestHead":
        """Read a REQUEST_HEAD payload. Raises ValueError when a field is missing."""
        fields = unpack_fields(payload)
        if len(fields) < len(cls.__match_args__):
            msg = f"a request head has {len(cls.__match_args__)} fields, found {len(fields)}"
            raise ValueError(msg)
        fields = fields[: len(cls.__match_args__)]
        try:
            return cls(*[field.decode() for field in fields])
        except UnicodeDecodeError:
            return cls(*[field.decode("utf-8", "surrogateescape") for field in fields])


_USUAL_END = re.compile(rb"\x08\0{3}complete\0{4}(.)\0{3}([0-9]{1,10})(.)\0{3}([0-9]{1,10})(?:\0{12}|\0{16})", re.DOTALL)
"""What most END frames hold: a complete exchange, two sizes, nothing else."""


@quick
@dataclass(frozen=True, slots=True)
class End:
    """How an exchange ended. `outcome` is a value of `model.exchange.Outcome`; digests are hex, empty unless capped."""

    outcome: str
    detail: str
    request_size: int
    response_size: int
    request_sha256: str = ""
    response_sha256: str = ""
    trailers: str = ""
    """Trailer lines of the answer, each ending in CRLF, secrets replaced."""
    request_trailers: str = ""
    """The same of the request. Left out by a relay that had none to tell, and by older ones."""

    def pack(self) -> bytes:
        """Return the payload of an END frame."""
        return pack_fields(*(str(getattr(self, name)).encode("utf-8", "surrogateescape") for name in type(self).__match_args__))

    @classmethod
    def unpack(cls, payload: bytes) -> "End":
        """Read an END payload. Raises ValueError when a field is missing or a size is no number."""
        usual = _USUAL_END.fullmatch(payload)
        if usual and usual[1][0] == len(usual[2]) and usual[3][0] == len(usual[4]):
            return cls("complete", "", int(usual[2]), int(usual[4]))
        f = [field.decode("utf-8", "surrogateescape") for field in unpack_fields(payload)]
        if len(f) < _END_FIELDS:
            msg = f"an end has {_END_FIELDS} fields at least, found {len(f)}"
            raise ValueError(msg)
        return cls(f[0], f[1], int(f[2]), int(f[3]), f[4], f[5], f[6], f[7] if len(f) > _END_FIELDS else "")


def encode(kind: int, exchange: int, time_ns: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """Return one frame ready to append. `exchange` fits 32 bits."""
    tail = pack_tail(kind, flags, FORMAT, exchange, time_ns)
    return pack_check(len(payload), crc32(payload, crc32(tail))) + tail + payload


def add(parts: list[bytes], kind: int, exchange: int, time_ns: int, payload: bytes, flags: int) -> None:
    """Put one frame at the end of `parts`, in pieces: joined once, a payload is copied once. `exchange` fits 32 bits."""
    tail = pack_tail(kind, flags, FORMAT, exchange, time_ns)
    parts += (pack_check(len(payload), crc32(payload, crc32(tail))), tail, payload)


def decode(data: bytes | memoryview, offset: int = 0, base: int = 0) -> Iterator[Frame]:
    """Yield the frames that stand whole and intact in `data` from `offset` on; stop at the first that does not.

    `base` is added to the offsets given out (the place of `data[0]` in the file). What is left over is either a torn
    tail, a frame still being written, or damage: the caller knows which, for it knows whether the writer lives.
    """
    end = len(data)
    while offset + HEADER.size <= end:
        size, crc, kind, flags, version, exchange, time_ns = HEADER.unpack_from(data, offset)
        stop = offset + HEADER.size + size
        if size > MAX_PAYLOAD_BYTES or stop > end or version != FORMAT or crc32(data[offset + 8 : stop]) != crc:
            return
        yield Frame(kind, flags, exchange, time_ns, bytes(data[offset + HEADER.size : stop]), base + offset, base + stop)
        offset = stop


def pack_fields(*fields: bytes) -> bytes:
    """Return fields, each with its length before it (u32)."""
    return b"".join([part for field in fields for part in (_FIELD.pack(len(field)), field)])


def unpack_fields(payload: bytes) -> list[bytes]:
    """Return the fields of a payload. Raises ValueError when a length does not fit."""
    fields: list[bytes] = []
    at, end = 0, len(payload)
    number, add_field = int.from_bytes, fields.append
    while at < end:
        start = at + 4
        if start > end:
            msg = "a field's length is cut"
            raise ValueError(msg)
        at = start + number(payload[at:start], "little")
        if at > end:
            msg = "a field is cut"
            raise ValueError(msg)
        add_field(payload[start:at])
    return fields
