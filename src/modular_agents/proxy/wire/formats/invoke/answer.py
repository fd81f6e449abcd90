"""Answers of models that Bedrock invokes: whole, or in chunks of the same form that bring some text each.

What each maker calls it is data: a member with the text, or a list whose elements have it; why it stopped; how many tokens.
"""

from modular_agents.proxy.model.call import Message, Part, Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import METRICS, metrics_usage
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.formats.invoke.request import read_tool_call
from modular_agents.proxy.wire.reading import NO_USAGE, Answered, Asked, Fault, Piece

MAX_CHOICES = 128
"""More answers than any model gives at once; bounds what a hostile stream may make us keep."""
MAX_TOOL_CALLS = 1024
_LISTS = ("results", "outputs", "choices", "generations", "completions")
"""Titan; Mistral; DeepSeek; Cohere; Jurassic."""
_TEXTS = ("outputText", "generation", "text")
"""Titan; Llama; Mistral, DeepSeek and Cohere."""
_STOPS = ("completionReason", "stop_reason", "finish_reason", "finishReason")
_INPUTS, _OUTPUTS = ("inputTextTokenCount", "prompt_token_count"), ("totalOutputTextTokenCount", "generation_token_count")
"""Counts that stand in the answer itself: Titan; Llama."""


class InvokeFold:
    """One answer of an invoked model."""

    def __init__(self, _asked: Asked) -> None:
        self._text: dict[int, list[str]] = {}
        self._stop: str | None = None
        self._id: str | None = None
        self._calls: list[bytes] = []
        self._counts: js.Json = {}
        self._metrics: js.Json = {}
        self._fault: Fault | None = None
        self._done = self._is_whole = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one chunk."""
        try:
            chunk = js.obj(js.parse(data))
        except ValueError as error:
            self._unreadable = self._unreadable or f"chunk: {error}"
            return []
        if name == "error":
            said = js.obj(chunk.get("error"))
            self._fault = Fault(js.string(said.get("type")) or "error", js.string(said.get("message")) or "")
            return []
        self._metrics = js.obj(chunk.get(METRICS)) or self._metrics
        is_last, repeats = chunk.get("is_finished") is True, js.obj(chunk.get("response"))
        self._note(repeats or chunk)
        self._done = self._done or is_last or bool(self._metrics)
        choices = [] if repeats else [chunk] if is_last else _choices(chunk)  # Cohere's last events say everything once more
        return [piece for at, choice in enumerate(choices) for piece in self._grow(at, choice)]

    def whole(self, body: bytes) -> None:
        """Take a whole answer."""
        try:
            top = js.obj(js.parse(body))
        except ValueError as error:
            self._unreadable = str(error)
            return
        self._is_whole = self._done = True  # models whose bodies are not known answer in their own way
        self._note(top)
        for at, choice in enumerate(_choices(top)):
            self._grow(at, choice)

    def answered(self) -> Answered:
        """Return what has come together."""
        texts = [js.mend("".join(text)) for _, text in sorted(self._text.items())]
        if self._calls and not texts:
            texts = [""]
        answers = tuple(self._answer(text, self._calls if at == 0 else []) for at, text in enumerate(texts))
        ended = self._done or self._stop is not None
        return Answered(answers, None, self._id, self._stop, self._counted(ended=ended), self._fault, None, ended, self._unreadable)

    def _note(self, top: js.Json) -> None:
        """Keep what stands beside the text."""
        self._id = js.string(top.get("response_id")) or js.string(top.get("generation_id")) or js.string(top.get("id")) or self._id
        self._counts.update({key: top[key] for key in (*_INPUTS, *_OUTPUTS, "meta", "usage") if top.get(key) is not None})
        self._stop = _stop_of(top) or self._stop
        for call in js.arr(top.get("tool_calls")):
            raw = js.compact(call)
            if raw not in self._calls and len(self._calls) < MAX_TOOL_CALLS:  # the last event repeats them
                self._calls.append(raw)

    def _grow(self, place: int, choice: js.Json) -> list[Piece]:
        index = js.count(choice.get("index"))
        index = place if index is None or self._is_whole else index
        self._stop = _stop_of(choice) or self._stop
        tokens = js.count(choice.get("tokenCount"))
        if tokens is not None:
            self._counts[_OUTPUTS[0]] = (js.count(self._counts.get(_OUTPUTS[0])) or 0) + tokens
        text = next((choice[name] for name in _TEXTS if isinstance(choice.get(name), str)), None)
        text = js.obj(choice.get("data")).get("text") if text is None else text
        if not isinstance(text, str) or (index not in self._text and len(self._text) >= MAX_CHOICES):
            return []
        self._text.setdefault(index, []).append(text)
        return [Piece(0, "text", js.mend(text))] if text and index == 0 else []

    def _answer(self, text: str, calls: list[bytes]) -> Message:
        parts = [Part("text", text)] if text or not calls else []
        try:
            parts += [read_tool_call(call) for call in calls]
        except ValueError as error:
            self._unreadable = str(error)
        said: js.Json = {"role": "assistant", "content": text} | ({"tool_calls": [js.raw(call) for call in calls]} if calls else {})
        return Message("assistant", tuple(parts), js.compact(said), digest("assistant", parts, ids=False))

    def _counted(self, *, ended: bool) -> Usage:
        source = UsageSource.REPORTED if ended else UsageSource.PARTIAL
        if self._metrics:
            return metrics_usage(self._metrics, source)
        billed = js.obj(js.obj(self._counts.get("meta")).get("billed_units"))
        sent = self._first_count(_INPUTS, billed.get("input_tokens"))
        got = self._first_count(_OUTPUTS, billed.get("output_tokens"))
        if sent is None and got is None:
            return NO_USAGE
        return Usage(source=source, input_total=sent, input_uncached=sent, output_total=got, raw=js.compact(self._counts))

    def _first_count(self, names: tuple[str, ...], otherwise: object) -> int | None:
        counts = (js.count(self._counts.get(name)) for name in names)
        return next((count for count in counts if count is not None), js.count(otherwise))


def _choices(top: js.Json) -> list[js.Json]:
    """Return what has the text: the elements of the list, or the answer itself."""
    found = next((js.arr(top[name]) for name in _LISTS if isinstance(top.get(name), list)), None)
    return [top] if found is None else [js.obj(choice) for choice in found]


def _stop_of(fields: js.Json) -> str | None:
    value = next((fields[name] for name in _STOPS if fields.get(name)), None)
    return js.string(value) or js.string(js.obj(value).get("reason"))
