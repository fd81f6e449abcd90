"""Lists told apart entry by entry: messages and system blocks, tools, parameters.

Entries are the same when they are the same to the model (see `forms`). Where a removed entry stands beside an added one of the
same name, that is one entry that changed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modular_agents.proxy.diffing.forms import indented, json_form, mark_of, message_form, unordered
from modular_agents.proxy.diffing.myers import steps
from modular_agents.proxy.diffing.reading import SHOWN_JSON_CHARS, message_text, raw_blocks, tool_name
from modular_agents.proxy.diffing.texts import edits
from modular_agents.proxy.model.comparison import Change, Edit
from modular_agents.proxy.model.query import MessageView

SENT_BACK = "the previous answer, sent back"
KEPT_BY_PROVIDER = "not sent again: the provider kept them (previous_response_id)"
KEY_ORDER = "only the order of its keys differs"
MARK_SET, MARK_GONE, MARK_TTL = "cache mark set", "cache mark gone", "cache mark changed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list. `form`: equal when two are the same. `text`: as it reads. `raw`: JSON. `marked`: its cache marks as text."""

    name: str
    form: str
    text: str
    raw: str
    marked: str = ""


def messages(before: Sequence[MessageView], after: Sequence[MessageView], answer: MessageView | None) -> tuple[Change, ...]:
    """Return what became of the messages; `answer`: that of the earlier call."""
    said = None if answer is None else _said(answer)

    def note(at: int) -> str:
        return SENT_BACK if said and after[at].role == "assistant" and _said(after[at]) == said else ""

    return _changes([_message(each) for each in before], [_message(each) for each in after], note)


def tools(before: Sequence[str], after: Sequence[str]) -> tuple[Change, ...]:
    """Return what became of the tools; one that only stands elsewhere has moved."""
    return _moved(_changes([_tool(raw) for raw in before], [_tool(raw) for raw in after], _no_note))


def parameters(before: dict[str, object], after: dict[str, object]) -> tuple[Change, ...]:
    """Return the parameters that differ."""
    found = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = (None if name not in each else _shown(each[name]) for each in (before, after))
        if old == new:
            continue
        kind = "added" if old is None else "removed" if new is None else "changed"
        found.append(Change(kind, name, None, None, 1, edits(old or "", new or ""), ""))
    return tuple(found)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=None if _is_small(value) else 2)


def _is_small(value: object) -> bool:
    return not isinstance(value, (dict, list)) or len(json.dumps(value)) <= 100  # noqa: PLR2004 - characters that fit a line


def _no_note(_at: int) -> str:
    return ""


def _message(message: MessageView) -> Entry:
    marks = json.dumps([mark_of(part.raw) for part in message.parts])
    return Entry(message.role, message_form(message), message_text(message), raw_blocks(message), marks if "{" in marks else "")


def _tool(raw: str) -> Entry:
    mark = mark_of(raw)
    return Entry(tool_name(raw), json_form(raw), indented(raw), raw, "" if mark is None else json.dumps(mark))


def _changes(before: Sequence[Entry], after: Sequence[Entry], note: Callable[[int], str]) -> tuple[Change, ...]:
    found: list[Change] = []
    waiting: list[int] = []
    for step in steps([entry.form for entry in before], [entry.form for entry in after]):
        if step.kind == "same":
            found += _gone(before, waiting)
            waiting.clear()
            found += _same(before, after, step.before, step.after, step.size)
        elif step.kind == "removed":
            waiting += range(step.before, step.before + step.size)
        else:
            for at in range(step.after, step.after + step.size):
                pair = next((old for old in waiting if before[old].name == after[at].name), None)
                if pair is None:
                    found.append(Change("added", after[at].name, None, at, 1, (Edit("added", after[at].text),), note(at)))
                else:
                    found += _gone(before, waiting[: waiting.index(pair)])
                    del waiting[: waiting.index(pair) + 1]
                    found.append(_changed(before[pair], after[at], pair, at))
    return (*found, *_gone(before, waiting))


def _gone(before: Sequence[Entry], which: Sequence[int]) -> list[Change]:
    return [Change("removed", before[at].name, at, None, 1, (Edit("removed", before[at].text),), "") for at in which]


def _changed(old: Entry, new: Entry, before_at: int, after_at: int) -> Change:
    note = KEY_ORDER if unordered(old.raw) == unordered(new.raw) else ""
    texts = [old.text, new.text] if old.text != new.text else [indented(each.raw)[:SHOWN_JSON_CHARS] for each in (old, new)]
    return Change("changed", new.name, before_at, after_at, 1, edits(*texts), note)


def _same(before: Sequence[Entry], after: Sequence[Entry], x: int, y: int, count: int) -> list[Change]:
    """Return a run; an entry whose cache mark alone differs is told of between two runs."""
    found: list[Change] = []
    start = 0
    for at in range(count + 1):
        old, new = ("", "") if at == count else (before[x + at].marked, after[y + at].marked)
        if at < count and old == new:
            continue
        if at > start:
            found.append(Change("same", "", x + start, y + start, at - start, (), ""))
        if at < count:
            note = MARK_GONE if not new else MARK_TTL if old else MARK_SET
            found.append(Change("same", after[y + at].name, x + at, y + at, 1, (), note))
        start = at + 1
    return found


def _moved(found: tuple[Change, ...]) -> tuple[Change, ...]:
    """Make one of a removal and an addition of one name: it moved, or it moved and changed."""
    gone = {change.name: change for change in found if change.kind == "removed"}
    come = {change.name for change in found if change.kind == "added"}
    kept: list[Change] = []
    for change in found:
        old = gone.get(change.name) if change.name in come and change.kind in {"added", "removed"} else None
        if old is None:
            kept.append(change)
        elif change.kind == "added":
            is_same = old.edits[0].text == change.edits[0].text
            way = () if is_same else edits(old.edits[0].text, change.edits[0].text)
            kept.append(Change("moved" if is_same else "changed", change.name, old.before_at, change.after_at, 1, way, ""))
    return tuple(kept)


def _said(message: MessageView) -> str:
    """Return what an answer says and which tools it uses, as it comes back in the next request."""
    words = [part.tool_id or part.name or "" if part.kind == "tool_use" else part.text for part in message.parts if part.kind in _SAID]
    return "\0".join(word.strip() for word in words if word.strip())


_SAID = frozenset({"text", "refusal", "tool_use"})
