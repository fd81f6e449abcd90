"""Words that are only begun (`auth*`).

FTS5 merges the places of all words that begin so before it gives the first of them: of `a*` in a million calls, for seconds.
How much that would be is told by the index of its pages. Beyond `VAST_PAGES` the word is looked for in the newest calls one
after another instead: what begins so many words stands in most of them, so a page is soon full.
"""

import apsw

from modular_agents.proxy.store.sqlite import details, volumes
from modular_agents.proxy.store.terms import Term, matches

VAST_PAGES = 200
"""Pages of the search index (4 KB each) that may be merged for one word: 20 ms. They hold the places of some 100,000 calls."""
LOOKED_AT = 500
"""Calls whose words are read for one page: likewise."""


def vast(db: apsw.Connection, terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return the terms that begin too many words to be looked up."""
    return tuple(term for term in terms if term.is_prefix and _pages(db, term.words[-1]) > VAST_PAGES)


def query_of(terms: tuple[Term, ...]) -> str | None:
    """Return the query of which these are the terms; None of none."""
    return " ".join(f"{'-'.join(term.words)}*" if term.is_prefix else f'"{" ".join(term.words)}"' for term in terms) or None


def stands_in(db: apsw.Connection, number: int, terms: tuple[Term, ...]) -> bool:
    """Return whether a call that has ended holds all the terms. A system prompt that calls share counts for none of them."""
    said = details.said(db, number)
    return said is not None and matches(terms, said)


def _pages(db: apsw.Connection, word: str) -> int:
    """Return how many pages hold the words that begin with this one, but for one of each segment: that one is read for any word.

    Terms of the index are marked by a zero in front.
    """
    first = b"0" + word.encode("utf-8", "replace")
    return volumes.pages(db, first, first + b"\xff")
