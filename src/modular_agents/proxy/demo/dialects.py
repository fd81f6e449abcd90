"""How an agent speaks to its provider: a request from a conversation, and an answer folded from a stream, in two dialects.

A dialect is three functions over JSON. What is sent back as history is exactly what the provider said.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from modular_agents.proxy.demo.story import Agent, tool_schema

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool the model asks for."""

    tool_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said: its text, its wishes, and the message to keep in the history."""

    text: str
    wanted: tuple[Wanted, ...]
    message: Json


@dataclass(frozen=True, slots=True)
class Dialect:
    """`path` below the base URL; `request` from agent and history; `fold` from events; `results` as messages for the history."""

    path: str
    headers: tuple[tuple[str, str], ...]
    request: Callable[[Agent, list[Json]], Json]
    fold: Callable[[Iterable[Json]], Answer]
    results: Callable[[list[tuple[Wanted, str, bool]]], list[Json]]


def events(lines: Iterable[bytes]) -> Iterator[Json]:
    """Yield the JSON of each `data:` line of a stream."""
    for line in lines:
        data = line.removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            yield json.loads(data)


def _anthropic_request(agent: Agent, history: list[Json]) -> Json:
    request: Json = {"model": agent.model, "max_tokens": 2048, "system": agent.system, "messages": history, "stream": agent.stream}
    if agent.tools:
        described = ((name, *tool_schema(name)) for name in agent.tools)
        request["tools"] = [{"name": name, "description": about, "input_schema": schema} for name, about, schema in described]
    return request


def _anthropic_fold(stream: Iterable[Json]) -> Answer:
    blocks: list[Json] = []
    written: list[str] = []
    for event in stream:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
            written.append("")
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "input_json_delta":
                written[-1] += delta["partial_json"]
            else:
                field = delta["type"].removesuffix("_delta")
                blocks[-1][field] += delta[field]
        elif event["type"] == "message":
            blocks, written = event["content"], [""] * len(event["content"])
    for block, text in zip(blocks, written, strict=True):
        if block["type"] == "tool_use" and text:
            block["input"] = json.loads(text)
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    wanted = tuple(Wanted(block["id"], block["name"]) for block in blocks if block["type"] == "tool_use")
    return Answer(text, wanted, {"role": "assistant", "content": blocks})


def _anthropic_results(results: list[tuple[Wanted, str, bool]]) -> list[Json]:
    content = [
        {"type": "tool_result", "tool_use_id": wanted.tool_id, "content": text, **({"is_error": True} if is_error else {})}
        for wanted, text, is_error in results
    ]
    return [{"role": "user", "content": content}]


def _openai_request(agent: Agent, history: list[Json]) -> Json:
    described = ((name, *tool_schema(name)) for name in agent.tools)
    return {
        "model": agent.model,
        "messages": [{"role": "system", "content": agent.system}, *history],
        "tools": [
            {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}
            for name, about, schema in described
        ],
        "stream": agent.stream,
        "stream_options": {"include_usage": True},
    }


def _openai_fold(stream: Iterable[Json]) -> Answer:
    text, calls = "", list[Json]()
    for chunk in stream:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            text += delta.get("content") or ""
            for piece in delta.get("tool_calls", []):
                if piece["index"] == len(calls):
                    calls.append({"id": piece["id"], "type": "function", "function": dict(piece["function"])})
                else:
                    calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    message: Json = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = calls
    return Answer(text, tuple(Wanted(call["id"], call["function"]["name"]) for call in calls), message)


def _openai_results(results: list[tuple[Wanted, str, bool]]) -> list[Json]:
    return [{"role": "tool", "tool_call_id": wanted.tool_id, "content": text} for wanted, text, _ in results]


ANTHROPIC = Dialect(
    "/v1/messages",
    (("x-api-key", "sk-ant-dummy"), ("anthropic-version", "2023-06-01")),
    _anthropic_request,
    _anthropic_fold,
    _anthropic_results,
)
OPENAI = Dialect("/v1/chat/completions", (("authorization", "Bearer sk-dummy"),), _openai_request, _openai_fold, _openai_results)


def dialect_of(agent: Agent) -> Dialect:
    """Return how the provider of an agent's model is spoken to."""
    return ANTHROPIC if agent.model.startswith("claude") else OPENAI
