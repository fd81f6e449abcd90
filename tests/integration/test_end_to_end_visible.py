"""A call is seen while it runs, in the API and with its growing text on the live WebSocket; at last any SQLite client reads it."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from statistics import median
from typing import Any

import anthropic
import openai
import pytest
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.script import Script
from websockets.sync.client import ClientConnection

SEEN_WITHIN_S = 5.0
"""From the request's arrival at the relay to the call's being in the API, the median of a few tries: ten times the promise
(some 50 ms measured on a quiet machine). A row that waits for its end fails here, a slow neighbour does not."""
TRIES = 5
_serial = count()


@contextmanager
def streaming(provider: ProviderServer, product: Product, script: Script) -> Iterator[threading.Thread]:
    """Run one streamed call of the SDK in a thread of its own; it is over when the block ends."""

    def call() -> None:
        with anthropic.Anthropic(base_url=product.url, api_key="sk-ant-dummy") as sdk:
            asked = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": [{"role": "user", "content": script.directive()}]}
            list(sdk.messages.create(**asked, stream=True))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield thread
    finally:
        provider.release()
        thread.join(20)
        assert not thread.is_alive()


def events(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    """Yield what the live WebSocket says, event by event."""
    while True:
        message = json.loads(socket.recv(timeout=10))
        yield from message.get("items", ())


def test_a_running_call_is_in_the_api_at_once(provider: ProviderServer, product: Product) -> None:
    waits = []
    for attempt in range(TRIES):
        provider.reset()
        text = f"running {attempt} {next(_serial)}"
        with streaming(provider, product, Script(text=text, stall_at=2)):
            provider.wait_for(lambda: provider.requests)
            reached_at = provider.requests[0].at
            found = product.wait_value(
                lambda: product.get("/api/calls?limit=3")["items"],
                lambda items, text=text: any(text in item["prompt_preview"] and item["status"] == "running" for item in items),
            )
            waits.append(time.monotonic() - reached_at)
            assert found[0]["ended_at"] is None
            provider.release()
    assert median(waits) <= SEEN_WITHIN_S, waits


def test_the_text_grows_on_the_live_socket_while_the_call_runs(provider: ProviderServer, product: Product) -> None:
    provider.reset()
    script = Script(text="one two six ", chunks=3, stall_at=5)
    with product.follow() as socket, streaming(provider, product, script):
        assert json.loads(socket.recv(timeout=10))["type"] == "hello"
        seen: list[dict[str, Any]] = []
        text = ""
        for event in events(socket):
            seen.append(event)
            text += event["row"]["text"] if event["kind"] == "delta" else ""
            if text == "one two ":  # two of three: message_start, content_block_start, ping, and two deltas have been let through
                break
        assert provider.requests[0].finished_at is None
        call_id = seen[-1]["call_id"]
        assert any((e["kind"], e["call_id"], e["row"].get("status")) == ("call", call_id, "running") for e in seen)
        detail = product.get(f"/api/calls/{call_id}")
        assert (detail["call"]["status"], detail["partial"][0]["parts"][0]["text"]) == ("running", "one two ")
        provider.release()
        final = next(e for e in events(socket) if (e["kind"], e["call_id"]) == ("call", call_id))
        assert (final["row"]["status"], final["row"]["answer_preview"]) == ("completed", "one two six")
    numbers = [event["seq"] for event in seen]
    assert numbers == sorted(set(numbers))


def test_a_page_that_comes_back_gets_what_it_missed(provider: ProviderServer, product: Product) -> None:
    provider.reset()
    with product.follow() as socket:
        after = json.loads(socket.recv(timeout=10))["last"]
    marks = [f"missed {next(_serial)}" for _ in range(3)]
    with openai.OpenAI(base_url=f"{product.url}/v1", api_key="sk-dummy") as sdk:
        for mark in marks:
            sdk.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": mark}])
    got: set[str] = set()
    with product.follow(after) as socket:
        socket.recv(timeout=10)
        for event in events(socket):
            if event["kind"] == "call" and event["row"]["status"] == "completed":
                got.add(event["row"]["prompt_preview"])
            if got == set(marks):
                break


@pytest.mark.parametrize("stream", [False, True])
def test_any_sqlite_client_reads_the_call(provider: ProviderServer, product: Product, *, stream: bool) -> None:
    provider.reset()
    prompt = f"Ask {next(_serial)} “žluť” 🐎"
    script = Script(text="The answer is 42.", thinking="Hm.", tools=({"name": "look", "input": {"x": 1}},))
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 200}
    provider.on(Script(text=script.text, thinking=script.thinking, tools=script.tools, usage=usage), path="/v1/messages")
    with anthropic.Anthropic(base_url=f"{product.url}/t/sql-{stream}/a/reader", api_key="sk-ant-dummy") as sdk:
        asked: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": [{"role": "user", "content": prompt}]}
        answer = sdk.messages.create(**asked, system="Be brief.", stream=stream)
        if stream:
            list(answer)
    query = f"SELECT * FROM llm_calls WHERE trace_id = 'sql-{stream}'"  # noqa: S608 - our own word
    (row,) = product.wait_sql(query, lambda rows: rows and rows[0]["status"] == "completed")
    assert json.loads(row["messages"]) == asked["messages"]
    assert (row["response"], row["finish_reason"], row["provider"], row["model"]) == (
        "The answer is 42.",
        "tool_use",
        "claude",
        "claude-opus-4-8",
    )
    assert (row["tokens_input"], row["tokens_output"], row["tokens_cache_read"], row["usage_source"]) == (1200, 100, 200, "reported")
    assert row["cost_usd"] > 0
    assert (row["agent_name"], row["stream"], row["http_status"]) == ("reader", int(stream), 200)
    assert row["duration_ms"] > 0
    assert (row["ttft_ms"] is not None) == stream
    assert json.loads(row["system"])[0] in ("Be brief.", {"type": "text", "text": "Be brief."}) or "Be brief." in row["system"]
    assert json.loads(row["tool_calls"])[0]["name"] == "look"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["created_at"])
    (trace,) = product.sql(f"SELECT * FROM traces WHERE trace_id = 'sql-{stream}'")  # noqa: S608 - our own word
    assert (trace["call_count"], trace["tokens_input"], trace["cost_usd"]) == (1, 1200, row["cost_usd"])


def test_errors_cancels_and_cuts_end_as_what_they_are(provider: ProviderServer, product: Product) -> None:
    provider.reset()
    base = f"{product.url}/t/endings"
    with anthropic.Anthropic(base_url=base, api_key="sk-ant-dummy", max_retries=0) as sdk:
        asked: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 64}

        def say(script: Script, **more: object) -> Any:  # noqa: ANN401 - whatever the SDK gives
            return sdk.messages.create(**asked, messages=[{"role": "user", "content": script.directive()}], **more)

        with pytest.raises(anthropic.APIStatusError):
            say(Script(status=529))
        with pytest.raises(anthropic.APIError):
            list(say(Script(error_at=4, text="half"), stream=True))
        with pytest.raises(Exception, match=r"peer closed|incomplete"):
            list(say(Script(cut_pieces=4, gap_ms=20, text="half an answer"), stream=True))
        stream = say(Script(stall_at=4, text="half an answer"), stream=True)
        assert [event.type for event in islice(stream, 3)][-1] == "content_block_delta"
        stream.close()
    rows = product.wait_sql(
        "SELECT * FROM llm_calls WHERE trace_id = 'endings' ORDER BY created_at",
        lambda rows: len(rows) == 4 and rows[3]["status"] != "running",
    )
    assert [row["status"] for row in rows] == ["failed", "failed", "failed", "cancelled"]
    assert all(row["error"] for row in rows)
    assert rows[0]["http_status"] == 529
    assert all(row["response"] for row in rows[2:]), "what had arrived is kept"
