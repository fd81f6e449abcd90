"""`anton proxy graph`: who asked whom in a trace, what it cost, and what came back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import WHAT, Config, Db, Json, option, reader_of, settings_from
from modular_agents.proxy.cli.terminal import fit, safe

if TYPE_CHECKING:
    from rich.console import Console

    from modular_agents.proxy.linking.outline import Branch, Outline, Sums
    from modular_agents.proxy.model.query import TraceRow
    from modular_agents.proxy.model.tools import ToolSums

EXAMPLES = """\
Examples:
  anton proxy graph                    the newest trace as a tree
  anton proxy graph nightly-42         a trace by its id, or by the id of one of its calls
  anton proxy graph --mermaid nightly-42 > graph.md
  anton proxy graph --dot nightly-42 | dot -Tsvg > graph.svg

Exit codes: 0 done, 4 no such trace, or nothing recorded yet.
"""
LEAST = 20
"""Cells that a text has even in a narrow terminal."""
LOOKED_AT = 20
"""Newest traces among which one with an agent is looked for."""
SURE = 0.95
"""Below this the evidence of a delegation is shown with its confidence."""


def graph(
    trace: Annotated[
        str | None, typer.Argument(metavar="TRACE", help="A trace or one of its calls; the newest trace when left out.")
    ] = None,
    dot: Annotated[bool, option("Every call, tool and edge, for Graphviz.", WHAT, "--dot")] = False,
    mermaid: Annotated[bool, option("Every call, tool and edge, for Mermaid.", WHAT, "--mermaid")] = False,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Show who delegated what to whom in a trace, and what it cost."""
    from modular_agents.proxy.cli.drawing import draw_dot, draw_mermaid
    from modular_agents.proxy.cli.ls import find_trace
    from modular_agents.proxy.cli.terminal import console, print_json
    from modular_agents.proxy.errors import NotFound, UsageError
    from modular_agents.proxy.linking.outline import outline
    from modular_agents.proxy.linking.toolspans import tool_spans
    from modular_agents.proxy.model.query import CallFilter

    if dot + mermaid + as_json > 1:
        raise UsageError("--dot, --mermaid and --json exclude each other.")
    reader = reader_of(settings_from({"db": db}, config))
    try:
        wanted = find_trace(reader, trace) if trace is not None else newest(reader.traces(CallFilter(), None, LOOKED_AT).items)
        detail = reader.trace(wanted) if wanted is not None else None
        spans = tool_spans(detail, reader.tool_turns(detail.trace.trace_id)) if detail is not None else ()
    finally:
        reader.close()
    if detail is None:
        raise NotFound("Nothing has been recorded here yet.")
    if dot or mermaid:
        for row in draw_dot(detail, spans) if dot else draw_mermaid(detail, spans):
            typer.echo(safe(row))
    elif as_json:
        print_json(outline(detail, spans))
    else:
        out = console()
        for line in _tree(outline(detail, spans)):
            _print(out, line)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the tree: what is drawn before its text, what is drawn before its second line, and the text in pieces with styles.

    `gives`: a text that gives way where the line is too long; it stands before the last `after` pieces.
    """

    before: str
    below: str
    pieces: tuple[tuple[str, str], ...]
    gives: str = ""
    after: int = 0
    quotes: str = "“”"


MARKS = {"running": "cyan", "failed": "red", "interrupted": "yellow", "cancelled": "yellow"}


def newest(traces: "Sequence[TraceRow]") -> str | None:
    """Return the first trace in which an agent spoke: a client's probe (`HEAD /`) is a trace of its own, and not what is asked for."""
    return next((row.trace_id for row in traces if row.agent_count), traces[0].trace_id if traces else None)


def _tree(drawn: "Outline") -> Iterator[Line]:
    yield Line("", "", (("", ""), (f"  {drawn.status}", MARKS.get(drawn.status, "green"))), drawn.task, 1, "")
    yield Line("", "", (*_figures(drawn.whole), (f"  trace\u00a0{drawn.trace_id}", "dim")))
    for at, branch in enumerate(drawn.branches, 1):
        yield from _branch(branch, "", is_last=at == len(drawn.branches) and drawn.helpers is None)
    if drawn.helpers is not None:
        yield Line("└─ ", "   ", (("helpers and probes  ", "dim"), *_figures(drawn.helpers)))


