"""Everything else: kept raw and shown raw. Of a JSON body only a visible `model` is read; everything in it is a parameter."""

from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.reading import Answered, Asked, Asking, Fault, Format, Piece

_OWN = frozenset({"model", "stream"})


def read_request(asking: Asking) -> Asked:
    """Read a request body as far as it is a JSON object; anything else is no error here."""
    if asking.body.lstrip()[:1] != b"{":
        return Asked()
    try:
        top = js.members(asking.body)
        return Asked(js.text(top.get("model")), top.get("stream") == b"true", params=js.join_members(top, _OWN))
    except ValueError:
        return Asked()


class OtherFold:
    """An answer nobody here understands."""

    def __init__(self, _asked: Asked) -> None:
        self._fault: Fault | None = None
        self._model: str | None = None

    def event(self, _name: str, _data: bytes) -> list[Piece]:
        """Take an event: nothing to say about it."""
        return []

    def whole(self, body: bytes) -> None:
        """Take the whole body."""
        if body[:1] != b"{":
            return
        try:
            top = js.obj(js.parse(body))
        except ValueError:
            return
        self._model = js.string(top.get("model"))
        error = top.get("error")
        if error:
            fields = js.obj(error)
            self._fault = Fault(js.string(fields.get("type")) or "error", js.string(fields.get("message")) or js.string(error) or "")

    def answered(self) -> Answered:
        """Return what little there is."""
        return Answered(model=self._model, fault=self._fault)


FORMAT = Format("raw", read_request, OtherFold)
