"""Converse's messages: each block is what its one member says."""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft

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
    if kind in _MEDIA:
        return [Part(_MEDIA[kind], raw=raw)]
    inner = js.members(value) if value[:1] == b"{" else {}
    tool_id = js.text(inner.get("toolUseId"))
    if kind == "toolUse":
        return [Part("tool_use", "", tool_id, js.text(inner.get("name")), inner.get("input", b"{}").decode("utf-8", "replace"), raw=raw)]
    if kind == "toolResult":
        return _result(inner, tool_id, raw)
    if kind == "reasoningContent":
        text = js.string(js.obj(js.parse(inner.get("reasoningText", b"null"))).get("text"))
        return [Part("redacted_thinking" if text is None else "thinking", text or "", raw=raw)]
    return [] if not kind and members else [Part("other", name=kind or None, raw=raw)]


def _result(inner: dict[str, bytes], tool_id: str | None, raw: bytes) -> list[Part]:
    text: list[str] = []
    media: list[Part] = []
    for block in js.list_of(inner.get("content")):
        members = js.members(block) if block[:1] == b"{" else {}
        if "text" in members:
            text.append(js.text(members["text"]) or "")
        elif "json" in members:
            text.append(members["json"].decode("utf-8", "replace"))
        else:
            media += [Part(part.kind, part.text, tool_id, part.name, raw=part.raw) for part in read_block(block)]
    is_error = inner.get("status") == b'"error"' if "status" in inner else None
    return [Part("tool_result", "\n".join(text), tool_id, is_error=is_error, raw=raw), *media]
