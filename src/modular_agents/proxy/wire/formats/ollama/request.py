"""Requests of Ollama. `/api/generate` has a prompt where `/api/chat` has messages; both stream unless told not to."""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.formats.ollama.entries import read_entry
from modular_agents.proxy.wire.reading import Asked, Asking

NAME = "ollama"
_OWN = frozenset({"model", "messages", "prompt", "system", "tools", "stream", "input"})
_STREAMS = ("/chat", "/generate")


def read_request(asking: Asking) -> Asked:
    """Read a request: messages, or a prompt, or what is to be embedded."""
    try:
        top = js.members(asking.body)
        system = top.get("system", b'""')
        return Asked(
            model=js.text(top.get("model")),
            stream=top.get("stream") != b"false" and asking.path.endswith(_STREAMS),
            system=seal([system] if system[:1] == b'"' and system != b'""' else [], _SYSTEM, asking.memo),
            messages=seal(_said(top), _ENTRIES, asking.memo),
            tools=tuple(js.list_of(top.get("tools"))),
            params=js.join_members(top, without=_OWN),
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _said(top: dict[str, bytes]) -> list[bytes]:
    for key in ("messages", "input", "prompt"):
        raw = top.get(key, b"null")
        if raw[:1] == b"[":
            return js.elements(raw)
        if raw[:1] == b'"' and raw != b'""':
            return [raw]
    return []


def _read_system(raw: bytes) -> Draft:
    return Draft("system", (Part("text", js.text(raw) or ""),))


_SYSTEM, _ENTRIES = Entries(f"{NAME} system", _read_system, ids=False), Entries(NAME, read_entry, ids=False)
