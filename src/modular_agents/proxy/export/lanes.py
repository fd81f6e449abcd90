"""A trace drawn over time as plain SVG: a lane for each agent, a bar for each call, a line where one agent opened another."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from modular_agents.proxy.export.spelling import duration, text
from modular_agents.proxy.model.query import CallRow, EdgeRow
from modular_agents.proxy.model.trace import HELPERS

NAME_WIDTH, WIDTH, LANE, TOP, BAR = 170, 1240, 26, 24, 14
"""Pixels."""
MAX_LANES = 60
"""More lanes than this tell nothing at a glance."""
TICKS = 6
NAME_CHARS = 24
SURE = 0.95
LEAST_BAR = 2.0


def draw(calls: Sequence[CallRow], edges: Sequence[EdgeRow], names: dict[str, str]) -> Iterator[str]:
    """Yield the drawing; nothing for a trace of fewer than two calls. `names`: of threads, in the order of their lanes."""
    turns = [call for call in calls if call.kind not in HELPERS and call.thread_id in names]
    if len(turns) <= 1:
        return
    lanes = {thread: number for number, thread in enumerate(list(names)[:MAX_LANES])}
    start = min(_ms(call.created_at) for call in turns)
    span = max(max(_ms(call.ended_at or call.created_at) for call in turns) - start, 1.0)
    height = TOP + LANE * len(lanes) + 4
    yield f'<div class="lanes"><svg width="{WIDTH}" height="{height}" role="img" aria-label="Calls over time, a lane for each agent">'
    for tick in range(TICKS + 1):
        at = NAME_WIDTH + (WIDTH - NAME_WIDTH - 10) * tick / TICKS
        yield f'<line class="grid" x1="{at:.1f}" y1="{TOP - 4}" x2="{at:.1f}" y2="{height}"/>'
        anchor = "end" if tick == TICKS else "start" if tick == 0 else "middle"
        yield f'<text class="when" x="{at:.1f}" y="14" text-anchor="{anchor}">{duration(span * tick / TICKS)}</text>'
    for thread, lane in lanes.items():
        name = names[thread]
        shown = name if len(name) <= NAME_CHARS else name[: NAME_CHARS - 1] + "…"
        yield f'<rect class="lane" x="{NAME_WIDTH}" y="{_y(lane) - 3}" width="{WIDTH - NAME_WIDTH - 10}" height="{BAR + 6}" rx="3"/>'
        yield f'<text x="10" y="{_y(lane) + BAR - 3}"><title>{text(name)}</title>{text(shown)}</text>'
    places = {call.call_id: (*_place(call, start, span), lanes[call.thread_id]) for call in turns if call.thread_id in lanes}
    for edge in edges:
        if edge.edge_type == "delegation" and edge.from_call_id in places and edge.to_call_id in places:
            yield _line(edge, places[edge.from_call_id], places[edge.to_call_id])
    for call in turns:
        if call.call_id in places:
            yield _bar(call, places[call.call_id])
    yield "</svg></div>"


def _bar(call: CallRow, place: tuple[float, float, int]) -> str:
    x, width, lane = place
    wrong = " wrong" if call.error is not None or call.status == "failed" else ""
    waited = min(1.0, (call.ttft_ms or 0) / call.duration_ms) * width if call.duration_ms else 0
    label = text(f"{call.model or call.path}, {duration(call.duration_ms)}, {call.status}")
    wait = f'<rect class="lane wait" x="{x:.1f}" y="{_y(lane)}" width="{waited:.1f}" height="{BAR}" rx="2"/>' if waited > 1 else ""
    box = f'x="{x:.1f}" y="{_y(lane)}" width="{width:.1f}" height="{BAR}" rx="2"'
    return f'<a href="#call-{text(call.call_id)}"><rect class="call{wrong}" {box}><title>{label}</title></rect>{wait}</a>'


def _line(edge: EdgeRow, start: tuple[float, float, int], end: tuple[float, float, int]) -> str:
    x1, y1 = start[0] + start[1], _y(start[2]) + BAR / 2
    x2, y2 = end[0], _y(end[2]) + BAR / 2
    unsure = " unsure" if edge.confidence < SURE else ""
    told = text(f"delegation: {edge.evidence}, {edge.confidence:.0%} sure")
    return (
        f'<path class="delegation{unsure}" d="M{x1:.1f} {y1:.1f} C{x1 + 14:.1f} {y1:.1f} {x2 - 14:.1f} {y2:.1f} {x2:.1f} {y2:.1f}">'
        f"<title>{told}</title></path>"
    )


def _place(call: CallRow, start: float, span: float) -> tuple[float, float]:
    scale = (WIDTH - NAME_WIDTH - 10) / span
    begun, ended = _ms(call.created_at), _ms(call.ended_at or call.created_at)
    return NAME_WIDTH + (begun - start) * scale, max((ended - begun) * scale, LEAST_BAR)


def _y(lane: int) -> int:
    return TOP + lane * LANE + 4


def _ms(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() * 1000
