"""Forty secrets in every place of a call, through every way a call can end: nothing that was written or can be asked for holds one.

Each call also carries a plain word that must be found: a search that finds nothing proves something only then.
"""

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from backports import zstd
from pyarrow import parquet as pq
from tests.support.anton_process import command, environment
from tests.support.canaries import Canary, body_canaries, head_canaries, traces_in_folder, traces_of
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.script import Script
from websockets.sync.client import connect

from modular_agents.proxy.export.exporter import FORMATS
from modular_agents.proxy.export.lines import CallLine, bytes_of
from modular_agents.proxy.wire.encodings import decode_body

pytestmark = pytest.mark.slow

SEED = 20261122
HEAD, BODY = head_canaries(SEED), body_canaries(SEED)
QUERY = "&".join(f"{c.name}={c.value}" for c in HEAD if c.place == "query")
REQUEST_HEADERS = tuple((c.name, c.value) for c in HEAD if c.place == "request-header")
RESPONSE_HEADERS = tuple((c.name, c.value) for c in HEAD if c.place == "response-header")
SECRETS = " and ".join(f"the {c.name}: {c.value}" for c in BODY)
CHUNKS = 400
"""Deltas of a streamed answer: every secret comes in several pieces."""

ANSWERS = {
    "plain": Script(),
    "streamed in pieces": Script(chunks=CHUNKS),
    "gzip": Script(encoding="gzip", chunks=40),
    "brotli": Script(encoding="br", chunks=40),
    "zstd": Script(encoding="zstd", chunks=40),
    "refused by the provider": Script(status=429, message=SECRETS),
    "error in the stream": Script(error_at=6, message=SECRETS, chunks=CHUNKS),
    "cut": Script(cut_pieces=CHUNKS - 100, chunks=CHUNKS),
    "cancelled": Script(stall_at=CHUNKS - 100, chunks=CHUNKS),
}
TOOLS = ({"name": "save", "input": {"key": SECRETS, "deep": {"list": [SECRETS]}}},)


