"""Requests of Gemini. The model stands in the path; Code Assist wraps the request, with the model beside it."""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.formats.gemini.contents import read_content, read_parts
from modular_agents.proxy.wire.reading import Asked, Asking

NAME = "gemini.generate"
_OWN = frozenset({"model", "contents", "systemInstruction", "system_instruction", "tools"})


def read_request(asking: Asking) -> Asked:
    """Read a request."""
    try:
        outer = js.members(asking.body)
        inner = outer.get("request", b"null")
        top = js.members(inner) if inner[:1] == b"{" else outer
        contents = top.get("contents", b"null")
        system = top.get("systemInstruction", top.get("system_instruction", b"null"))
        return Asked(
            model=_model(asking.path) or js.text(outer.get("model")),
            stream=":stream" in asking.path,
            system=seal([system] if system != b"null" else [], _SYSTEM, asking.memo),
            messages=seal([contents] if contents[:1] in {b"{", b'"'} else js.list_of(contents), _ENTRIES, asking.memo),
            tools=tuple(js.list_of(top.get("tools"))),
            params=js.join_members(top, without=_OWN),
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _model(path: str) -> str | None:
    """Return MODEL of `…/models/MODEL:verb` or `…/tunedModels/MODEL:verb`."""
    head, _, _ = path.rpartition(":")
    return head.rpartition("/")[2] or None if "odels/" in head else None


def _read_system(raw: bytes) -> Draft:
    text = js.text(raw)
    if text is not None:
        return Draft("system", (Part("text", text),))
    parts = js.members(raw).get("parts", b"null") if raw[:1] == b"{" else raw
    return Draft("system", read_parts(parts))


_SYSTEM, _ENTRIES = Entries(f"{NAME} system", _read_system, ids=False), Entries(NAME, read_content, ids=False)
