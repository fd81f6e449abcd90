"""What a call says of tools, from how its messages are read: the same on every engine.

Results are looked for after a request's last answer, and further back only among what is new in it and near its end: a client that
trims its history sends all of it as new each time.
"""

from collections.abc import Iterable, Sequence

from modular_agents.proxy.model.tools import ToolResult, ToolUse

LOOKED_BACK = 64
"""Messages from the end within which results before the last answer are looked for."""
MOST_NEW = 256
"""Messages from the end that are looked at at all: results of one answer's tools may each be a message."""
ANSWER_ROLE = "assistant"
TEXT_ROLE = "user"

Piece = tuple[str, str | None, str | None, bool | None]
"""Of a part: kind, tool id, name, is_error."""
Entry = tuple[int, str, Sequence[Piece]]
"""Place of a message in its request, its role, its parts."""


def first_of(count: int, new_from: int, last_answer: int) -> int:
    """Return the first of `count` messages that is looked at; `last_answer` -1: there is none."""
    return max(0, count - MOST_NEW, min(last_answer + 1, max(new_from, count - LOOKED_BACK)))


def uses_of(parts: Iterable[Piece]) -> tuple[ToolUse, ...]:
    """Return what an answer asks of tools."""
    return tuple(ToolUse(tool_id, name or "") for kind, tool_id, name, _ in parts if kind == "tool_use")


def results_of(entries: Iterable[Entry], last_answer: int) -> tuple[ToolResult, ...]:
    """Return what messages bring of tools, oldest first."""
    return tuple(
        ToolResult(tool_id, name, is_error, number, place, number > last_answer)
        for number, _, parts in entries
        for place, (kind, tool_id, name, is_error) in enumerate(parts)
        if kind == "tool_result"
    )


def may_tell(entry: Entry, last_answer: int) -> bool:
    """Return whether a message may hold results written as plain text."""
    number, role, parts = entry
    return number > last_answer and role == TEXT_ROLE and any(kind == "text" for kind, *_ in parts)


def may_be_result(text: str) -> bool:
    """Return whether a text may say what a tool said: whether it uses the word."""
    lowered = text.lower()
    return "tool" in lowered or "function" in lowered
