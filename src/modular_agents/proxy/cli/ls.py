"""`anton proxy ls`: recent traces, or the calls of one, as a table."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.dashboard.asking import Question
    from modular_agents.proxy.model.query import CallPage, CallRow, TracePage, TraceRow
    from modular_agents.proxy.ports import Reader

EXAMPLES = """\
Examples:
  anton proxy ls                              the last traces
  anton proxy ls nightly-42                   the calls of a trace (its id, or the first characters)
  anton proxy ls --calls --error --since 2h   what went wrong in the last two hours
  anton proxy ls --calls --model claude-sonnet-4-5 --min-cost 0.10
  anton proxy ls --search "login page" --json | jq '.items[].trace_id'

Exit codes: 0 done (also when nothing is found), 2 a filter is wrong, 4 no such trace, or nothing recorded yet.
"""
MARKS = {"running": "●", "completed": "✓", "failed": "✗", "cancelled": "◌", "interrupted": "!"}
SHORT_ID_CHARS = 10
"""The end of an id tells calls of one proxy apart where the beginning, a time, may not; `show` takes it."""
MADE_ID_CHARS = 26
"""Ids we make are this long or longer; shorter ones were given by a person."""
STYLES = {"running": "cyan", "failed": "red", "cancelled": "yellow", "interrupted": "yellow"}


def ls(
    trace: Annotated[str | None, typer.Argument(metavar="TRACE", help="Show the calls of this trace.")] = None,
    calls: Annotated[bool, option("Show calls instead of traces.", WHAT, "--calls")] = False,
    limit: Annotated[str, option("Rows at most, up to 500.", WHAT, "--limit", "-n", value="N", usual="20")] = "20",
    search: Annotated[str | None, option("Full-text search over prompts and answers.", WHAT, value="TEXT")] = None,
    model: Annotated[str | None, option("Of this model.", WHAT, value="NAME")] = None,
    agent: Annotated[str | None, option("Of this agent.", WHAT, value="NAME")] = None,
    provider: Annotated[str | None, option("claude, openai, gemini, ollama ...", WHAT, value="NAME")] = None,
    status: Annotated[str | None, option("running, completed, failed; calls also cancelled, interrupted.", WHAT, value="STATE")] = None,
    error: Annotated[bool | None, option("Only with an error, or only without.", WHAT, "--error/--no-error")] = None,
    since: Annotated[str | None, option("Not older than: 15m, 2h, 7d, or a UTC time.", WHAT, value="TIME")] = None,
    until: Annotated[str | None, option("Older than.", WHAT, value="TIME")] = None,
    min_cost: Annotated[str | None, option("Costs at least this much.", WHAT, value="USD")] = None,
    cursor: Annotated[str | None, option("next_cursor of the page before (--json prints it).", WHAT, value="CURSOR")] = None,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:  # fmt: skip
    """List recent traces, or the calls of one, newest first."""
    from modular_agents.proxy.dashboard.asking import CALL_STATUSES, TRACE_STATUSES, make_question

    given = {
        "q": search,
        "model": model,
        "agent": agent,
        "provider": provider,
        "status": status,
        "error": None if error is None else str(int(error)),
        "since": since,
        "until": until,
        "min_cost": min_cost,
        "cursor": cursor,
        "limit": limit,
    }
    wants_calls = calls or trace is not None
    values = {name: value for name, value in given.items() if value}
    statuses = CALL_STATUSES if wants_calls else TRACE_STATUSES
    reader = reader_of(settings_from({"db": db}, config))
    try:
        if trace is not None:
            values["trace"] = find_trace(reader, trace)
        page = read_page(reader, make_question(values, statuses, time.time), calls=wants_calls)
    finally:
        reader.close()
    show_page(page, as_json=as_json)


def read_page(reader: "Reader", asked: "Question", *, calls: bool) -> "CallPage | TracePage":
    """Return a page. A search may give empty pages on its way to a match: those are read past."""
    ask = reader.calls if calls else reader.traces
    page: CallPage | TracePage = ask(asked.where, asked.cursor, asked.limit)
    while not page.items and page.next_cursor is not None:
        page = ask(asked.where, page.next_cursor, asked.limit)
    return page


def find_trace(reader: "Reader", wanted: str) -> str:
    """Return the id of a trace from the id, its first characters, or the id of one of its calls. Raises `NotFound`."""
    from modular_agents.proxy.dashboard.asking import MAX_PAGE
    from modular_agents.proxy.errors import NotFound
    from modular_agents.proxy.model.query import CallFilter

    detail = reader.trace(wanted)
    if detail is not None:
        return detail.trace.trace_id
    recent = reader.traces(CallFilter(), None, MAX_PAGE).items
    by_end = len(wanted) >= SHORT_ID_CHARS
    matching = [row.trace_id for row in recent if row.trace_id.startswith(wanted) or (by_end and row.trace_id.endswith(wanted))]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise NotFound(f"{len(matching)} traces have {wanted!r} in their ids. Give more of it.")
    call = reader.call(wanted)
    if call is None:
        raise NotFound(f"No trace or call has the id {wanted!r} here. `anton proxy ls` lists them.")
    return call.call.trace_id


def show_page(page: "CallPage | TracePage", *, as_json: bool) -> None:
    """Print a page as a table, or as JSON."""
    from modular_agents.proxy.cli.table import print_table
    from modular_agents.proxy.cli.terminal import console, print_json
    from modular_agents.proxy.model.query import TracePage

    if as_json:
        print_json(page)
        return
    if not page.items:
        typer.echo("Nothing found.", err=True)
        return
    out = console()
    columns, rows = (
        trace_table(page.items, short=out.is_terminal) if isinstance(page, TracePage) else call_table(page.items, short=out.is_terminal)
    )
    print_table(out, columns, rows)
    if page.next_cursor is not None:
        typer.echo(f"There are more: --limit, --since, or --cursor {page.next_cursor}", err=True)


def trace_table(rows: "tuple[TraceRow, ...]", *, short: bool) -> "tuple[list[Column], list[list[Cell]]]":
    """Return traces as a table. `short`: ids by their last characters, where those tell them apart."""
    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.cli.words import age, count, duration, money, seconds_between
    from modular_agents.proxy.model.trace import untitled

    columns = [Column(""), Column("TASK", least=20), Column("AGE", right=True), Column("TOOK", right=True, spare=1)]
    columns += [Column("AGENTS", right=True, spare=3), Column("CALLS", right=True, spare=2), Column("ERRORS", right=True)]
    columns += [Column("IN", right=True, spare=4), Column("OUT", right=True, spare=4), Column("COST", right=True), Column("TRACE")]
    ids = short_ids([row.trace_id for row in rows]) if short else [row.trace_id for row in rows]
    made = []
    for row, trace_id in zip(rows, ids, strict=True):
        took_s = seconds_between(row.created_at, row.ended_at or row.last_activity_at)
        words = [
            Cell(MARKS.get(row.status, "?"), STYLES.get(row.status, "")),
            Cell(row.task_description or row.name or untitled(row.agent_count)),
            Cell(age(row.created_at, time.time())),
            Cell(duration(None if took_s is None else took_s * 1000)),
            Cell(str(row.agent_count)),
            Cell(str(row.call_count)),
            Cell(str(row.error_count), "red" if row.error_count else "dim"),
            Cell(count(row.tokens_input)),
            Cell(count(row.tokens_output)),
            Cell(money(row.cost_usd) + ("+?" if row.unpriced_count and row.cost_usd is not None else "")),
            Cell(trace_id, "dim"),
        ]
        made.append(words)
    return columns, made


def call_table(rows: "tuple[CallRow, ...]", *, short: bool) -> "tuple[list[Column], list[list[Cell]]]":
    """Return calls as a table. `short`: ids by their last characters, where those tell them apart."""
    from modular_agents.proxy.cli.table import Cell, Column
    from modular_agents.proxy.cli.words import age, count, duration, money

    columns = [Column(""), Column("AGENT", least=6, spare=1), Column("MODEL", least=10), Column("WHAT", least=20)]
    columns += [Column("AGE", right=True, spare=3), Column("TOOK", right=True), Column("IN", right=True, spare=2)]
    columns += [Column("OUT", right=True, spare=2), Column("COST", right=True), Column("CALL")]
    ids = short_ids([row.call_id for row in rows]) if short else [row.call_id for row in rows]
    made = []
    for row, call_id in zip(rows, ids, strict=True):
        words = [
            Cell(MARKS.get(row.status, "?"), STYLES.get(row.status, "")),
            Cell(row.agent_name or ""),
            Cell(row.model or f"{row.method} {row.path}"),
            Cell(row.error, "red") if row.error else Cell(gist(row)),
            Cell(age(row.created_at, time.time())),
            Cell(duration(row.duration_ms)),
            Cell(count(row.tokens_input)),
            Cell(count(row.tokens_output)),
            Cell(money(row.cost_usd)),
            Cell(call_id, "dim"),
        ]
        made.append(words)
    return columns, made


def short_ids(ids: "list[str]") -> "list[str]":
    """Return the ends of ids where those tell them apart. Names that an app gave stay whole."""
    ends = [text[-SHORT_ID_CHARS:] if len(text) >= MADE_ID_CHARS else text for text in ids]
    return ends if len(set(ends)) == len(set(ids)) else ids


def gist(row: "CallRow") -> str:
    """Return in a few words what came of a call."""
    if row.tool_names:
        return f"→ {', '.join(row.tool_names)}"
    return row.answer_preview or row.prompt_preview or (row.kind if row.operation == "chat" else row.operation)
