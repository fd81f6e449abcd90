"""Messages of Ollama: text, thinking, pictures as base64, tool calls with arguments as an object and without ids."""

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft
from modular_agents.proxy.wire.shape import ABSENT, Elements, Shape


class _Entry(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    images: Elements = None
    tool_calls: Elements = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: msgspec.Raw = ABSENT


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: msgspec.Raw = ABSENT


_ENTRY, _CALL, _FUNCTION = Shape(_Entry), Shape(_Call), Shape(_Function)


def read_entry(raw: bytes) -> Draft:
    """Read one message; a bare string is what the user says. Raises ValueError."""
    if raw[:1] != b"{":
        text = js.text(raw)
        return Draft("unknown", (Part("other", raw=raw),)) if text is None else Draft("user", (Part("text", text),))
    entry = _ENTRY.read(raw)
    role = entry.role or "unknown"
    if role == "tool":
        return Draft(role, (Part("tool_result", entry.content or "", entry.tool_call_id, entry.tool_name, raw=raw),))
    parts = [Part("thinking", entry.thinking)] if entry.thinking else []
    if entry.content:
        parts.append(Part("text", entry.content))
    parts += [Part("image", raw=bytes(image)) for image in entry.images or ()]
    parts += [_tool_call(bytes(call)) for call in entry.tool_calls or ()]
    return Draft(role, tuple(parts))


def _tool_call(raw: bytes) -> Part:
    call = _CALL.read(raw) if raw[:1] == b"{" else _Call()
    inner = bytes(call.function)
    function = _FUNCTION.read(inner) if inner[:1] == b"{" else _Function()
    arguments = bytes(function.arguments)
    text = js.text(arguments)
    return Part("tool_use", "", call.id, function.name, arguments.decode("utf-8", "replace") if text is None else text, raw=raw)
