"""`anton proxy search`: calls that hold the words, each with the line where they stand."""

import math
import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from

if TYPE_CHECKING:
    from rich.text import Text

    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.dashboard.asking import Question
    from modular_agents.proxy.model.query import CallPage, CallRow, Snippet
    from modular_agents.proxy.ports import Reader

EXAMPLES = """\
Examples:
  anton proxy search login page              both words, anywhere in a call
  anton proxy search '"login page" auth*'    words in a row; a word's beginning
  anton proxy search timeout --agent api --status failed --since 2h
  anton proxy search refactor --cost '>0.10' --json | jq -r '.items[].call_id'

Exit codes: 0 done (also when nothing is found), 2 a filter is wrong, 4 nothing recorded yet.
"""
_COST = re.compile(r"(>=?)?\s*\$?([0-9.]{1,20})", re.ASCII)
_INDENT = "   "


def search(
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help="Words that must all be there.")],
    model: Annotated[str | None, option("Of this model.", WHAT, value="NAME")] = None,
    agent: Annotated[str | None, option("Of this agent.", WHAT, value="NAME")] = None,
    status: Annotated[str | None, option("running, completed, failed, cancelled, interrupted.", WHAT, value="STATE")] = None,
    cost: Annotated[str | None, option("'>0.01' or '>=0.01': costs more, at least so much.", WHAT, value="USD")] = None,
    since: Annotated[str | None, option("Not older than: 15m, 2h, 7d, or a UTC time.", WHAT, value="TIME")] = None,
    until: Annotated[str | None, option("Older than.", WHAT, value="TIME")] = None,
    limit: Annotated[str, option("Calls at most, up to 500.", WHAT, "--limit", "-n", value="N", usual="20")] = "20",
    cursor: Annotated[str | None, option("next_cursor of the page before (--json prints it).", WHAT, value="CURSOR")] = None,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Search what was said: prompts and answers, newest first."""
    from modular_agents.proxy.cli.terminal import print_json
    from modular_agents.proxy.dashboard.asking import CALL_STATUSES, make_question
    from modular_agents.proxy.errors import UsageError

    words = " ".join(query)
    if not any(letter.isalnum() for letter in words):
        raise UsageError(f"There is no word in {words!r} to look for.")
    given = {"q": words, "model": model, "agent": agent, "status": status, "since": since, "until": until}
    given |= {"limit": limit, "cursor": cursor}
    values = {name: value for name, value in given.items() if value}
    if cost is not None:
        values["min_cost"] = least_cost(cost)
    asked = make_question(values, CALL_STATUSES, time.time)
    reader = reader_of(settings_from({"db": db}, config))
    try:
        page = find(reader, asked)
    finally:
        reader.close()
    if as_json:
        print_json(page)
    else:
        show_found(page)


def least_cost(said: str) -> str:
    """Return the least USD that fits `>0.01`, `>=0.01` or `0.01` (at least). Raises `UsageError`."""
    from modular_agents.proxy.errors import UsageError

    match = _COST.fullmatch(said.strip())
    try:
        usd = float(match[2]) if match else math.nan
    except ValueError:
        usd = math.nan
    if match is None or math.isnan(usd):
        raise UsageError(f"--cost {said!r} is not a least cost in USD. For example --cost '>0.01' (in quotes, or the shell takes the >).")
    return repr(math.nextafter(usd, math.inf) if match[1] == ">" else usd)


def find(reader: "Reader", asked: "Question") -> "CallPage":
    """Return as many calls as were asked for. The store looks at a bounded number at a time, so it is asked until there are enough."""
    from modular_agents.proxy.model.query import CallPage

    items: list[CallRow] = []
    snippets: list[Snippet | None] = []
    cursor = asked.cursor
    while True:
        page = reader.calls(asked.where, cursor, asked.limit - len(items))
        items += page.items
        snippets += page.snippets or (None,) * len(page.items)
        cursor = page.next_cursor
        if cursor is None or len(items) >= asked.limit:
            return CallPage(tuple(items), cursor, page.seq, tuple(snippets))


def show_found(page: "CallPage") -> None:
    """Print each call on one line and where its words stand on the next."""
    from modular_agents.proxy.cli.ls import gist
    from modular_agents.proxy.cli.table import print_table
    from modular_agents.proxy.cli.terminal import console

    if not page.items:
        typer.echo("Nothing found.", err=True)
        return
    out = console()
    columns, rows = _table(page.items, short=out.is_terminal)
    lines = [_line(snippet, gist(row)) for row, snippet in zip(page.items, page.snippets, strict=True)]
    print_table(out, columns, rows, lines)
    if page.next_cursor is not None:
        typer.echo(f"There are more: --limit, --since, or --cursor {page.next_cursor}", err=True)


def _table(calls: "tuple[CallRow, ...]", *, short: bool) -> "tuple[list[Column], list[list[Cell]]]":
    from modular_agents.proxy.cli.ls import MARKS, STYLES, short_ids
    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.cli.words import age, money

    columns = [Column(""), Column("AGENT", least=6), Column("MODEL", least=10), Column("AGE", right=True)]
    columns += [Column("COST", right=True), Column("CALL"), Column("TRACE", spare=1)]
    ids, traces = [row.call_id for row in calls], [row.trace_id for row in calls]
    if short:
        ids, traces = short_ids(ids), short_ids(traces)
    rows = [
        [
            Cell(MARKS.get(row.status, "?"), STYLES.get(row.status, "")),
            Cell(row.agent_name or ""),
            Cell(row.model or f"{row.method} {row.path}"),
            Cell(age(row.created_at, time.time())),
            Cell(money(row.cost_usd)),
            Cell(call_id, "bold"),
            Cell(trace_id, "dim"),
        ]
        for row, call_id, trace_id in zip(calls, ids, traces, strict=True)
    ]
    return columns, rows


def _line(snippet: "Snippet | None", otherwise: str) -> "Text":
    """Return where the words stand; what came of the call where that cannot be shown."""
    from rich.text import Text

    from modular_agents.proxy.cli.terminal import safe

    if snippet is None:
        return Text(_INDENT + safe(otherwise), "dim")
    line = Text(f"{_INDENT}{snippet.where}: ", "dim")
    for text, is_found in snippet.pieces:
        line.append(safe(text), "not dim bold yellow" if is_found else "not dim")
    return line
