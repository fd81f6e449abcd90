"""What was said, as the GenAI conventions write it: JSON text of messages in parts (`gen_ai.input.messages`, `gen_ai.output.messages`).

Whole messages from the newest back, as many as fit: a backend refuses attributes without end.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from modular_agents.proxy.model.query import MessageView, PartView

MAX_CHARS = 128 * 1024
"""Of JSON in one attribute; what does not fit is in the other formats."""
PART_CHARS = 32 * 1024
_ROLES = {"model": "assistant"}


def said(messages: Sequence[MessageView], finish_reason: str | None = None) -> str | None:
    """Return messages as JSON, None for none. `finish_reason`: of answers."""
    kept: list[str] = []
    size = 0
    for message in reversed(messages):
        shape: dict[str, Any] = {"role": _role(message), "parts": [_part(part) for part in message.parts]}
        if finish_reason is not None:
            shape["finish_reason"] = finish_reason
        text = _json(shape)
        size += len(text)
        if size > MAX_CHARS and kept:
            break
        kept.append(text)
    return f"[{','.join(reversed(kept))}]" if kept else None


def instructions(system: Sequence[MessageView]) -> str | None:
    """Return a system prompt as JSON, None for none."""
    parts = [_part(part) for message in system for part in message.parts]
    return _json(parts) if parts else None


def _role(message: MessageView) -> str:
    if message.parts and all(part.kind == "tool_result" for part in message.parts):
        return "tool"
    return _ROLES.get(message.role, message.role)


def _part(part: PartView) -> dict[str, Any]:
    match part.kind:
        case "text" | "refusal":
            return {"type": "text", "content": _cut(part.text)}
        case "thinking":
            return {"type": "reasoning", "content": _cut(part.text)}
        case "tool_use" | "server_tool_use":
            return {"type": "tool_call", "id": part.tool_id, "name": part.name, "arguments": _value(part.arguments)}
        case "tool_result" | "server_tool_result":
            return {"type": "tool_call_response", "id": part.tool_id, "response": _cut(part.text)}
        case _:
            return {"type": part.kind, "content": _cut(part.text)}


def _value(arguments: str | None) -> object:
    """Return arguments as the JSON they are, else as text."""
    if arguments is None or len(arguments) > PART_CHARS:
        return None if arguments is None else _cut(arguments)
    try:
        return msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments


def _cut(text: str) -> str:
    return text if len(text) <= PART_CHARS else f"{text[:PART_CHARS]}…"


def _json(shape: object) -> str:
    return msgspec.json.encode(shape).decode()
