"""Items of the Responses API: each is one entry. What the model made has the role `assistant`, results of tools `tool`.

Tools that the client runs are tool uses (functions, custom tools, shells, patches, computers); those that OpenAI runs inside
the answer (searches, interpreter, MCP) are server tool uses named by their item's type. What another agent says to this one
(`agent_message`, Codex) is a user's: the provider encrypts a task it hands on; behind other providers it stands there in plain words.
"""

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft
from modular_agents.proxy.wire.shape import ABSENT, Content, Shape


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT
    action: msgspec.Raw = ABSENT
    operation: msgspec.Raw = ABSENT
    content: Content = None
    summary: Content = None
    output: Content = None


class _Block(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    encrypted_content: str | None = None


_ITEM, _BLOCK = Shape(_Item), Shape(_Block)
_TEXT = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_MEDIA = {"input_image": "image", "computer_screenshot": "image", "input_file": "document", "input_audio": "audio", "output_audio": "audio"}
_CLIENT_TOOLS = {
    "local_shell_call": "local_shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "computer_call": "computer",
}


def read_item(raw: bytes) -> Draft:
    """Read one item; a bare string is what the user says. Raises ValueError."""
    if raw[:1] != b"{":
        text = js.text(raw)
        return Draft("unknown", (Part("other", raw=raw),)) if text is None else Draft("user", (Part("text", text),))
    item = _ITEM.read(raw)
    kind = item.type or "message"
    if kind == "message":
        return Draft(item.role or "unknown", _message(item))
    if kind == "reasoning":
        thought = "\n".join(part.text for part in (*_blocks(item.summary), *_blocks(item.content)) if part.text)
        return Draft("assistant", (Part("thinking", thought, raw=raw),))
    if kind == "agent_message":
        return Draft("user", tuple(_blocks(item.content)))
    if kind.endswith("_output"):
        return Draft("tool", _result(item, raw))
    return Draft(item.role or "assistant", (_call(kind, item, raw),))


def _message(item: _Item) -> tuple[Part, ...]:
    if isinstance(item.content, str):
        return (Part("text", item.content),)
    return tuple(_blocks(item.content))


def _blocks(content: Content) -> list[Part]:
    if isinstance(content, str):
        return [Part("text", content)]
    return [_block(raw) for raw in map(bytes, content or ())]


def _block(raw: bytes) -> Part:
    if raw[:1] != b"{":
        return Part("text", js.text(raw) or "", raw=raw)
    block = _BLOCK.read(raw)
    kind = block.type or "other"
    if kind in _TEXT:
        return Part("text", block.text or "", raw=raw)
    if kind == "refusal":
        return Part("refusal", block.refusal or "", raw=raw)
    if kind == "encrypted_content" and " " in (block.encrypted_content or ""):
        return Part("text", block.encrypted_content or "", raw=raw)
    return Part(_MEDIA.get(kind, "other"), name=None if kind in _MEDIA else kind, raw=raw)


def _call(kind: str, item: _Item, raw: bytes) -> Part:
    """Read a tool use, or whatever else the model made."""
    if kind in {"function_call", "custom_tool_call"}:
        return Part("tool_use", "", item.call_id or item.id, item.name, _arguments(item), raw=raw)
    if kind in _CLIENT_TOOLS:
        return Part("tool_use", "", item.call_id or item.id, _CLIENT_TOOLS[kind], _arguments(item), raw=raw)
    if kind.endswith("_call"):
        return Part("server_tool_use", "", item.call_id or item.id, item.name or kind, _arguments(item) or None, raw=raw)
    return Part("other", tool_id=item.call_id, name=kind, raw=raw)


def _arguments(item: _Item) -> str:
    """Return what a tool was called with: a string as it is, anything else as JSON."""
    raw = bytes(item.arguments) or bytes(item.input) or bytes(item.action) or bytes(item.operation)
    text = js.text(raw)
    return raw.decode("utf-8", "replace") if text is None else text


def _result(item: _Item, raw: bytes) -> tuple[Part, ...]:
    tool_id = item.call_id or item.id
    if isinstance(item.output, str):
        return (Part("tool_result", item.output, tool_id, raw=raw),)
    parts = _blocks(item.output)
    text = "\n".join(part.text for part in parts if part.kind == "text")
    media = (Part(part.kind, part.text, tool_id, part.name, raw=part.raw) for part in parts if part.kind != "text")
    return (Part("tool_result", text, tool_id, raw=raw), *media)
