"""Whatever a person types is words to look for, never a syntax error.

Words in double quotes stand in this order; a word that ends in `*` is the beginning of a word; all must be found, in the prompt
or in the answer. Letters and digits count, case and accents do not; everything else separates words, as in FTS5's `unicode61`.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_QUERY_CHARS = 1000
"""More is a paste, not a search."""
MAX_TERMS = 32
"""Each is one look-up in the index."""
_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row, folded; `is_prefix`: the last is only begun."""

    words: tuple[str, ...]
    is_prefix: bool = False


def parse(query: str) -> tuple[Term, ...]:
    """Return the terms of a query; none when it holds no word at all (then nothing is found)."""
    terms = []
    for quoted, plain in _TERM.findall(query[:MAX_QUERY_CHARS]):
        words = tokens(quoted or plain)
        if words:
            terms.append(Term(tuple(words), plain.endswith("*")))
    return tuple(terms[:MAX_TERMS])


def fts(terms: tuple[Term, ...]) -> str:
    """Return the FTS5 expression of the terms."""
    return " AND ".join(f'"{" ".join(term.words)}"{" *" if term.is_prefix else ""}' for term in terms)


def matches(terms: tuple[Term, ...], texts: tuple[str, ...]) -> bool:
    """Say whether each term stands in one of the texts."""
    found = [tokens(text) for text in texts]
    return bool(terms) and all(any(_stands(term, words) for words in found) for term in terms)


def tokens(text: str) -> list[str]:
    """Return the words of a text, folded."""
    return _WORD.findall(fold(text))


def fold(text: str) -> str:
    """Return a text without case and accents, character for character: it is as long as the text."""
    return text.lower() if text.isascii() else "".join(_fold(character) for character in text)


def _fold(character: str) -> str:
    plain = unicodedata.normalize("NFD", character)[0].lower()
    return plain[0] if plain else character


def _stands(term: Term, words: list[str]) -> bool:
    size = len(term.words)
    for at in range(len(words) - size + 1):
        if tuple(words[at : at + size - 1]) != term.words[:-1]:
            continue
        last = words[at + size - 1]
        if last == term.words[-1] or (term.is_prefix and last.startswith(term.words[-1])):
            return True
    return False
