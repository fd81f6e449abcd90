"""Answers invented by Hypothesis, each in both of its forms: one whole body, and the events of a stream that say the same."""

import json
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
NAMES = st.sampled_from(["read_file", "search", "run", "écrire"])
IDS = st.integers(0, 999).map(lambda n: f"toolu_{n:03}")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=3)
COUNTS = st.integers(0, 100_000)


@dataclass(frozen=True)
class Said:
    """An answer in both forms, and the message a client sends back for it."""

    whole: bytes
    stream: bytes
    back: object
    content_type: str = "text/event-stream"


def cut(draw: st.DrawFn, text: str) -> list[str]:
    """Cut text into pieces, none of them empty."""
    if not text:
        return []
    places = sorted(draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=4)))
    edges = [0, *[at for at in places if at < len(text)], len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def sse(events: list[tuple[str | None, object]], end: str = "\n") -> bytes:
    out = []
    for name, data in events:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        out.append(f"{'' if name is None else f'event: {name}{end}'}data: {text}{end}{end}")
    return "".join(out).encode()


@st.composite
def anthropic(draw: st.DrawFn) -> Said:
    blocks = draw(st.lists(_anthropic_block(), min_size=1, max_size=4))
    usage = {"input_tokens": draw(COUNTS), "cache_read_input_tokens": draw(COUNTS), "output_tokens": draw(COUNTS)}
    stop = draw(st.sampled_from(["end_turn", "tool_use", "max_tokens"]))
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-8"}
    whole = {**head, "content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": usage}
    start = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}
    events: list[tuple[str | None, object]] = [("message_start", {"type": "message_start", "message": start}), ("ping", {"type": "ping"})]
    for index, block in enumerate(blocks):
        events += _anthropic_events(draw, index, block)
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": None},
        "usage": {"output_tokens": usage["output_tokens"]},
    }
    events += [("message_delta", delta), ("message_stop", {"type": "message_stop"})]
    back = {"role": "assistant", "content": [_marked(block) for block in blocks if block["type"] != "thinking"]}
    return Said(json.dumps(whole).encode(), sse(events), back)


def _marked(block: dict[str, object]) -> dict[str, object]:
    return {**block, "cache_control": {"type": "ephemeral"}}


@st.composite
def _anthropic_block(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(["text", "thinking", "tool_use", "server_tool_use", "redacted_thinking"]))
    if kind == "text":
        return {"type": "text", "text": draw(WORDS)}
    if kind == "thinking":
        return {"type": "thinking", "thinking": draw(WORDS), "signature": draw(WORDS)}
    if kind == "redacted_thinking":
        return {"type": kind, "data": "EuYBCkQ"}
    name = "web_search" if kind == "server_tool_use" else draw(NAMES)
    return {"type": kind, "id": draw(IDS), "name": name, "input": draw(OBJECTS)}


def _anthropic_events(draw: st.DrawFn, index: int, block: dict[str, object]) -> list[tuple[str | None, object]]:
    start, deltas = dict(block), []
    if block["type"] == "text":
        start["text"] = ""
        deltas = [{"type": "text_delta", "text": piece} for piece in cut(draw, str(block["text"]))]
    elif block["type"] == "thinking":
        start["thinking"] = start["signature"] = ""
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in cut(draw, str(block["thinking"]))]
        deltas.append({"type": "signature_delta", "signature": str(block["signature"])})
    elif "input" in block:
        start["input"] = {}
        text = json.dumps(block["input"], ensure_ascii=draw(st.booleans()))
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *cut(draw, text)]]
    events: list[tuple[str | None, object]] = [
        ("content_block_start", {"type": "content_block_start", "index": index, "content_block": start})
    ]
    events += [("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
    return [*events, ("content_block_stop", {"type": "content_block_stop", "index": index})]


@st.composite
def chat(draw: st.DrawFn) -> Said:
    text = draw(st.none() | WORDS)
    thought = draw(st.none() | WORDS)
    calls = draw(st.lists(st.tuples(IDS, NAMES, OBJECTS.map(json.dumps)), max_size=3))
    message: dict[str, object] = {"role": "assistant", "content": text}
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": None if calls else ""}]
    if thought:
        message["reasoning_content"] = thought
        deltas += [{"reasoning_content": piece} for piece in cut(draw, thought)]
    deltas += [{"content": piece} for piece in cut(draw, text or "")]
    if calls:
        made = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
        message["tool_calls"] = made
        for index, (call_id, name, arguments) in enumerate(calls):
            first = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
            deltas.append({"tool_calls": [first]})
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in cut(draw, arguments)]
    finish = "tool_calls" if calls else "stop"
    usage = {"prompt_tokens": draw(COUNTS), "completion_tokens": draw(COUNTS), "total_tokens": 1}
    head = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-mini-2024-07-18", "service_tier": "default"}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunk = {**head, "object": "chat.completion.chunk"}
    events: list[tuple[str | None, object]] = [
        (None, {**chunk, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}) for delta in deltas
    ]
    events.append((None, {**chunk, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}]}))
    events += [(None, {**chunk, "choices": [], "usage": usage}), (None, "[DONE]")]
    back = {key: value for key, value in message.items() if key != "reasoning_content"}
    return Said(json.dumps(whole).encode(), sse(events, draw(st.sampled_from(["\n", "\r\n", "\r"]))), back)


