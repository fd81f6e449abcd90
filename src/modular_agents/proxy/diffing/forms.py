"""When is a block the same to a prompt cache? By what the model is given: every character of its text, and the order of its keys.

What is not given to the model does not count: cache marks, white space between JSON values, how a character is escaped, and
whether a text stands alone or as a list of one text block (clients write the list to hang a mark on it).
"""

import json

import msgspec

from modular_agents.proxy.model.query import MessageView, PartView

MARK_KEYS = ("cache_control", "prompt_cache_breakpoint")
"""Members that ask for the prompt up to this block to be kept: Anthropic's (and OpenRouter's), OpenAI's."""
_PLAIN_TEXT = ({"type", "text"}, {"text"})
"""Members of a block that is nothing but its text: Anthropic's and OpenAI's, Gemini's and Bedrock's."""


def block_form(part: PartView) -> str:
    """Return a text that is equal for two blocks that are the same to the model."""
    value = _value(part.raw)
    if isinstance(value, dict):
        value = without_marks(value)
    if part.kind == "text" and (not part.raw or (isinstance(value, dict) and value.keys() in _PLAIN_TEXT)):
        return f"text\0{part.text}"
    if isinstance(value, dict):
        return _dump(value)
    if part.raw and not isinstance(value, str):
        return part.raw
    return "\0".join((part.kind, part.text, part.tool_id or "", part.name or "", part.arguments or ""))


def message_form(message: MessageView) -> str:
    """The same for a whole message."""
    return "\1".join((message.role, *(block_form(part) for part in message.parts)))


def json_form(raw: str) -> str:
    """The same for a tool or a parameter, from its JSON."""
    value = _value(raw)
    return raw.strip() if value is None else _dump(without_marks(value) if isinstance(value, dict) else value)


def unordered(raw: str) -> str:
    """Return JSON with its keys sorted and its marks gone: equal for two spellings of one value."""
    value = _value(raw)
    if isinstance(value, list):
        value = [without_marks(item) if isinstance(item, dict) else item for item in value]
    value = without_marks(value) if isinstance(value, dict) else value
    return raw.strip() if value is None else json.dumps(value, sort_keys=True)


def without_marks(value: dict[str, object]) -> dict[str, object]:
    """Return an object without its cache marks."""
    return {key: item for key, item in value.items() if key not in MARK_KEYS}


def mark_of(raw: str) -> dict[str, object] | None:
    """Return the cache mark that a block or a tool carries."""
    if not any(key in raw for key in MARK_KEYS):
        return None
    value = _value(raw)
    found = [value.get(key) for key in MARK_KEYS] if isinstance(value, dict) else []
    return next((mark for mark in found if isinstance(mark, dict)), None)


def indented(raw: str) -> str:
    """Return JSON laid out for reading, its keys in their order; what is no JSON stays as it is."""
    value = _value(raw)
    return raw if value is None else json.dumps(value, ensure_ascii=False, indent=2)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _value(raw: str) -> object:
    """Return the JSON value, None where it is none (or nested deeper than real blocks are)."""
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(raw, strict=False)
    except (ValueError, RecursionError):
        return None
