"""Tools that ran between calls, on every engine: pairs of requests and answers as clients of each format write them."""

import json
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from tests.conformance.conftest import Engine
from tests.support import sessions
from tests.support.link_store import record
from tests.support.tool_formats import FORMATS, SAID, SECOND, Format, Json, call_of, chat
from tests.support.wire_corpus import START_NS

from modular_agents.proxy.dashboard.graphs import view_graph, view_runs, view_tools
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.model.tools import ToolRun, ToolSpan
from modular_agents.proxy.store.memory import MemoryStore

ALL = CallFilter()


def two_turns(form: Format) -> list[Call]:
    return [
        call_of(form, "A", form.asks, form.answer, 0),
        call_of(form, "B", [*form.asks, *form.echo, *form.results], form.last, 3.5),
    ]


def spans_of(engine: Engine) -> list[ToolSpan]:
    traces = engine.reader.traces(ALL, None, 20).items
    return [span for row in traces if (view := view_tools(engine.reader, row.trace_id)) for span in view.items]


def runs_of(engine: Engine, call: Call) -> tuple[ToolRun, ...]:
    view = view_runs(engine.reader, call.call_id)
    assert view is not None
    return view.items


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


def test_every_format_tells_what_its_tools_did(engine: Engine, form: Format) -> None:
    asked, told = two_turns(form)
    record(engine.store, [asked, told])
    first, second = spans_of(engine)
    assert (first.name, second.name) == form.tools
    assert [span.span_id for span in (first, second)] == [f"{asked.call_id}.0", f"{asked.call_id}.1"]
    for span in (first, second):
        assert (span.call_id, span.result_call_id, span.paired_by) == (asked.call_id, told.call_id, form.pairing)
        assert span.duration_ms == 2500.0  # from the end of the answer to the beginning of the next request
        assert span.opened == ()
    assert (first.state, second.state) == ("returned", "failed" if form.error else "returned")
    runs = runs_of(engine, asked)
    assert [run.span for run in runs] == [first, second]
    assert [run.result[0].text for run in runs] == ["print('a')", "no such file"]
    for run, wanted in zip(runs, form.arguments, strict=True):
        assert run.arguments == wanted or json.loads(run.arguments) == wanted


def test_nothing_is_counted_twice(engine: Engine, form: Format) -> None:
    """A failed attempt brings the results first, its retry and the next turn bring them again."""
    asked, told = two_turns(form)
    sent = [*form.asks, *form.echo, *form.results]
    failed = call_of(form, "B0", sent, {"error": {"message": "busy", "type": "overloaded_error"}}, 2.5, status=529)
    later = call_of(form, "C", [*sent, *_said_back(form), *_question(form)], form.last, 6)
    record(engine.store, [asked, failed, told, later])
    assert [(span.call_id, span.result_call_id, span.duration_ms) for span in spans_of(engine)] == [
        (asked.call_id, failed.call_id, 1500.0),
        (asked.call_id, failed.call_id, 1500.0),
    ]


def _said_back(form: Format) -> list[Json]:
    if form.list_name == "input":
        return [SAID]
    if form.list_name == "contents":
        return [{"role": "model", "parts": [{"text": "Done"}]}]
    return [{"role": "assistant", "content": [{"text": "Done"}] if form.upstream == "bedrock" else "Done"}]


def _question(form: Format) -> list[Json]:
    if form.list_name == "contents":
        return [{"role": "user", "parts": [{"text": "And now?"}]}]
    return [{"role": "user", "content": [{"text": "And now?"}] if form.upstream == "bedrock" else "And now?"}]


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"all in plain text"}))
def test_a_result_that_never_came_says_so(engine: Engine, name: str) -> None:
    """Of a tool in plain text nothing but the result tells."""
    form = FORMATS[name]
    engine.now_ns = START_NS + 10 * SECOND
    record(engine.store, two_turns(form)[:1])
    assert {(span.state, span.duration_ms, span.ended_at) for span in spans_of(engine)} == {("running", None, None)}
    engine.now_ns = START_NS + 3600 * SECOND
    assert {span.state for span in spans_of(engine)} == {"unseen"}
    assert [run.result for run in runs_of(engine, two_turns(form)[0])] == [(), ()]


