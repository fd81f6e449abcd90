"""What is printed is data, and data is hostile: nothing from a call reaches a terminal unescaped, and no colour reaches a pipe.

Only this module writes to the terminal what a call contains.
"""

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1 (ESC and CSI among them)
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"  # marks that reorder or hide text
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates, tags
)
_LINES = re.compile("[\t\n]")
_PIPE_COLUMNS = 10_000
"""Width of what is no terminal: nothing is cut."""


def safe(text: str, *, lines: bool = False) -> str:
    """Return text that a terminal only shows. `lines`: tabs and line feeds stay, else they are shown as escapes too."""
    text = _CONTROLS.sub(_escape, text)
    return text if lines else _LINES.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    known = {9: "\\t", 10: "\\n", 13: "\\r", 27: "\\e"}
    return known.get(number) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")  # noqa: PLR2004 - one byte


def print_json(shape: object) -> None:
    """Print a shape as one JSON document. Characters that a terminal obeys are escaped the JSON way, so it stays the same document."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(shape)).decode()
    sys.stdout.write(_CONTROLS.sub(lambda match: _json_escape(match[0]), text) + "\n")


def print_json_line(shape: object) -> None:
    """Print a shape as one line of JSON, at once."""
    import msgspec

    sys.stdout.write(_CONTROLS.sub(lambda match: _json_escape(match[0]), msgspec.json.encode(shape).decode()) + "\n")
    sys.stdout.flush()


def fit(text: str, width: int) -> str:
    """Return hostile text in exactly `width` cells of a terminal."""
    from rich.cells import cell_len, set_cell_size

    text = safe(text)
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _json_escape(letter: str) -> str:
    return "".join(f"\\u{int.from_bytes(pair):04x}" for pair in _pairs(letter.encode("utf-16-be", "surrogatepass")))


def _pairs(data: bytes) -> list[bytes]:
    return [data[at : at + 2] for at in range(0, len(data), 2)]


def console() -> "Console":
    """Return a console that takes text as it is: no markup, no emoji, no highlighting. Colour only on a terminal (NO_COLOR is obeyed)."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=not sys.stdout.isatty(), width=width)
