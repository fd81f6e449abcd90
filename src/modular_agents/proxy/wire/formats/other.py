"""Everything else: kept raw and shown raw. Of JSON only a visible `model`, `usage` and `error` are read; a request's rest is parameters.

The model of Bedrock's `/model/MODEL/invoke` stands in the path, that of a `/realtime` socket in the query (`wire.reader`).
"""

from urllib.parse import unquote

from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.openai_usage import chat_usage, responses_usage
from modular_agents.proxy.wire.reading import NO_USAGE, Answered, Asked, Asking, Fault, Format, Piece

_OWN = frozenset({"model", "stream"})


def read_request(asking: Asking) -> Asked:
    """Read a request body as far as it is a JSON object; anything else is no error here."""
    model = unquote(asking.path.rpartition("/model/")[2].rpartition("/")[0]) or None if "/model/" in asking.path else None
    if asking.body.lstrip()[:1] != b"{":
        return Asked(model)
    try:
        top = js.members(asking.body)
        return Asked(js.text(top.get("model")) or model, top.get("stream") == b"true", params=js.join_members(top, _OWN))
    except ValueError:
        return Asked()


class OtherFold:
    """An answer nobody here understands."""

    def __init__(self, _asked: Asked) -> None:
        self._answered = Answered()

    def event(self, _name: str, _data: bytes) -> list[Piece]:
        """Take an event: nothing to say about it."""
        return []

    def whole(self, body: bytes) -> None:
        """Take the whole body."""
        if body.lstrip()[:1] != b"{":
            return
        try:
            top = js.members(body)
            usage = js.parse(top.get("usage", b"null"))
            counted = responses_usage(usage, top.get("usage"), ended=True)
            if counted is NO_USAGE:
                counted = chat_usage(usage, top.get("usage"), {}, ended=True)
            self._answered = Answered(model=js.text(top.get("model")), usage=counted, fault=_fault(js.parse(top.get("error", b"null"))))
        except ValueError:
            return

    def answered(self) -> Answered:
        """Return what little there is."""
        return self._answered


def _fault(error: object) -> Fault | None:
    if not error:
        return None
    fields = js.obj(error)
    return Fault(js.string(fields.get("type")) or "error", js.string(fields.get("message")) or js.string(error) or "")


FORMAT = Format("raw", read_request, OtherFold)
