"""What hangs together: traces, threads and edges, each with the evidence it rests on (see docs: call graph)."""

from dataclasses import dataclass
from enum import StrEnum

from modular_agents.proxy.model.quick import quick

HELPERS = {
    "title": "title helper",
    "router": "model router",
    "probe": "quota probe",
    "count": "token count",
    "list": "model list",
    "warmup": "warm-up",
    "embedding": "embedding",
    "batch": "batch",
    "other": None,
}
"""Kinds of calls that are no turns of an agent, and what to call who makes them. They follow what they stand beside and count as nobody."""


def untitled(agents: int) -> str:
    """Return what to call a trace without name and task; without an agent (`HEAD /`, a list of models) it has no conversation."""
    return "(no task)" if agents else "(no conversation)"


class EdgeType(StrEnum):
    """The contract's `call_graph.edge_type`."""

    REQUEST = "request"
    RESPONSE = "response"
    DELEGATION = "delegation"


@quick
@dataclass(frozen=True, slots=True)
class Evidence:
    """Why we believe something. `rule` is a stable word (`header.x-trace-id`, `path.t`, `continuation`, `retry` …)."""

    rule: str
    detail: str = ""
    confidence: float = 1.0
    """0 to 1."""


@quick
@dataclass(frozen=True, slots=True)
class Edge:
    """An edge between two calls."""

    from_call_id: str
    to_call_id: str
    edge_type: EdgeType
    evidence: Evidence


@quick
@dataclass(frozen=True, slots=True)
class Placement:
    """Where a call stands: what `linking` decided about it."""

    trace_id: str
    thread_id: str
    trace_evidence: Evidence
    agent_name: str | None = None
    parent_id: str | None = None
    edges: tuple[Edge, ...] = ()
    """Every edge that leads to this call; a later placement of the same call replaces them all."""
    trace_name: str | None = None
    task_description: str | None = None
    """What the thread was asked to do; set on the call that opened it. A trace is described by its oldest thread's."""
    kind: str = "turn"
    """`turn`, `retry`, `title`, `probe`, `count`, `list`, `embedding`, `other` …; noise is folded by default."""
    root_id: str = ""
    """The call that opened the thread: the call itself when it did."""
    opener_id: str | None = None
    """The call of another thread that opened this thread."""
    agent_given: bool = False
    """True when the call itself was given its agent's name: moving its thread then does not rename it."""
