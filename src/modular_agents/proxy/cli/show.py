"""`anton proxy show`: one call as a person reads it, or exactly as it crossed the wire."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from

if TYPE_CHECKING:
    from rich.console import Console

    from modular_agents.proxy.dashboard.shapes import RawView
    from modular_agents.proxy.model.query import CallDetail, CallerView, MessageView, PartView
    from modular_agents.proxy.model.tools import ToolRun

EXAMPLES = """\
Examples:
  anton proxy show ANR00000F5                    the last or first characters of an id will do
  anton proxy show ANR00000F5 --full             the whole conversation, uncut
  anton proxy show ANR00000F5 --raw              heads and bodies as they crossed
  anton proxy show ANR00000F5 --body request | jq .messages

Exit codes: 0 done, 4 no such call.
"""
SHOWN_LINES = 30
"""Lines of one message before it is cut; --full shows all."""
SIDES = ("request", "response")


def show(
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="The id of a call; six or more characters of it will do when no other has them.")
    ],
    full: Annotated[bool, option("Earlier messages too, and nothing cut.", WHAT, "--full")] = False,
    raw: Annotated[bool, option("Heads and bodies as they crossed the wire.", WHAT, "--raw")] = False,
    body: Annotated[str | None, option("Only the exact bytes of the request or response body.", WHAT, value="SIDE")] = None,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Show one call: question, answer, tokens, cost, errors."""
    from modular_agents.proxy.dashboard.bodies import view_raw
    from modular_agents.proxy.dashboard.graphs import runs_of
    from modular_agents.proxy.errors import NotFound, UsageError

    if body is not None and body not in SIDES:
        raise UsageError(f"--body is request or response, not {body!r}.")
    reader = reader_of(settings_from({"db": db}, config))
    try:
        exchange = reader.raw(call) if raw or body else None
        detail = None if raw or body else reader.call(call)
        runs = runs_of(reader, detail) if detail is not None else ()
    finally:
        reader.close()
    if exchange is None and detail is None:
        raise NotFound(f"There is no call {call!r} here, or more than one. `anton proxy ls --calls` lists them.")
    if exchange is not None and body:
        _write(exchange.request_body if body == "request" else exchange.response_body)
    elif exchange is not None:
        _show(view_raw(exchange), (), as_json=as_json, full=full)
    elif detail is not None:
        _show(detail, runs, as_json=as_json, full=full)


def _write(data: bytes) -> None:
    """Write exact bytes to a pipe; a terminal gets them escaped."""
    from modular_agents.proxy.cli.terminal import safe

    if sys.stdout.isatty():
        typer.echo(safe(data.decode("utf-8", "backslashreplace"), lines=True))
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _show(shape: "CallDetail | RawView", runs: "tuple[ToolRun, ...]", *, as_json: bool, full: bool) -> None:
    import msgspec

    from modular_agents.proxy.cli.terminal import console, print_json
    from modular_agents.proxy.dashboard.shapes import RawView

    if isinstance(shape, RawView):
        print_json(shape) if as_json else _show_raw(console(), shape)
    elif as_json:
        print_json(msgspec.to_builtins(shape) | {"tool_runs": msgspec.to_builtins(runs)})
    else:
        _show_detail(console(), shape, full=full)
        for run in runs:
            _show_run(console(), run, full=full)


def _show_detail(out: "Console", detail: "CallDetail", *, full: bool) -> None:
    from modular_agents.proxy.cli.terminal import safe

    for name, text in facts(detail):
        out.print(f"{name:<9} ", style="dim", end="")
        out.print(safe(text), style="red" if name == "error" else "")
    new = len(detail.messages) if full else _count_of_new(detail.messages)
    if full:
        for message in detail.system:
            _show_message(out, message, full=full)
    elif len(detail.messages) > new or detail.system:
        hidden = [f"{len(detail.messages) - new} earlier messages"] if len(detail.messages) > new else []
        hidden += ["the system prompt"] if detail.system else []
        out.print(f"\n({' and '.join(hidden)} not shown; --full shows all)", style="dim")
    for message in detail.messages[len(detail.messages) - new :]:
        _show_message(out, message, full=full)
    for number, message in enumerate(detail.answers or detail.partial):
        heading = "answer" if number == 0 else f"answer {number + 1}"
        _show_message(out, message, full=full, heading=heading if detail.answers else "answer so far")


def facts(detail: "CallDetail") -> list[tuple[str, str]]:
    """Return what is known about a call beside its texts, as name and words."""
    from modular_agents.proxy.cli.words import UNKNOWN, duration, money

    call = detail.call
    nothing = "" if call.status == "running" else "no answer"
    ends = [call.status, call.finish_reason or "", f"HTTP {call.http_status}" if call.http_status else nothing]
    asked = call.model or UNKNOWN
    answered = f" (answered by {detail.model_response})" if detail.model_response not in {None, call.model} else ""
    ttft = f", first token after {duration(call.ttft_ms)}" if call.ttft_ms is not None else ""
    why = detail.cost.why if call.cost_usd is None or not detail.cost.catalogue else detail.cost.catalogue
    rows = [
        ("call", call.call_id),
        ("trace", call.trace_id),
        ("state", " · ".join(word for word in ends if word)),
        ("agent", call.agent_name or UNKNOWN),
        ("model", f"{asked}{answered}, {call.provider}"),
        ("request", f"{call.method} {call.path}{', streamed' if call.stream else ''}"),
        ("when", f"{call.created_at}, took {duration(call.duration_ms)}{ttft}"),
        ("tokens", _tokens(detail)),
        ("cost", f"{'unpriced' if call.cost_usd is None else money(call.cost_usd)}{f' ({why})' if why else ''}"),
    ]
    if detail.caller is not None:
        rows += _process(detail.caller)
    if call.error:
        whose = f" ({detail.error_whose}'s: {detail.error_kind})" if detail.error_whose else ""
        rows.append(("error", call.error + whose))
    if detail.unreadable_reason:
        rows.append(("unread", f"the {detail.unreadable_where} was kept but not understood: {detail.unreadable_reason}; see --raw"))
    if call.replay_of:
        rows.append(("replay of", call.replay_of))
    if call.flags:
        rows.append(("record", ", ".join(call.flags)))
    return rows


