"""CPU of reading one call, in µs: request, answer, price. `python bench/wire.py [rounds]`; medians of interleaved rounds."""

import json
import sys
from dataclasses import replace
from statistics import median
from time import process_time_ns

from modular_agents.proxy.model.exchange import Chunk, Exchange, Hints, Outcome, RequestSide, ResponseSide
from modular_agents.proxy.pricing.price import price
from modular_agents.proxy.wire.reader import CallReader

WORDS = "the quick brown fox jumps over the lazy dog and runs away from it again "


def exchange(target: str, upstream: str, body: object, answer: bytes, content_type: str) -> Exchange:
    sent = json.dumps(body).encode()
    pieces = tuple(Chunk(3, min(1024, len(answer) - at)) for at in range(0, len(answer), 1024))
    head = (("date", "today"), ("content-type", content_type), *((f"x-header-{n}", "value") for n in range(12)))
    response = ResponseSide(200, "OK", head, 2, answer, len(answer), chunks=pieces)
    request = RequestSide("POST", target, target, head, sent, len(sent), None, 1)
    return Exchange(
        "01J", "c", "127.0.0.1:1", upstream, "https://x.invalid", Hints(), 0, request, response, (), (), Outcome.COMPLETE, "", 9
    )


def anthropic_messages(turns: int, size: int) -> list[object]:
    text = (WORDS * (size // len(WORDS) + 1))[:size]
    made: list[object] = []
    for turn in range(turns):
        use = {"type": "tool_use", "id": f"toolu_{turn}", "name": "Read", "input": {"path": f"src/{turn}.py", "limit": 200}}
        made.append({"role": "user", "content": [{"type": "text", "text": f"{turn} {text}"}]} if turn == 0 else {
            "role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{turn - 1}", "content": f"{turn} {text}"}],
        })  # fmt: skip
        made.append({"role": "assistant", "content": [{"type": "text", "text": f"Let me read {turn}."}, use]})
    return made[: 2 * turns - 1]


def sse(events: list[tuple[str, object]]) -> bytes:
    return b"".join(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events)


def anthropic_stream(deltas: int) -> bytes:
    start = {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-opus-4-8",
        "content": [],
        "usage": {"input_tokens": 900, "output_tokens": 1},
    }
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some words"}}
    return sse([
        ("message_start", {"type": "message_start", "message": start}),
        ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *[("content_block_delta", piece)] * deltas,
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": deltas}}),
        ("message_stop", {"type": "message_stop"}),
    ])  # fmt: skip


def cases() -> dict[str, Exchange]:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tools = [{"name": f"tool{n}", "description": WORDS * 2, "input_schema": schema} for n in range(5)]
    base = {"model": "claude-opus-4-8", "max_tokens": 1000, "system": WORDS * 4, "tools": tools}
    short, long = {**base, "messages": anthropic_messages(3, 300)}, {**base, "messages": anthropic_messages(200, 1750)}
    said = {"role": "assistant", "content": [{"type": "text", "text": WORDS * 3}], "usage": {"input_tokens": 900, "output_tokens": 40}}
    whole = json.dumps({"id": "msg_1", "type": "message", "model": "claude-opus-4-8", "stop_reason": "end_turn", **said}).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": WORDS * 3}, "finish_reason": "stop"}
    counted = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
    answer = json.dumps({"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": [choice], "usage": counted}).encode()
    plain = {"model": "gpt-4o-mini", "messages": [{"role": "user" if n % 2 == 0 else "assistant", "content": WORDS * 7} for n in range(7)]}
    claude, as_json, as_events = ("/v1/messages", "anthropic"), "application/json", "text/event-stream"
    return {
        "anthropic 4 KB, whole": exchange(*claude, short, whole, as_json),
        "anthropic 4 KB, 20 deltas": exchange(*claude, {**short, "stream": True}, anthropic_stream(20), as_events),
        "openai chat 4 KB, whole": exchange("/v1/chat/completions", "openai", plain, answer, as_json),
        "anthropic 400 KB, 200 turns": exchange(*claude, long, whole, as_json),
        "anthropic 4 KB, 2000 deltas": exchange(*claude, {**short, "stream": True}, anthropic_stream(2000), as_events),
    }


def read(whole: Exchange) -> None:
    response = whole.response
    if response is None:
        return
    reader = CallReader(replace(whole, response=None, outcome=None))
    reader.request(whole)
    reader.response(response)
    at = 0
    for chunk in response.chunks:
        reader.feed(response.body[at : at + chunk.size], chunk.at_ns)
        at += chunk.size
    price(reader.finish(whole))


def main(rounds: int) -> None:
    taken: dict[str, list[float]] = {}
    made = cases()
    for _ in range(rounds):
        for name, whole in made.items():
            times = 1 if "400 KB" in name or "2000" in name else 50
            begun = process_time_ns()
            for _ in range(times):
                read(whole)
            taken.setdefault(name, []).append((process_time_ns() - begun) / times / 1000)
    for name, values in taken.items():
        size = len(made[name].request.body)
        print(f"{name:32} {size / 1024:7.1f} KB request {median(values):10.1f} µs (best {min(values):.1f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
