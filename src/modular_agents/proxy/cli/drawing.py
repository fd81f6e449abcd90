"""A trace as Graphviz or Mermaid draws it: every call, every tool that ran, and every edge."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modular_agents.proxy.model.query import TraceDetail
    from modular_agents.proxy.model.tools import ToolSpan

TASK_CHARS = 60
"""Of a call's prompt, in its node of a drawing."""


def _cut(text: str) -> str:
    return text if len(text) <= TASK_CHARS else text[: TASK_CHARS - 1] + "…"


def _labels(detail: "TraceDetail") -> dict[str, list[str]]:
    """Return what is written on each call's node: who, what was asked where a conversation begins, and what came of it."""
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    for call in detail.calls:
        lines = [call.agent_name or call.kind]
        if call.thread_id not in seen:
            lines.append(_cut(call.prompt_preview))
        seen.add(call.thread_id)
        if call.error is not None:
            lines.append(_cut(f"{call.status}: {call.error}"))
        elif call.tool_names:
            lines.append(_cut(f"→ {', '.join(call.tool_names)}"))
        elif call.answer_preview:
            lines.append(f"“{_cut(call.answer_preview)}”")
        found[call.call_id] = [line for line in lines if line]
    return found


def draw_dot(detail: "TraceDetail", spans: "Sequence[ToolSpan]") -> Iterator[str]:
    """Yield the lines of a trace for Graphviz."""
    style = {"request": "solid", "delegation": "bold", "response": "dashed"}
    yield "digraph trace {"
    yield '  node [shape=box, style=rounded, fontname="sans-serif"];'
    for call_id, lines in _labels(detail).items():
        yield f"  {_quoted(call_id)} [label={_quoted(chr(10).join(lines))}];"
    for name, hexagon in _hexagons(spans).items():
        yield f"  {_quoted(name)} [shape=hexagon, style=solid, label={_quoted(chr(10).join(hexagon.lines))}];"
        yield f"  {_quoted(hexagon.asked)} -> {_quoted(name)} [style=solid, arrowhead=none];"
        yield from (f"  {_quoted(name)} -> {_quoted(brought)} [style=solid, arrowhead=none];" for brought in hexagon.brought)
    for edge in detail.edges:
        ends = f"{_quoted(edge.from_call_id)} -> {_quoted(edge.to_call_id)}"
        label = "" if edge.edge_type == "request" else f", label={_quoted(edge.edge_type)}"
        yield f"  {ends} [style={style.get(edge.edge_type, 'dotted')}{label}];"
    yield "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def draw_mermaid(detail: "TraceDetail", spans: "Sequence[ToolSpan]") -> Iterator[str]:
    """Yield the lines of a trace for Mermaid."""
    arrows = {"request": "-->", "delegation": "==>", "response": "-.->"}
    yield "flowchart TD"
    number = {call.call_id: f"c{at}" for at, call in enumerate(detail.calls, 1)}
    for call_id, lines in _labels(detail).items():
        yield f'  {number[call_id]}["{_escaped(lines)}"]'
    for at, hexagon in enumerate(_hexagons(spans).values(), 1):
        yield f'  t{at}{{{{"{_escaped(hexagon.lines)}"}}}}'
        yield f"  {number[hexagon.asked]} --- t{at}"
        yield from (f"  t{at} --- {number[brought]}" for brought in hexagon.brought)
    for edge in detail.edges:
        if edge.from_call_id in number:
            label = "" if edge.edge_type == "request" else f"|{edge.edge_type}|"
            yield f"  {number[edge.from_call_id]} {arrows.get(edge.edge_type, '---')}{label} {number[edge.to_call_id]}"


def _escaped(lines: "Sequence[str]") -> str:
    return "<br/>".join("".join(f"#{ord(letter)};" if letter in '"<>#&`\\{}' else letter for letter in line) for line in lines)


@dataclass(frozen=True, slots=True)
class _Hexagon:
    """One tool below one call: what is written on it, who asked, and which calls brought its results."""

    lines: tuple[str, ...]
    asked: str
    brought: tuple[str, ...]


def _hexagons(spans: "Sequence[ToolSpan]") -> dict[str, _Hexagon]:
    """Return the runs of each call by tool, so that ten reads of one answer are one node."""
    from modular_agents.proxy.cli.words import times

    grouped: dict[tuple[str, str], list[ToolSpan]] = {}
    for span in spans:
        grouped.setdefault((span.call_id, span.name), []).append(span)
    found = {}
    for (call_id, name), runs in grouped.items():
        brought = tuple(dict.fromkeys(run.result_call_id for run in runs if run.result_call_id is not None))
        lines = (_cut(times(name, len(runs))), _became(runs))
        found[f"{call_id} {name}"] = _Hexagon(lines, call_id, brought)
    return found


def _became(runs: "Sequence[ToolSpan]") -> str:
    from modular_agents.proxy.cli.words import duration

    failed = sum(run.state == "failed" for run in runs)
    took = [run.duration_ms for run in runs if run.duration_ms is not None]
    words = [duration(max(took)) if took else "running" if runs[-1].state == "running" else "no result seen"]
    words += [f"{failed} failed"] if failed else []
    return ", ".join(words)
