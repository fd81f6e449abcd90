"""Captures of real clients and servers (tests/corpus/wire), as exchanges; and one helper that feeds them in every way."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from modular_agents.proxy.model.call import Call, Delta
from modular_agents.proxy.model.exchange import Chunk, Exchange, Headers, Hints, Outcome, RequestSide, ResponseSide
from modular_agents.proxy.wire.reader import CallReader

CORPUS = Path(__file__).parent.parent / "corpus" / "wire"
START_NS = 1_795_333_500_000_000_000
UPSTREAMS = {"/v1/messages": "anthropic", "/v1beta": "gemini", "/api/": "ollama", "/model/": "bedrock"}


def names() -> list[str]:
    return sorted(path.stem for path in CORPUS.glob("*.json"))


def exchange(
    body: bytes | str = b"",
    answer: bytes | str | None = b"",
    *,
    target: str = "/v1/messages",
    method: str = "POST",
    status: int = 200,
    upstream: str = "anthropic",
    content_type: str = "application/json",
    request_headers: Headers = (),
    response_headers: Headers = (),
    outcome: Outcome | None = Outcome.COMPLETE,
) -> Exchange:
    """An exchange of these bytes; `answer` None: there was no response."""
    sent = body.encode() if isinstance(body, str) else body
    got = answer.encode() if isinstance(answer, str) else answer
    head: Headers = (("content-type", content_type), *response_headers)
    return Exchange(
        call_id="01J0000000000000000000WIRE",
        connection_id="c1",
        client="127.0.0.1:50000",
        upstream=upstream,
        upstream_url="https://api.example.invalid",
        hints=Hints(),
        started_ns=START_NS,
        request=RequestSide(method, target, target, request_headers, sent, len(sent), None, START_NS + 1_000),
        response=None
        if got is None
        else ResponseSide(status, "", head, START_NS + 2_000, got, len(got), chunks=(Chunk(START_NS + 3_000, len(got)),)),
        outcome=outcome,
        ended_ns=None if outcome is None else START_NS + 9_000,
    )


def load(name: str) -> Exchange:
    """A capture as an exchange; its response has one chunk."""
    capture = json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
    method, target, _ = capture["request_line"].split(" ")
    head = capture["response_head"]
    headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in head[1:]]
    body = capture["response_body_as_on_wire"]
    wire = b64decode(body) if capture.get("response_body_encoding") == "base64" else body.encode()
    chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
    upstream = next((found for start, found in UPSTREAMS.items() if start in target), "openai")
    made = exchange(
        capture["request_body"],
        unchunked(wire) if chunked else wire,
        target=target,
        method=method,
        status=int(head[0].split(" ")[1]),
        upstream=upstream,
        request_headers=tuple((name, value) for name, value in capture["request_headers"]),
    )
    assert made.response is not None
    return replace(made, response=replace(made.response, headers=tuple(headers)))


def unchunked(data: bytes) -> bytes:
    """Remove chunked transfer coding, for captures that show the bytes of the socket."""
    out, at = [], 0
    while at < len(data):
        line_end = data.index(b"\r\n", at)
        size = int(data[at:line_end], 16)
        out.append(data[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2
        if size == 0:
            break
    return b"".join(out)


def read_in_pieces(whole: Exchange, pieces: list[bytes]) -> tuple[Call, list[Delta]]:
    """Read an exchange whose answer arrives in these pieces, all at one moment."""
    assert whole.response is not None
    reader = CallReader(replace(whole, response=None, outcome=None, ended_ns=None))
    reader.request(whole)
    reader.response(replace(whole.response, body=b"", body_size=0, chunks=()))
    deltas = [delta for piece in pieces for delta in reader.feed(piece, START_NS + 3_000)]
    return reader.finish(whole), deltas


def cuts(data: bytes, *at: int) -> list[bytes]:
    """Cut data at these places."""
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def boundaries(data: bytes) -> Iterator[int]:
    """The places just after each blank line: where one server-sent event ends."""
    at = 0
    while (at := data.find(b"\n\n", at)) >= 0:
        at += 2
        yield at
