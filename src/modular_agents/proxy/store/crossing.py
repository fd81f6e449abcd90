"""An exchange as it crossed is two compressed records: what was asked, and what came of it. The request body stands elsewhere (recipe.py).

Layout: MessagePack arrays, then zstd (zstd.py). Fields are only ever added at the end, with a default, so that old records are read
by newer code. Times of chunks are microseconds since the chunk before; all other times are nanoseconds of UTC.
"""

import msgspec

from modular_agents.proxy.model.exchange import (
    Chunk,
    Exchange,
    Headers,
    Hints,
    Outcome,
    RequestSide,
    ResponseSide,
    TunnelFrame,
)
from modular_agents.proxy.model.query import RawExchange
from modular_agents.proxy.store import zstd

_US = 1000


class _Answer(msgspec.Struct, array_like=True, frozen=True):
    status: int
    reason: str
    headers: Headers
    head_ns: int
    body: bytes
    body_size: int
    body_sha256: str | None
    trailers: Headers
    chunks: list[int]


class _Asked(msgspec.Struct, array_like=True, frozen=True):
    connection_id: str
    client: str
    upstream: str
    upstream_url: str
    hints: tuple[str | None, str | None, str | None, str | None]
    started_ns: int
    method: str
    target: str
    target_received: str
    headers: Headers
    body_crc32: int
    chunks: list[int]
    body_size: int
    complete_ns: int | None


class _Ended(msgspec.Struct, array_like=True, frozen=True):
    answer: _Answer | None
    informational: tuple[tuple[int, str], ...]
    tunnel: tuple[tuple[int, bool, bytes], ...]
    outcome: str | None
    outcome_detail: str
    ended_ns: int | None
    flags: tuple[str, ...]
    body_size: int
    body_sha256: str | None
    complete_ns: int | None
    request_trailers: Headers = ()


_ENCODER = msgspec.msgpack.Encoder()
pack_asked, pack_ended = zstd.pack_head, zstd.pack
"""Make a record of what was encoded."""
_ASKED = msgspec.msgpack.Decoder(_Asked)
_ENDED = msgspec.msgpack.Decoder(_Ended)


def encode_asked(exchange: Exchange, body_crc32: int) -> bytes:
    """Return what was asked, all but the bytes of the body, whose CRC-32 is noted; `pack_asked` makes the record of it."""
    request, hints = exchange.request, exchange.hints
    record = _Asked(
        exchange.connection_id,
        exchange.client,
        exchange.upstream,
        exchange.upstream_url,
        (hints.trace, hints.agent, hints.parent_call, hints.replay_of),
        exchange.started_ns,
        request.method,
        request.target,
        request.target_received,
        request.headers,
        body_crc32,
        _pack_chunks(request.chunks, exchange.started_ns),
        request.body_size,
        request.complete_ns,
    )
    return _ENCODER.encode(record)


def encode_ended(exchange: Exchange) -> bytes:
    """Return what came of it; `pack_ended` makes the record of it."""
    request, response = exchange.request, exchange.response
    answer = None
    if response is not None:
        answer = _Answer(
            response.status,
            response.reason,
            response.headers,
            response.head_ns,
            response.body,
            response.body_size,
            response.body_sha256,
            response.trailers,
            _pack_chunks(response.chunks, exchange.started_ns),
        )
    record = _Ended(
        answer,
        exchange.informational,
        tuple((frame.at_ns, frame.up, frame.data) for frame in exchange.tunnel),
        None if exchange.outcome is None else str(exchange.outcome),
        exchange.outcome_detail,
        exchange.ended_ns,
        tuple(sorted(exchange.flags)),
        request.body_size,
        request.body_sha256,
        request.complete_ns,
        request.trailers,
    )
    return _ENCODER.encode(record)


def decode(call_id: str, asked: bytes, ended: bytes | None, request_body: bytes) -> Exchange:
    """Return the exchange of its records; one without an end is still running. Chunk times are exact to the microsecond."""
    record = _ASKED.decode(zstd.unpack(asked))
    end = _ENDED.decode(zstd.unpack(ended)) if ended is not None else None
    answer = end.answer if end else None
    response = None
    if answer is not None:
        response = ResponseSide(
            answer.status,
            answer.reason,
            answer.headers,
            answer.head_ns,
            answer.body,
            answer.body_size,
            answer.body_sha256,
            answer.trailers,
            _unpack_chunks(answer.chunks, record.started_ns),
        )
    request = RequestSide(
        record.method,
        record.target,
        record.target_received,
        record.headers,
        request_body,
        end.body_size if end else record.body_size,
        end.body_sha256 if end else None,
        end.complete_ns if end else record.complete_ns,
        _unpack_chunks(record.chunks, record.started_ns),
        end.request_trailers if end else (),
    )
    return Exchange(
        call_id,
        record.connection_id,
        record.client,
        record.upstream,
        record.upstream_url,
        Hints(*record.hints),
        record.started_ns,
        request,
        response,
        end.informational if end else (),
        tuple(TunnelFrame(*frame) for frame in end.tunnel) if end else (),
        Outcome(end.outcome) if end and end.outcome is not None else None,
        end.outcome_detail if end else "",
        end.ended_ns if end else None,
        frozenset(end.flags) if end else frozenset(),
    )


def noted_crc(asked: bytes) -> int:
    """Return the CRC-32 of the request body that was noted when it was recorded."""
    return _ASKED.decode(zstd.unpack(asked)).body_crc32


def raw(exchange: Exchange, *, rebuilt: bool) -> RawExchange:
    """Return an exchange for showing."""
    request, response = exchange.request, exchange.response
    return RawExchange(
        call_id=exchange.call_id,
        method=request.method,
        target=request.target,
        target_received=request.target_received,
        upstream_url=exchange.upstream_url,
        request_headers=request.headers,
        request_body=request.body,
        request_body_size=request.body_size,
        request_rebuilt=rebuilt,
        status=response.status if response else None,
        reason=response.reason if response else None,
        response_headers=response.headers if response else (),
        response_body=response.body if response else b"",
        response_body_size=response.body_size if response else 0,
        response_trailers=response.trailers if response else (),
        chunks=tuple(((chunk.at_ns - exchange.started_ns) // _US / 1000, chunk.size) for chunk in response.chunks) if response else (),
        outcome=None if exchange.outcome is None else str(exchange.outcome),
        outcome_detail=exchange.outcome_detail,
        flags=tuple(sorted(exchange.flags)),
        request_trailers=request.trailers,
    )


def _pack_chunks(chunks: tuple[Chunk, ...], started_ns: int) -> list[int]:
    packed = []
    at = 0
    for chunk in chunks:
        now = (chunk.at_ns - started_ns) // _US
        packed += [now - at, chunk.size]
        at = now
    return packed


def _unpack_chunks(packed: list[int], started_ns: int) -> tuple[Chunk, ...]:
    chunks = []
    at = 0
    for step, size in zip(packed[::2], packed[1::2], strict=True):
        at += step
        chunks.append(Chunk(started_ns + at * _US, size))
    return tuple(chunks)