@st.composite
def responses(draw: st.DrawFn) -> Said:
    items = [_numbered(item, at) for at, item in enumerate(draw(st.lists(_item(), min_size=1, max_size=4)))]
    usage = {
        "input_tokens": draw(COUNTS), "input_tokens_details": {"cached_tokens": 0}, "output_tokens": draw(COUNTS),
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1,
    }  # fmt: skip
    head: dict[str, object] = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5"}
    whole = {**head, "status": "completed", "output": items, "usage": usage, "service_tier": "default"}
    running = {**head, "status": "in_progress", "output": [], "usage": None}
    events: list[tuple[str | None, object]] = [("response.created", {"type": "response.created", "response": running})]
    for index, item in enumerate(items):
        events += _item_events(draw, index, item)
    last = whole if draw(st.booleans()) else {**whole, "output": []}  # some servers leave the last output empty
    events.append(("response.completed", {"type": "response.completed", "response": last}))
    back = [item for item in items if item["type"] != "reasoning"]
    return Said(json.dumps(whole).encode(), sse(events), back)


def _numbered(item: dict[str, object], at: int) -> dict[str, object]:
    """Ids of one answer are all different."""
    named = {key: f"{item[key]}_{at}" for key in ("id", "call_id") if key in item}
    return {**item, **named}


@st.composite
def _item(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "web_search_call"]))
    item: dict[str, object] = {"type": kind, "id": f"{kind}_1"}
    if kind == "message":
        content = [{"type": "output_text", "text": draw(WORDS), "annotations": []} for _ in range(draw(st.integers(1, 2)))]
        return {**item, "role": "assistant", "status": "completed", "content": content}
    if kind == "reasoning":
        return {**item, "summary": [{"type": "summary_text", "text": draw(WORDS)}], "encrypted_content": "gAAA"}
    if kind == "function_call":
        return {**item, "call_id": draw(IDS), "name": draw(NAMES), "arguments": json.dumps(draw(OBJECTS)), "status": "completed"}
    if kind == "custom_tool_call":
        return {**item, "call_id": draw(IDS), "name": draw(NAMES), "input": draw(WORDS)}
    return {**item, "status": "completed", "action": {"type": "search", "query": draw(WORDS)}}


def _item_events(draw: st.DrawFn, index: int, item: dict[str, object]) -> list[tuple[str | None, object]]:
    start, events = dict(item), []
    at = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "message":
        start["content"] = []
        assert isinstance(item["content"], list)
        for place, block in enumerate(item["content"]):
            where = {**at, "content_index": place}
            events.append({"type": "response.content_part.added", **where, "part": {"type": "output_text", "text": "", "annotations": []}})
            events += [{"type": "response.output_text.delta", **where, "delta": piece} for piece in cut(draw, block["text"])]
            events.append({"type": "response.output_text.done", **where, "text": block["text"]})
    elif item["type"] == "reasoning":
        start["summary"] = []
        assert isinstance(item["summary"], list)
        where = {**at, "summary_index": 0}
        pieces = cut(draw, item["summary"][0]["text"])
        events += [{"type": "response.reasoning_summary_text.delta", **where, "delta": piece} for piece in pieces]
    elif item["type"] == "function_call":
        start["arguments"] = ""
        pieces = cut(draw, str(item["arguments"]))
        events += [{"type": "response.function_call_arguments.delta", **at, "delta": piece} for piece in pieces]
    elif item["type"] == "custom_tool_call":
        start["input"] = ""
        events += [{"type": "response.custom_tool_call_input.delta", **at, "delta": piece} for piece in cut(draw, str(item["input"]))]
    added = {"type": "response.output_item.added", "output_index": index, "item": start}
    done = {"type": "response.output_item.done", "output_index": index, "item": item}
    return [(str(event["type"]), event) for event in (added, *events, done)]


