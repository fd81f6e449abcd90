"""A search shows where it found the words: one line around the first of them, every found word marked.

Made from the text as it is stored, not by the index: the index holds no text.
"""

import re
from collections.abc import Sequence

from modular_agents.proxy.model.query import Snippet
from modular_agents.proxy.store.terms import Term, fold

SNIPPET_CHARS = 160
"""About a line and a half of a list."""
BEFORE_CHARS = 50
"""Of these, so many before the first word found."""
_WORD = re.compile(r"[^\W_]+")
_SPACE = re.compile(r"\s+")


def make(terms: Sequence[Term], texts: Sequence[tuple[str, str]]) -> Snippet | None:
    """Return the snippet from the first of the `(where, text)` that holds a word looked for; None when none does."""
    wanted = {word for term in terms for word in term.words}
    begun = tuple(term.words[-1] for term in terms if term.is_prefix)
    for where, text in texts:
        first = next((found.start() for found in _WORD.finditer(fold(text)) if _is_wanted(found[0], wanted, begun)), None)
        if first is not None:
            start = max(0, first - BEFORE_CHARS)
            return Snippet(where, _pieces(text[start : start + SNIPPET_CHARS], wanted, begun))
    return None


def _pieces(text: str, wanted: set[str], begun: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    line = _SPACE.sub(" ", text)
    pieces = []
    at = 0
    for found in _WORD.finditer(fold(line)):
        if _is_wanted(found[0], wanted, begun):
            if found.start() > at:
                pieces.append((line[at : found.start()], False))
            pieces.append((line[found.start() : found.end()], True))
            at = found.end()
    if at < len(line):
        pieces.append((line[at:], False))
    return tuple(pieces)


def _is_wanted(word: str, wanted: set[str], begun: tuple[str, ...]) -> bool:
    return word in wanted or (bool(begun) and word.startswith(begun))
