"""Runs of tools over rows given by hand: whose result is whose, and what is no run at all."""

from collections.abc import Sequence
from dataclasses import replace
from time import process_time

import pytest
from tests.support.fake_reader import CALL, TRACE
from tests.support.talks import World

from modular_agents.proxy.linking.facts import Stand, encode
from modular_agents.proxy.linking.gather import gather
from modular_agents.proxy.linking.outline import outline, walk
from modular_agents.proxy.linking.toolspans import text_results, tool_spans, tool_sums
from modular_agents.proxy.model.query import CallRow, EdgeRow, TraceDetail
from modular_agents.proxy.model.tools import ToolResult, ToolSpan, ToolTurn, ToolUse, UserText


def call(name: str, at: int, thread: str = "th-1", **more: object) -> CallRow:
    """A call that begins at a second of its minute and takes one."""
    times = {"created_at": f"2026-11-22T09:30:{at:02}.000000Z", "ended_at": f"2026-11-22T09:30:{at + 1:02}.000000Z"}
    return replace(CALL, call_id=name, thread_id=thread, **(times | {"error": None} | more))  # type: ignore[arg-type]


def edges(*pairs: str) -> tuple[EdgeRow, ...]:
    """`a>b`: b goes on from a; `a=b`: a opened b's thread."""
    found = []
    for pair in pairs:
        kind = "delegation" if "=" in pair else "request"
        source, target = pair.split("=" if "=" in pair else ">")
        found.append(EdgeRow(pair, TRACE.trace_id, source, target, kind, "rule", 1.0))
    return tuple(found)


def asks(name: str, *uses: str, facts: bytes = b"", brings: Sequence[ToolResult] = (), texts: Sequence[UserText] = ()) -> ToolTurn:
    """Uses as `name` or `name:id`."""
    made = (ToolUse(use.partition(":")[2] or None, use.partition(":")[0]) for use in uses)
    return ToolTurn(name, tuple(made), tuple(brings), tuple(texts), facts)


def told(
    tool_id: str | None, name: str | None = None, *, is_error: bool | None = None, message: int = 2, is_new: bool = True
) -> ToolResult:
    return ToolResult(tool_id, name, is_error, message, 0, is_new)


def read(calls: Sequence[CallRow], links: Sequence[EdgeRow], *turns: ToolTurn, status: str = "completed") -> tuple[ToolSpan, ...]:
    return tool_spans(TraceDetail(replace(TRACE, status=status), tuple(calls), tuple(links), 0), turns)


def became(spans: Sequence[ToolSpan]) -> list[tuple[str, str, str | None]]:
    return [(span.span_id, span.state, span.result_call_id) for span in spans]


def test_a_replay_runs_nothing_and_brings_nothing() -> None:
    calls = [call("a", 0), call("r", 3, kind="replay", replay_of="a"), call("b", 9)]
    spans = read(
        calls,
        edges("a>r", "a>b"),
        asks("a", "bash:t1"),
        asks("r", "bash:t9", brings=[told("t1")]),
        asks("b", brings=[told("t1", is_error=True)]),
    )
    assert became(spans) == [("a.0", "failed", "b")]


@pytest.mark.parametrize("kind", ["count", "title", "probe"])
def test_a_helper_that_sends_the_history_brings_nothing(kind: str) -> None:
    """Clients count tokens of a request before they send it: the run ends with the request itself."""
    calls = [call("a", 0), call("n", 4, kind=kind), call("b", 5)]
    spans = read(
        calls,
        edges("a>n", "a>b"),
        asks("a", "bash:t1"),
        asks("n", brings=[told("t1")]),
        asks("b", brings=[told("t1")]),
    )
    assert [(span.result_call_id, span.duration_ms) for span in spans] == [("b", 4000.0)]


def test_a_copy_of_a_history_brings_nothing() -> None:
    """A sub-agent that begins with its parent's conversation repeats results that are not its own, before the parent has them."""
    calls = [call("a", 0), call("f", 2, "th-fork"), call("b", 9)]
    spans = read(
        calls,
        edges("a=f", "a>b"),
        asks("a", "Task:t1"),
        asks("f", brings=[told("t1")]),
        asks("b", brings=[told("t1")]),
    )
    assert became(spans) == [("a.0", "returned", "b")]
    assert spans[0].opened == ("th-fork",)


def test_an_agent_that_takes_over_brings_the_result_of_the_other() -> None:
    calls = [call("a", 0), call("b", 4, "th-2")]
    spans = read(calls, edges("a>b"), asks("a", "transfer:t1"), asks("b", brings=[told("t1")]))
    assert became(spans) == [("a.0", "returned", "b")]


