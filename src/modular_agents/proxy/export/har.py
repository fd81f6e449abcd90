"""HTTP archives (HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/): what crossed the wire, for network tabs and HTTP tools.

One entry per call, written one after another. Content codings are undone; what is no text then is base64. What HAR has no field for
stands in fields that begin with `_`, as the format asks of extensions.
"""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from modular_agents import __version__
from modular_agents.proxy.export.lines import time_of
from modular_agents.proxy.export.source import Source
from modular_agents.proxy.model.exchange import Exchange, Headers, RequestSide, ResponseSide
from modular_agents.proxy.model.query import CallRow
from modular_agents.proxy.wire.encodings import decode_body

Json = dict[str, Any]
_ENCODER = msgspec.json.Encoder()
_NOT_KNOWN = -1
"""HAR's own word for a size or a time that nobody measured."""
_MAX_QUERY_FIELDS = 1000
_NS_PER_MS = 1e6


def write(source: Source) -> Iterator[bytes]:
    """Yield the archive."""
    creator = _ENCODER.encode({"name": "anton proxy", "version": __version__})
    yield b'{"log":{"version":"1.2","creator":' + creator + b',"entries":['
    between = b"\n"
    for row, exchange in source.exchanges():
        yield between + _ENCODER.encode(entry(row, exchange))
        between = b",\n"
    yield b"\n]}}\n"


def entry(row: CallRow, exchange: Exchange) -> Json:
    """Return one call as an entry."""
    timings = _timings(exchange)
    told: Json = {
        "startedDateTime": f"{time_of(exchange.started_ns)[:26]}Z",
        "time": sum(ms for ms in timings.values() if ms > 0),
        "request": _request(exchange),
        "response": _no_response(exchange) if exchange.response is None else _response(exchange.response),
        "cache": {},
        "timings": timings,
        "connection": exchange.connection_id,
        "_call_id": row.call_id,
        "_trace_id": row.trace_id,
        "_thread_id": row.thread_id,
        "_parent_id": row.parent_id,
        "_agent": row.agent_name,
        "_model": row.model,
        "_status": row.status,
        "_ttft_ms": row.ttft_ms,
        "_tokens_input": row.tokens_input,
        "_tokens_output": row.tokens_output,
        "_cost_usd": row.cost_usd,
        "_outcome": None if exchange.outcome is None else str(exchange.outcome),
        "_error": row.error,
        "_flags": row.flags,
    }
    return {name: value for name, value in told.items() if value is not None and value != ()}


def _timings(exchange: Exchange) -> dict[str, float]:
    """Return what passed in ms: sending until the request was whole, waiting until the first byte of the answer's head, then receiving."""
    start, response = exchange.started_ns, exchange.response
    end = max(exchange.ended_ns or start, start)
    sent = min(max(exchange.request.complete_ns or start, start), end)
    head = end if response is None else min(max(response.head_ns, sent), end)
    unknown = dict.fromkeys(("blocked", "dns", "connect", "ssl"), float(_NOT_KNOWN))
    return unknown | {"send": (sent - start) / _NS_PER_MS, "wait": (head - sent) / _NS_PER_MS, "receive": (end - head) / _NS_PER_MS}


def _request(exchange: Exchange) -> Json:
    side = exchange.request
    told: Json = {
        "method": side.method,
        "url": exchange.upstream_url.rstrip("/") + side.target,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(side.headers),
        "queryString": _query(side.target),
        "headersSize": _NOT_KNOWN,
        "bodySize": side.body_size,
    }
    return told | ({"postData": _post(side)} if side.body else {})


def _post(side: RequestSide) -> Json:
    text, encoding = _text(decode_body(side.body, side.headers)[0])
    told: Json = {"mimeType": _mime(side.headers), "params": [], "text": text}
    told |= {"_encoding": encoding} if encoding else {}
    return told | _cut(side.body, side.body_size)


def _response(side: ResponseSide) -> Json:
    plain = decode_body(side.body, side.headers)[0]
    text, encoding = _text(plain)
    content: Json = {"size": len(plain), "mimeType": _mime(side.headers), "text": text}
    content |= {"compression": len(plain) - len(side.body)} if len(plain) != len(side.body) else {}
    content |= {"encoding": encoding} if encoding else {}
    return {
        "status": side.status,
        "statusText": side.reason,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(side.headers),
        "content": content | _cut(side.body, side.body_size),
        "redirectURL": next((value for name, value in side.headers if name.lower() == "location"), ""),
        "headersSize": _NOT_KNOWN,
        "bodySize": side.body_size,
    }


def _no_response(exchange: Exchange) -> Json:
    """Return what stands for an answer that never came, as browsers write it."""
    return {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": _NOT_KNOWN,
        "bodySize": _NOT_KNOWN,
        "comment": exchange.outcome_detail or f"no answer: {exchange.outcome}",
    }


def _headers(headers: Headers) -> list[Json]:
    return [{"name": name, "value": value} for name, value in headers]


def _query(target: str) -> list[Json]:
    try:
        pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return []
    return [{"name": name, "value": value} for name, value in pairs]


def _mime(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() == "content-type"), "")


def _text(body: bytes) -> tuple[str, str]:
    """Return a body as text and how it is encoded: not at all, or `base64`."""
    try:
        return body.decode(), ""
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"


def _cut(body: bytes, size: int) -> Json:
    return {"comment": f"only {len(body):,} of {size:,} bytes were recorded"} if len(body) < size else {}
