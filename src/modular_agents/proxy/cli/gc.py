"""`anton proxy gc`: old calls deleted now, with all that only they hold, and their space given back."""

import math
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.model.query import Room
    from modular_agents.proxy.ports import Store

WHAT = "What to delete"

EXAMPLES = """\
Examples:
  anton proxy gc --dry-run                           what would go
  anton proxy gc --older-than 30d
  anton proxy gc --older-than 90d --max-size 5GB     and more, if need be

Exit codes: 0 done, 1 a proxy is recording (it deletes by itself), 2 wrong use, 4 nothing recorded yet.
"""
INSTEAD = (
    "It deletes by itself what `keep_days` and `keep_bytes` of its settings say, a little at a time. "
    "To delete more now, stop it with `anton proxy stop` and try again, or look with --dry-run."
)
TOLD_S = 0.5
"""How often a terminal hears how far it is."""
TOLD_FREE_BYTES = 100_000
"""Less free space is not worth a word."""
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)", re.ASCII | re.IGNORECASE)
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def gc(
    older_than: Annotated[str | None, option("Calls older than: 30d, 2h, or begun before a UTC time.", WHAT, value="TIME")] = None,
    max_size: Annotated[str | None, option("The oldest calls, until no more than this is in use.", WHAT, value="SIZE")] = None,
    dry_run: Annotated[bool, option("Only say what would go.", WHAT, "--dry-run")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Delete old calls now, and give their space back.

    Without --older-than and --max-size: what keep_days and keep_bytes of the settings say.
    What deleted calls share with others stays; statistics stay.
    """
    from modular_agents.proxy import app

    settings = settings_from({"db": db}, config)
    before_ns, max_bytes = _limits(settings, older_than, max_size)
    reader = reader_of(settings)
    try:
        room = reader.room(before_ns or 0)
        if dry_run:
            typer.echo(outlook(room, before_ns, max_bytes))
            return
        was = settings.db.stat().st_size
        with app.writing(settings, INSTEAD) as store:
            deleted = delete(store, before_ns, max_bytes)
        told = shrunk(was, settings.db.stat().st_size, reader.room(0).used_bytes)
    finally:
        reader.close()
    typer.echo(f"{deleted:,} of {room.calls:,} calls deleted. {told}")


def read_size(said: str) -> int:
    """Return the bytes that `500MB`, `5GB` (decimal) or `5GiB` (binary) mean. Raises `UsageError`."""
    from modular_agents.proxy.errors import UsageError

    match = _SIZE.fullmatch(said.strip())
    if match is None:
        raise UsageError(f"--max-size {said!r} is not a size. For example 500MB, 5GB, 5GiB.")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def outlook(room: "Room", before_ns: int | None, max_bytes: int | None) -> str:
    """Return in words what would go. How many calls make room for a size is known only when they are gone: it is estimated."""
    from modular_agents.proxy.cli.words import size

    told = f"{room.expired:,} of {room.calls:,} calls are old enough to go.\n" if before_ns is not None else ""
    if max_bytes is None:
        return told.strip() or "There is no limit to what is kept: nothing would go."
    excess = room.used_bytes - max_bytes
    if excess <= 0:
        return f"{told}{size(room.used_bytes)} are in use, not more than {size(max_bytes)}."
    about = min(room.calls, math.ceil(room.calls * excess / room.used_bytes))
    return f"{told}{size(room.used_bytes)} are in use, {size(excess)} too much: about the {about:,} oldest calls would go for that."


def delete(store: "Store", before_ns: int | None, max_bytes: int | None) -> int:
    """Delete slice by slice, then give the space back; return how many calls went. Interrupted, it keeps what it has done."""
    deleted, told_s = 0, time.monotonic()
    while gone := store.purge(before_ns, max_bytes):
        deleted += gone
        if sys.stderr.isatty() and time.monotonic() - told_s > TOLD_S:
            told_s = time.monotonic()
            typer.echo(f"\r{deleted:,} calls deleted", err=True, nl=False)
    while store.tidy():
        pass
    if sys.stderr.isatty():
        typer.echo("\r\x1b[K", err=True, nl=False)
    return deleted


def _limits(settings: "Settings", older_than: str | None, max_size: str | None) -> tuple[int | None, int | None]:
    """Return (before_ns, max_bytes) as given, or as the settings say when neither is."""
    from modular_agents.proxy.dashboard.asking import moment_ns

    if older_than is None and max_size is None:
        keep = settings.retention
        return None if keep.max_age_s is None else time.time_ns() - int(keep.max_age_s * 1e9), keep.max_bytes
    before_ns = None if older_than is None else moment_ns("--older-than", older_than, time.time)
    return before_ns, None if max_size is None else read_size(max_size)


def shrunk(was: int, now: int, used: int) -> str:
    """Return in words what became of the file. The store keeps a little free space for new calls and gives back the rest."""
    from modular_agents.proxy.cli.words import size

    told = f"The database went from {size(was)} to {size(now)}" if now < was else f"The database has {size(now)}"
    return told + (f", {size(now - used)} of it free for new calls." if now - used >= TOLD_FREE_BYTES else ".")
