"""`anton proxy diff`: what tells a request from the one before it, and what that did to the prompt cache."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from
from modular_agents.proxy.cli.terminal import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from modular_agents.proxy.model.comparison import CacheMark, CacheView, Change, Comparison
    from modular_agents.proxy.model.query import CallRow

EXAMPLES = """\
Examples:
  anton proxy diff ANR00000F5                    against the turn it continues
  anton proxy diff ANR00000F5 ANR00000G2         from one call to another
  anton proxy diff --full ANR00000F5             nothing folded, nothing cut
  anton proxy diff --json ANR00000F5 | jq .cache

Exit codes: 0 done, the same or not (--json says which in `same`); 4 no such call, or no earlier turn.
"""
VERDICTS = {"kept": "green", "partly": "yellow", "lost": "red", "nothing": "", "unknown": ""}
INDENT, LABEL = 2, 8
"""Columns before a text, and for the name of a fact."""


def diff(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The later call; six or more characters of its id will do.")],
    other: Annotated[
        str | None, typer.Argument(metavar="[CALL]", help="The later call, when the first one named is the earlier one.")
    ] = None,
    full: Annotated[bool, option("Nothing folded and nothing cut.", WHAT, "--full")] = False,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Compare a call with the turn before it: what changed, and why the prompt cache broke."""
    from modular_agents.proxy.cli.terminal import console, print_json
    from modular_agents.proxy.dashboard.diffs import view_diff

    reader = reader_of(settings_from({"db": db}, config))
    try:
        found = view_diff(reader, call) if other is None else view_diff(reader, other, call)
    finally:
        reader.close()
    if as_json:
        print_json(found)
    else:
        _show(console(), found, full=full)


def _show(out: "Console", found: "Comparison", *, full: bool) -> None:
    from modular_agents.proxy.cli.words import duration, seconds_between

    apart_s = seconds_between(found.before.created_at, found.after.created_at)
    _row(out, "before", found.before, "")
    _row(out, "after", found.after, "" if apart_s is None else f", {duration(apart_s * 1000)} later" if apart_s >= 0 else ", earlier")
    _show_cache(out, found.cache)
    for heading, changes in (("parameters", found.params), ("tools", found.tools), ("system", found.system), ("messages", found.messages)):
        if any(change.kind != "same" or change.note for change in changes):
            _show_part(out, heading, changes, full=full)
        elif changes:
            out.print(f"\n{heading}", style="bold", end="")
            out.print(f"  {_counted(changes)} unchanged", style="dim")
    if found.same:
        out.print("\nThe two requests are the same.")


def _row(out: "Console", name: str, call: "CallRow", apart: str) -> None:
    from rich.text import Text

    who = f"{call.agent_name}, " if call.agent_name else ""
    _fact(out, name, Text(safe(f"{call.call_id}  {who}{call.model or call.path}  {call.created_at[11:19]}{apart}")))


def _show_cache(out: "Console", cache: "CacheView") -> None:
    from rich.text import Text

    from modular_agents.proxy.cli.words import money

    out.print()
    _fact(out, "cache", Text.assemble((cache.verdict, VERDICTS[cache.verdict]), f"  {cache.words}{_price(cache)}"), style="bold")
    if cache.breaks_at is not None:
        before = "" if not cache.before_break_tokens else f"; about {cache.before_break_tokens:,} tokens stand before it"
        _fact(out, "differs", Text(safe(f"first at {cache.breaks_at.words}{before}")))
    for reason in cache.reasons:
        _fact(out, "why" if reason.certain else "perhaps", Text(safe(reason.words)))
    if cache.marks_before or cache.marks_after:
        _fact(out, "marks", Text(safe(f"before: {_marks(cache.marks_before)}")))
        _fact(out, "", Text(safe(f"after: {_marks(cache.marks_after)}")))
    if cache.saved_usd:
        _fact(out, "saved", Text(f"{money(cache.saved_usd)} by what was read, against the price of uncached input"))
    if cache.reasons and cache.source:
        _fact(out, "rules", Text(cache.source))


def _price(cache: "CacheView") -> str:
    from modular_agents.proxy.cli.words import money

    if not cache.missed_tokens:
        return ""
    return " What that cost is not known." if cache.missed_usd is None else f" That cost {money(cache.missed_usd)} more."


def _fact(out: "Console", name: str, text: "Text", *, style: str = "dim") -> None:
    """Print a line with its name before it; what does not fit goes on below its beginning."""
    from rich.text import Text

    for number, line in enumerate(text.wrap(out, max(out.width - LABEL, LABEL)) if out.is_terminal else [text]):
        line.rstrip()
        out.print(Text.assemble(("" if number else name, style), " " * (LABEL - (0 if number else len(name))), line), soft_wrap=True)


def _marks(marks: "Sequence[CacheMark]") -> str:
    if not marks:
        return "none"
    lives = {mark.ttl_s for mark in marks}
    if len(lives) > 1:
        return ", ".join(f"{mark.place.words}{_life(mark.ttl_s)}" for mark in marks)
    return ", ".join(mark.place.words for mark in marks) + _life(lives.pop())


def _life(seconds: int | None) -> str:
    from modular_agents.proxy.diffing.breaks import span

    return f" ({span(seconds)})" if seconds else ""


def _show_part(out: "Console", heading: str, changes: "Sequence[Change]", *, full: bool) -> None:
    from rich.text import Text

    from modular_agents.proxy.cli.changes import drawn, lines_of

    out.print(f"\n{heading}", style="bold", end="")
    out.print(f"  {_tally(changes)}", style="dim")
    room = max(out.width - 2 * INDENT, LABEL)
    for change in changes:
        sign, style = _SIGNS[change.kind]
        _hang(out, Text(f"{sign} ", style), Text(safe(_titled(heading, change)), style), room)
        for line in lines_of(change.edits, full=full):
            first, rest = drawn(line, colour=out.color_system is not None)
            _hang(out, Text.assemble(" " * INDENT, first), rest, room)


def _hang(out: "Console", first: "Text", text: "Text", room: int) -> None:
    """Print a text after its sign; what does not fit goes on below its beginning."""
    from rich.text import Text

    for number, line in enumerate(text.wrap(out, room) if out.is_terminal else [text]):
        line.rstrip()
        out.print(Text.assemble(" " * len(first) if number else first, line), soft_wrap=True)


_SIGNS = {"same": ("=", "dim"), "added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "moved": ("»", "yellow")}


def _titled(heading: str, change: "Change") -> str:
    note = f"  ({change.note})" if change.note else ""
    if change.kind == "same" and not change.name:
        return f"{change.count} unchanged{note}"
    if heading == "parameters":
        return change.name
    at = change.after_at if change.after_at is not None else change.before_at
    moved = f" from place {(change.before_at or 0) + 1}" if change.kind == "moved" else ""
    name = "block" if heading == "system" else change.name
    return f"{name} {(at or 0) + 1}{moved}{note}"


def _counted(changes: "Sequence[Change]") -> int:
    return sum(change.count for change in changes)


def _tally(changes: "Sequence[Change]") -> str:
    totals: dict[str, int] = {}
    for change in changes:
        totals[change.kind] = totals.get(change.kind, 0) + change.count
    totals["unchanged"] = totals.pop("same", 0)
    return ", ".join(f"{count} {kind}" for kind, count in totals.items() if count)
