"""What a call contains becomes text of a page, never markup; numbers become what a person reads. Nothing else may write into a page."""

import html
import json
import re
from datetime import datetime

UNKNOWN = "-"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_HIDDEN = re.compile("[\x80-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_PICTURES = 0x2400
_DELETE = 0x7F
SHOWN_CHARS = 200_000
"""Of one text: more keeps a browser busy for seconds. The other formats have all of it."""


def text(said: str, limit: int = SHOWN_CHARS) -> str:
    """Return a text escaped for an element or a quoted attribute. Control characters and marks that reorder are shown as signs."""
    rest = len(said) - limit
    said = said[:limit] + (f"… ({rest:,} more characters are in the JSON lines)" if rest > 0 else "")
    said = _CONTROLS.sub(_picture, said.replace("\r\n", "\n"))
    return html.escape(_HIDDEN.sub("\ufffd", said))


def line(said: str, most: int) -> str:
    """Return a text on one line of at most so many characters, escaped."""
    said = " ".join(said[: 4 * most].split())
    return text(said if len(said) <= most else said[: most - 1] + "…")


def pretty(arguments: str) -> str:
    """Return JSON indented, and any other text as it is; not escaped yet."""
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return arguments


def money(usd: float | None, unpriced: int = 0) -> str:
    """Return USD with the digits it needs; a price that is not known is no 0."""
    if usd is None:
        return "unpriced" if unpriced else UNKNOWN
    known = "$0" if usd == 0 else f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}" if usd >= 0.0001 else "<$0.0001"  # noqa: PLR2004 - smallest
    return f"{known} + {unpriced} unpriced" if unpriced else known


def whole(number: int | None) -> str:
    """Return a number with its thousands apart."""
    return UNKNOWN if number is None else f"{number:,}"


def duration(ms: float | None) -> str:
    """Return 310 ms, 2.5 s, 3 m 20 s, 1 h 05 m."""
    if ms is None:
        return UNKNOWN
    if ms < 1000:  # noqa: PLR2004 - a second
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} m"  # noqa: PLR2004 - an hour


def span_ms(earlier: str, later: str) -> float:
    """Return the ms between two times of rows."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000


def many(number: int, noun: str) -> str:
    """Return `1 call`, `2 calls`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _picture(match: re.Match[str]) -> str:
    number = ord(match[0])
    return chr(_PICTURES + 0x21 if number == _DELETE else _PICTURES + number)