@pytest.mark.parametrize("how", ["id", "name", "text"])
def test_a_turn_that_was_edited_and_sent_again_brings_nothing_new(how: str) -> None:
    form = {"format": "gemini.generate"} if how == "name" else {}
    calls = [call("a", 0, **form), call("b", 4, **form), call("e", 8, **form), call("f", 12, **form)]
    use = "bash" if how == "name" else "bash:t1"

    def again(name: str, *uses: str) -> ToolTurn:
        if how == "text":
            return asks(name, *uses, texts=[UserText("Tool result from bash: fine", 2, 0)])
        return asks(name, *uses, brings=[told("t1" if how == "id" else None, "bash")])

    first, *rest = read(
        calls, edges("a>b", "a>e", "e>f"), asks("a", use), again("b"), again("e", "grep:t2"), asks("f", brings=[told("t2", "grep")])
    )
    assert (first.span_id, first.result_call_id, first.paired_by) == ("a.0", "b", how)
    assert [(span.call_id, span.result_call_id) for span in rest] == [("e", "f")]


def test_equal_ids_in_two_conversations_do_not_meet() -> None:
    calls = [call("a", 0), call("x", 1, "th-2"), call("b", 4), call("y", 9, "th-2")]
    spans = read(
        calls,
        edges("a>b", "x>y"),
        asks("a", "bash:call_1"),
        asks("x", "bash:call_1"),
        asks("b", brings=[told("call_1")]),
        asks("y", brings=[told("call_1")]),
    )
    assert became(spans) == [("a.0", "returned", "b"), ("x.0", "returned", "y")]


def test_what_came_before_it_was_asked_for_is_something_else() -> None:
    spans = read([call("b", 0), call("a", 4)], edges("b>a"), asks("b", brings=[told("t1")]), asks("a", "bash:t1"))
    assert became(spans) == [("a.0", "unseen", None)]


def test_without_ids_results_go_by_name_then_by_order() -> None:
    gemini = {"format": "gemini.generate"}
    calls = [call("a", 0, **gemini), call("b", 5, **gemini)]
    uses = asks("a", "read", "grep", "read")
    spans = read(
        calls,
        edges("a>b"),
        uses,
        asks("b", brings=[told(None, "grep", message=2), told(None, "read", message=3), told(None, "read", message=4)]),
    )
    assert [(span.number, span.result_message) for span in spans] == [(0, 3), (1, 2), (2, 4)]
    assert {span.paired_by for span in spans} == {"name"}
    odd = read(calls, edges("a>b"), uses, asks("b", brings=[told(None, "other")]))
    assert {span.state for span in odd} == {"unseen"}


def test_without_ids_an_older_turns_result_is_not_this_ones() -> None:
    """Its history stands in the request too, before the last answer."""
    gemini = {"format": "gemini.generate"}
    calls = [call("a", 0, **gemini), call("b", 5, **gemini)]
    spans = read(calls, edges("a>b"), asks("a", "read"), asks("b", brings=[told(None, "read", message=0, is_new=False)]))
    assert [span.state for span in spans] == ["unseen"]


def test_ids_that_a_client_makes_up_still_tell_two_uses_apart_where_they_agree() -> None:
    gemini = {"format": "gemini.generate"}
    calls = [call("a", 0, **gemini), call("b", 5, **gemini)]
    brings = [told("g2", "read", message=2), told("made-up", "read", message=3)]
    spans = read(calls, edges("a>b"), asks("a", "read:g1", "read:g2"), asks("b", brings=brings))
    assert [(span.result_message, span.paired_by) for span in spans] == [(3, "name"), (2, "id")]


def test_an_answer_that_broke_off_asked_for_nothing() -> None:
    calls = [call("a", 0, status="cancelled"), call("c", 3, status="failed"), call("b", 6)]
    turns = (asks("a", "bash:t1"), asks("c", "bash:t2"))
    assert read(calls, edges("a>c", "c>b"), *turns) == ()
    spans = read(calls, edges("a>c", "c>b"), *turns, asks("b", brings=[told("t2")]))
    assert became(spans) == [("c.0", "returned", "b")]


def test_only_the_last_turn_of_a_running_trace_is_waited_for() -> None:
    calls = [call("a", 0), call("b", 5)]
    turns = (asks("a", "bash:t1"), asks("b", "bash:t2"))
    assert [span.state for span in read(calls, edges("a>b"), *turns, status="running")] == ["unseen", "running"]
    assert [span.state for span in read(calls, edges("a>b"), *turns)] == ["unseen", "unseen"]


def test_a_request_that_began_before_the_answer_ended_took_no_time() -> None:
    calls = [call("a", 0, ended_at="2026-11-22T09:30:07.000000Z"), call("b", 5)]
    (span,) = read(calls, edges("a>b"), asks("a", "bash:t1"), asks("b", brings=[told("t1")]))
    assert (span.duration_ms, span.started_at, span.ended_at) == (0.0, calls[1].created_at, calls[1].created_at)


def facts_of(use: str) -> bytes:
    return encode(gather(World().talk().turn("Look at a.py", "Done"))[0], Stand(use=use))


