"""Fifty turns that re-send their whole history: each message is stored once, and every request body comes back byte for byte."""

import json
import random
import string
from typing import Any

import anthropic
import openai
import pytest
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.script import Script

TURNS = 50
TOOLS = [{"name": "read", "description": "Reads a file.", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}]


def filler(turn: int, name: str) -> str:
    """Return text that stands nowhere else: its own word, then 400 letters of every kind."""
    dice = random.Random(f"{name} {turn}")
    return f"{word(turn, name)} " + "".join(dice.choices(string.ascii_letters + ' žluť\n"\\', k=400))


def word(turn: int, name: str) -> str:
    """Return the word that names a turn and stands in no other text."""
    return f"turn-{turn:03d}-of-{name}"


def mark_last(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with the cache mark on the last one only, as Claude Code moves it from turn to turn."""
    marked = json.loads(json.dumps(messages))
    for message in marked:
        for block in message["content"]:
            block.pop("cache_control", None)
    marked[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return list(marked)


def run_anthropic(product: Product, trace: str) -> None:
    messages: list[dict[str, Any]] = []
    with anthropic.Anthropic(base_url=f"{product.url}/t/{trace}", api_key="sk-ant-dummy") as sdk:
        for turn in range(TURNS):
            blocks: list[dict[str, Any]] = [{"type": "text", "text": filler(turn, "anthropic")}]
            if messages and messages[-1]["content"][-1]["type"] == "tool_use":
                blocks.insert(0, {"type": "tool_result", "tool_use_id": messages[-1]["content"][-1]["id"], "content": f"file {turn}"})
            messages.append({"role": "user", "content": blocks})
            system = [{"type": "text", "text": "You read files. " * 40, "cache_control": {"type": "ephemeral"}}]
            asked = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": mark_last(messages), "system": system, "tools": TOOLS}
            with sdk.messages.stream(**asked) as stream:
                answer = stream.get_final_message()
            messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]})


def run_openai(product: Product, trace: str) -> None:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You answer. " * 40}]
    with openai.OpenAI(base_url=f"{product.url}/t/{trace}/v1", api_key="sk-dummy") as sdk:
        for turn in range(TURNS):
            messages.append({"role": "user", "content": filler(turn, "openai")})
            answer = sdk.chat.completions.create(model="gpt-4o-mini", messages=messages)
            messages.append({"role": "assistant", "content": answer.choices[0].message.content})


@pytest.mark.parametrize(("name", "run"), [("anthropic", run_anthropic), ("openai", run_openai)])
def test_a_long_conversation(provider: ProviderServer, product: Product, name: str, run: Any) -> None:  # noqa: ANN401 - one of two functions
    provider.reset()
    use = {"name": "read", "input": {"path": "a.py"}}
    provider.on(Script(text="ok", tools=(use,), chunks=2), path="/v1/messages")
    provider.on(Script(text="ok"), path="/v1/chat")
    run(product, name)
    query = f"SELECT * FROM llm_calls WHERE trace_id = '{name}' ORDER BY created_at"  # noqa: S608 - our own word
    rows = product.wait_sql(query, lambda rows: len(rows) == TURNS and all(row["status"] == "completed" for row in rows))
    for request, row in zip(provider.requests, rows, strict=True):
        raw = product.get(f"/api/calls/{row['call_id']}/raw")
        assert raw["request_rebuilt"], "kept as a recipe, not whole"
        assert product.get_bytes(f"/api/calls/{row['call_id']}/raw/request") == request.body
        assert json.loads(row["messages"]) == json.loads(request.body)["messages"]
    assert [row["parent_id"] for row in rows] == [None, *(row["call_id"] for row in rows[:-1])]
    assert len({row["thread_id"] for row in rows}) == 1
    for turn in range(TURNS):
        stored = product.sql(f"SELECT count(*) AS n FROM content WHERE instr(body, '{word(turn, name)} ') > 0")  # noqa: S608 - our own word
        assert stored == [{"n": 1}], "said once, stored once, wherever the client moves its cache marks"
