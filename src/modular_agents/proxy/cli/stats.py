"""`anton proxy stats`: calls, tokens, cost and errors, summed; and what takes room in the database."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import HOW, WHAT, Config, Db, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.model.query import SizeRow, Stats, StatsRow

EXAMPLES = """\
Examples:
  anton proxy stats                       by model, and the size of the database
  anton proxy stats --by day --since 7d
  anton proxy stats --by agent --json | jq '.stats.rows[] | [.name, .cost_usd]'

Exit codes: 0 done, 2 wrong use, 4 nothing recorded yet.
"""
BY = ("model", "agent", "provider", "day")


@dataclass(frozen=True, slots=True)
class Summary:
    """What `--json` prints. `sizes` is empty when `--by` was given: reading them reads the whole file."""

    by: str
    stats: "Stats"
    sizes: "tuple[SizeRow, ...]"


def stats(
    by: Annotated[str | None, option("One row for each model, agent, provider or day.", WHAT, value="WHAT", usual="model")] = None,
    since: Annotated[str | None, option("Calls not older than: 2h, 7d, or a UTC time; whole hours.", WHAT, value="TIME")] = None,
    as_json: Annotated[bool, option("Print JSON.", HOW, "--json")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Sum up calls, tokens, cost and errors; without --by, the size of the database too.

    Statistics outlive the calls that retention deletes.
    """
    from modular_agents.proxy.cli.terminal import print_json
    from modular_agents.proxy.dashboard.asking import moment_ns
    from modular_agents.proxy.errors import UsageError
    from modular_agents.proxy.model.query import StatsQuery

    if by is not None and by not in BY:
        raise UsageError(f"--by {by!r} is not one of {', '.join(BY)}.")
    over = by or "model"
    since_ns = moment_ns("--since", since, time.time) if since else None
    query = StatsQuery(since_ns, by="", step_hours=24) if over == "day" else StatsQuery(since_ns, by=over, step_hours=0)
    reader = reader_of(settings_from({"db": db}, config))
    try:
        summed = reader.stats(query)
        if not as_json:
            show_sums(Summary(over, summed, ()))
        summary = Summary(over, summed, () if by else tuple(reader.sizes()))
    finally:
        reader.close()
    if as_json:
        print_json(summary)
    elif summary.sizes:
        show_sizes(summary.sizes)


def show_sums(summary: Summary) -> None:
    """Print the sums as a table, the sum of all last."""
    from modular_agents.proxy.cli.table import print_table
    from modular_agents.proxy.cli.terminal import console

    if not summary.stats.total.calls:
        typer.echo("No call has ended in this time.", err=True)
    else:
        print_table(console(), *_sums(summary))


def show_sizes(sizes: "tuple[SizeRow, ...]") -> None:
    """Print what takes room."""
    from modular_agents.proxy.cli.table import print_table
    from modular_agents.proxy.cli.terminal import console

    typer.echo("")
    print_table(console(), *_sizes(sizes))


def _sums(summary: Summary) -> "tuple[list[Column], list[list[Cell]]]":
    from modular_agents.proxy.cli.table import Column

    columns = [Column(summary.by.upper(), least=24), Column("CALLS", right=True), Column("ERRORS", right=True)]
    columns += [Column("IN", right=True), Column("CACHED", right=True, spare=2), Column("OUT", right=True), Column("COST", right=True)]
    columns += [Column("MEAN TIME", right=True, spare=3), Column("TOKENS/S", right=True, spare=4)]
    rows = list(summary.stats.rows)
    if summary.by != "day":
        rows.sort(key=lambda row: (-row.cost_usd, -row.calls, row.name))
    made = [_row(row, _name(row, summary.by), "") for row in rows]
    return columns, [*made, _row(summary.stats.total, "all", "bold")]


def _name(row: "StatsRow", by: str) -> str:
    return (row.time or "")[:10] if by == "day" else row.name or f"(no {by})"


def _row(row: "StatsRow", name: str, style: str) -> "list[Cell]":
    from modular_agents.proxy.cli.table import Cell
    from modular_agents.proxy.cli.words import UNKNOWN, count, duration, money

    speed = UNKNOWN if row.tokens_per_second is None else f"{row.tokens_per_second:.0f}"
    return [
        Cell(name, style),
        Cell(f"{row.calls:,}", style),
        Cell(f"{row.errors:,}", "red" if row.errors else "dim"),
        Cell(count(row.tokens_input), style),
        Cell(count(row.tokens_cache_read), style),
        Cell(count(row.tokens_output), style),
        Cell(_cost(row, money(row.cost_usd)), style),
        Cell(duration(row.mean_duration_ms), style),
        Cell(speed, style),
    ]


def _cost(row: "StatsRow", shown: str) -> str:
    """Return the cost; `+?` when it leaves calls out, and only that when it leaves out all there is."""
    if not row.unpriced:
        return shown
    return f"{shown}+?" if row.cost_usd else "?"


def _sizes(sizes: "tuple[SizeRow, ...]") -> "tuple[list[Column], list[list[Cell]]]":
    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.cli.words import size

    whole = sum(row.bytes for row in sizes)
    rows = [[Cell(row.kind), Cell(size(row.bytes)), Cell(f"{row.bytes / max(whole, 1):.0%}", "dim")] for row in sizes]
    rows.append([Cell("all", "bold"), Cell(size(whole), "bold"), Cell("")])
    return [Column("IN THE DATABASE", least=12), Column("SIZE", right=True), Column("", right=True)], rows
