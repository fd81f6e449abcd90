"""Was this said before? Equality and verbatim containment are found by tokens, never by scanning earlier texts.

Text is compared with its white space squeezed. A `Said` is a piece of text that somebody may repeat: it leaves a token
of its whole and of two *anchors* (three words that begin with a long one) near its ends. A `Reading` is a text in which
earlier pieces may stand: it looks for the tokens of its parts, its lines and all its anchors. An anchor proves nothing: it only
says where to look, and `Reading.holds` then compares the whole piece at that place.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

import msgspec

from modular_agents.proxy.linking.tokens import token

_T = TypeVar("_T")
MIN_CHARS = 8
"""Shortest text that is looked for. Shorter ones (names, file names, `yes`) are said everywhere."""
HEAD_CHARS, TAIL_CHARS = 8000, 4000
"""Of a longer text only the beginning and the end are read: a task stands at one of them. Bounds time and size per thread."""
MAX_LINES = 48
"""Lines of one text that are looked for, half of them from its end."""
MAX_ANCHORS = 240
"""Anchors of one text that are looked for, half of them from its end."""
_ANCHOR_LETTERS = 5
"""Length of the word an anchor begins with: about every other word of prose."""
_ENDS = ("whole", "first line", "last line")
_QUOTES = " \"'`“”"
_EDGES = "\"'`“”‘’()[]{}<>*_#,.;:!?"  # noqa: RUF001 - typographic quotes stand around words too
_BULLET = re.compile(r"^(?:[-*•>]+|\d{1,3}[.)])\s+")
_LABEL_CHARS = 40
"""Longest `label:` that may stand before a piece of text in its line."""
_TAGGED = re.compile(
    r"<(system-reminder|environment_context|environment_details|session_context|user_instructions|ide_\w+|local-command-\w+|command-\w+)\b[^>]*>"
    r".*?</\1>",
    re.DOTALL,
)
_ENVELOPE = re.compile(r"\AMessage Type: [A-Z_]+\n(?:[A-Z][a-z ]+: [^\n]*\n){1,4}Payload:\n")
"""How Codex's agents address each other."""
_TAG_LINE = re.compile(r"^</?[A-Za-z][\w:.-]*(?: [^<>]*)?>$")


