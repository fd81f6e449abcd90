"""OpenAI embeddings, as many servers speak them: what is to be embedded is read as what the user says; vectors are not read."""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.openai_usage import chat_usage
from modular_agents.proxy.wire.reading import Answered, Asked, Asking, Fault, Format, Piece

NAME = "openai.embeddings"
_OWN = frozenset({"model", "input"})


def read_request(asking: Asking) -> Asked:
    """Read a request. Inputs that are token numbers are kept as one unknown part."""
    try:
        top = js.members(asking.body)
        given = top.get("input", b"null")
        inputs = js.elements(given) if given[:1] == b"[" else [given]
        if any(raw[:1] not in {b'"', b"{"} for raw in inputs):
            inputs = [given]
        messages = seal([] if given == b"null" else inputs, _ENTRIES, asking.memo)
        return Asked(js.text(top.get("model")), messages=messages, params=js.join_members(top, without=_OWN))
    except ValueError as error:
        return Asked(unreadable=str(error))


def _read_input(raw: bytes) -> Draft:
    text = js.text(raw)
    return Draft("user", (Part("other", raw=raw),) if text is None else (Part("text", text),))


_ENTRIES = Entries(NAME, _read_input)


class EmbeddingsFold:
    """One answer: its model and usage."""

    def __init__(self, _asked: Asked) -> None:
        self._answered = Answered()

    def event(self, _name: str, _data: bytes) -> list[Piece]:
        """Take an event: there are none."""
        return []

    def whole(self, body: bytes) -> None:
        """Take a whole answer."""
        try:
            top = js.members(body)
            if top.get("error", b"null") != b"null":
                error = js.obj(js.parse(top["error"]))
                self._answered = Answered(fault=Fault(js.string(error.get("type")) or "error", js.string(error.get("message")) or ""))
                return
            usage = chat_usage(js.parse(top.get("usage", b"null")), top.get("usage"), {}, ended=True)
            self._answered = Answered(model=js.text(top.get("model")), usage=usage, ended=True)
        except ValueError as error:
            self._answered = Answered(unreadable=str(error))

    def answered(self) -> Answered:
        """Return what was read."""
        return self._answered


FORMAT = Format(NAME, read_request, EmbeddingsFold)
