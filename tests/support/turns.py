"""Turns of a conversation as requests and answers on the wire, read and priced by the product and put into a store without a file."""

import json
from typing import Any

from modular_agents.proxy.model.exchange import Chunk, Exchange, Headers, Hints, Outcome, RequestSide, ResponseSide
from modular_agents.proxy.model.ids import make_call_id
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence, Placement
from modular_agents.proxy.pricing.price import price
from modular_agents.proxy.store.memory import MemoryReader, MemoryStore
from modular_agents.proxy.wire.reader import read_call

T0_NS = 1_795_340_000 * 10**9
"""In November 2026."""
KEY = (("x-api-key", "[redacted:1a2b3c4d]"),)
PATHS = {
    "anthropic": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-2.5-pro:generateContent",
}
UPSTREAMS = {"anthropic": "anthropic", "chat": "openai", "responses": "openai", "gemini": "gemini"}


class Turns:
    """`turn` adds the next one, which continues the one before it unless told otherwise, and returns its id."""

    def __init__(self, dialect: str = "anthropic") -> None:
        self.dialect = dialect
        self.store = MemoryStore()
        self.ids: list[str] = []

    def reader(self) -> MemoryReader:
        return self.store.reader()

    def turn(
        self,
        request: dict[str, Any],
        usage: dict[str, Any] | None,
        *,
        at_s: float | None = None,
        took_ms: int = 2000,
        first_ms: int | None = None,
        headers: Headers = KEY,
        more: dict[str, Any] | None = None,
        status: int = 200,
        thread: str = "th-1",
        upstream: str | None = None,
    ) -> str:
        number = len(self.ids)
        started = T0_NS + int((10 * number if at_s is None else at_s) * 10**9)
        call_id = make_call_id(started // 10**6, 7, number)
        body = json.dumps(request, ensure_ascii=False).encode()
        told = json.dumps(_answer(self.dialect, number, usage) | (more or {})).encode()
        if status != 200:
            told = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
        ended = started + took_ms * 10**6
        first = started + (took_ms if first_ms is None else first_ms) * 10**6
        path, name = PATHS[self.dialect], upstream or UPSTREAMS[self.dialect]
        exchange = Exchange(
            call_id,
            "conn-1",
            "127.0.0.1:5000",
            name,
            f"https://{name}.example",
            Hints(),
            started,
            RequestSide("POST", path, path, (("content-type", "application/json"), *headers), body, len(body), complete_ns=started + 1),
            ResponseSide(status, "OK", (("content-type", "application/json"),), first, told, len(told), chunks=(Chunk(first, len(told)),)),
            outcome=Outcome.COMPLETE,
            ended_ns=ended,
        )
        call = read_call(exchange)
        parent = self.ids[-1] if self.ids else None
        edges = (Edge(parent, call_id, EdgeType.REQUEST, Evidence("continuation")),) if parent else ()
        placement = Placement("tr-1", thread, Evidence("path.t"), parent_id=parent, edges=edges, agent_name="lead", root_id=call_id)
        with self.store.batch() as batch:
            batch.put_call(call, exchange, placement, price(call), Indexed())
        self.ids.append(call_id)
        return call_id


def _answer(dialect: str, number: int, usage: dict[str, Any] | None) -> dict[str, Any]:
    counted = {} if usage is None else usage
    match dialect:
        case "anthropic":
            content = [{"type": "text", "text": f"Answer {number}."}]
            return {
                "id": f"msg_{number}",
                "type": "message",
                "role": "assistant",
                "content": content,
                "stop_reason": "end_turn",
                "usage": counted,
            }
        case "chat":
            said = {"role": "assistant", "content": f"Answer {number}."}
            choices = [{"index": 0, "message": said, "finish_reason": "stop"}]
            return {"id": f"chatcmpl-{number}", "object": "chat.completion", "choices": choices, "usage": counted}
        case "responses":
            item = {
                "type": "message",
                "id": f"m{number}",
                "role": "assistant",
                "content": [{"type": "output_text", "text": f"Answer {number}."}],
            }
            return {"id": f"resp_{number}", "object": "response", "status": "completed", "output": [item], "usage": counted}
        case _:
            parts = {"role": "model", "parts": [{"text": f"Answer {number}."}]}
            return {"candidates": [{"content": parts, "finishReason": "STOP"}], "usageMetadata": counted}
