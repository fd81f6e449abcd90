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


class _Rare(msgspec.Struct, gc=False):
    """Members of a part that few answers have: tools of Google's own, and what was heard in sound."""

    executableCode: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    executable_code: msgspec.Raw = ABSENT
    codeExecutionResult: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    code_execution_result: msgspec.Raw = ABSENT
    toolCall: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    tool_call: msgspec.Raw = ABSENT
    toolResponse: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    tool_response: msgspec.Raw = ABSENT
    audioTranscription: msgspec.Raw = ABSENT  # noqa: N815 - Gemini's own name
    audio_transcription: msgspec.Raw = ABSENT


class _Function(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = ABSENT
    response: msgspec.Raw = ABSENT
    parts: msgspec.Raw = ABSENT


class _Tool(msgspec.Struct, gc=False):
    """A tool of Google's own: code it ran, or a search that says its type."""

    id: str | None = None
    toolType: str | None = None  # noqa: N815 - Gemini's own name
    tool_type: str | None = None
    outcome: str | None = None
    output: str | None = None
    text: str | None = None
    args: msgspec.Raw = ABSENT
    response: msgspec.Raw = ABSENT


class _Blob(msgspec.Struct, gc=False):
    mimeType: str | None = None  # noqa: N815 - Gemini's own name
    mime_type: str | None = None
    displayName: str | None = None  # noqa: N815 - Gemini's own name
    display_name: str | None = None


_CONTENT, _PART, _RARE = Shape(_Content), Shape(_Part), Shape(_Rare)
_FUNCTION, _TOOL, _BLOB = Shape(_Function), Shape(_Tool), Shape(_Blob)
_ROLES = {"model": "assistant", "function": "tool"}
_CODE = "code_execution"
"""What Google calls the tool that runs code, in a request's `tools`."""
_FAILED = {"OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"}


def read_content(raw: bytes) -> Draft:
    """Read one content; a bare string is what the user says. Raises ValueError."""
    if raw[:1] != b"{":
        text = js.text(raw)
        return Draft("unknown", (Part("other", raw=raw),)) if text is None else Draft("user", (Part("text", text),))
    content = _CONTENT.read(raw)
    role = content.role or "user"
    return Draft(_ROLES.get(role, role), read_parts(bytes(content.parts)))


def read_parts(raw: bytes) -> tuple[Part, ...]:
    """Read a list of parts, or a single one; pictures and files inside a function's response follow it. Raises ValueError."""
    raws = js.elements(raw) if raw[:1] == b"[" else [raw] if raw[:1] == b"{" else []
    parts: list[Part] = []
    for one in raws:
        parts += _read(one) if one[:1] == b"{" else [Part("text", js.text(one) or "", raw=one)]
    return tuple(parts)


def _read(raw: bytes) -> list[Part]:
    part = _PART.read(raw)
    if part.text is not None:
        return [Part("thinking" if part.thought else "text", part.text, raw=raw)]
    call = bytes(part.functionCall) or bytes(part.function_call)
    if call[:1] == b"{":
        function = _FUNCTION.read(call)
        arguments = bytes(function.args).decode("utf-8", "replace") or "{}"
        return [Part("tool_use", "", function.id, function.name, arguments, raw=raw)]
    result = bytes(part.functionResponse) or bytes(part.function_response)
    if result[:1] == b"{":
        return _response(result, raw)
    blob = bytes(part.inlineData) or bytes(part.inline_data) or bytes(part.fileData) or bytes(part.file_data)
    rare = _RARE.read(raw)
    heard = bytes(rare.audioTranscription) or bytes(rare.audio_transcription)
    if blob[:1] == b"{" or heard[:1] == b"{":
        read = _BLOB.read(blob) if blob else _Blob(mimeType="audio/")
        said = (_TOOL.read(heard).text if heard[:1] == b"{" else None) or read.displayName or read.display_name
        return [Part(_media(read), said or "", raw=raw)]
    return [_own(rare, raw)]


def _response(data: bytes, raw: bytes) -> list[Part]:
    function = _FUNCTION.read(data)
    response = bytes(function.response)
    is_error = True if response[:1] == b"{" and js.members(response).keys() == {"error"} else None
    inner = read_parts(bytes(function.parts))
    return [
        Part("tool_result", _result(response), function.id, function.name, is_error=is_error, raw=raw),
        *(Part(part.kind, part.text, function.id, part.name, raw=part.raw) for part in inner),
    ]


def _own(rare: _Rare, raw: bytes) -> Part:
    """Read what a tool of Google's own was asked, or brought back; any other part is kept."""
    code, ran = (
        bytes(rare.executableCode) or bytes(rare.executable_code),
        bytes(rare.codeExecutionResult) or bytes(rare.code_execution_result),
    )
    if code[:1] == b"{":
        return Part("server_tool_use", "", _TOOL.read(code).id, _CODE, code.decode("utf-8", "replace"), raw=raw)
    if ran[:1] == b"{":
        tool = _TOOL.read(ran)
        return Part("server_tool_result", tool.output or "", tool.id, _CODE, is_error=True if tool.outcome in _FAILED else None, raw=raw)
    call, response = bytes(rare.toolCall) or bytes(rare.tool_call), bytes(rare.toolResponse) or bytes(rare.tool_response)
    if call[:1] == b"{":
        tool = _TOOL.read(call)
        arguments = bytes(tool.args).decode("utf-8", "replace") or "{}"
        return Part("server_tool_use", "", tool.id, tool.toolType or tool.tool_type, arguments, raw=raw)
    if response[:1] == b"{":
        tool = _TOOL.read(response)
        return Part("server_tool_result", _result(bytes(tool.response)), tool.id, tool.toolType or tool.tool_type, raw=raw)
    return Part("other", raw=raw)


def _result(response: bytes) -> str:
    """Return what a person reads of a result: the text, where the object only wraps one (`output`, `result`, `error`)."""
    members = js.members(response) if response[:1] == b"{" else {}
    text = js.text(next(iter(members.values()))) if len(members) == 1 else None
    return response.decode("utf-8", "replace") if text is None else text


def _media(blob: _Blob) -> str:
    kind = (blob.mimeType or blob.mime_type or "").partition("/")[0]
    return kind if kind in {"image", "audio"} else "document"
