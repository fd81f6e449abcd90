"""Requests of Chat Completions. On Azure the model may stand only in the path, as a deployment; on Bedrock it always does."""

from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import model_in_path
from modular_agents.proxy.wire.content import Entries, seal
from modular_agents.proxy.wire.formats.chat.entries import read_entry
from modular_agents.proxy.wire.reading import Asked, Asking

NAME = "openai.chat"
_OWN = frozenset({"model", "messages", "tools", "functions", "stream"})
_ENTRIES = Entries(NAME, read_entry)


def read_request(asking: Asking) -> Asked:
    """Read a request."""
    try:
        top = js.members(asking.body)
        tier = js.text(top.get("service_tier"))
        return Asked(
            model=js.text(top.get("model")) or _deployment(asking.path),
            stream=top.get("stream") == b"true" or asking.path.endswith("-with-response-stream"),
            messages=seal(js.list_of(top.get("messages")), _ENTRIES, asking.memo),
            tools=(*js.list_of(top.get("tools")), *js.list_of(top.get("functions"))),
            params=js.join_members(top, without=_OWN),
            service_tier=None if tier == "auto" else tier,
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _deployment(path: str) -> str | None:
    segments = path.split("/")
    return segments[segments.index("deployments") + 1] if "deployments" in segments[:-1] else model_in_path(path)
