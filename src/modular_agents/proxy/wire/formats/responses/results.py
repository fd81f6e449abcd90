"""Blocks inside items of the Responses API, and what tools brought back.

What the client's tools brought stands in items of its own; what OpenAI's brought mostly in the item of the call.
"""

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.readable import readable
from modular_agents.proxy.wire.shape import ABSENT, Content, Shape


class _Block(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    filename: str | None = None
    transcript: str | None = None
    encrypted_content: str | None = None


class _Result(msgspec.Struct, gc=False):
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    status: str | None = None
    output: msgspec.Raw = ABSENT
    outputs: msgspec.Raw = ABSENT
    results: msgspec.Raw = ABSENT
    result: msgspec.Raw = ABSENT
    tools: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT


_BLOCK, _RESULT = Shape(_Block), Shape(_Result)
_TEXT = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_MEDIA = {
    "input_image": "image",
    "computer_screenshot": "image",
    "image": "image",
    "input_file": "document",
    "input_audio": "audio",
    "output_audio": "audio",
}
_NOTHING = {b"", b"null"}
_FOUND = ("code", "message", "filename", "server_label", "name", "text", "logs", "stdout", "stderr", "content", "tools")
"""What a result says where it is no block: failures, passages of files, output of code and shells, tools."""


def read_blocks(content: Content) -> list[Part]:
    """Read content: a text is one part, each block another. Raises ValueError."""
    if isinstance(content, str):
        return [Part("text", content)]
    return [_block(raw) for raw in map(bytes, content or ())]


def result(raw: bytes, server_tool: str | None) -> tuple[Part, ...]:
    """Read an item that is the result of a tool, of OpenAI's where it is named. Raises ValueError."""
    item = _RESULT.read(raw)
    kind, name = ("tool_result", item.name) if server_tool is None else ("server_tool_result", server_tool)
    tool_id = item.call_id or item.id
    text, media = _flat(bytes(item.output) or bytes(item.result) or bytes(item.tools))
    first = Part(kind, text, tool_id, name, is_error=_failed(item), raw=raw)
    return (first, *(Part(part.kind, part.text, tool_id, part.name, raw=part.raw) for part in media))


def brought(raw: bytes, tool_id: str | None, name: str) -> tuple[Part, ...]:
    """Return what a tool of OpenAI's brought back, if its call's item tells: a result, then the pictures. Raises ValueError."""
    item = _RESULT.read(raw)
    told = [data for member in (item.output, item.outputs, item.results) if (data := bytes(member)) not in _NOTHING]
    flat = [_flat(data) for data in told]
    texts = [text for text, _ in flat if text]
    media = [part for _, parts in flat for part in parts]
    if (picture := bytes(item.result))[:1] == b'"':
        media.append(Part("image", raw=picture))
    if (error := bytes(item.error)) not in _NOTHING:
        told.append(error)
        texts.append(readable(js.parse(error), _FOUND) or error.decode("utf-8", "replace"))
    found = [Part(part.kind, part.text, tool_id, part.name, raw=part.raw) for part in media]
    failed = _failed(item)
    if not told and failed is None:
        return tuple(found)
    raw = told[0] if told else b'"failed"'
    return (Part("server_tool_result", "\n".join(texts), tool_id, name, is_error=failed, raw=raw), *found)


def _failed(item: _Result) -> bool | None:
    return True if item.status == "failed" or bytes(item.error) not in _NOTHING else None


def _flat(data: bytes) -> tuple[str, list[Part]]:
    """Return the text of an output, and the blocks in it that are no text. Raises ValueError."""
    if data[:1] not in {b"[", b"{"}:
        return js.text(data) or "", []
    text: list[str] = []
    media: list[Part] = []
    for raw in js.elements(data) if data[:1] == b"[" else [data]:
        part = _block(raw)
        if part.kind == "other":
            part = Part("other", readable(js.parse(raw), _FOUND), name=part.name, raw=raw)
        if part.text and part.kind in {"text", "other"}:
            text.append(part.text)
        elif part.kind != "text":
            media.append(part)
    return "\n".join(text), media


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
    if kind in _MEDIA:
        return Part(_MEDIA[kind], block.filename or block.transcript or "", raw=raw)
    return Part("other", name=kind, raw=raw)
