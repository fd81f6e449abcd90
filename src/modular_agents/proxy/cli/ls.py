"""`anton proxy ls`: recent traces, or the calls of one, as a table."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from

if TYPE_CHECKING:
    from rich.table import Table

    from modular_agents.proxy.model.query import CallPage, CallRow, TracePage, TraceRow
    from modular_agents.proxy.ports import Reader

EXAMPLES = """\
Examples:
  anton proxy ls                              the last traces
  anton proxy ls 01JQZ8                       the calls of a trace (its id, or the first characters)
  anton proxy ls --calls --error --since 2h   what went wrong in the last two hours
  anton proxy ls --calls --model claude-sonnet-4-5 --min-cost 0.10
  anton proxy ls --search "login page" --json | jq '.items[].trace_id'

Exit codes: 0 done (also when nothing is found), 2 a filter is wrong, 4 no such trace, or nothing recorded yet.
"""
MARKS = {"running": "●", "completed": "✓", "failed": "✗", "cancelled": "◌", "interrupted": "!"}
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
        asked = make_question(values, statuses, time.time)
        page: CallPage | TracePage = (
            reader.calls(asked.where, asked.cursor, asked.limit) if wants_calls else reader.traces(asked.where, asked.cursor, asked.limit)
        )
    finally:
        reader.close()
    show_page(page, as_json=as_json)


def find_trace(reader: "Reader", wanted: str) -> str:
    """Return the id of a trace from the id, its first characters, or the id of one of its calls. Raises `NotFound`."""
    from modular_agents.proxy.dashboard.asking import MAX_PAGE
    from modular_agents.proxy.errors import NotFound
    from modular_agents.proxy.model.query import CallFilter

    detail = reader.trace(wanted)
    if detail is not None:
        return detail.trace.trace_id
    recent = reader.traces(CallFilter(), None, MAX_PAGE).items
    matching = [row.trace_id for row in recent if row.trace_id.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise NotFound(f"{len(matching)} traces begin with {wanted!r}. Give more of the id.")
    call = reader.call(wanted)
    if call is None:
        raise NotFound(f"No trace or call has the id {wanted!r} here. `anton proxy ls` lists them.")
    return call.call.trace_id


def show_page(page: "CallPage | TracePage", *, as_json: bool) -> None:
    """Print a page as a table, or as JSON."""
    from modular_agents.proxy.cli.terminal import console, print_json
    from modular_agents.proxy.model.query import TracePage

    if as_json:
        print_json(page)
        return
    if not page.items:
        typer.echo("Nothing found.", err=True)
        return
    console().print(trace_table(page.items) if isinstance(page, TracePage) else call_table(page.items))
    if page.next_cursor is not None:
        typer.echo(f"There are more: --limit, --since, or --cursor {page.next_cursor}", err=True)


def trace_table(rows: "tuple[TraceRow, ...]") -> "Table":
    """Return traces as a table."""
    from modular_agents.proxy.cli.terminal import cell, table
    from modular_agents.proxy.cli.words import age, count, duration, money, seconds_between

    numbers = ("AGE", "TOOK", "AGENTS", "CALLS", "ERRORS", "IN", "OUT", "COST")
    made = table("", "TASK", *numbers, "TRACE", right=numbers, whole=("TRACE",))
    for row in rows:
        took_s = seconds_between(row.created_at, row.ended_at or row.last_activity_at)
        made.add_row(
            cell(MARKS.get(row.status, "?"), STYLES.get(row.status, "")),
            cell(row.task_description or row.name or "(no task)"),
            age(row.created_at, time.time()),
            duration(None if took_s is None else took_s * 1000),
            str(row.agent_count),
            str(row.call_count),
            cell(str(row.error_count), "red" if row.error_count else "dim"),
            count(row.tokens_input),
            count(row.tokens_output),
            money(row.cost_usd) + ("+?" if row.unpriced_count and row.cost_usd is not None else ""),
            cell(row.trace_id, "dim"),
        )
    return made


def call_table(rows: "tuple[CallRow, ...]") -> "Table":
    """Return calls as a table."""
    from modular_agents.proxy.cli.terminal import cell, table
    from modular_agents.proxy.cli.words import age, count, duration, money

    numbers = ("AGE", "TOOK", "IN", "OUT", "COST")
    made = table("", "AGENT", "MODEL", "WHAT", *numbers, "CALL", right=numbers, whole=("CALL",))
    for row in rows:
        made.add_row(
            cell(MARKS.get(row.status, "?"), STYLES.get(row.status, "")),
            cell(row.agent_name or ""),
            cell(row.model or f"{row.method} {row.path}"),
            cell(row.error, "red") if row.error else cell(_gist(row)),
            age(row.created_at, time.time()),
            duration(row.duration_ms),
            count(row.tokens_input),
            count(row.tokens_output),
            money(row.cost_usd),
            cell(row.call_id, "dim"),
        )
    return made


def _gist(row: "CallRow") -> str:
    if row.tool_names:
        return f"→ {', '.join(row.tool_names)}"
    return row.answer_preview or row.prompt_preview or row.operation
