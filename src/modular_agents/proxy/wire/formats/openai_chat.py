"""OpenAI Chat Completions: `POST …/chat/completions`, answered whole or as chunks, and the dialects of servers that speak it.

Tool calls arrive in pieces by `index`; usage only in a last chunk with empty `choices`, and only if the client asked for it.
Dialects read here: `reasoning_content` (DeepSeek, vLLM, llama.cpp), `reasoning` (OpenRouter, Ollama, Groq), content as a list of
blocks (Mistral), tool calls without `index` or with one index for all (Gemini's and others' compatible endpoints), errors
inside a 200 stream, `x_groq.usage`, llama.cpp's `timings`, no `[DONE]`.
Source: platform.openai.com/docs/api-reference/chat; quirks: docs/formats/openai-chat.md.
"""

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, digest, seal
from modular_agents.proxy.wire.growing import Growing
from modular_agents.proxy.wire.openai_usage import chat_usage
from modular_agents.proxy.wire.reading import Answered, Asked, Fault, Format, Piece, Target

_OWN = {"model", "messages", "tools", "functions", "stream"}
MAX_CHOICES = 128
"""OpenAI's own limit of `n`; bounds what a hostile stream may make us keep."""
MAX_TOOL_CALLS = 1024
_REASONING = ("reasoning_content", "reasoning")


def read_request(body: bytes, target: Target) -> Asked:
    """Read a request body (JSON, decoded). On Azure the model may stand only in the path, as a deployment."""
    try:
        top = js.members(body)
        messages = [_message(raw) for raw in js.elements(top["messages"])] if "messages" in top else []
        tools = [tool for key in ("tools", "functions") if top.get(key, b"null") != b"null" for tool in js.elements(top[key])]
        params = js.join_members({key: raw for key, raw in top.items() if key not in _OWN})
        model = js.string(js.parse(top.get("model", b"null"))) or _deployment(target.path)
        stream = js.parse(top.get("stream", b"false")) is True
        tier = js.string(js.parse(top.get("service_tier", b"null")))
    except ValueError as error:
        return Asked(unreadable=str(error))
    return Asked(model, stream, (), seal(messages), tuple(tools), params, service_tier=None if tier == "auto" else tier)


def _deployment(path: str) -> str | None:
    segments = path.split("/")
    return segments[segments.index("deployments") + 1] if "deployments" in segments[:-1] else None


def _message(raw: bytes) -> Draft:
    """Read one entry; what is no message is kept as one unknown part."""
    if raw[:1] != b"{":
        return Draft("unknown", (Part("other", raw=raw),), raw)
    fields = js.members(raw)
    role = js.string(js.parse(fields.get("role", b"null"))) or "unknown"
    if role in {"tool", "function"}:
        return Draft(role, tuple(_result(fields, raw)), raw)
    return Draft(role, tuple(_parts(fields)), raw)


def _parts(fields: dict[str, bytes]) -> list[Part]:
    """Read a message's content and what stands beside it."""
    parts = _thinking(fields)
    parts += _content(fields.get("content", b"null"))
    refusal = js.string(js.parse(fields.get("refusal", b"null")))
    if refusal:
        parts.append(Part("refusal", refusal, raw=fields["refusal"]))
    if fields.get("audio", b"null") != b"null":
        audio = js.obj(js.parse(fields["audio"]))
        parts.append(Part("audio", js.string(audio.get("transcript")) or "", tool_id=js.string(audio.get("id")), raw=fields["audio"]))
    if fields.get("tool_calls", b"null") != b"null":
        parts += [_tool_call(call) for call in js.elements(fields["tool_calls"])]
    if fields.get("function_call", b"null") != b"null":
        function = js.obj(js.parse(fields["function_call"]))
        parts.append(_function(None, function, fields["function_call"]))
    return parts


def _thinking(fields: dict[str, bytes]) -> list[Part]:
    for key in _REASONING:
        text = js.string(js.parse(fields.get(key, b"null")))
        if text:
            return [Part("thinking", text, raw=fields[key])]
    return []


def _content(raw: bytes) -> list[Part]:
    if raw[:1] == b"[":
        return [_block(block) for block in js.elements(raw)]
    value = js.parse(raw)
    text = js.string(value)
    if text is not None:
        return [Part("text", text, raw=raw)] if text else []
    return [] if value is None else [Part("other", raw=raw)]


_MEDIA = {
    "image_url": "image",
    "image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "file": "document",
    "document_url": "document",
}


def _block(raw: bytes) -> Part:
    value = js.parse(raw)
    block = js.obj(value)
    kind = js.string(block.get("type")) or "other"
    if isinstance(value, str) or kind in {"text", "input_text", "output_text"}:
        return Part("text", js.string(value if isinstance(value, str) else block.get("text")) or "", raw=raw)
    if kind == "refusal":
        return Part("refusal", js.string(block.get("refusal")) or "", raw=raw)
    if kind == "thinking":
        return Part("thinking", _flat(block.get("thinking")), raw=raw)
    return Part(_MEDIA.get(kind, "other"), name=None if kind in _MEDIA else kind, raw=raw)


