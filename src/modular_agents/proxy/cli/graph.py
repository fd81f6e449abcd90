"""`anton proxy graph`: who asked whom in a trace, what it cost, and what came back."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.linking.outline import Branch, Outline, Sums
    from modular_agents.proxy.model.query import TraceDetail, TraceRow

EXAMPLES = """\
Examples:
  anton proxy graph                    the newest trace as a tree
  anton proxy graph nightly-42         a trace by its id, or by the id of one of its calls
  anton proxy graph --mermaid nightly-42 > graph.md
  anton proxy graph --dot nightly-42 | dot -Tsvg > graph.svg

Exit codes: 0 done, 4 no such trace, or nothing recorded yet.
"""
TASK_CHARS = 60
"""Of a task, on its agent's line."""
LOOKED_AT = 20
"""Newest traces among which one with an agent is looked for."""
SURE = 0.95
"""Below this the evidence of a delegation is shown with its confidence."""


def graph(
    trace: Annotated[
        str | None, typer.Argument(metavar="TRACE", help="A trace or one of its calls; the newest trace when left out.")
    ] = None,
    dot: Annotated[bool, option("Every call and edge, for Graphviz.", WHAT, "--dot")] = False,
    mermaid: Annotated[bool, option("Every call and edge, for Mermaid.", WHAT, "--mermaid")] = False,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Show who delegated what to whom in a trace, and what it cost."""
    from modular_agents.proxy.cli.ls import find_trace
    from modular_agents.proxy.cli.terminal import print_json, safe
    from modular_agents.proxy.errors import NotFound, UsageError
    from modular_agents.proxy.linking.outline import outline
    from modular_agents.proxy.model.query import CallFilter

    if dot + mermaid + as_json > 1:
        raise UsageError("--dot, --mermaid and --json exclude each other.")
    reader = reader_of(settings_from({"db": db}, config))
    try:
        wanted = find_trace(reader, trace) if trace is not None else newest(reader.traces(CallFilter(), None, LOOKED_AT).items)
        detail = reader.trace(wanted) if wanted is not None else None
    finally:
        reader.close()
    if detail is None:
        raise NotFound("Nothing has been recorded here yet.")
    if dot or mermaid:
        for line in _dot(detail) if dot else _mermaid(detail):
            typer.echo(safe(line))
    elif as_json:
        print_json(outline(detail))
    else:
        for line in _tree(outline(detail)):
            typer.echo(safe(line))


def newest(traces: "Sequence[TraceRow]") -> str | None:
    """Return the first trace in which an agent spoke: a client's probe (`HEAD /`) is a trace of its own, and not what is asked for."""
    return next((row.trace_id for row in traces if row.agent_count), traces[0].trace_id if traces else None)


def _tree(drawn: "Outline") -> Iterator[str]:
    yield f"{_cut(drawn.task)}  ({drawn.status})"
    yield f"{_figures(drawn.whole)}  trace {drawn.trace_id}"
    for at, branch in enumerate(drawn.branches, 1):
        yield from _branch(branch, "", is_last=at == len(drawn.branches) and drawn.helpers is None)
    if drawn.helpers is not None:
        yield f"└─ helpers and probes  {_figures(drawn.helpers)}"


def _branch(branch: "Branch", before: str, *, is_last: bool) -> Iterator[str]:
    from modular_agents.proxy.cli.words import count

    mark = "" if branch.status == "completed" else f"  [{branch.status}]"
    doubt = f"  ({branch.evidence}, {branch.confidence:.0%} sure)" if branch.evidence and branch.confidence < SURE else ""
    yield f"{before}{'└─' if is_last else '├─'} {branch.agent}{mark}  “{_cut(branch.task)}”{doubt}"
    inner = before + ("   " if is_last else "│  ")
    bar = "│  " if branch.branches else "   "
    yield f"{inner}{bar}{_figures(branch.own)}" + (f"; with all below: {_figures(branch.whole)}" if branch.branches else "")
    if branch.handed_back is not None:
        yield f"{inner}{bar}handed back {count(branch.handed_back)} token{'' if branch.handed_back == 1 else 's'}"
    for at, below in enumerate(branch.branches, 1):
        yield from _branch(below, inner, is_last=at == len(branch.branches))


def _figures(sums: "Sums") -> str:
    from modular_agents.proxy.cli.words import count, duration, seconds_between

    took_s = seconds_between(sums.started_at, sums.ended_at)
    words = [
        f"{sums.calls} call{'' if sums.calls == 1 else 's'}",
        f"{count(sums.tokens_input)} in, {count(sums.tokens_output)} out",
        _price(sums),
        duration(None if took_s is None else took_s * 1000),
    ]
    if sums.errors:
        words.append(f"{sums.errors} error{'' if sums.errors == 1 else 's'}")
    return " · ".join(words)


def _price(sums: "Sums") -> str:
    from modular_agents.proxy.cli.words import money

    if sums.cost_usd is None:
        return "unpriced"
    return money(sums.cost_usd) + (f" + {sums.unpriced} unpriced" if sums.unpriced else "")


def _cut(text: str) -> str:
    return text if len(text) <= TASK_CHARS else text[: TASK_CHARS - 1] + "…"


def _dot(detail: "TraceDetail") -> Iterator[str]:
    style = {"request": "solid", "delegation": "bold", "response": "dashed"}
    yield "digraph trace {"
    yield '  node [shape=box, fontname="sans-serif"];'
    for call in detail.calls:
        label = f"{call.agent_name or call.kind}\n{_cut(call.prompt_preview)}"
        yield f"  {_quoted(call.call_id)} [label={_quoted(label)}];"
    for edge in detail.edges:
        ends = f"{_quoted(edge.from_call_id)} -> {_quoted(edge.to_call_id)}"
        yield f"  {ends} [style={style.get(edge.edge_type, 'dotted')}, label={_quoted(edge.edge_type)}];"
    yield "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mermaid(detail: "TraceDetail") -> Iterator[str]:
    arrows = {"request": "-->", "delegation": "==>", "response": "-.->"}
    yield "flowchart TD"
    number = {call.call_id: f"c{at}" for at, call in enumerate(detail.calls, 1)}
    for call in detail.calls:
        words = f"{call.agent_name or call.kind}: {_cut(call.prompt_preview)}"
        plain = "".join(f"#{ord(letter)};" if letter in '"<>#&`\\' else letter for letter in words)
        yield f'  {number[call.call_id]}["{plain}"]'
    for edge in detail.edges:
        if edge.from_call_id in number:
            yield f"  {number[edge.from_call_id]} {arrows.get(edge.edge_type, '---')}|{edge.edge_type}| {number[edge.to_call_id]}"
