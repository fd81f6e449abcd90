"""Lists on every engine: newest first, filtered, paged by cursors, and found by words."""

import pytest
from tests.conformance.conftest import Engine
from tests.support.stored import SECOND, T0, given, message, put_all

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.model.call import CallError, Message, Part, Status
from modular_agents.proxy.model.query import CallFilter

ALL = CallFilter()


def test_pages_go_on_where_they_ended_while_calls_arrive(engine: Engine) -> None:
    put_all(engine.store, *(given(number, trace=f"tr-{number}", thread=f"th-{number}").finished() for number in range(1, 8)))
    first = engine.reader.calls(ALL, None, 3)
    assert [row.prompt_preview for row in first.items] == ["question 7", "question 6", "question 5"]
    put_all(engine.store, given(9, trace="tr-9", thread="th-9"))
    second = engine.reader.calls(ALL, first.next_cursor, 3)
    assert [row.prompt_preview for row in second.items] == ["question 4", "question 3", "question 2"]
    third = engine.reader.calls(ALL, second.next_cursor, 3)
    assert [row.prompt_preview for row in third.items] == ["question 1"]
    assert third.next_cursor is None
    traces = engine.reader.traces(ALL, None, 5)
    rest = engine.reader.traces(ALL, traces.next_cursor, 5)
    assert [row.trace_id for row in (*traces.items, *rest.items)] == [f"tr-{number}" for number in (9, 7, 6, 5, 4, 3, 2, 1)]


def test_calls_of_one_millisecond_are_all_listed(engine: Engine) -> None:
    put_all(engine.store, *(given(number, at_ms=5) for number in range(20)))
    found, cursor = [], None
    while True:
        page = engine.reader.calls(ALL, cursor, 7)
        found += [row.prompt_preview for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [f"question {number}" for number in range(19, -1, -1)]


@pytest.mark.parametrize("cursor", ["", "x", "c", "t5", "c-1", "c1' OR 1", "c" + "z" * 40, "0", "ü"])
def test_a_cursor_that_is_not_ours_is_refused(engine: Engine, cursor: str) -> None:
    with pytest.raises(UsageError):
        engine.reader.calls(ALL, cursor, 10)


@pytest.mark.parametrize("limit", [-1, 0, 10**9])
def test_a_silly_limit_is_bounded(engine: Engine, limit: int) -> None:
    put_all(engine.store, given(1), given(2))
    assert len(engine.reader.calls(ALL, None, limit).items) in {1, 2}
    assert engine.reader.events(-5, limit) != []


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (CallFilter(model="gpt-5"), [2]),
        (CallFilter(provider="openai"), [2]),
        (CallFilter(agent="coder"), [3]),
        (CallFilter(trace_id="tr-2"), [2]),
        (CallFilter(status="failed"), [4]),
        (CallFilter(status="running"), [5]),
        (CallFilter(status="completed"), [3, 2, 1]),
        (CallFilter(has_error=True), [4]),
        (CallFilter(has_error=False), [5, 3, 2, 1]),
        (CallFilter(min_cost_usd=0.5), [3]),
        (CallFilter(since_ns=T0 + 3 * SECOND), [5, 4, 3]),
        (CallFilter(until_ns=T0 + 3 * SECOND), [2, 1]),
        (CallFilter(since_ns=T0 + 2 * SECOND, until_ns=T0 + 4 * SECOND, provider="claude"), [3]),
        (CallFilter(since_ns=-(10**30), until_ns=10**30), [5, 4, 3, 2, 1]),
        (CallFilter(model="'; DROP TABLE call; --"), []),
        (CallFilter(model="half \ud800 pair"), []),
    ],
)
def test_calls_are_filtered(engine: Engine, where: CallFilter, wanted: list[int]) -> None:
    _five(engine)
    assert [row.prompt_preview for row in engine.reader.calls(where, None, 10).items] == [f"question {number}" for number in wanted]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (CallFilter(model="gpt-5"), ["tr-2"]),
        (CallFilter(agent="coder"), ["tr-1"]),
        (CallFilter(provider="openai"), ["tr-2"]),
        (CallFilter(trace_id="tr-4"), ["tr-4"]),
        (CallFilter(status="running"), ["tr-5"]),
        (CallFilter(status="failed"), ["tr-4"]),
        (CallFilter(status="completed"), ["tr-2", "tr-1"]),
        (CallFilter(has_error=True), ["tr-4"]),
        (CallFilter(min_cost_usd=0.5), ["tr-1"]),
        (CallFilter(since_ns=T0 + 3 * SECOND), ["tr-5", "tr-4", "tr-1"]),
        (CallFilter(until_ns=T0 + 2 * SECOND), ["tr-1"]),
        (CallFilter(text="question 4"), ["tr-4"]),
    ],
)
def test_traces_are_filtered(engine: Engine, where: CallFilter, wanted: list[str]) -> None:
    _five(engine)
    assert [row.trace_id for row in engine.reader.traces(where, None, 10).items] == wanted


