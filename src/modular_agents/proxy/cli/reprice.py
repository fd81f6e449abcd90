"""`anton proxy reprice`: every stored call priced anew, by the catalogue and the aliases of today."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.model.call import Call, Cost
    from modular_agents.proxy.model.query import Priced
    from modular_agents.proxy.ports import Reader, Store

WHAT = "What to price"

EXAMPLES = """\
Examples:
  anton proxy reprice --dry-run       what would change
  anton proxy reprice                 after an upgrade, or with a new alias
  anton proxy reprice --since 7d

Exit codes: 0 done, 1 a proxy is recording (stop it first), 2 wrong use, 4 nothing recorded yet.
"""
PAGE = 200
"""Calls that one transaction gives another price."""
INSTEAD = "Stop it with `anton proxy stop` and try again, or look with --dry-run."


@dataclass(slots=True)
class Change:
    """What becomes of the calls of one model whose price changes."""

    calls: int = 0
    before_usd: float = 0.0
    after_usd: float = 0.0
    newly_priced: int = 0
    newly_unpriced: int = 0

    @property
    def before(self) -> float | None:
        """What they cost, in USD; None when none had a price."""
        return None if self.newly_priced == self.calls else self.before_usd

    @property
    def after(self) -> float | None:
        """What they cost now, in USD; None when none has a price any more."""
        return None if self.newly_unpriced == self.calls else self.after_usd


@dataclass(slots=True)
class Changes:
    """What came of it. `explained`: calls whose price stays and only its explanation changes (another version of the catalogue)."""

    looked_at: int = 0
    explained: int = 0
    by_model: dict[str, Change] = field(default_factory=dict)

    def note(self, model: str, before: float | None, after: float | None) -> None:
        """Add a call."""
        if before == after:
            self.explained += 1
            return
        change = self.by_model.setdefault(model, Change())
        change.calls += 1
        change.before_usd += before or 0.0
        change.after_usd += after or 0.0
        change.newly_priced += before is None
        change.newly_unpriced += after is None


def reprice(
    since: Annotated[str | None, option("Only calls not older than: 2h, 7d, or a UTC time.", WHAT, value="TIME")] = None,
    dry_run: Annotated[bool, option("Only say what would change.", WHAT, "--dry-run")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Price stored calls anew, by today's catalogue and aliases.

    Each call is priced as of the time it was made. Sums and statistics follow.
    """
    from modular_agents.proxy import app
    from modular_agents.proxy.dashboard.asking import moment_ns

    since_ns = moment_ns("--since", since, time.time) if since else 0
    settings = settings_from({"db": db}, config)
    reader = reader_of(settings)
    try:
        with nullcontext() if dry_run else app.writing(settings, INSTEAD) as store:
            changes = price_anew(reader, store, app.build_price(settings.price_aliases), since_ns)
    finally:
        reader.close()
    show_changes(changes, dry_run=dry_run)


def price_anew(reader: "Reader", store: "Store | None", price: "Callable[[Call], Cost]", since_ns: int) -> Changes:
    """Price the calls that began at or after a moment; write what changes, or with no store only tell."""
    changes = Changes()
    for page in _pages(reader):
        recent = [item for item in page if item.call.started_ns >= since_ns]
        changes.looked_at += len(recent)
        new = [(item, cost) for item in recent if (cost := price(item.call)) != item.cost]
        for item, cost in new:
            changes.note(item.call.model_response or item.call.model or "(no model)", item.cost.usd, cost.usd)
        if store is not None and new:
            with store.batch() as batch:
                for item, cost in new:
                    batch.set_cost(item.call.call_id, cost)
    return changes


def _pages(reader: "Reader") -> "Iterator[Sequence[Priced]]":
    cursor = None
    while True:
        page = reader.priced(cursor, PAGE)
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def show_changes(changes: Changes, *, dry_run: bool) -> None:
    """Print what changed by model, the largest difference first, and how much was looked at."""
    from modular_agents.proxy.cli.table import Cell, Column, print_table
    from modular_agents.proxy.cli.terminal import console
    from modular_agents.proxy.cli.words import money

    found = sorted(changes.by_model.items(), key=lambda item: -abs(item[1].after_usd - item[1].before_usd))
    rows = [
        [Cell(model), Cell(f"{change.calls:,}"), Cell(money(change.before)), Cell(money(change.after)), Cell(_note(change), "dim")]
        for model, change in found
    ]
    columns = [Column("MODEL", least=12), Column("CALLS", right=True), Column("BEFORE", right=True), Column("AFTER", right=True)]
    if rows:
        print_table(console(), [*columns, Column("")], rows)
    new = sum(change.calls for change in changes.by_model.values())
    would = "would get" if dry_run else "got"
    more = f", {changes.explained:,} only another explanation of the same price" if changes.explained else ""
    typer.echo(f"{changes.looked_at:,} calls looked at: {new:,} {would} another price{more}.")


def _note(change: Change) -> str:
    notes = [f"{change.newly_priced:,} had no price"] if change.newly_priced else []
    notes += [f"{change.newly_unpriced:,} have none any more"] if change.newly_unpriced else []
    return ", ".join(notes)
