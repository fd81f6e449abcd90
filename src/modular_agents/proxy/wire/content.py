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
   two threads that were asked the same. Not with Gemini and Ollama, where clients make such ids up or drop them (`ids=False`).
5. Assistant entries in a row are one answer: the last of the run carries the digest of the run, the others none.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.memo import Memo

DIGEST_BYTES = 16
"""As `model.chain.CHAIN_BYTES`."""
MAX_DEPTH = 200
"""As promised of all JSON: what is nested deeper is not compared. It bounds recursion."""

_THINKING = {"thinking", "redacted_thinking"}
_TEXT = {"text", "refusal"}
_UNCOUNTED = frozenset({"cache_control", "citations"})


class Draft(NamedTuple):
    """An entry of a conversation before its digest is known."""

    role: str
    parts: tuple[Part, ...]


class Entries(NamedTuple):
    """How a format's entries are read: its name, and what makes a draft of exact bytes (raising ValueError). `ids`: see rule 4."""

    name: str
    read: Callable[[bytes], Draft]
    ids: bool = True


def seal(raws: Iterable[bytes], how: Entries, memo: Memo | None) -> tuple[Message, ...]:
    """Read entries and give each its digest (rule 5). Raises ValueError."""
    sealed = [_sealed(raw, how, memo) for raw in raws]
    for at in range(len(sealed) - 1):
        if sealed[at].role == "assistant" and sealed[at + 1].role == "assistant":
            return tuple(_join_runs(sealed, how))
    return tuple(sealed)


def _sealed(raw: bytes, how: Entries, memo: Memo | None) -> Message:
    """Read one entry as if it stood alone."""
    found = None if memo is None else memo.get((how.name, raw))
    if found is not None:
        return found
    draft = how.read(raw)
    message = Message(draft.role, draft.parts, raw, digest(draft.role, draft.parts, ids=how.ids))
    if memo is not None:
        memo.put((how.name, raw), message)
    return message


def _join_runs(alone: Sequence[Message], how: Entries) -> Iterator[Message]:
    run: list[Part] = []
    for at, message in enumerate(alone):
        if message.role != "assistant":
            yield message
            continue
        run += message.parts
        if at + 1 < len(alone) and alone[at + 1].role == "assistant":
            yield replace(message, digest=b"")
        else:
            yield replace(message, digest=digest("assistant", run, ids=how.ids))
            run = []


def digest(role: str, parts: Iterable[Part], *, ids: bool = True) -> bytes:
    """Return the digest of one message."""
    form = _said(parts, ids=ids) if role == "assistant" else _given(parts, ids=ids)
    return blake2b(js.canonical([role, *form]), digest_size=DIGEST_BYTES).digest()


def _said(parts: Iterable[Part], *, ids: bool) -> list[object]:
    """Rule 3."""
    text: list[str] = []
    tools: list[object] = []
    rest: list[Part] = []
    for part in parts:
        if part.kind in _TEXT:
            text += part.text.split()
        elif part.kind == "tool_use":
            tools.append([part.tool_id if ids else None, part.name, _same_json(part.arguments)])
        elif part.kind not in _THINKING:
            rest.append(part)
    words = "".join(text)
    return [words, tools] if words or tools or not rest else [words, tools, [_other(part) for part in rest]]


def _given(parts: Iterable[Part], *, ids: bool) -> list[object]:
    """Rules 1 and 2, for every other role."""
    form: list[object] = []
    text: list[str] = []
    for part in parts:
        if part.kind == "text":
            text.append(part.text)
            continue
        _flush(text, form)
        if part.kind == "tool_result":
            form.append([part.tool_id if ids else None, part.name, part.text.strip(), part.is_error is True])
        else:
            form.append(_other(part))
    _flush(text, form)
    return form


def _flush(text: list[str], form: list[object]) -> None:
    if text:
        words = "".join(text).strip()
        if words:
            form.append(words)
        text.clear()


def _other(part: Part) -> list[object]:
    return [part.kind, _without(_same_json(part.raw) if part.raw else part.text, 0)]


def _same_json(text: str | bytes | None) -> object:
    """Return a value that is equal for two spellings of the same JSON; text that is not JSON stands for itself."""
    if not text:
        return None
    try:
        return js.parse_plainly(text)
    except ValueError:
        return text.strip() if isinstance(text, str) else text.decode("utf-8", "replace").strip()


def _without(value: object, depth: int) -> object:
    """Leave out what does not count, as deep as real blocks go; what is nested deeper is left out whole."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {key: _without(item, depth + 1) for key, item in value.items() if key not in _UNCOUNTED}
    if isinstance(value, list):
        return [_without(item, depth + 1) for item in value]
    return value
