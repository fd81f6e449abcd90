"""A trace as a tree of agents: who opened whom, what each branch cost with all below it, and what it handed back.

Made from rows alone, so that every reader (terminal, page, export) draws the same tree. Helpers and probes are folded into one
line. Costs that nobody knows are left out of sums and counted. Sums are made when they are asked for, so that nothing can make them
stale: a thread's from its calls, a branch's from those of the branches below it (4 ms for 2,000 calls).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from modular_agents.proxy.linking.toolspans import tool_sums
from modular_agents.proxy.model.query import CallRow, EdgeRow, TraceDetail
from modular_agents.proxy.model.tools import ToolSpan, ToolSums
from modular_agents.proxy.model.trace import HELPERS, untitled

CANCELLED = "cancelled"
"""A call that somebody gave up is no error (docs/decisions/0012)."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of some calls. Unknown numbers are left out; None when none is known. Times are ISO 8601 UTC."""

    calls: int
    errors: int
    tokens_input: int | None
    tokens_output: int | None
    cost_usd: float | None
    unpriced: int
    started_at: str
    ended_at: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One agent's conversation: its own sums, those with all below it, and the branches it opened, in order.

    evidence, confidence: of the edge that opened it. handed_back: tokens of its last answer, where that came back.
    """

    thread_id: str
    agent: str
    task: str
    status: str
    own: Sums
    whole: Sums
    evidence: str
    confidence: float
    handed_back: int | None
    branches: tuple["Branch", ...]
    answer: str = ""
    """The beginning of what it handed back."""
    tools: tuple[ToolSums, ...] = ()
    """What its own answers set off, where `outline` was told."""
    opened_by: str | None = None
    """The call from which the edge that opened it leads."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A trace: its branches that nobody opened, oldest first, and its helpers' calls."""

    trace_id: str
    task: str
    status: str
    whole: Sums
    branches: tuple[Branch, ...]
    helpers: Sums | None


def outline(detail: TraceDetail, spans: Sequence[ToolSpan] = ()) -> Outline:
    """Return the tree of a trace. `spans`: the tools that ran in it, where they shall be summed too."""
    trace = detail.trace
    helpers = [call for call in detail.calls if call.kind in HELPERS]
    threads: dict[str, list[CallRow]] = {}
    for call in detail.calls:
        if call.kind not in HELPERS:
            threads.setdefault(call.thread_id, []).append(call)
    opened = _openers(threads, detail.edges)
    returned = {edge.from_call_id for edge in detail.edges if edge.edge_type == "response"}
    names, tools = _names(threads), tool_sums(spans)
    below: dict[str | None, list[str]] = {}
    for thread in threads:
        below.setdefault(opened[thread][0] if thread in opened else None, []).append(thread)
    made: dict[str, Branch] = {}
    for thread in reversed(_from_the_top(below)):  # those below come first: a tree may be deeper than Python's stack
        branches = tuple(made[one] for one in below.get(thread, ()))
        calls, last = threads[thread], threads[thread][-1]
        _, edge = opened.get(thread, ("", None))
        own = _sums(calls)
        made[thread] = Branch(
            thread,
            names[thread],
            calls[0].prompt_preview,
            last.status,
            own,
            _joined((own, *(one.whole for one in branches))),
            edge.evidence if edge else "",
            edge.confidence if edge else 1.0,
            last.tokens_output if last.call_id in returned else None,
            branches,
            last.answer_preview if last.call_id in returned else "",
            tools.get(thread, ()),
            edge.from_call_id if edge else None,
        )
    roots = tuple(made[thread] for thread in below.get(None, ()))
    task = trace.name or trace.task_description or untitled(trace.agent_count)
    return Outline(trace.trace_id, task, trace.status, _sums(detail.calls), roots, _sums(helpers) if helpers else None)


def walk(drawn: Outline) -> Iterator[tuple[Branch, Branch | None]]:
    """Yield every branch of a tree with the branch that opened it, each before those it opened."""
    waiting: list[tuple[Branch, Branch | None]] = [(branch, None) for branch in reversed(drawn.branches)]
    while waiting:
        branch, above = waiting.pop()
        yield branch, above
        waiting += [(one, branch) for one in reversed(branch.branches)]


def _from_the_top(below: dict[str | None, list[str]]) -> list[str]:
    order: list[str] = []
    waiting = list(below.get(None, ()))
    while waiting:
        thread = waiting.pop()
        order.append(thread)
        waiting += below.get(thread, ())
    return order


def _openers(threads: dict[str, list[CallRow]], edges: Sequence[EdgeRow]) -> dict[str, tuple[str, EdgeRow]]:
    """Return which thread opened which, with the edge: the one that leads to a thread's first call; no circle."""
    thread_of = {call.call_id: thread for thread, calls in threads.items() for call in calls}
    firsts = {calls[0].call_id: thread for thread, calls in threads.items()}
    found: dict[str, tuple[str, EdgeRow]] = {}
    for edge in sorted(edges, key=lambda one: one.edge_type != "delegation"):
        thread, opener = firsts.get(edge.to_call_id), thread_of.get(edge.from_call_id)
        is_new = thread is not None and opener is not None and thread != opener and thread not in found
        if is_new and edge.edge_type != "response" and not _stands_below(opener, thread, found):
            found[str(thread)] = (str(opener), edge)
    return found


def _stands_below(one: str | None, other: str | None, found: dict[str, tuple[str, EdgeRow]]) -> bool:
    while one in found:
        one = found[one][0]
        if one == other:
            return True
    return False


def _names(threads: dict[str, list[CallRow]]) -> dict[str, str]:
    """Name each thread: as its calls are named, else `agent 1`, `agent 2` … by first appearance."""
    names: dict[str, str] = {}
    unnamed = 0
    for thread, calls in threads.items():
        given = next((call.agent_name for call in calls if call.agent_name), None)
        unnamed += given is None
        names[thread] = given or f"agent {unnamed}"
    return names


def _sums(calls: Sequence[CallRow]) -> Sums:
    return Sums(
        len(calls),
        sum(call.error is not None and call.status != CANCELLED for call in calls),
        _sum(call.tokens_input for call in calls),
        _sum(call.tokens_output for call in calls),
        _cost(calls),
        sum(call.cost_usd is None and call.tokens_output is not None for call in calls),
        min((call.created_at for call in calls), default=""),
        max((call.ended_at or call.created_at for call in calls), default=""),
    )


def _joined(sums: Sequence[Sums]) -> Sums:
    costs = [one.cost_usd for one in sums if one.cost_usd is not None]
    return Sums(
        sum(one.calls for one in sums),
        sum(one.errors for one in sums),
        _sum(one.tokens_input for one in sums),
        _sum(one.tokens_output for one in sums),
        sum(costs) if costs else None,
        sum(one.unpriced for one in sums),
        min(one.started_at for one in sums),
        max(one.ended_at for one in sums),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _cost(calls: Sequence[CallRow]) -> float | None:
    known = [call.cost_usd for call in calls if call.cost_usd is not None]
    return sum(known) if known else None