def _five(engine: Engine) -> None:
    """Trace 1 has calls 1 and 3."""
    put_all(
        engine.store,
        given(1).finished(),
        given(2, trace="tr-2", thread="th-2", model="gpt-5", provider="openai").finished(usd=None),
        given(3, thread="th-3", agent="coder").finished(usd=0.75),
        given(4, trace="tr-4", thread="th-4").finished("", status=Status.FAILED, usd=None, error=CallError("provider", "api_error", "no")),
        given(5, trace="tr-5", thread="th-5"),
    )


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("banana", [2]),
        ("BANANA", [2]),
        ("banan*", [2]),
        ("naive", [2]),
        ("apple pear", [1]),
        ('"apple pear"', []),
        ('"pear and apple"', [1]),
        ("brief", [1]),
        ("answer", [2, 1]),
        ("secret-tool", [2]),
        ("growing", []),
        ('"', []),
        ("*", []),
        ("", [3, 2, 1]),
        ("NEAR(apple pear) OR", []),
        ("prompt:apple AND (", []),
        ("pear\x00and", [1]),
        ("half \ud800", []),
        ("^apple-{}[]()", [1]),
        ("x" * 100_000, []),
        ("ап*", []),
    ],
)
def test_words_are_found_and_syntax_is_words_too(engine: Engine, query: str, wanted: list[int]) -> None:
    put_all(
        engine.store,
        given(1, messages=(message("user", "pear and apple"),), system=(message("system", "Be brief."),)).finished("answer one"),
        given(2, thread="th-2", messages=(message("user", "Banana, naïve"),), system=(message("system", "Be brief."),)).finished(
            Message("assistant", (Part("text", "answer two"), Part("tool_use", name="secret-tool", arguments="{}")), b"{}", b"")
        ),
        given(3, thread="th-3", messages=(message("user", "growing"),)),
    )
    engine.store.tidy()
    found = [row.thread_id for row in engine.reader.calls(CallFilter(text=query), None, 10).items]
    assert found == [f"th-{number}" for number in wanted]


def test_words_of_a_history_are_found_where_they_were_said(engine: Engine) -> None:
    asked, told = message("user", "first zebra"), message("assistant", "stripes")
    one = given(1, messages=(asked,)).finished(told)
    two = given(2, messages=(asked, told, message("user", "second giraffe")), parent=one).finished("spots")
    put_all(engine.store, one, two)
    engine.store.tidy()
    for word, wanted in (("zebra", one), ("stripes", one), ("giraffe", two), ("spots", two)):
        assert [row.call_id for row in engine.reader.calls(CallFilter(text=word), None, 10).items] == [wanted.call_id], word


def test_searching_narrows_and_pages(engine: Engine) -> None:
    put_all(engine.store, *(given(number, thread=f"th-{number % 2}", model=f"m{number % 2}").finished("common") for number in range(1, 10)))
    engine.store.tidy()
    first = engine.reader.calls(CallFilter(text="common", model="m1"), None, 3)
    second = engine.reader.calls(CallFilter(text="common", model="m1"), first.next_cursor, 3)
    assert [row.prompt_preview for row in (*first.items, *second.items)] == [f"question {number}" for number in (9, 7, 5, 3, 1)]
    assert second.next_cursor is None
