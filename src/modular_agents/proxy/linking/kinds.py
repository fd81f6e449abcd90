"""Not every call is a turn of an agent: helpers and probes are told apart by what they ask for, so that they can be folded away.

A kind is read from the call alone. `turn` is what remains; `retry` and `replay` are found by linking.
Source of the prompts: captures of Claude Code, OpenCode, Codex and Gemini CLI.
"""

import re
from collections.abc import Sequence

from modular_agents.proxy.linking.identity import Identity
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.trace import HELPERS

NOISE = frozenset(HELPERS)
"""Calls that are no turns: they open no conversation of their own and follow whatever they stand beside."""

COMPACTION = "compaction"
"""A call that has a conversation summed up."""

_OPERATIONS = {"count_tokens": "count", "models": "list", "embeddings": "embedding", "batch": "batch"}
_REQUEST_KINDS = {"prewarm": "warmup", "compact": "compaction", "compaction": "compaction", "title": "title"}
_HEAD_CHARS = 600
"""What a request is about stands in its first lines."""
_TITLE_MESSAGES = 3
"""A title helper is asked once, with at most an example before."""
_TITLE = re.compile(
    r"\btitle generator\b"
    r"|\b(?:generate|write|create|produce|come up with|suggest|give|extract)\b[^.\n]{0,60}\btitle\b"
    r"|\bsummari[sz]e this coding conversation in under\b"
    r"|\bnew conversation topic\b",
    re.IGNORECASE,
)
_TITLE_WORDS = ("title", "summari", "new conversation topic")
_ROUTER = "specialized Task Routing AI"
"""Gemini CLI asks a small model how hard the task is, to choose the model that does it."""
_COMPACTION = re.compile(
    r"\b(?:summary|summari[sz]e|compact|condense|hand-?off)\b[^\n]{0,120}\b(?:conversation|context|session|history|so far|transcript)\b"
    r"|\b(?:conversation|context|session|history|transcript)\b[^\n]{0,60}\b(?:summary|summari[sz]e|compact(?:ed|ion)?|condense)\b",
    re.IGNORECASE,
)
_COMPACTION_WORDS = ("summar", "compact", "condense", "handoff", "hand-off")


def kind_of(call: Call, identity: Identity, system: str, asked: Sequence[str]) -> str:
    """Return the kind of a call, from its system prompt and the user texts it adds."""
    if call.operation != "chat":
        return _OPERATIONS.get(call.operation, "other")
    if identity.request_kind in _REQUEST_KINDS:
        return _REQUEST_KINDS[identity.request_kind]
    last = asked[-1].strip() if asked else ""
    if len(call.messages) == 1 and not call.tools and (identity.max_tokens == 1 or last == "quota"):
        return "probe"
    if len(call.messages) == 1 and last.lower() == "warmup":
        return "warmup"
    if not call.tools and len(call.messages) <= _TITLE_MESSAGES and _says(_TITLE, _TITLE_WORDS, f"{system[:_HEAD_CHARS]}\n{_heads(asked)}"):
        return "title"
    if not call.tools and _ROUTER in system[:_HEAD_CHARS]:
        return "router"
    is_long = len(call.messages) > _TITLE_MESSAGES or call.previous_response_id is not None
    if (is_long or not call.tools) and _says(_COMPACTION, _COMPACTION_WORDS, last[:_HEAD_CHARS]):
        return "compaction"
    return "turn"


def _says(pattern: re.Pattern[str], words: Sequence[str], text: str) -> bool:
    """Return whether a pattern stands in a text; it is looked for only where one of its words does, which takes a tenth of the time."""
    folded = text.casefold()
    for word in words:
        if word in folded:
            return pattern.search(text) is not None
    return False


def _heads(asked: Sequence[str]) -> str:
    return "\n".join(text[:_HEAD_CHARS] for text in asked)