def test_one_result_of_two(engine: Engine) -> None:
    """The client went on without the second: what came is told, what did not is not waited for."""
    form = FORMATS["chat"]
    asked, _ = two_turns(form)
    told = call_of(form, "B", [*form.asks, *form.echo, form.results[1]], form.last, 3)
    record(engine.store, [asked, told])
    engine.now_ns = START_NS + 10 * SECOND
    assert [(span.name, span.state) for span in spans_of(engine)] == [("read_file", "unseen"), ("bash", "returned")]


def test_an_answer_is_named_and_not_sent_back(engine: Engine) -> None:
    """Responses with `previous_response_id`: the tool's name and arguments stand in the call before only."""
    form = FORMATS["responses"]
    asked = call_of(form, "A", form.asks, form.answer, 0)
    told = call_of(form, "B", form.results, form.last, 2, previous_response_id="resp_1")
    record(engine.store, [asked, told])
    assert [(span.name, span.state, span.duration_ms) for span in spans_of(engine)] == [
        ("read_file", "returned", 1000.0),
        ("bash", "returned", 1000.0),
    ]
    assert [run.result[0].text for run in runs_of(engine, asked)] == ["print('a')", "no such file"]


def test_ids_that_are_used_again(engine: Engine) -> None:
    """Some servers count calls from the beginning in every answer; a trimmed history is new as a whole."""
    form = FORMATS["chat"]
    one = {"id": "call_0", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    echo = {"role": "assistant", "content": None, "tool_calls": [one]}
    result = {"role": "tool", "tool_call_id": "call_0", "content": "first"}
    second = result | {"content": "second"}
    answer = chat({"tool_calls": [one]}, "tool_calls")
    calls = [
        call_of(form, "A", form.asks, answer, 0),
        call_of(form, "B", [*form.asks, echo, result], answer, 2),
        call_of(form, "C", [*form.asks, {"role": "user", "content": "(cut)"}, echo, result, echo, second], form.last, 7),
    ]
    record(engine.store, calls)
    assert [(span.call_id, span.result_call_id, span.duration_ms) for span in spans_of(engine)] == [
        (calls[0].call_id, calls[1].call_id, 1000.0),
        (calls[1].call_id, calls[2].call_id, 4000.0),
    ]
    assert [runs_of(engine, call)[0].result[0].text for call in calls[:2]] == ["first", "second"]


def test_a_picture_comes_with_its_result(engine: Engine) -> None:
    form = FORMATS["anthropic"]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    content = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a plot"}, picture]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "ok"},
        {"type": "text", "text": "Go on"},
    ]
    asked = call_of(form, "A", form.asks, form.answer, 0)
    record(engine.store, [asked, call_of(form, "B", [*form.asks, *form.echo, {"role": "user", "content": content}], form.last, 2)])
    first, second = runs_of(engine, asked)
    assert [part.kind for part in first.result] == ["tool_result", "image"]
    assert [part.kind for part in second.result] == ["tool_result"]


@pytest.mark.parametrize("count", [1, 65, 200])
def test_many_tools_of_one_answer(engine: Engine, count: int) -> None:
    """Their results are messages of their own in a chat; a long history before them is not looked at again."""
    form = FORMATS["chat"]
    history = [{"role": role, "content": f"{role} {n}"} for n in range(100) for role in ("user", "assistant")]
    uses = [{"id": f"call_{n}", "type": "function", "function": {"name": "read", "arguments": "{}"}} for n in range(count)]
    results = [{"role": "tool", "tool_call_id": f"call_{n}", "content": f"result {n}"} for n in range(count)]
    asked = call_of(form, "A", [*history, *form.asks], chat({"tool_calls": uses}, "tool_calls"), 0)
    sent = [*history, *form.asks, {"role": "assistant", "content": None, "tool_calls": uses}, *results]
    record(engine.store, [asked, call_of(form, "B", sent, form.last, 2)])
    assert [(span.number, span.state) for span in spans_of(engine)] == [(n, "returned") for n in range(count)]
    assert [run.result[0].text for run in runs_of(engine, asked)] == [f"result {n}" for n in range(count)]