class Said(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A piece of text somebody may repeat: its length, the token of the whole, and anchors as (offset, token)."""

    size: int
    whole: int
    anchors: tuple[tuple[int, int], ...] = ()

    @property
    def keys(self) -> tuple[int, ...]:
        """What it leaves in the index."""
        return (self.whole, *dict.fromkeys(key for _, key in self.anchors))


def squeeze(text: str) -> str:
    """Return `text` with every run of white space made one space, and none around it."""
    return " ".join(text.split())


def unwrapped(text: str) -> str:
    """Return `text` without the reminders and settings that clients put before a person's words, in tags."""
    if text.startswith("Message Type: "):
        text = _ENVELOPE.sub("", text)
    return _TAGGED.sub(" ", text) if "<" in text else text


def said(text: str) -> Said | None:
    """Return `text` as a piece that may be repeated; None when it is too short to mean anything."""
    words = lined(text).replace("\n", " ")
    if len(words) < MIN_CHARS:
        return None
    return Said(len(words), token("text", words), tuple(_anchors(words, 2)))


def lined(text: str, head: int = HEAD_CHARS, tail: int = TAIL_CHARS) -> str:
    """Return the text a `Reading` needs: squeezed line by line, cut to its beginning and end."""
    lines = "\n".join(filter(None, (squeeze(line) for line in text.splitlines())))
    if len(lines) <= head + tail:
        return lines
    return f"{lines[:head]}\n{lines[-tail:]}"


class Reading:
    """Texts (made by `lined`) in which earlier pieces may stand."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._flat = [text.replace("\n", " ") for text in texts]
        self._texts = texts

    @cached_property
    def equal(self) -> frozenset[int]:
        """Tokens of whole texts."""
        whole = [*self._flat, " ".join(self._flat)] if len(self._flat) > 1 else self._flat
        return frozenset(token("text", text) for text in whole if len(text) >= MIN_CHARS)

    @cached_property
    def lines(self) -> frozenset[int]:
        """Tokens of lines, bare and without their label."""
        return frozenset(token("text", line) for text in self._texts for line in _lines(text))

    @cached_property
    def _places(self) -> dict[int, list[tuple[int, int]]]:
        places: dict[int, list[tuple[int, int]]] = {}
        for at, text in enumerate(self._flat):
            for offset, key in _anchors(text, MAX_ANCHORS):
                places.setdefault(key, []).append((at, offset))
        return places

    @property
    def keys(self) -> tuple[int, ...]:
        """Everything to look for."""
        return tuple(dict.fromkeys((*self.equal, *self.lines, *self._places)))

    def holds(self, piece: Said) -> bool:
        """Return whether the piece stands in here, word for word."""
        if piece.whole in self.equal or piece.whole in self.lines:
            return True
        return any(self._stands(piece, at, start) for at, start in self._starts(piece))

    def count(self, piece: Said) -> int:
        """Return how often the piece stands in here (at least once when it `holds`)."""
        starts = {place for place in self._starts(piece) if self._stands(piece, *place)}
        return max(len(starts), int(self.holds(piece)))

    def equals(self, piece: Said) -> bool:
        """Return whether one of the texts is this piece and nothing else."""
        return piece.whole in self.equal

    @property
    def size(self) -> int:
        """Characters in all."""
        return sum(map(len, self._flat))

    def _starts(self, piece: Said) -> Iterator[tuple[int, int]]:
        for offset, key in piece.anchors:
            for at, found in self._places.get(key, ()):
                if found >= offset:
                    yield at, found - offset

    def _stands(self, piece: Said, at: int, start: int) -> bool:
        words = self._flat[at][start : start + piece.size]
        return len(words) == piece.size and token("text", words) == piece.whole


def _lines(text: str) -> Iterator[str]:
    for line in _ends(text.split("\n"), MAX_LINES):
        if len(line) >= MIN_CHARS and not _TAG_LINE.match(line):
            yield from _spellings(line)


def _spellings(line: str) -> Iterator[str]:
    """Yield a line as it is and without its bullet, label or quotes."""
    yield line
    bare = _BULLET.sub("", line)
    label, colon, rest = bare.replace("：", ":", 1).partition(":")  # noqa: RUF001 - the full-width colon ends a label too
    if colon and len(label) <= _LABEL_CHARS:
        bare = rest
    bare = bare.strip(_QUOTES)
    if bare != line and len(bare) >= MIN_CHARS:
        yield bare


def _anchors(words: str, limit: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, token) of three words that begin with a long one, the `limit` nearest to the ends; quotes and points do not count."""
    split = words.split(" ")
    starts = list(accumulate((len(word) + 1 for word in split), initial=0))
    for at in _ends([at for at, word in enumerate(split[:-2]) if len(word) >= _ANCHOR_LETTERS], limit):
        bare = split[at].lstrip(_EDGES)
        three = f"{bare.rstrip(_EDGES)} {split[at + 1].strip(_EDGES)} {split[at + 2].strip(_EDGES)}"
        yield starts[at] + len(split[at]) - len(bare), token("words", three)


def _ends(items: Sequence[_T], limit: int) -> Sequence[_T]:
    return items if len(items) <= limit else [*items[: limit // 2], *items[-(limit // 2) :]]


def ends(text: str) -> tuple[int, ...]:
    """Return tokens of a text's whole, first line and last line, by which it is known again when it comes back."""
    return tuple(dict.fromkeys(token("text", words) for words in _main(text)))


def sketch(text: str) -> tuple[int, ...]:
    """Return tokens of what came back: its `ends`, and spellings without labels of these and of two lines more."""
    main = _main(text)
    spelled = [spelling for words in (*main, *_worded(text)[1:3]) for spelling in _spellings(words[:HEAD_CHARS])]
    return tuple(dict.fromkeys(token("text", words) for words in (*main, *spelled)))


def brought(sketched: Sequence[int], ended: Sequence[int]) -> bool:
    """Return whether a text with that `sketch` brings back one with those `ends`: all of it, or its first line and its last."""
    if not ended:
        return False
    return ended[0] in sketched or (len(ended) == len(_ENDS) and ended[1] in sketched and ended[2] in sketched)


def _main(text: str) -> list[str]:
    lines = _worded(text)
    return [words for words in (squeeze(text), *lines[:1], *lines[-1:]) if len(words) >= MIN_CHARS]


def _worded(text: str) -> list[str]:
    lines = (
        text[:HEAD_CHARS].splitlines()
        if len(text) <= HEAD_CHARS + TAIL_CHARS
        else [*text[:HEAD_CHARS].splitlines(), *text[-TAIL_CHARS:].splitlines()]
    )
    return [line for line in map(squeeze, lines) if len(line) >= MIN_CHARS and not _TAG_LINE.match(line)]
