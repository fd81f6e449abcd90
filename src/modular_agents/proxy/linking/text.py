"""Was this said before? Verbatim containment is found by marks, never by scanning earlier texts.

Text is compared with its white space squeezed. A `Said` is a piece of text that somebody may repeat: it leaves its *anchor*, a
pair of words from its inside, which stands the same wherever it is repeated. A `Reading` is a text in which earlier
pieces may stand: it looks for every pair of its words. An anchor proves nothing: it only says where to look, and `Reading.holds`
then compares the whole piece at that place. A piece of three words or fewer has no inside; it is found where it is a line of its own.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from operator import add

import msgspec

from modular_agents.proxy.linking.tokens import HEAD, PROMPT, SHORT, TEXT, mark, mark_of, token, token_of
from modular_agents.proxy.model.link import Pair

MIN_CHARS = 8
"""Shortest text that is looked for. Shorter ones (names, file names, `yes`) are said everywhere."""
HEAD_CHARS, TAIL_CHARS = 8000, 4000
"""Of a longer text only the beginning and the end are read: a task stands at one of them. Bounds time and size per call."""
READ_WORDS = 250
"""Words at either end of a text in which pieces are looked for: some 1,500 characters."""
ANCHOR_WORDS, NEEDLE_WORDS = 16, 5
"""Words of a piece among which its anchor is chosen; words from there on that are looked for first."""
SOUGHT_CHARS = 12
"""Of those, what is looked for: Python's search skips by a table of the characters that it looks for, and a few words have most of them."""
_INSIDE = 4
"""A piece of so many words has a pair that touches neither end."""
MAX_PROMPTS = 4
"""User texts of a first turn that a helper may repeat."""
_NUMBER = re.compile(r"\d")
"""What tells one task from the next is often its number."""
_QUOTES = " \"'`“”"
_BULLET = re.compile(r"^(?:[-*•>]+|\d{1,3}[.)])\s+")
_ADORNED = frozenset(" \t\"'`“”-*•>0123456789")
"""How lines begin that have a bullet or quotes around them."""
_LABEL_CHARS = 40
"""Longest `label:` that may stand before a piece of text in its line."""
_SHORTEST_LABEL = 3
MAX_LINES = 48
"""Lines of one text that may be short pieces, half of them from its end."""
_TAGS = ("system-reminder", "environment_context", "environment_details", "session_context", "user_instructions")
_OPENING = re.compile(r"<(" + "|".join(_TAGS) + r"|ide_\w+|local-command-\w+|command-\w+)\b[^>]{0,200}>")
_ENVELOPE = re.compile(r"\AMessage Type: [A-Z_]+\n(?:[A-Z][a-z ]+: [^\n]*\n){1,4}Payload:\n")
"""How Codex's agents address each other."""
_TAG_LINE = re.compile(r"^</?[A-Za-z][\w:.-]*(?: [^<>]*)?>$")
_HEAD_CHARS = 96
"""How an answer begins, white space aside: what is compared of a text that comes back as a tool's result."""
_START_ROOM = 240
"""Where they are looked for, behind labels and first lines."""
_LEADING, _TRAILING = "\"'`“”{[(", "\"'`“”}])"


