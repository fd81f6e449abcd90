"""Changed texts as lines for a terminal: what stays is folded, what changed is coloured, and marked where there is no colour.

Without colour a change inside a line reads `[-before-]{+after+}`, as wdiff writes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modular_agents.proxy.cli.terminal import safe

if TYPE_CHECKING:
    from rich.text import Text

    from modular_agents.proxy.model.comparison import Edit

CONTEXT_LINES = 2
"""Unchanged lines shown on either side of a change."""
CONTEXT_CHARS = 60
"""Unchanged characters of a long line shown on either side of a change."""
SHOWN_LINES, SHOWN_CHARS = 12, 900
"""Of a text that was added or removed whole, before it is cut; --full shows all."""
STYLES = {"removed": "red", "added": "green", "same": ""}
_SIGNS = {"removed": "-", "added": "+", "same": " "}


@dataclass(frozen=True, slots=True)
class Line:
    """A line in pieces (kind, text). A fold has none: `hidden` lines stand in its place."""

    pieces: tuple[tuple[str, str], ...]
    hidden: int = 0

    @property
    def sign(self) -> str:
        """`-` or `+` for a line that only one side has, `~` for one that changed, a space for one that did not."""
        kinds = {kind for kind, text in self.pieces if text}
        return _SIGNS[kinds.pop()] if len(kinds) == 1 else " " if not kinds else "~"


def lines_of(edits: "Sequence[Edit]", *, full: bool) -> list[Line]:
    """Return the lines of a changed text."""
    lines: list[list[tuple[str, str]]] = [[]]
    for edit in edits:
        first, *rest = edit.text.split("\n")
        lines[-1].append((edit.kind, first))
        lines += [[(edit.kind, piece)] for piece in rest]
    found = [Line(tuple(pieces)) for pieces in lines]
    if found and not any(text for _, text in found[-1].pieces):
        found.pop()
    if full:
        return found
    if len({edit.kind for edit in edits}) == 1:
        return _cut(found)
    return [_shortened(line) for line in _folded(found)]


def _cut(lines: list[Line]) -> list[Line]:
    """Keep the beginning of a text that is all new, or all gone."""
    kept: list[Line] = []
    left = SHOWN_CHARS
    for line in lines:
        kind, text = line.pieces[0]
        if len(kept) == SHOWN_LINES or left <= 0:
            return [*kept, Line((), len(lines) - len(kept))]
        kept.append(line if len(text) <= left else Line(((kind, f"{text[:left]}… ({len(text) - left:,} more characters)"),)))
        left -= len(text)
    return kept


def _folded(lines: list[Line]) -> Iterator[Line]:
    near = [False] * len(lines)
    for at, line in enumerate(lines):
        if line.sign != " ":
            for beside in range(max(at - CONTEXT_LINES, 0), min(at + CONTEXT_LINES + 1, len(lines))):
                near[beside] = True
    hidden = 0
    for shown, line in zip(near, lines, strict=True):
        if not shown:
            hidden += 1
            continue
        if hidden:
            yield Line((), hidden)
            hidden = 0
        yield line
    if hidden:
        yield Line((), hidden)


def _shortened(line: Line) -> Line:
    """Keep of a long line what stands around its changes; of one that stays, its beginning."""
    last = len(line.pieces) - 1
    pieces = []
    for at, (kind, text) in enumerate(line.pieces):
        head = 2 * CONTEXT_CHARS if not last else CONTEXT_CHARS if at else 0
        tail = CONTEXT_CHARS if at < last else 0
        if kind == "same" and len(text) > head + tail + 1:
            pieces.append((kind, f"{text[:head]}…{text[len(text) - tail :]}"))
        elif kind != "same" and len(text) > SHOWN_CHARS:
            pieces.append((kind, f"{text[:SHOWN_CHARS]}…"))
        else:
            pieces.append((kind, text))
    return Line(tuple(pieces))


def drawn(line: Line, *, colour: bool) -> "tuple[Text, Text]":
    """Return a line's sign and its text, ready to print: nothing in it can be obeyed by a terminal."""
    from rich.text import Text

    if line.hidden:
        return Text("⋮ ", "dim"), Text(f"{line.hidden:,} line{'' if line.hidden == 1 else 's'}", "dim")
    sign = Text(f"{line.sign} ", {"-": "red", "+": "green"}.get(line.sign, ""))
    text = Text()
    for kind, piece in line.pieces:
        words = safe(piece.replace("\t", "    "))
        if line.sign == "~" and not colour and kind != "same" and words:
            words = f"[-{words}-]" if kind == "removed" else f"{{+{words}+}}"
        text.append(words, f"{STYLES[kind]} reverse" if line.sign == "~" and kind != "same" else STYLES[kind])
    return sign, text