def test_of_several_uses_linking_says_which_one_opened_whom() -> None:
    calls = [call("a", 0), call("x", 2, "th-x"), call("y", 2, "th-y"), call("z", 3, "th-z")]
    spans = read(
        calls,
        edges("a=x", "a=y", "a=z"),
        asks("a", "task:t1", "task:t2", "bash:t3"),
        asks("x", facts=facts_of("t2")),
        asks("y", facts=facts_of("t1")),
        asks("z", facts=b"facts of another version"),
    )
    assert [span.opened for span in spans] == [("th-y",), ("th-x",), ()]


def test_a_plan_is_no_tool() -> None:
    """Structured output may come as a tool use; what its text opened, the plan opened."""
    calls = [call("a", 0), call("x", 2, "th-x"), call("b", 3), call("y", 4, "th-y")]
    planned = replace(edges("a=x")[0], evidence="plan")
    spans = read(calls, (planned, *edges("b=y")), asks("a", "json:t1"), asks("b", "task:t2"), asks("x", facts=facts_of("")), asks("y"))
    assert [span.opened for span in spans] == [(), ("th-y",)]


def test_uses_without_ids_are_named_by_their_place() -> None:
    gemini = {"format": "gemini.generate"}
    calls = [call("a", 0, **gemini), call("x", 2, "th-x", **gemini)]
    spans = read(calls, edges("a=x"), asks("a", "agent", "agent"), asks("x", facts=facts_of("agent#2")))
    assert [span.opened for span in spans] == [(), ("th-x",)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Tool result from read_file: hello", [("read_file", "hello", True)]),
        ("Tool result from `mcp__x.y-z`:\n\nhello", [("mcp__x.y-z", "hello", True)]),
        ("**Tool output for bash:** a\nb\n[Tool result: grep] c", [("bash", "a\nb", True), ("grep", "c", False)]),
        ('<tool_result name="bash">\nok', [("bash", "ok", True)]),
        ("Function result for search: 3 hits", [("search", "3 hits", True)]),
        ("I said: Tool result from bash: in the middle of a line", []),
        ("Please use the tool result of yesterday", []),
        ("", []),
    ],
)
def test_results_in_plain_text(text: str, wanted: list[tuple[str, str, bool]]) -> None:
    found = [(name, result, is_sure) for name, _, result, is_sure in text_results([UserText(text, 0, 0)])]
    assert found == wanted


@pytest.mark.parametrize("text", ["\n" * 400_000, " " * 400_000, "tool result" + ":" * 400_000, "tool result " * 30_000, "[" * 400_000])
def test_no_text_makes_the_look_for_results_slow(text: str) -> None:
    began = process_time()
    assert len(list(text_results([UserText(text, 0, 0)]))) <= 1
    assert process_time() - began < 5


def test_words_about_a_tool_are_no_result_of_another() -> None:
    calls = [call("a", 0), call("b", 5)]
    (span,) = read(calls, edges("a>b"), asks("a", "bash:t1"), asks("b", texts=[UserText("Tool result: the file is empty", 2, 0)]))
    assert span.state == "unseen"
    assert read(calls, edges("a>b"), asks("b", texts=[UserText("Tool result: the file is empty", 2, 0)])) == ()


def test_runs_are_summed_by_tool() -> None:
    calls = [call("a", 0), call("b", 5), call("c", 9)]
    spans = read(
        calls,
        edges("a>b", "b>c"),
        asks("a", "bash:t1", "read:t2", "bash:t3"),
        asks("b", "bash:t4", brings=[told("t1", is_error=True), told("t2"), told("t3")]),
        asks("c"),
    )
    bash, reading = tool_sums(spans)["th-1"]
    assert (bash.name, bash.runs, bash.failed, bash.unseen, bash.running, bash.duration_ms) == ("bash", 3, 1, 1, 0, 8000.0)
    assert (reading.name, reading.runs, reading.failed, reading.duration_ms) == ("read", 1, 0, 4000.0)
    (branch,) = outline(TraceDetail(TRACE, tuple(calls), edges("a>b", "b>c"), 0), spans).branches
    assert branch.tools == (bash, reading)


def test_a_tree_may_be_deeper_than_the_stack() -> None:
    calls = tuple(call(f"c{n:05}", 0, f"th-{n:05}", cost_usd=1.0, tokens_input=10) for n in range(1500))
    links = edges(*(f"c{n:05}=c{n + 1:05}" for n in range(1499)))
    drawn = outline(TraceDetail(TRACE, calls, links, 0))
    found = list(walk(drawn))
    assert [branch.thread_id for branch, _ in found] == [row.thread_id for row in calls]
    assert [branch.whole.calls for branch, _ in found] == list(range(1500, 0, -1))
    assert (drawn.branches[0].whole.cost_usd, drawn.branches[0].whole.tokens_input) == (1500.0, 15_000)
    assert [above.thread_id for _, above in found if above is not None] == [row.thread_id for row in calls[:-1]]
