"""What the calls of one trace say of tools, in four questions, however many calls: no body is read but of turns without results as such."""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from modular_agents.proxy.model.tools import ToolTurn, ToolUse, UserText
from modular_agents.proxy.store import reading
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.toolturns import ANSWER_ROLE, LOOKED_BACK, MOST_NEW, Entry, may_be_result, may_tell, results_of, uses_of

_SKETCH = msgspec.json.Decoder(tuple[str, list[tuple[str, msgspec.Raw, msgspec.Raw, str | None, str | None, msgspec.Raw, bool | None]]])
"""A reading (store/reading.py) without the places of its texts."""

Texts = dict[int, tuple[str, str]]
"""Body and reading of messages, by content."""


def turns(db: apsw.Connection, trace: int) -> tuple[ToolTurn, ...]:
    """Return every call of a trace that says something of tools, oldest first."""
    ask, sql = db.execute, statements()
    uses: dict[int, tuple[ToolUse, ...]] = {}
    for number, read in ask(sql["tool_answers"], (trace,)):
        uses[number] = uses_of(_sketch(0, read)[2])
    facts: dict[int, bytes] = dict(ask(sql["opened_facts"], (trace,)))
    heard: dict[int, list[tuple[Entry, int, str]]] = defaultdict(list)
    for number, place, content, read in ask(sql["tool_requests"], (trace, LOOKED_BACK, MOST_NEW)):
        heard[number].append((_sketch(place, read), content, read))
    calls: Any = ask(sql["turns_of_trace"], (trace,)).fetchall()
    telling = {number: _telling(heard[number]) for number, _, goes_on in calls if goes_on and number in heard}
    texts = _texts(db, {content for found in telling.values() for _, content in found})
    made = (
        ToolTurn(
            call_id,
            uses.get(number, ()),
            results_of((entry for entry, _, _ in heard.get(number, ())), _last_answer(heard.get(number, []))),
            tuple(_told(telling.get(number, ()), texts)),
            facts.get(number, b""),
        )
        for number, call_id, _ in calls
    )
    return tuple(turn for turn in made if turn.uses or turn.results or turn.texts or turn.facts)


def _sketch(place: int, read: str) -> Entry:
    role, parts = _SKETCH.decode(read)
    return place, role, [(kind, tool_id, name, is_error) for kind, _, _, tool_id, name, _, is_error in parts]


def _last_answer(heard: list[tuple[Entry, int, str]]) -> int:
    return max((place for (place, role, _), _, _ in heard if role == ANSWER_ROLE), default=-1)


def _telling(heard: list[tuple[Entry, int, str]]) -> list[tuple[int, int]]:
    """Return (place, content) of the messages that may hold results as plain text: none where results stand as such."""
    last = _last_answer(heard)
    if any(result.is_new for result in results_of((entry for entry, _, _ in heard), last)):
        return []
    return [(entry[0], content) for entry, content, _ in heard if may_tell(entry, last)]


def _texts(db: apsw.Connection, contents: set[int]) -> Texts:
    if not contents:
        return {}
    rows: Any = db.execute(statements()["tool_texts"], (apsw.carray(array("q", sorted(contents))),))
    return {content: (body, read) for content, body, read in rows}


def _told(telling: Iterable[tuple[int, int]], texts: Texts) -> list[UserText]:
    found = []
    for place, content in telling:
        if content in texts:
            body, read = texts[content]
            view = reading.decode(body.encode(), read, "")
            found += [
                UserText(part.text, place, at) for at, part in enumerate(view.parts) if part.kind == "text" and may_be_result(part.text)
            ]
    return found
