"""Two texts, told apart line by line, and within lines that were changed word by word."""

import re
from collections.abc import Iterator, Sequence

from modular_agents.proxy.diffing.myers import steps
from modular_agents.proxy.model.comparison import Edit

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_WORDS = re.compile(r"\s+|\w+|[^\s\w]")
MOST_WORD_CHARS = 20_000
"""Lines that were changed are told apart by words up to this many characters on each side: beyond it nobody reads words."""
LEAST_SHARED = 0.3
"""Share of the shorter side that must stay for a comparison by words: below it, one after the other reads better."""


def edits(before: str, after: str) -> tuple[Edit, ...]:
    """Return the way from one text to the other; together its pieces that are not `added` are `before`, those not `removed` `after`."""
    old, new = _LINES.findall(before), _LINES.findall(after)
    found: list[Edit] = []
    way = steps(old, new)
    at = 0
    while at < len(way):
        step = way[at]
        if step.kind == "same":
            found.append(Edit("same", "".join(old[step.before : step.before + step.size])))
            at += 1
            continue
        removed = added = ""
        while at < len(way) and way[at].kind != "same":
            kind, x, y, count = way[at]
            if kind == "removed":
                removed += "".join(old[x : x + count])
            else:
                added += "".join(new[y : y + count])
            at += 1
        found += _replaced(removed, added)
    return tuple(_joined(found))


def _replaced(removed: str, added: str) -> list[Edit]:
    whole = [Edit("removed", removed), Edit("added", added)]
    if not removed or not added or max(len(removed), len(added)) > MOST_WORD_CHARS:
        return whole
    old, new = _WORDS.findall(removed), _WORDS.findall(added)
    found = []
    shared = 0
    for kind, x, y, count in steps(old, new):
        text = "".join(new[y : y + count] if kind == "added" else old[x : x + count])
        shared += len(text.strip()) if kind == "same" else 0
        found.append(Edit(kind, text))
    return found if shared >= LEAST_SHARED * min(len(removed.strip()), len(added.strip())) else whole


def _joined(found: Sequence[Edit]) -> Iterator[Edit]:
    """Join neighbours of one kind; leave out what is empty."""
    last: Edit | None = None
    for edit in found:
        if not edit.text:
            continue
        if last is not None and last.kind == edit.kind:
            last = Edit(edit.kind, last.text + edit.text)
            continue
        if last is not None:
            yield last
        last = edit
    if last is not None:
        yield last
