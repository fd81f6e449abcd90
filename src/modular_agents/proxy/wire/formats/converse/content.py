"""Converse's messages: each block is what its one member says."""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft

_OF_CLIENT = {None, "tool_use", "tool_result"}
"""Types of uses and results of tools that the client runs; any other (`server_tool_use`, `nova_code_interpreter_result`) is Amazon's."""
_MEDIA = {"image": "image", "document": "document", "video": "document", "audio": "audio"}


def read_message(raw: bytes) -> Draft:
    """Read one message. Raises ValueError."""
    if raw[:1] != b"{":
        return Draft("unknown", (Part("other", raw=raw),))
    fields = js.members(raw)
    parts = [part for block in js.list_of(fields.get("content")) for part in read_block(block)]
    return Draft(js.text(fields.get("role")) or "unknown", tuple(parts))


def read_block(raw: bytes) -> list[Part]:
    """Read one block: a part, and the media inside a tool result after it. Raises ValueError."""
    members = js.members(raw) if raw[:1] == b"{" else {}
    kind, value = next(((key, value) for key, value in members.items() if key != "cachePoint"), ("", b""))
    if kind == "text":
        return [Part("text", js.text(value) or "", raw=raw)]
    inner = js.members(value) if value[:1] == b"{" else {}
    if kind in _MEDIA:
        return [Part(_MEDIA[kind], _document_text(inner) if kind == "document" else "", raw=raw)]
    tool_id = js.text(inner.get("toolUseId"))
    if kind == "toolUse":
        use = "tool_use" if js.text(inner.get("type")) in _OF_CLIENT else "server_tool_use"
        return [Part(use, "", tool_id, js.text(inner.get("name")), inner.get("input", b"{}").decode("utf-8", "replace"), raw=raw)]
    if kind == "toolResult":
        return _result(inner, tool_id, raw)
    if kind == "reasoningContent":
        text = js.string(js.obj(js.parse(inner.get("reasoningText", b"null"))).get("text"))
        return [Part("redacted_thinking" if text is None else "thinking", text or "", raw=raw)]
    return [] if not kind and members else [_worded(kind, inner, raw)]


def _worded(kind: str, inner: dict[str, bytes], raw: bytes) -> Part:
    """Read a block whose words are wrapped: an answer with its sources, what a guardrail looks at, a search's result."""
    if kind == "citationsContent":
        return Part("text", "".join(_texts(inner)), raw=raw)
    if kind == "searchResult":
        return Part("document", "\n".join(filter(None, (js.text(inner.get("title")), *_texts(inner)))), raw=raw)
    if kind == "guardContent" and inner.get("text", b"")[:1] == b"{":
        return Part("text", js.text(js.members(inner["text"]).get("text")) or "", raw=raw)
    if kind == "guardContent" and "image" in inner:
        return Part("image", raw=raw)
    return Part("other", name=kind or None, raw=raw)


def _texts(inner: dict[str, bytes]) -> list[str]:
    blocks = (js.members(block) for block in _blocks(inner) if block[:1] == b"{")
    return [js.text(block.get("text")) or "" for block in blocks]


def _blocks(inner: dict[str, bytes]) -> list[bytes]:
    """Return the blocks of a block; none where its content is no list."""
    content = inner.get("content", b"")
    return js.elements(content) if content[:1] == b"[" else []


def _document_text(inner: dict[str, bytes]) -> str:
    """Return a document's text where it is given as such, else its name."""
    source = js.members(inner["source"]) if inner.get("source", b"")[:1] == b"{" else {}
    return js.text(source.get("text")) or "\n".join(_texts(source)) or js.text(inner.get("name")) or ""


def _result(inner: dict[str, bytes], tool_id: str | None, raw: bytes) -> list[Part]:
    text: list[str] = []
    media: list[Part] = []
    for block in _blocks(inner):
        members = js.members(block) if block[:1] == b"{" else {}
        if "text" in members:
            text.append(js.text(members["text"]) or "")
        elif "json" in members:
            text.append(members["json"].decode("utf-8", "replace"))
        else:
            media += [Part(part.kind, part.text, tool_id, part.name, raw=part.raw) for part in read_block(block)]
    is_error = inner.get("status") == b'"error"' if "status" in inner else None
    name = js.text(inner.get("type"))
    kind = "tool_result" if name in _OF_CLIENT else "server_tool_result"
    return [Part(kind, "\n".join(text), tool_id, None if kind == "tool_result" else name, is_error=is_error, raw=raw), *media]
