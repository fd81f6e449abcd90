"""A provider that answers from the story: Anthropic Messages and OpenAI Chat Completions over HTTP/1.1, streamed in small pieces.

Shapes: Anthropic "Messages" and "Streaming messages", OpenAI "Create chat completion" and "Chat completion chunk object".
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from modular_agents.proxy.demo.story import Agent, Reply, Story, arguments_text

Json = dict[str, Any]
CHARS_A_TOKEN = 4
"""The rule of thumb; nobody is billed here."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the provider speaks; all zero for tests."""

    first_token_s: float = 1.0
    piece_s: float = 0.075
    piece_chars: int = 14


class StandIn(ThreadingHTTPServer):
    """Listens on a free loopback port from the moment it is made; `serve_forever` answers."""

    daemon_threads = True

    def __init__(self, story: Story, pace: Pace) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.story, self.pace = story, pace
        self._refused: Counter[tuple[str, int]] = Counter()
        self._made = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def choose(self, system: str, turn: int) -> tuple[Agent, Reply, bool] | None:
        """Return who asks, what is answered, and whether it is refused this time; None for somebody who is not in the story."""
        agent = self.story.by_system.get(system)
        if agent is None or turn >= len(agent.replies):
            return None
        reply = agent.replies[turn]
        with self._lock:
            self._refused[agent.name, turn] += 1
            return agent, reply, self._refused[agent.name, turn] <= reply.overloaded

    def next_id(self, prefix: str) -> str:
        """Return an id as providers make them."""
        with self._lock:
            self._made += 1
            return f"{prefix}demo{self._made:04}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stand-in", ""
    disable_nagle_algorithm = True
    """Small pieces go out as they are written, as a provider sends them."""
    server: StandIn

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the demo tells its story itself."""

    def do_POST(self) -> None:
        """Answer one request."""
        request: Json = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        is_anthropic = self.path.partition("?")[0] == "/v1/messages"
        messages: list[Json] = request["messages"]
        system = request.get("system", "") if is_anthropic else str(messages[0]["content"])
        chosen = self.server.choose(system, sum(message["role"] == "assistant" for message in messages))
        if chosen is None:
            self._send_json(404, {"type": "error", "error": {"type": "not_found_error", "message": "That is not in the story."}})
            return
        _, reply, is_refused = chosen
        pace = self.server.pace
        time.sleep(pace.first_token_s / 4 if is_refused else pace.first_token_s)
        if is_refused:
            overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            self._send_json(529, overloaded, ("retry-after", "1"), ("x-should-retry", "true"))
            return
        answer = anthropic_answer(self.server, request, reply) if is_anthropic else openai_answer(self.server, request, reply)
        if not request.get("stream"):
            self._send_json(200, answer)
            return
        events = anthropic_events(answer, pace.piece_chars) if is_anthropic else openai_events(answer, pace.piece_chars)
        self._send_events(events, pace.piece_s)

    def _send_json(self, status: int, body: Json, *headers: tuple[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("content-type", "application/json"), ("content-length", str(len(data))), *headers):
            self.send_header(name, value)
        self.send_header("request-id", self.server.next_id("req_"))
        self.end_headers()
        self.wfile.write(data)

    def _send_events(self, events: Iterable[str], pause_s: float) -> None:
        self.send_response(200)
        for name, value in (("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("transfer-encoding", "chunked")):
            self.send_header(name, value)
        self.send_header("request-id", self.server.next_id("req_"))
        self.end_headers()
        for event in events:
            data = event.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            time.sleep(pause_s)
        self.wfile.write(b"0\r\n\r\n")


def tokens(value: object) -> int:
    """Return about as many tokens as a value has."""
    return max(1, len(value if isinstance(value, str) else json.dumps(value)) // CHARS_A_TOKEN)


def pieces(text: str, size: int) -> Iterator[str]:
    """Yield a text as a model does: a few characters at a time."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


