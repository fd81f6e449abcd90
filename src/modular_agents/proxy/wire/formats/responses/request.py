"""Requests of the Responses API. Over a WebSocket the same object comes with `type: response.create`.

The context that `previous_response_id` or `conversation` stands for is not in the request: messages are what was sent.
"""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.formats.responses.items import read_item
from modular_agents.proxy.wire.reading import Asked, Asking

NAME = "openai.responses"
_ADDED = b"additional_tools"
_OWN = frozenset({"model", "input", "instructions", "tools", "stream", "previous_response_id"})


def read_request(asking: Asking) -> Asked:
    """Read a request."""
    try:
        top = js.members(asking.body)
        given = top.get("input")
        tier = js.text(top.get("service_tier"))
        return Asked(
            model=js.text(top.get("model")) or _deployment(asking.path),
            stream=top.get("stream") == b"true",
            system=seal(_instructions(top.get("instructions", b"null")), _SYSTEM, asking.memo),
            messages=seal([given] if given is not None and given[:1] == b'"' else js.list_of(given), _ITEMS, asking.memo),
            tools=(*js.list_of(top.get("tools")), *_added_tools(given)),
            params=js.join_members(top, without=_OWN),
            previous_response_id=js.text(top.get("previous_response_id")),
            service_tier=None if tier == "auto" else tier,
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _added_tools(given: bytes | None) -> list[bytes]:
    """Return the tools that stand among the input (Codex since 0.16x), each by itself: they come in an item, grouped by namespace."""
    if given is None or _ADDED not in given:
        return []
    found: list[bytes] = []
    for raw in js.list_of(given):
        item = js.members(raw) if _ADDED in raw and raw[:1] == b"{" else {}
        if js.text(item.get("type")) == "additional_tools":
            for tool in js.list_of(item.get("tools")):
                inner = js.list_of(js.members(tool).get("tools")) if tool[:1] == b"{" else []
                found += inner or [tool]
    return found


def _deployment(path: str) -> str | None:
    segments = path.split("/")
    return segments[segments.index("deployments") + 1] if "deployments" in segments[:-1] else None


def _instructions(raw: bytes) -> list[bytes]:
    return [raw] if raw not in {b"null", b'""'} else []


def _read_instructions(raw: bytes) -> Draft:
    text = js.text(raw)
    return Draft("system", (Part("other", raw=raw),) if text is None else (Part("text", text),))


_SYSTEM, _ITEMS = Entries(f"{NAME} system", _read_instructions), Entries(NAME, read_item)
