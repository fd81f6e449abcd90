"""Messages of Chat Completions, as sent and as answered: thinking first, then content, then what stands beside it."""

from collections.abc import Iterator

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft
from modular_agents.proxy.wire.shape import ABSENT, Content, Elements, Shape


class _Entry(msgspec.Struct, gc=False):
    role: str | None = None
    content: Content = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    audio: msgspec.Raw = ABSENT
    tool_calls: Elements = None
    function_call: msgspec.Raw = ABSENT


class _Block(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    thinking: Content = None
    file: msgspec.Raw = ABSENT


class _File(msgspec.Struct, gc=False):
    filename: str | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: msgspec.Raw = ABSENT
    custom: msgspec.Raw = ABSENT


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT


class _Audio(msgspec.Struct, gc=False):
    id: str | None = None
    transcript: str | None = None


_ENTRY, _BLOCK, _CALL, _FUNCTION, _AUDIO = Shape(_Entry), Shape(_Block), Shape(_Call), Shape(_Function), Shape(_Audio)
_FILE = Shape(_File)
_MEDIA = {
    "image_url": "image",
    "image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "file": "document",
    "document_url": "document",
}
_TEXT = {"text", "input_text", "output_text"}


def read_entry(raw: bytes) -> Draft:
    """Read one message; what is none is kept as one unknown part. Raises ValueError."""
    if raw[:1] != b"{":
        return Draft("unknown", (Part("other", raw=raw),))
    entry = _ENTRY.read(raw)
    role = entry.role or "unknown"
    if role in {"tool", "function"}:
        return Draft(role, tuple(_result(entry, raw)))
    if isinstance(entry.content, str) and role != "assistant":
        return Draft(role, (Part("text", entry.content),))
    return Draft(role, tuple(_parts(entry)))


def _parts(entry: _Entry) -> Iterator[Part]:
    thought = entry.reasoning_content or entry.reasoning
    if thought:
        yield Part("thinking", thought)
    yield from _content(entry.content)
    if entry.refusal:
        yield Part("refusal", entry.refusal)
    audio = bytes(entry.audio)
    if audio[:1] == b"{":
        read = _AUDIO.read(audio)
        yield Part("audio", read.transcript or "", read.id, raw=audio)
    for call in entry.tool_calls or ():
        yield _tool_call(bytes(call))
    function = bytes(entry.function_call)
    if function[:1] == b"{":
        yield _function(None, function, function)


def _content(content: Content) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Part("text", content)
        return
    for item in content or ():
        raw = bytes(item)
        yield _block(raw) if raw[:1] == b"{" else Part("text", js.text(raw) or "", raw=raw)


def _block(raw: bytes) -> Part:
    block = _BLOCK.read(raw)
    kind = block.type or "other"
    if kind in _TEXT:
        return Part("text", block.text or "", raw=raw)
    if kind == "refusal":
        return Part("refusal", block.refusal or "", raw=raw)
    if kind == "thinking":
        return Part("thinking", _flat(block.thinking), raw=raw)
    file = bytes(block.file)
    text = _FILE.read(file).filename if file[:1] == b"{" else None
    return Part(_MEDIA.get(kind, "other"), text or "", name=None if kind in _MEDIA else kind, raw=raw)


def _flat(content: Content) -> str:
    """Return text that may come as a list of text blocks."""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in _content(content) if part.kind == "text")


def _tool_call(raw: bytes) -> Part:
    if raw[:1] != b"{":
        return Part("other", raw=raw)
    call = _CALL.read(raw)
    return _function(call.id, bytes(call.function) or bytes(call.custom), raw)


def _function(tool_id: str | None, inner: bytes, raw: bytes) -> Part:
    """Read a function's name and arguments; some servers give an object where the standard has text."""
    function = _FUNCTION.read(inner) if inner[:1] == b"{" else _Function()
    arguments = bytes(function.arguments) or bytes(function.input)
    text = js.text(arguments)
    return Part("tool_use", "", tool_id, function.name, arguments.decode("utf-8", "replace") if text is None else text, raw=raw)


def _result(entry: _Entry, raw: bytes) -> Iterator[Part]:
    yield Part("tool_result", _flat(entry.content), entry.tool_call_id, None if entry.tool_call_id else entry.name, raw=raw)
    if isinstance(entry.content, list):
        yield from (part for part in _content(entry.content) if part.kind != "text")