class Said(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A piece of text somebody may repeat."""

    size: int
    whole: int
    """Token of all of it."""
    short: int
    """Mark of one that has no inside; 0 of others."""
    offset: int
    """Where `words` stand; -1 when it has no inside."""
    words: str = ""
    """Its anchor and the words after it; empty when it has no inside."""

    @property
    def anchor(self) -> Pair:
        """Its anchor, if it has one."""
        first, second = self.words.split(" ", 2)[:2]
        return first, second


def unwrapped(text: str) -> str:
    """Return `text` without the reminders and settings that clients put before a person's words, in tags."""
    if text.startswith("Message Type: "):
        text = _ENVELOPE.sub("", text)
    if "<" not in text or _OPENING.search(text) is None:
        return text
    kept, at = [], 0
    unclosed: set[str] = set()  # a tag that nobody closes is looked for once: time stays linear in hostile texts
    for opening in _OPENING.finditer(text):
        name = opening[1]
        if opening.start() < at or name in unclosed:
            continue
        end = text.find(f"</{name}>", opening.end())
        if end < 0:
            unclosed.add(name)
            continue
        kept.append(text[at : opening.start()])
        at = end + len(name) + 3
    return " ".join((*kept, text[at:]))


def ends_of(text: str) -> str:
    """Return a text, cut to its beginning and end when it is long."""
    return text if len(text) <= HEAD_CHARS + TAIL_CHARS else f"{text[:HEAD_CHARS]} {text[-TAIL_CHARS:]}"


def squeezed(text: str) -> str:
    """Return `text` with every run of white space made one space, cut to its beginning and end."""
    return " ".join(ends_of(text).split())


def said(text: str) -> Said | None:
    """Return `text` as a piece that may be repeated; None when it is too short to mean anything."""
    words = ends_of(text).split()
    flat = " ".join(words)
    if len(flat) < MIN_CHARS:
        return None
    data = flat.encode("utf-8", "surrogatepass")
    if len(words) < _INSIDE:
        return Said(len(flat), token_of(TEXT, data), mark_of(SHORT, data), -1)
    end = min(len(words) - 1, ANCHOR_WORDS + 1)
    return Said(len(flat), token_of(TEXT, data), 0, *_anchored(words[1:end], len(words[0]) + 1))


def _anchored(inner: Sequence[str], start: int) -> tuple[int, str]:
    """Choose a pair of these words, which begin at `start`, that is likely to stand nowhere else: one with a number, else a long one.

    Return where it begins, and its words with the next few.
    """
    flat = " ".join(inner)
    number = _NUMBER.search(flat)
    sizes = list(map(len, inner))
    if number:
        at = max(flat.count(" ", 0, number.start()) - 1, 0)
    else:
        weights = list(map(add, sizes, islice(sizes, 1, None)))
        at = weights.index(max(weights))
    return start + at + sum(sizes[:at]), " ".join(inner[at : at + NEEDLE_WORDS])


def _ends(text: str) -> list[list[str]]:
    """Return the words of a squeezed text, of a longer one those at both ends.

    They are parted where they are used and kept by nobody: 650 words take 40 KB, and of all calls of a batch they would not stay in the
    processor's cache, which costs more than to part them once more.
    """
    words = text.split(" ", 2 * READ_WORDS)
    return [words] if len(words) <= 2 * READ_WORDS else [words[:READ_WORDS], text.rsplit(" ", READ_WORDS)[1:]]


@lru_cache(maxsize=64)
def _pairs(briefing: str) -> list[Pair]:
    """Return the pairs of a system prompt's words: thousands of calls have the same."""
    return [pair for words in _ends(briefing) for pair in pairwise(words)]


class Reading:
    """Squeezed texts in which earlier pieces may stand. `lines`: of them, those that may be short pieces. `briefing`: one more text."""

    __slots__ = ("_briefing", "_lines", "_own", "_prompts", "texts")

    def __init__(self, texts: Sequence[str], lines: Sequence[str] = (), briefing: str = "") -> None:
        self._lines = {mark(SHORT, line): line for line in lines}
        self._own, self._briefing = tuple(texts), briefing
        self.texts = (*self._own, briefing) if briefing else self._own
        """All of them."""
        self._prompts: tuple[int, ...] | None = None

    @property
    def shorts(self) -> Collection[int]:
        """Marks of the lines, by which earlier pieces are found that have no inside."""
        return self._lines

    @property
    def prompts(self) -> tuple[int, ...]:
        """Marks of the first texts, by which a helper that repeats them is found."""
        if self._prompts is None:
            self._prompts = tuple([mark(PROMPT, text) for text in self._own[:MAX_PROMPTS]])
        return self._prompts

    def pairs(self) -> list[Iterable[Pair]]:
        """Return the pairs of words by which all other earlier pieces are found."""
        own: list[Iterable[Pair]] = [pairwise(words) for text in self._own for words in _ends(text)]
        return [*own, _pairs(self._briefing)] if self._briefing else own

    def holds(self, piece: Said) -> bool:
        """Return whether the piece stands in here, word for word."""
        if piece.offset < 0:
            line = self._lines.get(piece.short)
            return line is not None and token(TEXT, line) == piece.whole
        return self._count(piece, 1) > 0

    def count(self, piece: Said) -> int:
        """Return how often the piece stands in here."""
        return int(self.holds(piece)) if piece.offset < 0 else self._count(piece, self.size)

    def equals(self, piece: Said) -> bool:
        """Return whether one of the texts, or all together, is this piece and nothing else."""
        own = self._own
        wholes = (*own, " ".join(own)) if len(own) > 1 else own
        return any(len(text) == piece.size and token(TEXT, text) == piece.whole for text in wholes)

    @property
    def size(self) -> int:
        """Characters in all."""
        return sum(map(len, self.texts))

    def _count(self, piece: Said, most: int) -> int:
        """Return how often the piece stands in here, `most` at most."""
        anchor, size, offset = f" {piece.words} ", piece.size, piece.offset - 1
        start = anchor[:SOUGHT_CHARS]
        count = 0
        for text in self.texts:
            found = text.find(start)
            while found >= 0 and count < most:
                if found >= offset and text.startswith(anchor, found):
                    words = text[found - offset : found - offset + size]
                    count += len(words) == size and token(TEXT, words) == piece.whole
                found = text.find(start, found + 1)
        return count


def short_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text that may be short pieces, bare and without bullet, label or quotes."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES // 2], *lines[-MAX_LINES // 2 :]]
    for line in lines:
        words = line.split(None, _INSIDE - 1)
        if len(words) < _INSIDE or line[:1] in _ADORNED or ":" in (start := line[: _LABEL_CHARS + 1]) or "：" in start:  # noqa: RUF001 - the full-width colon
            for spelling in _spellings(line):
                words = spelling.split(None, _INSIDE - 1)
                if len(words) < _INSIDE and len(short := " ".join(words)) >= MIN_CHARS:
                    yield short


def _spellings(line: str) -> Iterator[str]:
    """Yield a line as it is and without its bullet, label or quotes."""
    yield line
    bare = _BULLET.sub("", line)
    label, colon, rest = bare.replace("：", ":", 1).partition(":")  # noqa: RUF001 - the full-width colon ends a label too
    if colon and len(label) <= _LABEL_CHARS:
        bare = rest
    bare = bare.strip(_QUOTES)
    if bare != line:
        yield bare


def head_of(text: str) -> int:
    """Return the mark of how a text begins, by which it is known when it comes back; 0 of one too short."""
    return _head("".join(text.lstrip()[:_START_ROOM].split()))


def heads_in(text: str) -> tuple[int, ...]:
    """Return the heads of what a text may bring back: all of it, what follows a label, what stands below a short first line."""
    line, ended, rest = text[:_START_ROOM].partition("\n")
    first = "".join(line.split())
    if not ended or len(first) >= _HEAD_CHARS:
        found = [_head(first + "".join(rest.split()))]
    else:  # a short answer and something below it, or a heading and the answer below it
        below = "".join(rest.split())
        found = [_head(first + below), _head(first), _head(below)]
        first += below
    label, colon, _ = first[:_LABEL_CHARS].partition(":")
    if colon and len(label) >= _SHORTEST_LABEL:
        found.append(_head(first[len(label) + 1 :]))
    return tuple(filter(None, found))


def _head(start: str) -> int:
    """Return the mark of the beginning of a text without white space; 0 of one too short."""
    head = start[:_HEAD_CHARS]
    if head[:1] in _LEADING:
        head = start.lstrip(_LEADING)[:_HEAD_CHARS]
    if len(head) < _HEAD_CHARS:
        head = head.rstrip(_TRAILING)
        if len(head) < MIN_CHARS:
            return 0
    return mark(HEAD, head)