def _flat(value: object) -> str:
    """Return text that may come as a list of text blocks (Mistral's thinking, a tool message's content)."""
    if isinstance(value, list):
        return "".join(js.string(item if isinstance(item, str) else js.obj(item).get("text")) or "" for item in value)
    return js.string(value) or ""


def _tool_call(raw: bytes) -> Part:
    call = js.obj(js.parse(raw))
    inner = call.get("function", call.get("custom"))
    return _function(js.string(call.get("id")), js.obj(inner), raw)


def _function(tool_id: str | None, function: js.Json, raw: bytes) -> Part:
    arguments = function.get("arguments", function.get("input"))
    text = js.string(arguments)
    if text is None and arguments is not None:
        text = js.compact(arguments).decode()  # some servers give an object where the standard has text
    return Part("tool_use", tool_id=tool_id, name=js.string(function.get("name")), arguments=text or "", raw=raw)


def _result(fields: dict[str, bytes], raw: bytes) -> list[Part]:
    content = js.parse(fields.get("content", b"null"))
    tool_id, name = js.string(js.parse(fields.get("tool_call_id", b"null"))), js.string(js.parse(fields.get("name", b"null")))
    media = [part for part in _content(fields["content"]) if part.kind != "text"] if isinstance(content, list) else []
    return [Part("tool_result", _flat(content), tool_id, name if tool_id is None else None, raw=raw), *media]


