"""When are two messages the same? A message is compared by 16 bytes that leave out what clients change between turns.

An answer as it was streamed and the message the client sends back in its next turn have equal digests. The rules:

1. JSON spelling does not count: white space, key order, escapes, `1.0` for `1`. Nor do `cache_control` marks.
2. A string and a list with one text block are the same; text blocks side by side are one text; empty ones are nothing.
   White space around the text of a message does not count (Anthropic refuses it at the end of an answer, so clients cut it).
3. Of an assistant's message only what it said and which tools it called count: text without any white space (frameworks join
   blocks with and without line breaks), then each tool use with its id, name and arguments. Thinking (dropped, re-ordered,
   signed), citations, log probabilities and what the provider's own tools did inside the answer do not.
   Where there is neither text nor tool use, all the rest but the thinking counts.
4. Message and item ids do not count. A tool use's id does: the result refers to it, so clients keep it, and it tells apart
   two threads that were asked the same. Formats without such ids (Gemini, Ollama) leave it empty.
5. Assistant entries in a row are one answer: the last of the run carries the digest of the run, the others none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js

DIGEST_BYTES = 16
"""As `model.chain.CHAIN_BYTES`."""
MAX_DEPTH = 200
"""JSON nested deeper is compared by its bytes. No real argument comes near; it bounds recursion."""

_THINKING = {"thinking", "redacted_thinking"}
_TEXT = {"text", "refusal"}
_UNCOUNTED = frozenset({"cache_control", "citations"})


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry of a conversation before its digest is known."""

    role: str
    parts: tuple[Part, ...]
    raw: bytes


def seal(drafts: Sequence[Draft]) -> tuple[Message, ...]:
    """Give each entry its digest (rule 5)."""
    sealed: list[Message] = []
    run: list[Part] = []
    last = len(drafts) - 1
    for at, draft in enumerate(drafts):
        if draft.role != "assistant":
            sealed.append(Message(draft.role, draft.parts, draft.raw, digest(draft.role, draft.parts)))
            continue
        run += draft.parts
        if at < last and drafts[at + 1].role == "assistant":
            sealed.append(Message(draft.role, draft.parts, draft.raw, b""))
            continue
        sealed.append(Message(draft.role, draft.parts, draft.raw, digest("assistant", run)))
        run = []
    return tuple(sealed)


def digest(role: str, parts: Iterable[Part]) -> bytes:
    """Return the digest of one message."""
    form = _said(parts) if role == "assistant" else _given(parts)
    return blake2b(js.canonical([role, *form]), digest_size=DIGEST_BYTES).digest()


def _said(parts: Iterable[Part]) -> list[object]:
    """Rule 3."""
    text: list[str] = []
    tools: list[object] = []
    rest: list[Part] = []
    for part in parts:
        if part.kind in _TEXT:
            text.append(part.text)
        elif part.kind == "tool_use":
            tools.append([part.tool_id or "", part.name or "", same_json(part.arguments or "")])
        elif part.kind not in _THINKING:
            rest.append(part)
    words = "".join("".join(text).split())
    if words or tools or not rest:
        return [words, tools]
    return [words, tools, [_other(part) for part in rest]]


def _given(parts: Iterable[Part]) -> list[object]:
    """Rules 1 and 2, for every other role."""
    form: list[object] = []
    text: list[str] = []
    for part in parts:
        if part.kind == "text":
            text.append(part.text)
            continue
        _flush(text, form)
        if part.kind == "tool_result":
            form.append([part.tool_id or "", part.name or "", part.text.strip(), part.is_error is True])
        else:
            form.append(_other(part))
    _flush(text, form)
    return form


def _flush(text: list[str], form: list[object]) -> None:
    words = "".join(text).strip()
    if words:
        form.append(words)
    text.clear()


def _other(part: Part) -> list[object]:
    return [part.kind, same_json(part.raw, _UNCOUNTED)]


def same_json(text: str | bytes, without: frozenset[str] = frozenset()) -> object:
    """Return a value that is equal for two spellings of the same JSON; text that is not JSON stands for itself."""
    try:
        return _plain(js.parse(text), without, 0)
    except ValueError:
        return text.strip() if isinstance(text, str) else text.decode("utf-8", "replace").strip()


def _plain(value: object, without: frozenset[str], depth: int) -> object:
    if depth > MAX_DEPTH:
        msg = "nested too deep to compare"
        raise ValueError(msg)
    if isinstance(value, dict):
        return {key: _plain(item, without, depth + 1) for key, item in value.items() if key not in without}
    if isinstance(value, list):
        return [_plain(item, without, depth + 1) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
