"""Content of Anthropic messages: each block is one part; media inside a tool result follow it. Unknown blocks are kept.

A result of the provider's own tools has an object or a list as content, of a form of its own for each tool; one that failed
has an object whose type ends with `_error`.
"""

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.readable import readable
from modular_agents.proxy.wire.shape import ABSENT, Content, Shape


class Block(msgspec.Struct, gc=False):
    """What is read of any block."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    title: str | None = None
    tool_use_id: str | None = None
    is_error: bool | None = None
    content: Content = None
    input: msgspec.Raw = ABSENT
    source: msgspec.Raw = ABSENT


class _Source(msgspec.Struct, gc=False):
    type: str | None = None
    data: str | None = None
    content: Content = None


class _Result(msgspec.Struct, gc=False):
    content: msgspec.Raw = ABSENT
    is_error: bool | None = None


_BLOCK, _SOURCE, _RESULT = Shape(Block), Shape(_Source), Shape(_Result)
_FOUND = (
    "error_code",
    "error_message",
    "title",
    "url",
    "text",
    "stdout",
    "stderr",
    "content",
    "lines",
    "source",
    "tool_references",
    "tool_name",
)
"""What a result of the provider's own tools says: failures, pages found and fetched, output of code, lines of files, tools."""
_TOLD = (
    *("text", "content", "from", "to", "model", "tool", "definition", "mcp_server_name", "server_name"),
    *("tools", "tool_changes", "name", "tool_name", "tabs", "title", "url"),
)
"""What any other block says: which model gave way to which, tools that came and went, tabs of a browser."""


def parts_of(content: Content) -> tuple[Part, ...]:
    """Read a message's content. Raises ValueError."""
    if isinstance(content, str):
        return (Part("text", content),)
    return read_blocks([bytes(block) for block in content]) if content else ()


def read_blocks(raws: list[bytes]) -> tuple[Part, ...]:
    """Read blocks, each an exact slice. Raises ValueError."""
    parts: list[Part] = []
    for raw in raws:
        if raw[:1] != b"{":
            parts.append(Part("other", raw=raw))
            continue
        block = _BLOCK.read(raw)
        if block.type == "text":
            parts.append(Part("text", block.text or "", raw=raw))
        elif block.type == "tool_result":
            parts += _tool_result(block, raw)
        else:
            parts.append(_part(block, raw))
    return tuple(parts)


def _part(block: Block, raw: bytes) -> Part:
    kind = block.type or "other"
    if kind.endswith("tool_use"):
        arguments = bytes(block.input).decode("utf-8", "replace") or "{}"
        return Part("tool_use" if kind == "tool_use" else "server_tool_use", "", block.id, block.name, arguments, raw=raw)
    if kind.endswith("_tool_result"):
        text, is_error = _found(raw)
        return Part("server_tool_result", text, block.tool_use_id, kind, is_error=is_error, raw=raw)
    if kind == "thinking":
        return Part("thinking", block.thinking or "", raw=raw)
    if kind in {"redacted_thinking", "image"}:
        return Part(kind, raw=raw)
    if kind in {"document", "search_result"}:
        return Part("document", _document_text(block), raw=raw)
    return Part("other", readable(js.parse(raw), _TOLD), name=kind, raw=raw)


def _found(raw: bytes) -> tuple[str, bool | None]:
    """Return what a result of the provider's own tools says, and whether it says that it failed. Raises ValueError."""
    result = _RESULT.read(raw)
    content = js.parse(bytes(result.content) or b"null")
    failed = isinstance(content, dict) and str(content.get("type")).endswith("_error")
    return readable(_without_data(content), _FOUND), True if failed else result.is_error


def _without_data(content: object) -> object:
    """Return a result with a fetched page's plain text in place of its source; encoded data is no text."""
    page = js.obj(js.obj(content).get("content"))
    source = js.obj(page.get("source"))
    return {**js.obj(content), "content": {**page, "source": source.get("data")}} if source.get("type") == "text" else content


def _document_text(block: Block) -> str:
    """Return a document's text where it is given as such (a search result's under its title), else its title."""
    raw = bytes(block.source)
    source = _SOURCE.read(raw) if raw[:1] == b"{" else _Source()
    if source.type == "text" and source.data:
        return source.data
    texts = [_text_of(source.content)] if source.type == "content" else [block.title or "", _text_of(block.content)]
    return "\n".join(filter(None, texts)) or block.title or ""


def _text_of(content: Content) -> str:
    """Return the text of content: a string, or the text blocks of a list."""
    if not isinstance(content, list):
        return content or ""
    return "\n".join(item.text or "" for item in map(_inner, map(bytes, content)) if item.type == "text")


def _tool_result(block: Block, raw: bytes) -> list[Part]:
    content = block.content
    if not isinstance(content, list):
        return [Part("tool_result", content or "", block.tool_use_id, is_error=block.is_error, raw=raw)]
    inner = [(_inner(item), item) for item in map(bytes, content)]
    text = "\n".join(item.text or "" for item, _ in inner if item.type == "text")
    media = (_part(item, slice_) for item, slice_ in inner if item.type != "text")
    return [
        Part("tool_result", text, block.tool_use_id, is_error=block.is_error, raw=raw),
        *(Part(part.kind, part.text, block.tool_use_id, part.name, part.arguments, raw=part.raw) for part in media),
    ]


def _inner(raw: bytes) -> Block:
    return _BLOCK.read(raw) if raw[:1] == b"{" else Block(type="text", text=js.text(raw))
