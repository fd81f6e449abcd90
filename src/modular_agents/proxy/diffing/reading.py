"""How a message, a tool and a parameter read as text when two of them are told apart."""

import json

from modular_agents.proxy.diffing.forms import indented
from modular_agents.proxy.model.query import MessageView, PartView

SHOWN_JSON_CHARS = 4000
"""Of a block that is no text (a picture): enough to see which it is."""


def message_text(message: MessageView) -> str:
    """Return a message as it reads."""
    return "\n".join(filter(None, (part_text(part) for part in message.parts)))


def part_text(part: PartView) -> str:
    """Return a block as it reads."""
    match part.kind:
        case "text" | "refusal":
            return part.text
        case "tool_use" | "server_tool_use":
            return f"→ {part.name or 'a tool'} {indented(part.arguments or '')}"
        case "tool_result":
            return f"← {'ERROR ' if part.is_error else ''}{part.text}"
        case "thinking":
            return f"(thinking) {part.text}"
        case _:
            return f"({part.kind}) {part.text or indented(part.raw[:SHOWN_JSON_CHARS])}"


def raw_blocks(message: MessageView) -> str:
    """Return the blocks as they were sent: a JSON list."""
    return f"[{','.join(part.raw or json.dumps(part.text) for part in message.parts)}]"


def tool_name(raw: str) -> str:
    """Return what a tool's definition calls it; the type of one that has no name."""
    try:
        tool = json.loads(raw)
    except (ValueError, RecursionError):
        return "unreadable"
    if not isinstance(tool, dict):
        return "unreadable"
    for inner in (tool, tool.get("function"), tool.get("toolSpec"), tool.get("custom")):
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            return str(inner["name"])
    declared = tool.get("functionDeclarations") or tool.get("function_declarations")
    if isinstance(declared, list) and declared:
        return ", ".join(tool_name(json.dumps(each)) for each in declared[:3]) + (" …" if len(declared) > 3 else "")  # noqa: PLR2004 - enough to tell it by
    return str(tool.get("type") or next(iter(tool), "unnamed"))
