"""What programs did with their tools, by the ids that a provider gave: whose result is whose, whichever conversation it is in."""

from collections.abc import Mapping, Sequence

from tests.linking.answer_key import AnswerKey
from tests.linking.runs import key_of
from tests.support.link_store import record

from modular_agents.proxy.linking.toolspans import tool_spans
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.query import CallFilter, TraceDetail
from modular_agents.proxy.model.tools import ToolSpan
from modular_agents.proxy.store.memory import MemoryStore


def read_tools(versions: Sequence[Call]) -> tuple[list[TraceDetail], list[ToolSpan]]:
    """Link and store what was recorded; return its traces and the tools that ran in them."""
    store = MemoryStore()
    record(store, versions, per_batch=20)
    reader = store.reader()
    found = [reader.trace(row.trace_id) for row in reader.traces(CallFilter(), None, 1000).items]
    details = [detail for detail in found if detail is not None]
    return details, [span for detail in details for span in tool_spans(detail, reader.tool_turns(detail.trace.trace_id))]


def misread(versions: Sequence[Call], spans: Sequence[ToolSpan]) -> list[ToolSpan]:
    """Return runs with an id whose result is not where the earliest request stands that holds a result of that id."""
    brought: dict[str, str] = {}
    for call in sorted(versions, key=lambda one: (one.started_ns, one.call_id)):
        for message in call.messages:
            for part in message.parts:
                if part.kind == "tool_result" and part.tool_id:
                    brought.setdefault(part.tool_id, call.call_id)
    return [span for span in spans if span.tool_id and span.result_call_id != brought.get(span.tool_id)]


def misled(versions: Sequence[Call], key: AnswerKey, details: Sequence[TraceDetail], spans: Sequence[ToolSpan]) -> list[tuple[str, str]]:
    """Return (tool, agent's call) where a run is said to have opened an agent that somebody else opened.

    An agent that keeps no history begins anew each time: what opened it is then asked of its first call only.
    """
    keys = {call.call_id: key_of(call) or "" for call in versions}
    firsts: Mapping[str, str] = {call.thread_id: call.call_id for detail in details for call in reversed(detail.calls)}
    found = [(keys[span.call_id], keys[firsts[thread]]) for span in spans for thread in span.opened]
    return [(asker, child) for asker, child in found if key.known[child].before is None and key.known[child].opened_by != asker]


def unopened(details: Sequence[TraceDetail], spans: Sequence[ToolSpan]) -> list[str]:
    """Return delegations by a tool's input that no run claims, or several do."""
    claimed = [thread for span in spans for thread in span.opened]
    threads = {call.call_id: call.thread_id for detail in details for call in detail.calls}
    by_tool = [edge for detail in details for edge in detail.edges if edge.edge_type == "delegation" and edge.evidence == "tool_input"]
    return [edge.edge_id for edge in by_tool if claimed.count(threads[edge.to_call_id]) != 1]