@st.composite
def gemini(draw: st.DrawFn) -> Said:
    parts: list[dict[str, object]] = []
    for kind in draw(st.lists(st.sampled_from(["text", "thought", "call"]), min_size=1, max_size=4)):
        if kind == "call":
            parts.append({"functionCall": {"name": draw(NAMES), "args": draw(OBJECTS)}})
        elif not parts or parts[-1].get("thought") is not (True if kind == "thought" else None) or "text" not in parts[-1]:
            parts.append({"text": draw(WORDS), **({"thought": True} if kind == "thought" else {})})
    usage = {"promptTokenCount": draw(COUNTS), "candidatesTokenCount": draw(COUNTS), "thoughtsTokenCount": 3, "totalTokenCount": 1}
    head = {"modelVersion": "gemini-2.5-flash", "responseId": "r1"}
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    pieces = _gemini_pieces(draw, parts)
    chunks: list[dict[str, object]] = [
        {**head, "candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}]} for part in pieces
    ]
    chunks.append({**head, "candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": usage})
    whole = json.dumps({**head, "candidates": [candidate], "usageMetadata": usage}).encode()
    back = [{"role": "model", "parts": [part]} for part in pieces]
    if draw(st.booleans()):
        return Said(whole, json.dumps(chunks, indent=1).encode(), back, "application/json")
    return Said(whole, sse([(None, chunk) for chunk in chunks]), back)


def _gemini_pieces(draw: st.DrawFn, parts: list[dict[str, object]]) -> list[dict[str, object]]:
    pieces: list[dict[str, object]] = []
    for part in parts:
        pieces += [{**part, "text": piece} for piece in cut(draw, str(part["text"]))] if "text" in part else [part]
    return pieces


@st.composite
def ollama(draw: st.DrawFn) -> Said:
    text, thought = draw(TEXTS), draw(TEXTS)
    calls = [
        {"function": {"name": name, "arguments": arguments}} for name, arguments in draw(st.lists(st.tuples(NAMES, OBJECTS), max_size=2))
    ]
    head = {"model": "qwen3:8b", "created_at": "2026-11-22T00:00:00Z"}
    message = {
        "role": "assistant",
        "content": text,
        **({"thinking": thought} if thought else {}),
        **({"tool_calls": calls} if calls else {}),
    }
    counts = {"done": True, "done_reason": "stop", "prompt_eval_count": draw(COUNTS), "eval_count": draw(COUNTS)}
    lines: list[dict[str, object]] = [
        {**head, "message": {"role": "assistant", "content": "", "thinking": piece}, "done": False} for piece in cut(draw, thought)
    ]
    lines += [{**head, "message": {"role": "assistant", "content": piece}, "done": False} for piece in cut(draw, text)]
    lines += [{**head, "message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False} for call in calls]
    lines.append({**head, "message": {"role": "assistant", "content": ""}, **counts})
    stream = b"".join(json.dumps(line, ensure_ascii=draw(st.booleans())).encode() + b"\n" for line in lines)
    back = {key: value for key, value in message.items() if key != "thinking"}
    return Said(json.dumps({**head, "message": message, **counts}).encode(), stream, back, "application/x-ndjson")


FORMATS = {
    "anthropic.messages": ("/v1/messages", anthropic(), "messages"),
    "openai.chat": ("/v1/chat/completions", chat(), "messages"),
    "openai.responses": ("/v1/responses", responses(), "input"),
    "gemini.generate": ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", gemini(), "contents"),
    "ollama": ("/api/chat", ollama(), "messages"),
}
"""Target, answers, and where the request keeps its messages."""