def _process(caller: "CallerView") -> list[tuple[str, str]]:
    since = f", running since {caller.started_at}" if caller.started_at else ""
    rows = [("process", f"{caller.pid}{since}")]
    if caller.command or caller.executable:
        rows.append(("command", caller.command or caller.executable))
    if caller.directory:
        rows.append(("folder", caller.directory))
    return rows


def _tokens(detail: "CallDetail") -> str:
    call = detail.call
    if call.tokens_input is None and call.tokens_output is None:
        return "unknown"
    said = [
        f"{'?' if call.tokens_input is None else f'{call.tokens_input:,}'} in",
        f"{'?' if call.tokens_output is None else f'{call.tokens_output:,}'} out",
    ]
    extra = [("from cache", call.tokens_cache_read), ("to cache", call.tokens_cache_write), ("reasoning", call.tokens_reasoning)]
    said += [f"{number:,} {name}" for name, number in extra if number]
    return ", ".join(said) + ("" if call.usage_source == "reported" else f" ({call.usage_source})")


def _count_of_new(messages: "tuple[MessageView, ...]") -> int:
    """Return how many messages came after the last answer: what is new in this turn."""
    for back, message in enumerate(reversed(messages)):
        if message.role == "assistant":
            return max(back, 1)
    return len(messages)


def _show_message(out: "Console", message: "MessageView", *, full: bool, heading: str | None = None) -> None:
    from modular_agents.proxy.cli.terminal import safe

    out.print(f"\n── {safe(heading or message.role)} ──", style="bold")
    lines = [line for part in message.parts for line in safe(_words(part), lines=True).split("\n")]
    _show_lines(out, lines, full=full)


def _show_lines(out: "Console", lines: list[str], *, full: bool) -> None:
    shown = lines if full or len(lines) <= SHOWN_LINES + 1 else lines[:SHOWN_LINES]
    for line in shown:
        out.print(line)
    if len(lines) > len(shown):
        out.print(f"({len(lines) - len(shown)} more lines; --full shows all)", style="dim")


def _show_run(out: "Console", run: "ToolRun", *, full: bool) -> None:
    """Print what became of a tool that the answer asked for. Its arguments stand in the answer."""
    from modular_agents.proxy.cli.terminal import safe
    from modular_agents.proxy.cli.words import duration

    span = run.span
    state = {"returned": "returned", "failed": "failed", "running": "still runs", "unseen": "no result seen"}[span.state]
    after = f" after {duration(span.duration_ms)}" if span.duration_ms is not None else ""
    said = f", in call {span.result_call_id}" if span.result_call_id else ""
    opened = f"; it opened {', '.join(span.opened)}" if span.opened else ""
    out.print(
        f"\n── tool {safe(span.name)}: {state}{after}{safe(said + opened)} ──", style="bold red" if span.state == "failed" else "bold"
    )
    lines = [line for part in run.result for line in safe(part.text or f"({part.kind})", lines=True).split("\n")]
    _show_lines(out, lines, full=full)


def _words(part: "PartView") -> str:
    match part.kind:
        case "text" | "refusal":
            return part.text
        case "tool_use":
            return f"→ {part.name or 'a tool'} {part.arguments or ''}"
        case "tool_result":
            return f"← {'ERROR ' if part.is_error else ''}{part.text}"
        case "thinking":
            return f"(thinking) {part.text}"
        case _:
            return part.text or f"({part.kind})"


def _show_raw(out: "Console", view: "RawView") -> None:
    from modular_agents.proxy.cli.terminal import safe

    out.print(f"> {safe(view.method)} {safe(view.target)}", style="bold")
    if view.target_received != view.target:
        out.print(f"  (the client wrote {safe(view.target_received)})", style="dim")
    out.print(f"  (sent to {safe(view.upstream_url)})", style="dim")
    _show_side(out, ">", view, "request")
    if view.status is None:
        out.print("\n< no answer", style="bold")
    else:
        out.print(f"\n< {view.status} {safe(view.reason or '')}", style="bold")
        _show_side(out, "<", view, "response")
    if view.outcome:
        out.print(f"\n({safe(view.outcome)}{': ' if view.outcome_detail else ''}{safe(view.outcome_detail)})", style="dim")


def _show_side(out: "Console", mark: str, view: "RawView", side: str) -> None:
    from modular_agents.proxy.cli.terminal import safe

    headers, body, size = (
        (view.request_headers, view.request_body, view.request_body_size)
        if side == "request"
        else (view.response_headers, view.response_body, view.response_body_size)
    )
    for name, value in headers:
        out.print(f"{mark} {safe(name)}: {safe(value)}", soft_wrap=True)
    shown = body.decoded or body
    if not body.data:
        return
    out.print()
    if shown.encoding == "base64":
        out.print(f"({size:,} bytes that are no text; --body {side} writes them to a pipe)", style="dim")
        return
    if body.decoded:
        out.print(f"({size:,} bytes of {safe(body.decoded.coding)}, shown decoded)", style="dim")
    out.print(safe(shown.data, lines=True), soft_wrap=True)
    if shown.truncated:
        out.print(f"(cut here; --body {side} writes all that was recorded)", style="dim")