def anthropic_body(*, stream: bool) -> dict[str, Any]:
    said = {"type": "text", "text": f"I was told {SECRETS}"}
    used = {"type": "tool_use", "id": "toolu_1", "name": "save", "input": {"note": SECRETS}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": SECRETS}]}
    messages = [
        {"role": "user", "content": f"canaryword {SECRETS}"},
        {"role": "assistant", "content": [said, used]},
        {"role": "user", "content": [result]},
    ]
    tools = [{"name": "save", "description": SECRETS, "input_schema": {"type": "object"}}]
    more = {"system": SECRETS, "tools": tools, "metadata": {"user_id": SECRETS}, "stop_sequences": [SECRETS]}
    return {"model": "claude-opus-4-8", "max_tokens": 64, "messages": messages, "stream": stream} | more


def openai_body(*, stream: bool) -> dict[str, Any]:
    messages = [{"role": "system", "content": SECRETS}, {"role": "user", "content": f"canaryword {SECRETS}"}]
    return {"model": "gpt-4o-mini", "messages": messages, "stream": stream, "user": SECRETS}


def requests(*, stream: bool) -> Iterator[tuple[str, bytes]]:
    """Yield (target, body) in each dialect, and where no dialect is known."""
    yield f"/v1/messages?{QUERY}", json.dumps(anthropic_body(stream=stream)).encode()
    yield f"/v1/chat/completions?{QUERY}", json.dumps(openai_body(stream=stream), ensure_ascii=False).encode()
    yield f"/v1/responses?{QUERY}", json.dumps({"model": "gpt-5", "input": f"canaryword {SECRETS}", "stream": stream}).encode()
    contents = [{"role": "user", "parts": [{"text": f"canaryword {SECRETS}"}]}]
    verb = "streamGenerateContent?alt=sse&" if stream else "generateContent?"
    yield f"/v1beta/models/gemini-2.5-flash:{verb}{QUERY}", json.dumps({"contents": contents}).encode()
    talk = {"model": "llama3.2", "messages": [{"role": "user", "content": f"canaryword {SECRETS}"}], "stream": stream}
    yield f"/api/chat?{QUERY}", json.dumps(talk).encode()
    yield f"/v1/embeddings?{QUERY}", json.dumps({"model": "e", "input": f"canaryword {SECRETS}"}).encode()
    yield f"/v1/somewhere/else?{QUERY}", f"canaryword, no JSON at all: {SECRETS}".encode()


def send(product: Product, target: str, body: bytes, *, more: tuple[tuple[str, str], ...] = (), until: bytes = b"") -> int:
    """Send a request with every head canary; read the answer, or only up to a mark and then leave. Return how many calls that took.

    The stand-in closes connections of which it should cut an answer. One that was kept may be closed just as it is used again:
    then we are told so, and ask again, as an SDK does.
    """
    request = request_bytes("POST", f"/t/canaries{target}", body, (*REQUEST_HEADERS, ("Content-Type", "application/json"), *more))
    for calls in range(1, 5):
        with RawClient(product.port, timeout_s=30) as client:
            client.send(request)
            if not until:
                head = client.read_response().head
            elif b"stale_connection" not in (head := client.read_until(b"\r\n\r\n")):
                client.read_until(until)
                client.abort()
        if b"stale_connection" not in head:
            return calls
    raise AssertionError(f"closed at every use: {target}")


def through_every_ending(provider: ProviderServer, product: Product) -> int:
    """Send everything; return how many calls there must be."""
    sent = 0
    for name, script in ANSWERS.items():
        provider.reset()
        answer = replace(script, text=f"canaryanswer {SECRETS}", thinking=SECRETS, tools=TOOLS, headers=RESPONSE_HEADERS)
        trailers = () if name != "plain" else (("x-session-token", RESPONSE_HEADERS[1][1]),)
        answer = replace(answer, trailers=trailers)
        provider.on(replace(answer, body=f"canaryanswer {SECRETS}"), path="/v1/somewhere")
        provider.on(answer)
        for target, body in requests(stream=name != "plain"):
            leave = name == "cancelled" and target.startswith(("/v1/messages", "/v1/chat"))
            if name == "cancelled" and not leave:
                continue
            sent += send(product, target, body, until=b"data: " if leave else b"")
    return sent


def odd_ones(provider: ProviderServer, product: Product) -> int:
    """Send what goes no usual way: a coded request, a refused one, OAuth, a WebSocket, an unknown stream."""
    provider.reset()
    provider.on(Script(body=json.dumps({"access_token": BODY[1].value, "note": SECRETS})), path="/v1/oauth")
    events = "".join(f'data: {{"piece": {json.dumps(SECRETS[i : i + 7])}}}\n\n' for i in range(0, len(SECRETS), 7))
    provider.on(Script(body=events, headers=(("Content-Type", "text/event-stream"),)), path="/v1/unknown")
    provider.on(Script(text=f"canaryanswer {SECRETS}", chunks=CHUNKS, tools=TOOLS, ws_deflate=True), path="/v1/responses")
    packed = zstd.compress(json.dumps({"model": "gpt-5", "input": f"canaryword {SECRETS}", "stream": True}).encode())
    sent = send(product, "/v1/responses", packed, more=(("Content-Encoding", "zstd"),))
    sent += send(product, "/v1/unknown/stream", SECRETS.encode())
    sent += send(product, "/v1/oauth/token", json.dumps({"refresh_token": BODY[1].value, "note": SECRETS}).encode())
    with RawClient(product.port) as client:
        client.send(request_bytes("POST", f"/v1/messages?{QUERY}", b"", (*REQUEST_HEADERS, ("Transfer-Encoding", "gzip, chunked"))))
        assert client.read_response().status == 400
    for compression in (None, "deflate"):
        headers = [h for h in REQUEST_HEADERS if h[0].lower() != "proxy-authorization"]
        address = f"ws://127.0.0.1:{product.port}/t/canaries/v1/responses?{QUERY}"
        with connect(address, additional_headers=headers, compression=compression, max_size=None) as socket:
            socket.send(json.dumps({"type": "response.create", "model": "gpt-5", "input": f"canaryword {SECRETS}"}))
            while json.loads(socket.recv(timeout=20))["type"] != "response.completed":
                pass
    return sent


def ask_everything(product: Product) -> Iterator[tuple[str, bytes]]:
    """Yield (route, body) of everything the dashboard can be asked."""
    for route in ("/api/traces?limit=200", "/api/calls?limit=200", "/api/status", "/api/traces/canaries", "/api/traces/canaries/graph"):
        yield route, product.get_bytes(route)
    for call in product.sql("SELECT call_id FROM llm_calls"):
        for tail in ("", "/raw", "/raw/request", "/raw/response"):
            route = f"/api/calls/{call['call_id']}{tail}"
            body = product.get_bytes(route)
            yield route, body
            if tail == "/raw":
                yield f"{route} decoded", b"".join(base64.b64decode(d["data"]) for d in bodies(json.loads(body)))
    with product.follow(0) as socket, contextlib.suppress(TimeoutError):
        while True:
            yield "/ws", str(socket.recv(timeout=1)).encode()


def bodies(raw: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the bodies of a raw view that are shown as base64, also decoded ones."""
    for side in (raw["request_body"], raw["response_body"]):
        for body in (side, side["decoded"] or {}):
            if body.get("encoding") == "base64":
                yield body


def assert_no_trace(product: Product, canaries: list[Canary], *, leave_out: tuple[str, ...]) -> None:
    assert traces_in_folder(canaries, product.folder, leave_out=leave_out) == {}


def test_nothing_keeps_a_secret(provider: ProviderServer, product: Product) -> None:
    count = through_every_ending(provider, product) + odd_ones(provider, product)
    where = "trace_id = 'canaries' AND kind <> 'never'"
    product.wait_sql(
        f"SELECT status FROM llm_calls WHERE {where}",  # noqa: S608 - our own words
        lambda rows: len(rows) >= count and all(row["status"] != "running" for row in rows),
        60,
    )
    assert_no_trace(product, HEAD, leave_out=())
    assert_no_trace(product, BODY, leave_out=("*.journal/*",))
    everything = list(ask_everything(product))
    assert {route: names for route, body in everything if (names := traces_of([*HEAD, *BODY], body))} == {}
    shown = b"".join(body for _, body in everything)
    assert shown.count(b"canaryword") > count
    assert shown.count(b"canaryanswer") > count / 2
    for canary in BODY:
        found = json.loads(product.get_bytes(f"/api/search?q={canary.core[:40]}"))
        assert found["items"] == [], canary.name
    assert json.loads(product.get_bytes("/api/search?q=canaryword"))["items"]
    dump = json.dumps([product.sql(f"SELECT * FROM {name}") for name in ("traces", "llm_calls", "call_graph")])  # noqa: S608 - three names
    assert traces_of([*HEAD, *BODY], dump.encode()) == set()
    flagged = product.sql(f"SELECT flags FROM llm_calls WHERE {where} AND path LIKE '%messages%'")  # noqa: S608 - our own words
    assert all("redacted" in row["flags"] for row in flagged)


@pytest.mark.parametrize("name", FORMATS)
def test_no_export_holds_a_secret(product: Product, name: str) -> None:
    data = product.get_bytes(f"/api/export?format={name}")
    shown = b"\n".join([data, *opened(name, data)])
    assert traces_of([*HEAD, *BODY], shown) == set()
    assert shown.count(b"canaryword") > len(ANSWERS) or name == "otlp"  # what was said is left out there


def test_no_span_with_messages_holds_a_secret(product: Product) -> None:
    words = ["proxy", "export", "--format", "otlp", "--content", "--db", str(product.db)]
    done = subprocess.run(command(*words), env=environment(product.folder), capture_output=True, check=True, timeout=120)
    assert traces_of([*HEAD, *BODY], done.stdout) == set()
    assert done.stdout.count(b"canaryword") > len(ANSWERS)


def opened(name: str, data: bytes) -> Iterator[bytes]:
    """Yield what a format keeps packed: columns, bodies in base64 and in their content coding."""
    if name == "parquet":
        yield json.dumps(pq.read_table(io.BytesIO(data)).to_pylist(), default=str).encode()
    if name == "har":
        for entry in json.loads(data)["log"]["entries"]:
            content = entry["response"]["content"]
            yield base64.b64decode(content["text"]) if content.get("encoding") else content.get("text", "").encode()
    if name == "jsonl":
        for line in data.splitlines()[1:-1]:
            wire = msgspec.json.decode(line, type=CallLine).wire
            for side in filter(None, (wire.request, wire.response)):
                yield decode_body(bytes_of(side.body), side.headers)[0]
            yield from (bytes_of(frame.data) for frame in wire.tunnel)


def test_a_call_that_was_killed_keeps_no_secret_either(provider: ProviderServer, product: Product) -> None:
    provider.reset()
    provider.on(Script(text=f"killedanswer {SECRETS}", chunks=CHUNKS, stall_at=CHUNKS - 50, headers=RESPONSE_HEADERS))
    with RawClient(product.port) as client:
        body = json.dumps(anthropic_body(stream=True)).encode()
        client.send(request_bytes("POST", f"/t/killed/v1/messages?{QUERY}", body, REQUEST_HEADERS))
        client.read_until(b"content_block_delta")
        provider.wait_for(lambda: provider.requests and len(provider.requests[0].pieces) >= CHUNKS - 50)
        for pid in product.pids("relay"):
            os.kill(pid, signal.SIGKILL)
        client.read_to_end()
    product.wait_sql("SELECT status FROM llm_calls WHERE trace_id = 'killed'", lambda rows: rows == [{"status": "interrupted"}], 30)
    assert_no_trace(product, HEAD, leave_out=())
    assert_no_trace(product, BODY, leave_out=("*.journal/*",))


def test_all_of_it_comes_back_from_an_export_byte_for_byte(product: Product, tmp_path: Path) -> None:
    one, other, copy = tmp_path / "one.jsonl", tmp_path / "other.jsonl", tmp_path / "copy.db"
    for words in (
        ("export", "--format", "jsonl", "--db", str(product.db), "-o", str(one)),
        ("import", str(one), "--db", str(copy)),
        ("export", "--format", "jsonl", "--db", str(copy), "-o", str(other)),
    ):
        done = subprocess.run(
            command("proxy", *words), env=environment(product.folder), capture_output=True, text=True, check=True, timeout=120
        )
        assert "read otherwise" not in done.stdout
    assert one.read_bytes() == other.read_bytes()
    assert len(one.read_bytes().splitlines()) > 2 * len(ANSWERS)


def test_after_a_clean_stop_the_journal_is_empty_of_bodies(provider: ProviderServer, product: Product) -> None:
    product.stop()
    product.start()
    product.wait_until(lambda: not traces_in_folder(BODY, product.folder), 30)