OPENED = {
    "claude-code": ("Agent", {"c1.0": "c3", "c1.1": "c4"}),
    "codex-sse": ("spawn_agent", {"c1.0": "c2", "c1.1": "c4"}),
    "gemini-cli": ("invoke_agent", {"c2.0": "c5", "c2.1": "c6"}),
    "openai-agents": ("ask_counter", {"c5.0": "c6"}),
    "opencode": ("task", {"c2.0": "c3", "c2.1": "c4"}),
}


def _opened(name: str, spans: Sequence[ToolSpan]) -> Iterator[tuple[str, str, str]]:
    for span in spans:
        for thread in span.opened:
            yield span.name, span.span_id.removeprefix(f"{name}-"), thread.removeprefix(f"th-{name}-")


@pytest.mark.parametrize("name", OPENED)
def test_a_tool_use_that_delegated_says_whom_it_opened(engine: Engine, name: str) -> None:
    """Of two agents that one answer opened, each stands below its own tool use: as linking found it, not by guess."""
    session = sessions.load(name)
    record(engine.store, sorted(session.calls, key=lambda call: call.started_ns))
    tool, wanted = OPENED[name]
    found = list(_opened(name, spans_of(engine)))
    if name == "claude-code":
        wanted = {f"c2.{n}": child for n, child in enumerate(wanted.values())}
    assert sorted(found) == sorted((tool, use, child) for use, child in wanted.items())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", OPENED)
def test_the_order_of_arrival_does_not_matter(engine: Engine, name: str, seed: int) -> None:
    """What is derived from what is stored is the same, however it came to be there."""
    session = sessions.load(name, headers=False)
    versions = list(sessions.in_time(session.calls))
    other = MemoryStore(lambda: engine.now_ns)
    record(other, versions)
    mixed = Random(seed).sample(versions, len(versions))
    ends = {call.call_id: at for at, call in enumerate(mixed) if call.ended_ns is not None}
    record(engine.store, [call for at, call in enumerate(mixed) if at <= ends[call.call_id]])
    wanted = spans_of(Engine(other, other.reader()))
    assert len(wanted) >= 3
    assert sorted(spans_of(engine), key=lambda span: span.span_id) == sorted(wanted, key=lambda span: span.span_id)


def test_a_graph_holds_calls_tools_and_what_each_agent_came_to(engine: Engine) -> None:
    session = sessions.load("opencode")
    record(engine.store, sorted(session.calls, key=lambda call: call.started_ns))
    graph = view_graph(engine.reader, engine.reader.traces(ALL, None, 1).items[0].trace_id)
    assert graph is not None
    lead, *hands = graph.agents
    assert (lead.parent, [hand.parent for hand in hands]) == (None, [lead.thread_id] * 2)
    assert [hand.opened_by for hand in hands] == ["opencode-c2"] * 2
    assert lead.whole.calls == lead.own.calls + sum(hand.whole.calls for hand in hands)
    assert lead.whole.tokens_input == sum(node.tokens_input or 0 for node in graph.nodes if node.kind != "title")
    assert [(one.name, one.runs, one.failed) for one in lead.tools] == [("task", 2, 0)]
    assert [tool.name for tool in graph.tools] == ["task", "task", "bash", "bash"]


def test_what_is_not_there_has_no_tools(engine: Engine) -> None:
    assert engine.reader.tool_turns("none") == ()
    assert view_tools(engine.reader, "none") is None
    assert view_runs(engine.reader, "none") is None
    assert view_graph(engine.reader, "none") is None
