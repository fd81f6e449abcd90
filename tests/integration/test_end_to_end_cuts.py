"""D5: an answer cut anywhere is broken for the program and failed in the record, in every format and framing; what came is kept."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, RawResponse, request_bytes
from tests.support.script import Script

pytestmark = pytest.mark.slow

MESSAGES = [{"role": "user", "content": "hi"}]
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": ("/v1/messages", {"model": "claude-opus-4-8", "max_tokens": 9, "messages": MESSAGES, "stream": True}),
    "chat": ("/v1/chat/completions", {"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True}),
    "responses": ("/v1/responses", {"model": "gpt-5", "input": "hi", "stream": True}),
    "gemini": ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "hi"}]}]}),
    "ollama": ("/api/chat", {"model": "llama3.2", "messages": MESSAGES}),
}
WHOLE = Script(text="An answer of some length, žluťoučký.", tools=({"name": "look", "input": {"at": "this"}},), chunks=6)
LAST_WORD = b'"finish_reason":"tool_calls"'
"""Chat Completions: the answer is whole when this was seen; only `[DONE]` can be missing, and not every server sends that."""
FRAMINGS = ("chunked", "close", "length")
CUTS, MANY_CUTS = 25, 70
"""Random places per format and framing, besides every event boundary."""


def ask(product: Product, name: str, script: Script, trace: str) -> RawResponse:
    target, body = FORMATS[name]
    with RawClient(product.port) as client:
        head = (("Content-Type", "application/json"), ("x-script", script.header()), ("X-Trace-ID", trace))
        client.send(request_bytes("POST", target, json.dumps(body).encode(), head))
        return client.read_response()


def places(whole: RawResponse, events: int, seed: str, cuts: int) -> list[Script]:
    """Return scripts that cut after the head, at each event boundary, and at random bytes of the body; never after the last byte."""
    dice = random.Random(seed)
    wire = len(whole.head) + len(whole.wire_body)
    at_bytes = [Script(cut_bytes=dice.randrange(len(whole.head), wire - 1)) for _ in range(cuts)]
    return [*(Script(cut_pieces=k) for k in range(events)), *at_bytes]


def cut_anywhere(provider: ProviderServer, product: Product, name: str, framing: str, cuts: int) -> int:
    """Cut an answer at every event and at `cuts` random bytes; check that none of them looks whole; return how many there were."""
    provider.reset()
    trace = f"{name}-{framing}-{cuts}"
    script = replace(WHOLE, framing=framing)
    whole = ask(product, name, script, trace)
    assert whole.complete
    events = len(ask(product, name, replace(WHOLE, framing="chunked"), "other").chunks)
    ends = places(whole, events, trace, cuts)
    bodies = []
    for end in ends:
        got = ask(product, name, replace(script, cut_pieces=end.cut_pieces, cut_bytes=end.cut_bytes), trace)
        assert framing == "close" or not got.complete
        assert whole.body.startswith(got.body)
        bodies.append(got.body)
    query = f"SELECT status, error, response FROM llm_calls WHERE trace_id = '{trace}' ORDER BY created_at"  # noqa: S608 - our own word
    rows = product.wait_sql(query, lambda rows: len(rows) == len(ends) + 1 and all(row["status"] != "running" for row in rows))
    assert (rows[0]["status"], rows[0]["response"]) == ("completed", WHOLE.text)
    for end, body, row in zip(ends, bodies, rows[1:], strict=True):
        if framing != "close" or LAST_WORD not in body:
            assert row["status"] == "failed", (end.cut_pieces, end.cut_bytes, row)
            assert row["error"], "it says so"
        assert str(WHOLE.text).startswith(row["response"] or ""), "what came is kept, and nothing else"
    assert any(row["response"] for row in rows[1:])
    return len(ends)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_truncation_is_never_shown_as_success(provider: ProviderServer, product: Product, name: str, framing: str) -> None:
    cut_anywhere(provider, product, name, framing, CUTS)


@pytest.mark.soak
def test_a_thousand_truncations_are_never_shown_as_success(provider: ProviderServer, product: Product) -> None:
    made = {f"{name}-{framing}": cut_anywhere(provider, product, name, framing, MANY_CUTS) for name in FORMATS for framing in FRAMINGS}
    print(sum(made.values()), made)  # noqa: T201 - the figures are the result
    assert sum(made.values()) > 1000
