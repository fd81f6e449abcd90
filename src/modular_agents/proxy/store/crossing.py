"""An exchange as it crossed is one compressed record: heads, times, answer bytes. The request body stands elsewhere (recipe.py).

Layout: MessagePack arrays, then zstd (zstd.py). Fields are only ever added at the end, with a default, so that old records are read
by newer code. Times of chunks are microseconds since the chunk before; all other times are nanoseconds of UTC.
"""

from zlib import crc32

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


class _Record(msgspec.Struct, array_like=True, frozen=True):
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
    body_size: int
    body_sha256: str | None
    body_crc32: int
    complete_ns: int | None
    chunks: list[int]
    answer: _Answer | None
    informational: tuple[tuple[int, str], ...]
    tunnel: tuple[tuple[int, bool, bytes], ...]
    outcome: str | None
    outcome_detail: str
    ended_ns: int | None
    flags: tuple[str, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Record)


def encode(exchange: Exchange) -> bytes:
    """Return the record of an exchange, all but the bytes of its request body."""
    request, response, hints = exchange.request, exchange.response, exchange.hints
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
    record = _Record(
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
        request.body_size,
        request.body_sha256,
        crc32(request.body),
        request.complete_ns,
        _pack_chunks(request.chunks, exchange.started_ns),
        answer,
        exchange.informational,
        tuple((frame.at_ns, frame.up, frame.data) for frame in exchange.tunnel),
        None if exchange.outcome is None else str(exchange.outcome),
        exchange.outcome_detail,
        exchange.ended_ns,
        tuple(sorted(exchange.flags)),
    )
    return zstd.pack(_ENCODER.encode(record))


def decode(call_id: str, data: bytes, request_body: bytes) -> Exchange:
    """Return the exchange of a record. Chunk times are exact to the microsecond."""
    record = _DECODER.decode(zstd.unpack(data))
    answer = record.answer
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
    return Exchange(
        call_id,
        record.connection_id,
        record.client,
        record.upstream,
        record.upstream_url,
        Hints(*record.hints),
        record.started_ns,
        RequestSide(
            record.method,
            record.target,
            record.target_received,
            record.headers,
            request_body,
            record.body_size,
            record.body_sha256,
            record.complete_ns,
            _unpack_chunks(record.chunks, record.started_ns),
        ),
        response,
        record.informational,
        tuple(TunnelFrame(*frame) for frame in record.tunnel),
        None if record.outcome is None else Outcome(record.outcome),
        record.outcome_detail,
        record.ended_ns,
        frozenset(record.flags),
    )


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
