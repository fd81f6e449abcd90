"""Gemini's contents: a role and parts; each part is what its one data member says. Both spellings of members are read.

The role `model` is the assistant's. Ids of function calls are mostly absent; clients make them up or drop them.
"""

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft
from modular_agents.proxy.wire.shape import ABSENT, Shape


class _Content(msgspec.Struct, gc=False):
    role: str | None = None
    parts: msgspec.Raw = ABSENT


class _Part(msgspec.Struct, gc=False):
    text: str | None = None
    thought: bool | None = None
    functionCall: msgspec.Raw = ABSENT  # noqa: N815 - Google's spelling
    function_call: msgspec.Raw = ABSENT
    functionResponse: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    function_response: msgspec.Raw = ABSENT
    inlineData: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    inline_data: msgspec.Raw = ABSENT
    fileData: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    file_data: msgspec.Raw = ABSENT


class _Function(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = ABSENT
    response: msgspec.Raw = ABSENT


class _Blob(msgspec.Struct, gc=False):
    mimeType: str | None = None  # noqa: N815 - Gemini's own name
    mime_type: str | None = None


_CONTENT, _PART, _FUNCTION, _BLOB = Shape(_Content), Shape(_Part), Shape(_Function), Shape(_Blob)
_ROLES = {"model": "assistant", "function": "tool"}


def read_content(raw: bytes) -> Draft:
    """Read one content; a bare string is what the user says. Raises ValueError."""
    if raw[:1] != b"{":
        text = js.text(raw)
        return Draft("unknown", (Part("other", raw=raw),)) if text is None else Draft("user", (Part("text", text),))
    content = _CONTENT.read(raw)
    role = content.role or "user"
    return Draft(_ROLES.get(role, role), read_parts(bytes(content.parts)))


def read_parts(raw: bytes) -> tuple[Part, ...]:
    """Read a list of parts, or a single one. Raises ValueError."""
    raws = js.elements(raw) if raw[:1] == b"[" else [raw] if raw[:1] == b"{" else []
    return tuple(_part(one) if one[:1] == b"{" else Part("text", js.text(one) or "", raw=one) for one in raws)


def _part(raw: bytes) -> Part:
    part = _PART.read(raw)
    if part.text is not None:
        return Part("thinking" if part.thought else "text", part.text, raw=raw)
    call = bytes(part.functionCall) or bytes(part.function_call)
    if call[:1] == b"{":
        function = _FUNCTION.read(call)
        arguments = bytes(function.args).decode("utf-8", "replace") or "{}"
        return Part("tool_use", "", function.id, function.name, arguments, raw=raw)
    result = bytes(part.functionResponse) or bytes(part.function_response)
    if result[:1] == b"{":
        function = _FUNCTION.read(result)
        return Part("tool_result", _result(bytes(function.response)), function.id, function.name, raw=raw)
    blob = bytes(part.inlineData) or bytes(part.inline_data) or bytes(part.fileData) or bytes(part.file_data)
    if blob[:1] == b"{":
        return Part(_media(_BLOB.read(blob)), raw=raw)
    return Part("other", raw=raw)


def _result(response: bytes) -> str:
    """Return what a person reads of a result: the text, where the object only wraps one (`output`, `result`, `error`)."""
    members = js.members(response) if response[:1] == b"{" else {}
    text = js.text(next(iter(members.values()))) if len(members) == 1 else None
    return response.decode("utf-8", "replace") if text is None else text


def _media(blob: _Blob) -> str:
    kind = (blob.mimeType or blob.mime_type or "").partition("/")[0]
    return kind if kind in {"image", "audio"} else "document"
