"""One file that shows traces anywhere, for good: nothing in it is fetched, and it reads without a script.

What models and people said is text, never markup (spelling.py), and the page's own policy runs no script but the one that is in it.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from modular_agents import __version__
from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export import lanes
from modular_agents.proxy.export.source import Source
from modular_agents.proxy.export.spelling import duration, many, money, span_ms, text, whole
from modular_agents.proxy.export.turns import Turns
from modular_agents.proxy.linking.outline import Branch, Outline, Sums, outline
from modular_agents.proxy.model.query import CallRow, TraceDetail
from modular_agents.proxy.model.trace import HELPERS

MAX_CALLS = 5000
"""A page of more opens slowly, and nobody reads it."""
HELPERS_NAME = "helpers and probes"
_HERE = Path(__file__).parent


def write(source: Source) -> Iterator[bytes]:
    """Yield the page. Raises `UsageError` for more than `MAX_CALLS`."""
    chosen = source.by_trace(MAX_CALLS)
    if chosen is None:
        raise UsageError(
            f"An HTML page is for reading: {MAX_CALLS:,} calls at most. Choose with --trace, --since or --filter, or take jsonl."
        )
    style, script = ((_HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    yield _head(style, script, list(chosen)).encode()
    for trace_id, calls in chosen.items():
        detail = source.trace(trace_id)
        if detail is not None:
            for piece in _trace(source, detail, set(calls)):
                yield piece.encode("utf-8", "replace")
    yield f"<footer>Written by anton proxy {text(__version__)}.</footer></main><script>{script}</script></body></html>\n".encode()


def _head(style: str, script: str, traces: list[str]) -> str:
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    title = f"Trace {traces[0]}" if len(traces) == 1 else many(len(traces), "trace")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer"><title>{text(title)}</title>'
        f"<style>{style}</style></head><body>"
        f'<div class="bar"><strong>anton proxy</strong><output id="told" class="needs-script"></output>'
        '<input id="search" class="needs-script" type="search" placeholder="Search these calls  ( / )" aria-label="Search these calls">'
        '<button id="unfold" class="needs-script" type="button">Unfold all</button>'
        '<button id="theme" class="needs-script" type="button">Light or dark</button></div><main>'
    )


def _hash(inline: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode("ascii")


def _trace(source: Source, detail: TraceDetail, chosen: set[str]) -> Iterator[str]:
    drawn = outline(detail)
    names = dict(_names(drawn.branches))
    yield f'<article class="trace" id="trace-{text(drawn.trace_id)}">'
    yield from _heading(detail, drawn, len(chosen))
    yield from lanes.draw(detail.calls, detail.edges, names)
    yield '<div class="body"><nav class="tree" aria-label="Who asked whom"><ul>'
    for branch in drawn.branches:
        yield from _branch(branch)
    if drawn.helpers is not None:
        yield f'<li class="helpers"><a href="#helpers-{text(drawn.trace_id)}"><span class="name">{HELPERS_NAME}</span>'
        yield f"<small>{_sums(drawn.helpers)}</small></a></li>"
    yield "</ul></nav><div>"
    for branch in _flat(drawn.branches):
        calls = [call for call in detail.calls if call.thread_id == branch.thread_id and call.kind not in HELPERS]
        yield from _agent(source, branch, [call for call in calls if call.call_id in chosen], detail.trace.created_at)
    helpers = [call for call in detail.calls if call.kind in HELPERS and call.call_id in chosen]
    if helpers:
        yield f'<section class="agent" id="helpers-{text(drawn.trace_id)}"><header><h2>{HELPERS_NAME}</h2></header>'
        yield from _calls(source, helpers, detail.trace.created_at)
        yield "</section>"
    yield "</div></div></article>"


def _heading(detail: TraceDetail, drawn: Outline, shown: int) -> Iterator[str]:
    trace, sums = detail.trace, drawn.whole
    part = "" if shown == len(detail.calls) else f", {shown:,} of them here"
    took = span_ms(sums.started_at, sums.ended_at)
    figures = (
        ("calls" + part, whole(sums.calls)),
        ("agents", whole(trace.agent_count)),
        ("took", duration(took)),
        ("tokens in", whole(sums.tokens_input)),
        ("tokens out", whole(sums.tokens_output)),
        ("cost", money(sums.cost_usd, sums.unpriced)),
        ("errors", whole(sums.errors)),
    )
    yield f'<header><h1 class="said">{text(drawn.task, 400)}</h1>'
    yield f'<p class="ids">{text(trace.status)} · {text(trace.created_at)} · trace <code>{text(trace.trace_id)}</code></p>'
    yield '<dl class="figures">'
    for name, said in figures:
        wrong = ' class="bad"' if name == "errors" and sums.errors else ""
        yield f"<div><dt>{name}</dt><dd{wrong}>{text(said)}</dd></div>"
    yield "</dl></header>"


def _branch(branch: Branch) -> Iterator[str]:
    below = f"; with all below: {_sums(branch.whole)}" if branch.branches else ""
    yield f'<li><a href="#agent-{text(branch.thread_id)}"><span class="name said">{text(branch.agent)}</span>'
    yield f"<small>{_sums(branch.own)}{below}</small></a>"
    if branch.branches:
        yield "<ul>"
        for inner in branch.branches:
            yield from _branch(inner)
        yield "</ul>"
    yield "</li>"


def _sums(sums: Sums) -> str:
    errors = f" · {many(sums.errors, 'error')}" if sums.errors else ""
    return f"{many(sums.calls, 'call')} · {money(sums.cost_usd, sums.unpriced)}{errors}"


def _agent(source: Source, branch: Branch, calls: list[CallRow], start: str) -> Iterator[str]:
    if not calls:
        return
    opened = f" · opened by {branch.evidence}, {branch.confidence:.0%} sure" if branch.evidence else ""
    yield f'<section class="agent" id="agent-{text(branch.thread_id)}"><header><h2 class="said">{text(branch.agent)}</h2>'
    yield f'<p class="said">{text(branch.task)}</p><p>{_sums(branch.own)}{text(opened)}</p></header>'
    yield from _calls(source, calls, start)
    yield "</section>"


def _calls(source: Source, calls: list[CallRow], start: str) -> Iterator[str]:
    turns = Turns(start)
    for call in calls:
        found = source.detail(call.call_id)
        if found is not None:
            yield from turns.draw(found)


def _flat(branches: tuple[Branch, ...]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from _flat(branch.branches)


def _names(branches: tuple[Branch, ...]) -> Iterator[tuple[str, str]]:
    for branch in _flat(branches):
        yield branch.thread_id, branch.agent
