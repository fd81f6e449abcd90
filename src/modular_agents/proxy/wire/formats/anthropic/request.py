"""Requests of the Messages API. The model may stand in the path instead (Vertex AI, Bedrock)."""

from dataclasses import replace

import msgspec

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import model_in_path
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.formats.anthropic.blocks import parts_of, read_blocks
from modular_agents.proxy.wire.reading import Asked, Asking
from modular_agents.proxy.wire.shape import Content, Shape

NAME = "anthropic.messages"
_OWN = frozenset({"model", "messages", "system", "tools", "stream"})


class _Entry(msgspec.Struct, gc=False):
    role: str | None = None
    content: Content = None


_ENTRY = Shape(_Entry)


def read_request(asking: Asking) -> Asked:
    """Read a request."""
    try:
        top = js.members(asking.body)
        return Asked(
            model=js.text(top.get("model")) or _model_in_path(asking.path),
            stream=top.get("stream") == b"true" or "stream" in asking.path.rpartition("/")[2].lower(),
            system=seal(_system(top.get("system", b"null")), _SYSTEM, asking.memo),
            messages=_spoken_for(seal(js.list_of(top.get("messages")), _ENTRIES, asking.memo)),
            tools=tuple(js.list_of(top.get("tools"))),
            params=js.join_members(top, without=_OWN),
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _spoken_for(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Leave a prefilled answer without a digest: the answer that goes on from it carries that of both (rule 5 of `wire.content`)."""
    return (*messages[:-1], replace(messages[-1], digest=b"")) if messages and messages[-1].role == "assistant" else messages


def _model_in_path(path: str) -> str | None:
    """Return the model of `…/publishers/anthropic/models/MODEL:rawPredict` (Vertex AI) or `/model/MODEL/invoke` (Bedrock)."""
    if "/models/" in path:
        return path.rpartition("/models/")[2].rpartition(":")[0] or None
    return model_in_path(path)


def _system(raw: bytes) -> list[bytes]:
    """Return the system prompt's blocks; a plain string is one."""
    return js.elements(raw) if raw[:1] == b"[" else [raw] if raw[:1] == b'"' and raw != b'""' else []


def _read_system(raw: bytes) -> Draft:
    text = js.text(raw)
    return Draft("system", read_blocks([raw]) if text is None else (Part("text", text),))


def _read_entry(raw: bytes) -> Draft:
    """Read one message; what is none is kept as one unknown part."""
    if raw[:1] != b"{":
        return Draft("unknown", (Part("other", raw=raw),))
    entry = _ENTRY.read(raw)
    return Draft(entry.role or "unknown", parts_of(entry.content))


_SYSTEM, _ENTRIES = Entries(f"{NAME} system", _read_system), Entries(NAME, _read_entry)
