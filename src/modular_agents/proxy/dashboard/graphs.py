"""A trace as a graph, and the tools that ran in it: put together when they are asked for, from rows alone."""

from modular_agents.proxy.dashboard.shapes import AgentView, GraphView, ToolRunsView, ToolsView
from modular_agents.proxy.linking.outline import outline, walk
from modular_agents.proxy.linking.toolspans import tool_runs, tool_spans
from modular_agents.proxy.model.query import CallDetail
from modular_agents.proxy.model.tools import ToolRun
from modular_agents.proxy.ports import Reader


def view_graph(reader: Reader, trace_id: str) -> GraphView | None:
    """Return a trace as a graph; None when there is no such trace."""
    detail = reader.trace(trace_id)
    if detail is None:
        return None
    spans = tool_spans(detail, reader.tool_turns(trace_id))
    agents = tuple(
        AgentView(
            one.thread_id,
            above.thread_id if above is not None else None,
            one.opened_by,
            one.agent,
            one.task,
            one.status,
            one.own,
            one.whole,
            one.evidence,
            one.confidence,
            one.handed_back,
            one.tools,
        )
        for one, above in walk(outline(detail, spans))
    )
    return GraphView(detail.trace, detail.calls, detail.edges, spans, agents, detail.seq)


def view_tools(reader: Reader, trace_id: str) -> ToolsView | None:
    """Return the tools that ran in a trace; None when there is no such trace."""
    detail = reader.trace(trace_id)
    return None if detail is None else ToolsView(trace_id, tool_spans(detail, reader.tool_turns(trace_id)), detail.seq)


def view_runs(reader: Reader, call_id: str) -> ToolRunsView | None:
    """Return what one call's answer set off; None when there is no such call."""
    asked = reader.call(call_id)
    if asked is None:
        return None
    return ToolRunsView(asked.call.call_id, runs_of(reader, asked), asked.seq)


def runs_of(reader: Reader, asked: CallDetail) -> tuple[ToolRun, ...]:
    """Return the tools that a call's answer set off, each with its arguments and its result."""
    detail = reader.trace(asked.call.trace_id)
    if detail is None:
        return ()
    spans = [span for span in tool_spans(detail, reader.tool_turns(asked.call.trace_id)) if span.call_id == asked.call.call_id]
    bringing = dict.fromkeys(span.result_call_id for span in spans if span.result_call_id is not None)
    found = {call_id: reader.call(call_id) for call_id in bringing}
    return tool_runs(spans, asked, {call_id: brought for call_id, brought in found.items() if brought is not None})