def _branch(branch: "Branch", before: str, *, is_last: bool) -> Iterator[Line]:
    from modular_agents.proxy.cli.words import count

    inner = before + ("   " if is_last else "│  ")
    bar = inner + ("│  " if branch.branches else "   ")
    tail = [] if branch.status == "completed" else [(f"  {branch.status}", MARKS.get(branch.status, ""))]
    if branch.evidence and branch.confidence < SURE:
        tail.append((f"  ({branch.evidence}, {branch.confidence:.0%} sure)", "yellow"))
    head = f"{before}{'└─' if is_last else '├─'} "
    yield Line(head, bar, ((f"{branch.agent}  ", "bold"), *tail), branch.task, len(tail))
    yield Line(bar, bar, tuple(_figures(branch.own)))
    if branch.tools:
        yield Line(bar, bar, (("tools: ", "dim"), *_tools(branch.tools)))
    if branch.branches:
        yield Line(bar, bar, (("with all below: ", "dim"), *_figures(branch.whole)))
    if branch.handed_back is not None:
        words = f"handed back {count(branch.handed_back)} token{'' if branch.handed_back == 1 else 's'}"
        yield Line(bar, bar, ((f"{words}{': ' if branch.answer else ''}", "dim"),), branch.answer)
    for at, below in enumerate(branch.branches, 1):
        yield from _branch(below, inner, is_last=at == len(branch.branches))


def _print(out: "Console", line: Line) -> None:
    """Print a line: a task gives way, figures go on below."""
    from rich.cells import cell_len
    from rich.text import Text

    room = max(out.width - cell_len(line.before), LEAST)
    gives = safe(line.gives)
    if gives:
        left = max(room - sum(cell_len(text) for text, _ in line.pieces) - len(line.quotes), LEAST)
        shown = gives if not out.is_terminal or cell_len(gives) <= left else fit(gives, left).rstrip()
        gives = f"{line.quotes[:1]}{shown}{line.quotes[1:]}"
    pieces = list(line.pieces)
    pieces.insert(len(pieces) - line.after, (gives, ""))
    text = Text.assemble(*((safe(words), style) for words, style in pieces))
    for number, row in enumerate(text.wrap(out, room) if out.is_terminal else [text]):
        row.rstrip()
        out.print(Text.assemble((line.below if number else line.before, "dim"), row), soft_wrap=True)


def _figures(sums: "Sums") -> list[tuple[str, str]]:
    from modular_agents.proxy.cli.words import count, duration, seconds_between

    took_s = seconds_between(sums.started_at, sums.ended_at)
    words = [
        f"{sums.calls} call{'' if sums.calls == 1 else 's'}",
        f"{count(sums.tokens_input)} in, {count(sums.tokens_output)} out",
        _price(sums),
        duration(None if took_s is None else took_s * 1000),
    ]
    found = [(" · ".join(words), "")]
    if sums.errors:
        found += [(" · ", ""), (f"{sums.errors} error{'' if sums.errors == 1 else 's'}", "red")]
    return found


def _tools(tools: "Sequence[ToolSums]") -> Iterator[tuple[str, str]]:
    """Yield each tool: how often, how long in all, and what went wrong."""
    from modular_agents.proxy.cli.words import duration, times

    for at, one in enumerate(tools):
        if at:
            yield (", ", "")
        seen = one.runs - one.unseen - one.running
        took = f" {duration(one.duration_ms)}" if seen else ""
        yield (f"{times(one.name, one.runs)}{took}", "")
        if one.failed:
            yield (f" ({one.failed} failed)", "red")
        if one.unseen:
            yield (" (no result seen)" if one.unseen == one.runs else f" ({one.unseen} without a result)", "yellow")
        if one.running:
            yield (f" ({one.running} running)", "cyan")


def _price(sums: "Sums") -> str:
    from modular_agents.proxy.cli.words import money

    if sums.cost_usd is None:
        return "unpriced"
    return money(sums.cost_usd) + (f" + {sums.unpriced} unpriced" if sums.unpriced else "")
