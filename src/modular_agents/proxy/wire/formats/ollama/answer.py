"""Answers of Ollama: lines of JSON, each with more text; the last one has `done: true` and the counts."""

from modular_agents.proxy.model.call import Message, Part, Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.formats.ollama.entries import read_entry
from modular_agents.proxy.wire.growing import Growing
from modular_agents.proxy.wire.reading import NO_USAGE, Answered, Asked, Fault, Piece

_PLACES = {"thinking": 0, "text": 1, "tool_use": 2}
_COUNTS = ("prompt_eval_count", "prompt_eval_cached_count", "eval_count")
"""Of the prompt, of the part of it that was in the cache, of the answer."""
_GENERATED = {"response": "content", "thinking": "thinking"}
"""Members of an answer to `/api/generate`, by the members of a message they stand for."""


class OllamaFold:
    """One answer of Ollama."""

    def __init__(self, _asked: Asked) -> None:
        self._message: Growing | None = None
        self._only: bytes | None = None
        self._top: js.Json = {}
        self._fault: Fault | None = None
        self._unreadable: str | None = None

    def event(self, _name: str, data: bytes) -> list[Piece]:
        """Take one line."""
        try:
            line = js.obj(js.parse(data))
            message = js.members(data).get("message", b"")
        except ValueError as error:
            self._unreadable = self._unreadable or f"line: {error}"
            return []
        if line.get("error"):
            self._fault = Fault("error", js.string(line["error"]) or js.string(js.obj(line["error"]).get("message")) or "")
            return []
        for key in ("model", "done", "done_reason", *_COUNTS):
            if line.get(key) is not None:
                self._top[key] = line[key]
        fields = js.obj(line.get("message"))
        if not fields:
            fields = {as_: line[key] for key, as_ in _GENERATED.items() if isinstance(line.get(key), str)}
            if js.arr(line.get("tool_calls")):
                fields["tool_calls"] = line["tool_calls"]
            message = b""
        if not fields:
            return []
        self._only = message if self._message is None else b""
        return self._grow(fields)

    def whole(self, body: bytes) -> None:
        """Take a whole answer; lines that no head announced are one too."""
        try:
            js.parse_strictly(body)
            lines = [body]
        except ValueError:
            lines = [line for line in body.split(b"\n") if line.strip()]
        for line in lines:
            self.event("", line)
        self._top.setdefault("done", self._unreadable is None)

    def answered(self) -> Answered:
        """Return what has come together."""
        ended = self._top.get("done") is True
        usage = self._counted(UsageSource.REPORTED if ended else UsageSource.PARTIAL)
        answers = () if self._message is None else (self._answer(self._message),)
        model, reason = js.string(self._top.get("model")), js.string(self._top.get("done_reason"))
        return Answered(answers, model, None, reason, usage, self._fault, None, ended, self._unreadable)

    def _counted(self, source: UsageSource) -> Usage:
        sent, cached, got = (js.count(self._top.get(key)) for key in _COUNTS)
        if sent is None and got is None:
            return NO_USAGE
        return Usage(
            source=source,
            input_total=sent,
            input_uncached=None if sent is None else max(sent - (cached or 0), 0),
            cache_read=cached,
            output_total=got,
            raw=js.compact({key: self._top[key] for key in _COUNTS if key in self._top}),
        )

    def _grow(self, fields: js.Json) -> list[Piece]:
        message = self._message = self._message or Growing({"role": "assistant", "content": ""})
        pieces: list[Piece] = []
        for key, value in fields.items():
            message.add(key, value)
            if key in {"content", "thinking"} and value and isinstance(value, str):
                kind = "text" if key == "content" else key
                pieces.append(Piece(_PLACES[kind], kind, js.mend(value)))
            elif key == "tool_calls":
                pieces += [_tool_piece(js.obj(call)) for call in js.arr(value)]
        return pieces

    def _answer(self, message: Growing) -> Message:
        raw = self._only or js.compact(message.value())
        try:
            parts = read_entry(raw).parts
        except ValueError as error:
            self._unreadable = str(error)
            parts = (Part("other", raw=raw),)
        return Message("assistant", parts, raw, digest("assistant", parts, ids=False))


def _tool_piece(call: js.Json) -> Piece:
    function = js.obj(call.get("function"))
    return Piece(_PLACES["tool_use"], "tool_use", js.compact(function.get("arguments", {})).decode(), js.string(function.get("name")))
