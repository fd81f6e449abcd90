"""Requests of Converse, and of Nova when it is invoked. The model stands in the path, percent-encoded when it is an ARN."""

from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import model_in_path
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.formats.converse.content import read_block, read_message
from modular_agents.proxy.wire.reading import Asked, Asking

NAME = "bedrock.converse"
_OWN = frozenset({"messages", "system"})


def read_request(asking: Asking) -> Asked:
    """Read a request."""
    try:
        top = js.members(asking.body)
        config = top.get("toolConfig", b"null")
        tools = js.list_of(js.members(config).get("tools")) if config[:1] == b"{" else []
        return Asked(
            model=model_in_path(asking.path),
            stream=asking.path.endswith("-stream"),
            system=seal(js.list_of(top.get("system")), _SYSTEM, asking.memo),
            messages=seal(js.list_of(top.get("messages")), _ENTRIES, asking.memo),
            tools=tuple(tools),
            params=js.join_members(top, without=_OWN),
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _read_system(raw: bytes) -> Draft:
    return Draft("system", tuple(read_block(raw)))


_SYSTEM, _ENTRIES = Entries(f"{NAME} system", _read_system), Entries(NAME, read_message)