class _ToolCall:
    """A tool call while its pieces come; `kind` is `function`, or `custom` whose input is free text."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.fields: js.Json = {}
        self.name = ""
        self.arguments: list[str] = []

    def inner(self) -> js.Json:
        return {"name": js.mend(self.name), "input" if self.kind == "custom" else "arguments": js.mend("".join(self.arguments))}

    def raw(self) -> bytes:
        return js.compact({"type": self.kind, **self.fields, self.kind: self.inner()})


class _Choice:
    """One choice while its chunks come."""

    def __init__(self) -> None:
        self.role = "assistant"
        self.text: dict[str, list[str]] = {}
        self.calls: list[_ToolCall] = []
        self.by_index: dict[int, _ToolCall] = {}
        self.function: _ToolCall | None = None
        self.audio: Growing | None = None
        self.extra = Growing()
        self.finish: str | None = None
        self.order: list[str] = []

    def place(self, slot: str) -> int:
        """Return which part of the answer a slot is, in the order in which slots first appeared."""
        if slot not in self.order:
            self.order.append(slot)
        return self.order.index(slot)

    def message(self) -> bytes:
        fields: js.Json = {"role": self.role, "content": None}
        fields.update({key: js.mend("".join(pieces)) for key, pieces in self.text.items()})
        if self.calls:
            fields["tool_calls"] = [js.raw(call.raw()) for call in self.calls]
        if self.function:
            fields["function_call"] = self.function.inner()
        if self.audio:
            fields["audio"] = self.audio.value()
        return js.compact({**fields, **self.extra.value()})


class ChatFold:
    """One answer of the Chat Completions API."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._choices: dict[int, _Choice] = {}
        self._messages: list[bytes] = []
        self._finish: list[str | None] = []
        self._top: js.Json = {}
        self._usage: object = None
        self._usage_raw: bytes | None = None
        self._fault: Fault | None = None
        self._done = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one chunk, or `[DONE]`."""
        if data.strip() == b"[DONE]":
            self._done = True
            return []
        try:
            chunk = js.obj(js.parse(data))
        except ValueError as error:
            self._unreadable = self._unreadable or f"chunk {name}: {error}".replace(" :", ":")
            return []
        if chunk.get("error"):
            self._fault = _fault(chunk)
            return []
        self._note(chunk)
        pieces: list[Piece] = []
        for choice in js.arr(chunk.get("choices")):
            pieces += self._chunk(js.obj(choice))
        return pieces

    def whole(self, body: bytes) -> None:
        """Take a whole answer, or an error object."""
        try:
            fields = js.members(body)
            top = js.obj(js.parse(body))
            if top.get("error"):
                self._fault = _fault(top)
                return
            choices = js.elements(fields["choices"]) if isinstance(top.get("choices"), list) else []
            inner = [js.members(choice) for choice in choices]
        except ValueError as error:
            self._unreadable = str(error)
            return
        self._note(top)
        if self._usage is not None and "usage" in fields:
            self._usage_raw = fields["usage"]
        self._messages = [choice["message"] for choice in inner if choice.get("message", b"")[:1] == b"{"]
        self._finish = [js.string(js.obj(choice).get("finish_reason")) for choice in js.arr(top.get("choices"))]
        self._done = "choices" in top

    def answered(self) -> Answered:
        """Return what has come together."""
        raws, finish = self._messages, self._finish
        if self._choices:
            chosen = [choice for _, choice in sorted(self._choices.items())]
            raws, finish = [choice.message() for choice in chosen], [choice.finish for choice in chosen]
        answers = tuple(self._answer(raw) for raw in raws)
        ended = self._done or (bool(finish) and None not in finish)
        usage = chat_usage(self._usage, self._usage_raw, self._top, ended=ended)
        model, answer_id, tier = (js.string(self._top.get(key)) for key in ("model", "id", "service_tier"))
        stop = finish[0] if finish else None
        return Answered(answers, model, answer_id, stop, usage, self._fault, tier, ended, self._unreadable)

    def _answer(self, raw: bytes) -> Message:
        try:
            draft = _message(raw)
        except ValueError as error:
            self._unreadable = str(error)
            draft = Draft("assistant", (Part("other", raw=raw),), raw)
        return Message(draft.role, draft.parts, raw, digest("assistant", draft.parts))

    def _note(self, chunk: js.Json) -> None:
        """Keep what stands beside the choices; empty values do not overwrite (Azure's first chunk has no model)."""
        for key in ("id", "model", "service_tier", "timings", "provider"):
            if chunk.get(key):
                self._top[key] = chunk[key]
        usage = chunk.get("usage") or js.obj(chunk.get("x_groq")).get("usage")
        if usage:
            self._usage = usage

    def _chunk(self, fields: js.Json) -> list[Piece]:
        index = js.count(fields.get("index")) or 0
        if index not in self._choices and len(self._choices) >= MAX_CHOICES:
            return []
        choice = self._choices.setdefault(index, _Choice())
        choice.finish = js.string(fields.get("finish_reason")) or choice.finish
        pieces = _grow(choice, js.obj(fields.get("delta") or fields.get("message")))
        return pieces if index == 0 else []


def _grow(choice: _Choice, delta: js.Json) -> list[Piece]:
    """Add a delta to its choice. Unknown members are kept."""
    pieces: list[Piece] = []
    for key, value in delta.items():
        if value is None:
            continue
        if key == "role":
            choice.role = js.string(value) or choice.role
        elif key in {"content", "refusal", *_REASONING}:
            pieces += _grow_text(choice, key, value)
        elif key == "tool_calls":
            pieces += [piece for call in js.arr(value) for piece in _grow_call(choice, js.obj(call))]
        elif key == "function_call":
            choice.function = choice.function or _ToolCall("function")
            pieces += _grow_function(choice, choice.function, js.obj(value), "function")
        elif key == "audio":
            choice.audio = choice.audio or Growing()
            for name, member in js.obj(value).items():
                choice.audio.add(name, member)
        else:
            choice.extra.add(key, value)
    return pieces


_KINDS = {"content": "text", "refusal": "refusal"}


def _grow_text(choice: _Choice, key: str, value: object) -> list[Piece]:
    if isinstance(value, list):
        pieces = []
        for item in value:
            block = js.obj(item)
            thinks = block.get("type") == "thinking"
            pieces += _grow_text(choice, "reasoning_content" if thinks else key, _flat(block.get("thinking" if thinks else "text")))
        return pieces
    text = js.fragment(value)
    if not text:
        return []
    choice.text.setdefault(key, []).append(text)
    if key == "reasoning" and "reasoning_content" in choice.text:
        return []  # both spellings of one thing
    return [Piece(choice.place(key), _KINDS.get(key, "thinking"), js.mend(text))]


def _grow_call(choice: _Choice, piece: js.Json) -> list[Piece]:
    """Find the tool call a piece belongs to: by index, unless it brings another id and a name, which begins a new one."""
    index, call_id = js.count(piece.get("index")), js.string(piece.get("id"))
    inner = js.obj(piece.get("function", piece.get("custom")))
    call = choice.by_index.get(index) if index is not None else (choice.calls[-1] if choice.calls else None)
    is_new = call is not None and bool(call_id) and call.fields.get("id") not in {None, "", call_id} and bool(inner.get("name"))
    if call is None or is_new:
        if len(choice.calls) >= MAX_TOOL_CALLS:
            return []
        call = _ToolCall("custom" if "custom" in piece else "function")
        choice.calls.append(call)
    if index is not None:
        choice.by_index[index] = call
    for key, value in piece.items():
        if key not in {"index", "function", "custom"} and value:
            call.fields[key] = value
    return _grow_function(choice, call, inner, f"call {choice.calls.index(call)}")


def _grow_function(choice: _Choice, call: _ToolCall, inner: js.Json, slot: str) -> list[Piece]:
    name = js.fragment(inner.get("name"))
    first = not call.name
    if name and name != call.name:
        call.name += name
    arguments = inner.get("arguments", inner.get("input"))
    text = arguments if isinstance(arguments, str) else "" if arguments is None else js.compact(arguments).decode()
    call.arguments.append(text)
    if not text and not (first and name):
        return []
    return [Piece(choice.place(slot), "tool_use", js.mend(text), js.mend(call.name) if first and name else None)]


def _fault(body: js.Json) -> Fault:
    error = body.get("error")
    fields = js.obj(error)
    kind = js.string(fields.get("type")) or js.string(fields.get("code")) or "error"
    return Fault(kind, js.string(fields.get("message")) or js.string(error) or "")


FORMAT = Format("openai.chat", read_request, ChatFold)
