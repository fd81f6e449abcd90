"""Requests of models that Bedrock invokes: one prompt, or Cohere's message with the talk before it."""

from modular_agents.proxy.model.call import Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import model_in_path
from modular_agents.proxy.wire.content import Draft, Entries, seal
from modular_agents.proxy.wire.reading import Asked, Asking

NAME = "bedrock.invoke"
_PROMPTS = ("prompt", "inputText", "message", "texts")
"""What is asked: of Llama, Mistral, DeepSeek, Jurassic and early Cohere; of Titan; of Command R; of Cohere's embeddings."""
_OWN = frozenset({*_PROMPTS, "chat_history", "preamble", "tools"})
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
"""Cohere's names."""


def read_request(asking: Asking) -> Asked:
    """Read a request."""
    try:
        top = js.members(asking.body)
        preamble = top.get("preamble", b"null")
        asked = next((top[name] for name in _PROMPTS if name in top), b"null")
        prompts = js.elements(asked) if asked[:1] == b"[" else [] if asked in {b"null", b'""'} else [asked]
        return Asked(
            model=model_in_path(asking.path),
            stream=asking.path.endswith("-stream"),
            system=seal([preamble] if preamble[:1] == b'"' and preamble != b'""' else [], _SYSTEM, asking.memo),
            messages=seal([*js.list_of(top.get("chat_history")), *prompts], _ENTRIES, asking.memo),
            tools=tuple(js.list_of(top.get("tools"))),
            params=js.join_members(top, without=_OWN),
        )
    except ValueError as error:
        return Asked(unreadable=str(error))


def _read_system(raw: bytes) -> Draft:
    return Draft("system", (Part("text", js.text(raw) or ""),))


def _read_entry(raw: bytes) -> Draft:
    """Read a prompt, or an entry of Cohere's history; what is neither is kept as one unknown part."""
    text = js.text(raw)
    if text is not None:
        return Draft("user", (Part("text", text),))
    if raw[:1] != b"{":
        return Draft("user", (Part("other", raw=raw),))
    entry = js.members(raw)
    role, said = js.text(entry.get("role")) or "unknown", js.text(entry.get("message"))
    parts = [] if said is None else [Part("text", said)]
    parts += [read_tool_call(call) for call in js.list_of(entry.get("tool_calls"))]
    parts += [_result(result) for result in js.list_of(entry.get("tool_results"))]
    return Draft(_ROLES.get(role, role), tuple(parts) or (Part("other", raw=raw),))


def read_tool_call(raw: bytes) -> Part:
    """Read one of Cohere's tool calls: they have no id. Raises ValueError."""
    call = js.members(raw) if raw[:1] == b"{" else {}
    return Part("tool_use", "", None, js.text(call.get("name")), call.get("parameters", b"{}").decode("utf-8", "replace"), raw=raw)


def _result(raw: bytes) -> Part:
    result = js.members(raw) if raw[:1] == b"{" else {}
    call = result.get("call", b"null")
    name = js.text(js.members(call).get("name")) if call[:1] == b"{" else None
    return Part("tool_result", result.get("outputs", b"").decode("utf-8", "replace"), None, name, raw=raw)


_SYSTEM, _ENTRIES = Entries(f"{NAME} system", _read_system), Entries(NAME, _read_entry, ids=False)
