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

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

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


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry of a conversation before its digest is known."""

    role: str
    parts: tuple[Part, ...]


def seal(format_name: str, entries: Iterable[bytes], read: Callable[[bytes], Draft], memo: Memo | None) -> tuple[Message, ...]:
    """Read entries and give each its digest (rule 5). Raises what `read` raises."""
    sealed = [_sealed(format_name, raw, read, memo) for raw in entries]
    for at in range(len(sealed) - 1):
        if sealed[at].role == "assistant" and sealed[at + 1].role == "assistant":
            return tuple(_join_runs(sealed))
    return tuple(sealed)


def _sealed(format_name: str, raw: bytes, read: Callable[[bytes], Draft], memo: Memo | None) -> Message:
    """Read one entry that stands alone."""
    found = None if memo is None else memo.get((format_name, raw))
    if found is not None:
        return found
    draft = read(raw)
    message = Message(draft.role, draft.parts, raw, digest(draft.role, draft.parts))
    if memo is not None:
        memo.put((format_name, raw), message)
    return message


def _join_runs(alone: Sequence[Message]) -> Iterator[Message]:
    run: list[Message] = []
    for at, message in enumerate(alone):
        if message.role != "assistant":
            yield message
            continue
        run.append(message)
        if at + 1 < len(alone) and alone[at + 1].role == "assistant":
            yield replace(message, digest=b"")
        else:
            joined = digest("assistant", [part for one in run for part in one.parts]) if len(run) > 1 else message.digest
            yield replace(message, digest=joined)
            run = []


def digest(role: str, parts: Iterable[Part]) -> bytes:
    """Return the digest of one message."""
    form = _said(parts) if role == "assistant" else _given(parts)
    return blake2b(js.canonical([role, *form]), digest_size=DIGEST_BYTES).digest()


def _said(parts: Iterable[Part]) -> list[object]:
    """Rule 3."""
    text, tools, rest = "", [], []
    for part in parts:
        if part.kind in _TEXT:
            text += part.text
        elif part.kind == "tool_use":
            tools.append([part.tool_id, part.name, _same_json(part.arguments)])
        elif part.kind not in _THINKING:
            rest.append(part)
    text = "".join(text.split())
    return [text, tools] if text or tools or not rest else [text, tools, [_other(part) for part in rest]]


def _given(parts: Iterable[Part]) -> list[object]:
    """Rules 1 and 2, for every other role."""
    form: list[object] = []
    for part in parts:
        if part.kind == "text":
            if form and isinstance(form[-1], str):
                form[-1] += part.text
            else:
                form.append(part.text)
        elif part.kind == "tool_result":
            form.append([part.tool_id, part.name, part.text.strip(), part.is_error is True])
        else:
            form.append(_other(part))
    return [one for one in (one.strip() if isinstance(one, str) else one for one in form) if one]


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