def anthropic_answer(server: StandIn, request: Json, reply: Reply) -> Json:
    """Return a Messages answer. What the request repeats of the turn before was read from the cache."""
    content: list[Json] = []
    if reply.thinking:
        content.append({"type": "thinking", "thinking": reply.thinking, "signature": "ZGVtbw=="})
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    content += [{"type": "tool_use", "id": server.next_id("toolu_"), "name": call.name, "input": call.arguments} for call in reply.tools]
    messages = request["messages"]
    fixed = tokens(request.get("system", "")) + tokens(request.get("tools", []))
    repeated = tokens(messages[:-2]) + fixed if len(messages) > 2 else 0  # noqa: PLR2004 - the last answer and its results are new
    whole = tokens(messages) + fixed
    return {
        "id": server.next_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": content,
        "stop_reason": "tool_use" if reply.tools else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": whole - repeated,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": repeated,
            "output_tokens": tokens(content),
        },
    }


def anthropic_events(answer: Json, piece_chars: int) -> Iterator[str]:
    """Yield a Messages answer as server-sent events."""
    opened = {**answer, "content": [], "stop_reason": None, "usage": {**answer["usage"], "output_tokens": 1}}
    yield _event("message_start", {"message": opened})
    for index, block in enumerate(answer["content"]):
        yield from _anthropic_block(index, block, piece_chars)
    ended = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", {"delta": ended, "usage": {"output_tokens": answer["usage"]["output_tokens"]}})
    yield _event("message_stop", {})


def _anthropic_block(index: int, block: Json, piece_chars: int) -> Iterator[str]:
    kind = block["type"]
    empty: dict[str, Json] = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    yield _event("content_block_start", {"index": index, "content_block": {**block, **empty[kind]}})
    whole, delta, field = {
        "text": (block.get("text", ""), "text_delta", "text"),
        "thinking": (block.get("thinking", ""), "thinking_delta", "thinking"),
        "tool_use": (json.dumps(block.get("input", {})), "input_json_delta", "partial_json"),
    }[kind]
    for piece in pieces(whole, piece_chars):
        yield _event("content_block_delta", {"index": index, "delta": {"type": delta, field: piece}})
    if kind == "thinking":
        signed = {"type": "signature_delta", "signature": block["signature"]}
        yield _event("content_block_delta", {"index": index, "delta": signed})
    yield _event("content_block_stop", {"index": index})


def _event(kind: str, body: Json) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **body})}\n\n"


def openai_answer(server: StandIn, request: Json, reply: Reply) -> Json:
    """Return a chat completion."""
    message: Json = {"role": "assistant", "content": reply.text or None}
    if reply.tools:
        message["tool_calls"] = [
            {"id": server.next_id("call_"), "type": "function", "function": {"name": call.name, "arguments": arguments_text(call)}}
            for call in reply.tools
        ]
    asked, answered = tokens(request["messages"]) + tokens(request.get("tools", [])), tokens(message)
    return {
        "id": server.next_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if reply.tools else "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
    }


def openai_events(answer: Json, piece_chars: int) -> Iterator[str]:
    """Yield a chat completion as chunks, the usage last, as `include_usage` asks for."""
    head = {**answer, "object": "chat.completion.chunk"}
    del head["choices"], head["usage"]
    choice = answer["choices"][0]
    message = choice["message"]

    def chunk(delta: Json, finish: str | None = None) -> str:
        return f"data: {json.dumps({**head, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}], 'usage': None})}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(message["content"] or "", piece_chars):
        yield chunk({"content": piece})
    for index, call in enumerate(message.get("tool_calls", [])):
        named = {"name": call["function"]["name"], "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": named}]})
        for piece in pieces(call["function"]["arguments"], piece_chars):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    yield f"data: {json.dumps({**head, 'choices': [], 'usage': answer['usage']})}\n\n"
    yield "data: [DONE]\n\n"
