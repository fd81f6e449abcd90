"""Tables that fit: numbers and ids are never cut, texts give way, the longest first; in a pipe nothing is cut at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from modular_agents.proxy.cli.terminal import safe

GAP = 2
"""Spaces between columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """`least`: a text column may shrink to this many cells. `right`: numbers. `spare`: left out where it does not fit, highest first."""

    name: str
    least: int | None = None
    right: bool = False
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """Hostile text and how to show it."""

    text: str
    style: str = ""


def print_table(out: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], below: Sequence[Text] = ()) -> None:
    """Print rows under headings. Texts are escaped and kept on one line each. `below`: a line under each row, escaped already."""
    texts = [[safe(cell.text) for cell in row] for row in rows]
    kept = list(range(len(columns)))
    widths = [max([cell_len(column.name), *(cell_len(row[index]) for row in texts)]) for index, column in enumerate(columns)]
    if out.is_terminal:
        kept = fitting(columns, widths, out.width)
        widths = shrunk(columns, widths, kept, out.width)
    _print_row(out, columns, widths, kept, [Cell(column.name, "bold") for column in columns], [column.name for column in columns])
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        _print_row(out, columns, widths, kept, row, text)
        if below:
            out.print(below[number], no_wrap=True, overflow="ellipsis" if out.is_terminal else "ignore", crop=out.is_terminal)


def fitting(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Return the columns that fit when texts are as short as they may be; spare ones go, highest first."""
    kept = list(range(len(columns)))
    for spare in sorted({column.spare for column in columns if column.spare}, reverse=True):
        least = sum(min(widths[index], columns[index].least or widths[index]) for index in kept)
        if least + GAP * (len(kept) - 1) <= room:
            break
        kept = [index for index in kept if columns[index].spare != spare]
    return kept


def shrunk(columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int], room: int) -> list[int]:
    """Return widths that fit into `room`, taken from the widest text column each time; wider when nothing more can give way."""
    found = list(widths)
    excess = sum(found[index] for index in kept) + GAP * (len(kept) - 1) - room
    for _ in range(max(excess, 0)):
        giving = [index for index in kept if found[index] > (columns[index].least or found[index])]
        if not giving:
            break
        found[max(giving, key=lambda index: found[index])] -= 1
    return found


def _print_row(
    out: Console, columns: Sequence[Column], widths: Sequence[int], kept: Sequence[int], cells: Sequence[Cell], texts: Sequence[str]
) -> None:
    line = Text()
    for place, index in enumerate(kept):
        text, width = texts[index], widths[index]
        if cell_len(text) > width:
            text = set_cell_size(text, width - 1) + "…"
        padding = " " * (width - cell_len(text))
        last = place == len(kept) - 1
        line.append(padding if columns[index].right else "")
        line.append(text, cells[index].style)
        line.append("" if columns[index].right or last else padding)
        line.append("" if last else " " * GAP)
    out.print(line, no_wrap=True, overflow="ignore", crop=False)
