"""Legacy completions: `POST …/completions`, a prompt in, text out; still spoken by local servers and for fill-in-the-middle."""

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, Entries, digest, seal
from modular_agents.proxy.wire.openai_usage import chat_usage
from modular_agents.proxy.wire.reading import Answered, Asked, Asking, Fault, Format, Piece

NAME = "openai.completions"
_OWN = frozenset({"model", "prompt", "stream"})
MAX_CHOICES = 128
"""As `n` allows; bounds what a hostile stream may make us keep."""


def read_request(asking: Asking) -> Asked:
    """Read a request. Prompts that are token numbers are kept as one unknown part."""
    try:
        top = js.members(asking.body)
        given = top.get("prompt", b"null")
        prompts = js.elements(given) if given[:2] == b'["' else [] if given == b"null" else [given]
        messages = seal(prompts, _ENTRIES, asking.memo)
        return Asked(js.text(top.get("model")), top.get("stream") == b"true", messages=messages, params=js.join_members(top, without=_OWN))
    except ValueError as error:
        return Asked(unreadable=str(error))


def _read_prompt(raw: bytes) -> Draft:
    text = js.text(raw)
    return Draft("user", (Part("other", raw=raw),) if text is None else (Part("text", text),))


_ENTRIES = Entries(NAME, _read_prompt)


class CompletionsFold:
    """One answer: text by choice."""

    def __init__(self, _asked: Asked) -> None:
        self._text: dict[int, list[str]] = {}
        self._finish: dict[int, str] = {}
        self._top: js.Json = {}
        self._fault: Fault | None = None
        self._done = False
        self._unreadable: str | None = None

    def event(self, _name: str, data: bytes) -> list[Piece]:
        """Take one chunk, or `[DONE]`."""
        if data.strip() == b"[DONE]":
            self._done = True
            return []
        try:
            return self._chunk(js.obj(js.parse(data)))
        except ValueError as error:
            self._unreadable = self._unreadable or f"chunk: {error}"
            return []

    def whole(self, body: bytes) -> None:
        """Take a whole answer."""
        self.event("", body)
        self._done = self._unreadable is None

    def answered(self) -> Answered:
        """Return what has come together."""
        answers = tuple(_answer(js.mend("".join(text))) for _, text in sorted(self._text.items()))
        ended = self._done or bool(self._finish)
        usage = chat_usage(self._top.get("usage"), None, self._top, ended=ended)
        model, answer_id, tier = (js.string(self._top.get(key)) for key in ("model", "id", "service_tier"))
        return Answered(answers, model, answer_id, self._finish.get(0), usage, self._fault, tier, ended, self._unreadable)

    def _chunk(self, chunk: js.Json) -> list[Piece]:
        error = chunk.get("error")
        if error:
            fields = js.obj(error)
            self._fault = Fault(js.string(fields.get("type")) or "error", js.string(fields.get("message")) or js.string(error) or "")
            return []
        self._top.update({key: value for key, value in chunk.items() if value and key != "choices"})
        pieces: list[Piece] = []
        for choice in map(js.obj, js.arr(chunk.get("choices"))):
            index, text = js.count(choice.get("index")) or 0, js.fragment(choice.get("text"))
            if index in self._text or len(self._text) < MAX_CHOICES:
                self._text.setdefault(index, []).append(text)
            reason = js.string(choice.get("finish_reason"))
            if reason and index < MAX_CHOICES:
                self._finish[index] = reason
            if text and index == 0:
                pieces.append(Piece(0, "text", js.mend(text)))
        return pieces


def _answer(text: str) -> Message:
    parts = (Part("text", text),)
    return Message("assistant", parts, js.compact({"role": "assistant", "content": text}), digest("assistant", parts))


FORMAT = Format(NAME, read_request, CompletionsFold)
