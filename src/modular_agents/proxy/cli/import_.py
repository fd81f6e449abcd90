"""`anton proxy import`: an export in JSON lines comes back into a database."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from modular_agents.proxy.cli.options import Config, Db, option, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.export.restore import NotUnderstood, Restored

EXAMPLES = """\
Examples:
  anton proxy import run.jsonl
  anton proxy import run.jsonl --db other.db           into a database of its own
  zcat runs.jsonl.gz | anton proxy import - --skip-bad

Exit codes: 0 done, 1 a proxy is recording (stop it first) or lines were skipped, 2 the file is no export, or has a line that is none.
"""
INSTEAD = "Stop it with `anton proxy stop` and try again, or import into another file with --db."
SHOWN_REFUSALS = 10
"""More bad lines are only counted."""


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Written by `anton proxy export --format jsonl`; - is standard input.")],
    skip_bad: Annotated[bool, option("Leave out lines that are no calls, instead of stopping there.", None, "--skip-bad")] = False,
    as_json: Annotated[bool, option("Print what came of it as JSON.", None, "--json")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Bring exported calls (JSON lines) into a database.

    Ids, graph, costs and redactions stay. Calls that are there already are left as they are, so importing twice does no harm.
    """
    from modular_agents.proxy import app
    from modular_agents.proxy.cli.terminal import safe
    from modular_agents.proxy.export.restore import lines_of, restore

    settings = settings_from({"db": db}, config)
    refused: list[NotUnderstood] = []

    def on_refused(error: "NotUnderstood") -> None:
        if not skip_bad:
            raise error
        refused.append(error)
        if len(refused) <= SHOWN_REFUSALS:
            typer.echo(safe(f"anton: {error} Left out."), err=True)

    with _opened(file) as found, app.writing(settings, INSTEAD) as store, _progress() as on_calls:
        told = restore(lines_of(found), store, on_refused, on_calls)
        while store.tidy():
            pass
    _say(told, str(settings.db), as_json=as_json)
    if told.refused:
        raise typer.Exit(1)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    from modular_agents.proxy.errors import UsageError

    if file == "-":
        if sys.stdin.isatty():
            raise UsageError("There is nothing on standard input. Name a file.")
        yield sys.stdin.buffer
        return
    try:
        lines = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    with lines:
        yield lines


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Count on a terminal; a pipe hears nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    yield lambda calls: typer.echo(f"\r{calls:,} calls", err=True, nl=False)
    typer.echo("\r\x1b[K", err=True, nl=False)


def _say(told: "Restored", db: str, *, as_json: bool) -> None:
    from modular_agents.proxy.cli.terminal import print_json

    if as_json:
        shown = {name: getattr(told, name) for name in ("calls", "already", "refused", "read_anew", "edges_left_out", "is_whole")}
        print_json(shown | {"db": db})
        return
    notes = [f"{told.already:,} were there already"] if told.already else []
    notes += [f"{told.refused:,} lines left out"] if told.refused else []
    notes += [f"{told.read_anew:,} are read otherwise by this version"] if told.read_anew else []
    notes += [f"{told.edges_left_out:,} edges lead from calls that are not here"] if told.edges_left_out else []
    notes += [] if told.is_whole else ["the file ends early: its last line is missing"]
    typer.echo(f"{told.calls:,} calls imported into {db}{'; ' if notes else ''}{'; '.join(notes)}.")
