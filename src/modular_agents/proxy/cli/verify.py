"""`anton proxy verify`: whether this proxy, as it runs now, changes a byte, and whether what it recorded is whole."""

from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, Json, option, settings_from
from modular_agents.proxy.cli.verb import FAILED, NOT_RUNNING

if TYPE_CHECKING:
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.verify.report import RecordsReport, WireReport
    from modular_agents.proxy.verify.selftest import Row

EXAMPLES = """\
Examples:
  anton proxy verify               send awkward requests through the running proxy to an echo
  anton proxy verify --records     check everything that is recorded, too
  anton proxy verify --json | jq .wire.bytes_changed

Exit codes: 0 everything is the same, 1 something differs or is damaged, 3 no proxy is running.
"""


def verify(
    records: Annotated[bool, option("Check every stored call and the journal, too.", None, "--records")] = False,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Prove that the running proxy changes no byte.

    Sends a table of awkward requests and streams through the running proxy to an echo that stands in for a provider, and
    compares every byte on both sides and in the records. No request leaves this machine. With --records the
    stored calls are checked even when no proxy is running.
    """
    from modular_agents.proxy import app
    from modular_agents.proxy.cli.terminal import print_json
    from modular_agents.proxy.errors import NotRunning, OwnFault
    from modular_agents.proxy.verify.report import Report

    settings = settings_from({"db": db}, config)
    code, wire = 0, None
    try:
        wire = app.verify_wire(settings, lambda _: None)
    except NotRunning as error:
        if not records:
            raise
        typer.echo(f"anton: {error} Only the records are checked.", err=True)
        code = NOT_RUNNING
    except OSError as error:
        raise OwnFault(f"The running proxy could not be tested: {error}.") from error
    if wire is not None and not as_json:
        _print_wire(wire)
    found = _records(settings) if records else None
    if found is not None and not as_json:
        _print_records(found)
    ok = (wire is None or wire.is_ok) and (found is None or found.is_ok)
    if as_json:
        print_json(Report(ok, wire, found))
    raise typer.Exit(code if ok else FAILED)


def told(row: "Row") -> str:
    """Return what is wrong with a case: its first difference, else the fault in words."""
    if row.differences:
        one = row.differences[0]
        return f"{one.way}, byte {one.at:,}: expected {one.expected or 'the end'}, came {one.came or 'the end'}"
    return row.fault


def _records(settings: "Settings") -> "RecordsReport":
    from modular_agents.proxy import app
    from modular_agents.proxy.errors import NotFound

    if not settings.db.exists():
        raise NotFound(f"Nothing has been recorded at {settings.db} yet.")
    return app.verify_records(settings)


def _print_wire(wire: "WireReport") -> None:
    from modular_agents.proxy.cli.table import Cell, Column, print_table
    from modular_agents.proxy.cli.terminal import console, safe

    columns = [
        Column("CASE", least=16),
        Column("RESULT"),
        Column("UP", right=True),
        Column("DOWN", right=True),
        Column("FIRST DIFFERENCE", least=16),
    ]
    rows = [
        [
            Cell(row.name),
            Cell("ok", "green") if row.is_ok else Cell("differs", "bold red"),
            Cell(f"{row.bytes_up:,}"),
            Cell(f"{row.bytes_down:,}"),
            Cell(told(row)),
        ]
        for row in wire.rows
    ]
    print_table(console(), columns, rows)
    same, recorded = sum(row.is_ok for row in wire.rows), wire.recorded
    typer.echo(f"\n{same} of {len(rows)} cases the same through {wire.url}")
    typer.echo(f"{wire.bytes_compared:,} bytes compared, bytes changed: {wire.bytes_changed:,}")
    typer.echo(f"recorded: {recorded.calls} calls, {recorded.bytes:,} bytes of bodies compared; faults: {len(recorded.faults)}")
    for fault in recorded.faults:
        typer.echo(f"  {safe(fault)}")
    typer.echo(f"its calls stand in the trace {wire.trace_id}")


def _print_records(found: "RecordsReport") -> None:
    from modular_agents.proxy.cli.terminal import safe

    stored, journal = found.stored, found.journal
    torn = f"; torn by a kill: {journal.torn_bytes:,} bytes" if journal.torn_bytes else ""
    lines = [
        f"stored: {stored.calls:,} calls put together again, {stored.bytes:,} bytes of bodies; faults: {len(stored.faults)}",
        f"  {stored.rebuilt:,} requests rebuilt from parts; {stored.parts:,} calls kept in part",
        *(f"  {one.call_id}: {safe(one.fault)}" for one in stored.faults),
        f"database: {'DAMAGED' if stored.damage else 'sound'}",
        *(f"  {safe(text)}" for text in stored.damage),
        f"journal: {journal.frames:,} frames, {journal.bytes:,} bytes check; damaged: {journal.damaged_bytes:,} bytes{torn}",
    ]
    typer.echo("\n".join(lines))
