"""Numbers as a person reads them: each with its unit, short, and a sign of its own for what is not known."""

from datetime import UTC, datetime

UNKNOWN = "-"
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def count(number: int | None) -> str:
    """Return 950, 1.2k, 48k, 3.1M."""
    if number is None:
        return UNKNOWN
    for unit, size in (("M", 1_000_000), ("k", 1000)):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"  # noqa: PLR2004 - two digits say enough
    return str(number)


def money(usd: float | None) -> str:
    """Return USD with as many digits as it needs: $12.30, $0.0021; a price that is not known is unpriced, never 0."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}" if usd >= 0.0001 else "<$0.0001"  # noqa: PLR2004 - the smallest shown


def price(usd: float) -> str:
    """Return a unit price with all its digits, at least two of them cents: $3.00, $0.075."""
    whole, _, cents = f"{usd:,.8f}".rstrip("0").partition(".")
    return f"${whole}.{cents:0<2}"


def size(number: int) -> str:
    """Return bytes as 512 B, 4.1 kB, 48 MB, 2.3 GB (decimal, as disks are sold)."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if number >= step:
            scaled = number / step
            return f"{scaled:,.1f} {unit}" if scaled < 10 else f"{scaled:,.0f} {unit}"  # noqa: PLR2004 - two digits say enough
    return f"{number} B"


def duration(milliseconds: float | None) -> str:
    """Return 310 ms, 2.5 s, 3 m 20 s, 1 h 05 m."""
    if milliseconds is None:
        return UNKNOWN
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} m {whole % _MINUTE_S:02} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02} m"


def seconds_between(earlier: str, later: str) -> float | None:
    """Return the seconds between two times of a row, or None when one is no time."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        return None


def age(moment: str, now_s: float) -> str:
    """Return how long ago a time of a row was: now, 42s, 5m, 3h, 12d."""
    seconds = seconds_between(moment, datetime.fromtimestamp(now_s, UTC).isoformat())
    if seconds is None:
        return UNKNOWN
    for unit, size in (("d", _DAY_S), ("h", _HOUR_S), ("m", _MINUTE_S), ("s", 1)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "now"


def times(name: str, number: int) -> str:
    """Return a name with how often it was, when that was more than once: Bash ×3."""  # noqa: RUF002 - the sign, not the letter
    return name if number == 1 else f"{name} ×{number}"  # noqa: RUF001 - likewise
