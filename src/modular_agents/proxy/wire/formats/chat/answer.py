"""Answers of Chat Completions: whole, or folded from chunks.

Tool calls arrive in pieces by `index`; usage only in a last chunk with empty `choices`, and only if the client asked for it.
"""

import msgspec

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import METRICS
from modular_agents.proxy.wire.content import Draft, digest
from modular_agents.proxy.wire.formats.chat.entries import read_entry
from modular_agents.proxy.wire.growing import Growing
from modular_agents.proxy.wire.openai_usage import chat_usage
from modular_agents.proxy.wire.reading import Answered, Asked, Fault, Piece
from modular_agents.proxy.wire.shape import ABSENT, Elements, Shape

MAX_CHOICES = 128
"""OpenAI's own limit of `n`; bounds what a hostile stream may make us keep."""
MAX_TOOL_CALLS = 1024
"""More than any answer has, likewise."""
_REASONING = ("reasoning_content", "reasoning")


_BESIDE = ("id", "model", "service_tier", "timings", METRICS)
"""Members of an answer that stand beside its choices and are read."""


class _Answer(msgspec.Struct):
    message: msgspec.Raw = ABSENT
    finish_reason: str | None = None
    stop_reason: str | None = None
    """Mistral's name for it on Bedrock."""


class _Whole(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: Elements = None
    usage: msgspec.Raw = ABSENT
    timings: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT


_ANSWER, _WHOLE = Shape(_Answer), Shape(_Whole)


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
        if chunk.get("error") or chunk.get("object") == "error":
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
            whole = _WHOLE.read(body)
            if whole.error and bytes(whole.error) != b"null":
                self._fault = _fault(js.obj(js.parse(body)))
                return
            self._usage_raw = bytes(whole.usage)
            self._usage = js.parse(self._usage_raw or b"null")
            timings = js.parse(bytes(whole.timings) or b"null")
            choices = [_ANSWER.read(choice) for choice in whole.choices or ()]
        except ValueError as error:
            self._unreadable = str(error)
            return
        self._top = {"id": whole.id, "model": whole.model, "service_tier": whole.service_tier, "timings": timings}
        self._messages = [raw for choice in choices if (raw := bytes(choice.message))[:1] == b"{"]
        self._finish = [choice.finish_reason or choice.stop_reason for choice in choices]
        self._done = whole.choices is not None

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
            draft = read_entry(raw)
        except ValueError as error:
            self._unreadable = str(error)
            draft = Draft("assistant", (Part("other", raw=raw),))
        return Message(draft.role, draft.parts, raw, digest("assistant", draft.parts))

    def _note(self, chunk: js.Json) -> None:
        """Keep what stands beside the choices; empty values do not overwrite (Azure's first chunk has no model)."""
        for key in _BESIDE:
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
        choice.finish = js.string(fields.get("finish_reason") or fields.get("stop_reason")) or choice.finish
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


def _flat(value: object) -> str:
    """Return text that may come as a list of text blocks (Mistral's thinking)."""
    if isinstance(value, list):
        return "".join(js.fragment(item if isinstance(item, str) else js.obj(item).get("text")) for item in value)
    return js.fragment(value)


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
    error = body.get("error", body)  # vLLM puts the error where the chunk should be
    fields = js.obj(error)
    code = js.count(fields.get("code"))
    kind = js.string(fields.get("type")) or js.string(fields.get("code")) or (f"{code}" if code else "error")
    return Fault(kind, js.string(fields.get("message")) or js.string(error) or "")
