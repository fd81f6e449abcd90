"""Items of the Responses API: each is one entry. What the model made has the role `assistant`, results of tools `tool`.

Tools that the client runs are tool uses (functions, custom tools, shells, patches, computers); those that OpenAI runs inside
the answer (searches, interpreter, MCP, programs) are server tool uses named by their item's type, and what they brought back
is the assistant's as well. What another agent says to this one (`agent_message`, Codex) is a user's: the provider encrypts a
task it hands on; behind other providers it stands there in plain words.
"""

import msgspec

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft
from modular_agents.proxy.wire.formats.responses.results import brought, read_blocks, result
from modular_agents.proxy.wire.readable import readable
from modular_agents.proxy.wire.shape import ABSENT, Content, Shape


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    execution: str | None = None
    arguments: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT
    action: msgspec.Raw = ABSENT
    actions: msgspec.Raw = ABSENT
    operation: msgspec.Raw = ABSENT
    code: msgspec.Raw = ABSENT
    queries: msgspec.Raw = ABSENT
    revised_prompt: msgspec.Raw = ABSENT
    content: Content = None
    summary: Content = None


_ITEM = Shape(_Item)
_CLIENT_TOOLS = {
    "local_shell_call": "local_shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "computer_call": "computer",
}
_SERVER_TOOLS = frozenset({"program"})
"""Tools of OpenAI whose items are not named `…_call`."""
_SEARCHES = {"tool_search_call", "tool_search_output"}
"""Who looks for tools is said by `execution`."""
_FROM_CLIENT = {"mcp_approval_response", "compaction_trigger", "configuration_update"}
"""What a client says without a role."""
_TOLD = ("name", "arguments", "reason", "error", "tools")
"""What any other item says: the tools of a server, and what is to be approved."""


def read_item(raw: bytes) -> Draft:
    """Read one item; a bare string is what the user says. Raises ValueError."""
    if raw[:1] != b"{":
        text = js.text(raw)
        return Draft("unknown", (Part("other", raw=raw),)) if text is None else Draft("user", (Part("text", text),))
    item = _ITEM.read(raw)
    kind = item.type or ("item_reference" if item.id and item.role is None and item.content is None else "message")
    if kind == "message":
        return Draft(item.role or "unknown", _message(item))
    if kind == "reasoning":
        thought = "\n".join(part.text for part in (*read_blocks(item.summary), *read_blocks(item.content)) if part.text)
        return Draft("assistant", (Part("thinking", thought, raw=raw),))
    if kind == "agent_message":
        return Draft("user", tuple(read_blocks(item.content)))
    if kind.endswith("_output"):
        is_server = kind == "program_output" or (kind in _SEARCHES and not _is_client(item))
        return Draft("assistant" if is_server else "tool", result(raw, kind if is_server else None))
    if kind in _FROM_CLIENT:
        return Draft("user", (_other(kind, item, raw),))
    return Draft(item.role or "assistant", _call(kind, item, raw))


def _message(item: _Item) -> tuple[Part, ...]:
    if isinstance(item.content, str):
        return (Part("text", item.content),)
    return tuple(read_blocks(item.content))


def _is_client(item: _Item) -> bool:
    """Return whether the client looks for tools. Only its searches have an id to answer to."""
    return item.execution == "client" or (item.execution is None and item.call_id is not None)


def _call(kind: str, item: _Item, raw: bytes) -> tuple[Part, ...]:
    """Read a tool use, with what a tool of OpenAI's brought back; or whatever else the model made."""
    tool_id = item.call_id or item.id
    if kind in {"function_call", "custom_tool_call"}:
        return (Part("tool_use", "", tool_id, item.name, _arguments(item), raw=raw),)
    if kind in _CLIENT_TOOLS:
        return (Part("tool_use", "", tool_id, _CLIENT_TOOLS[kind], _arguments(item), raw=raw),)
    if kind in _SEARCHES and _is_client(item):
        return (Part("tool_use", "", tool_id, "tool_search", _arguments(item), raw=raw),)
    if kind.endswith("_call") or kind in _SERVER_TOOLS:
        name = item.name or kind
        return (Part("server_tool_use", "", tool_id, name, _arguments(item) or None, raw=raw), *brought(raw, tool_id, name))
    return (_other(kind, item, raw),)


def _arguments(item: _Item) -> str:
    """Return what a tool was called with: a string as it is, anything else as JSON."""
    members = (item.arguments, item.input, item.revised_prompt, item.action, item.actions, item.operation, item.code, item.queries)
    raw = next((data for member in members if (data := bytes(member)) not in {b"", b"null"}), b"")
    text = js.text(raw)
    return raw.decode("utf-8", "replace") if text is None else text


def _other(kind: str, item: _Item, raw: bytes) -> Part:
    """Read an item that is neither said nor done. A client's approval answers the request it names."""
    if kind not in {"mcp_approval_request", "mcp_approval_response", "mcp_list_tools"}:
        return Part("other", tool_id=item.call_id, name=kind, raw=raw)
    fields = js.obj(js.parse(raw))
    approved = None if "approve" not in fields else "approved" if fields["approve"] is True else "not approved"
    told = "\n".join(filter(None, (approved, readable(fields, _TOLD))))
    return Part("other", told, js.string(fields.get("approval_request_id")) or item.id, kind, raw=raw)
