"""Statistics, prices and retention on every engine: sums that hold while calls move, cost otherwise, and go."""

from dataclasses import replace

import msgspec
import pytest
from tests.conformance.conftest import Engine
from tests.support.stored import SECOND, T0, given, message, put_all

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.model.call import CallError, Cost, Delta, Part, Status
from modular_agents.proxy.model.event import RemovedRow
from modular_agents.proxy.model.link import LinkChanges, ThreadMove
from modular_agents.proxy.model.query import CallFilter, Snippet, StatsQuery

ALL = CallFilter()
HOUR = 3600 * SECOND
OOPS = CallError("provider", "x", "y")


def test_sums_by_hour_and_model(engine: Engine) -> None:
    put_all(
        engine.store,
        given(0).finished(usd=0.5, tokens=(100, 20)),
        given(1, thread="th-2").finished(usd=None, tokens=(10, None)),
        given(2, at_ms=2 * 3_600_000, model="gpt-5", provider="openai", agent="coder").finished(usd=1.0, tokens=(7, 3)),
        given(3, at_ms=2 * 3_600_000).finished(
            "", status=Status.FAILED, usd=None, tokens=(None, None), error=CallError("provider", "x", "y")
        ),
        given(4),
    )
    stats = engine.reader.stats(StatsQuery(by="model", step_hours=1))
    assert [(row.time, row.name, row.calls, row.errors, row.tokens_input, row.cost_usd, row.unpriced) for row in stats.rows] == [
        ("2025-10-09T08:00:00.000000Z", "claude-sonnet-4-5", 2, 0, 110, 0.5, 1),
        ("2025-10-09T10:00:00.000000Z", "claude-sonnet-4-5", 1, 1, 0, 0.0, 0),
        ("2025-10-09T10:00:00.000000Z", "gpt-5", 1, 0, 7, 1.0, 0),
    ]
    assert (stats.total.time, stats.total.calls, stats.total.cost_usd, stats.total.tokens_output) == (None, 4, 1.5, 23)
    assert stats.total.mean_duration_ms == 250.0
    assert stats.rows[2].tokens_per_second == pytest.approx(3 / 0.2)
    assert [row.name for row in engine.reader.stats(StatsQuery(by="agent", step_hours=0)).rows] == ["", "coder"]
    assert [row.name for row in engine.reader.stats(StatsQuery(by="provider", step_hours=0)).rows] == ["claude", "openai"]
    assert [row.calls for row in engine.reader.stats(StatsQuery(step_hours=24)).rows] == [4]
    assert [row.cost_usd for row in stats.dearest_traces] == [1.5]
    assert [row.cost_usd for row in stats.dearest_calls] == [1.0, 0.5]


def test_a_cancelled_call_is_no_error_and_an_interrupted_one_is(engine: Engine) -> None:
    gone, died = CallError("client", "client_gone", "the client went away"), CallError("proxy", "interrupted", "the worker died")
    put_all(
        engine.store,
        given(0).finished("Half", status=Status.CANCELLED, error=gone),
        given(1).finished("Half", status=Status.INTERRUPTED, error=died),
        given(2).finished(),
    )
    assert (engine.reader.stats(StatsQuery()).total.calls, engine.reader.stats(StatsQuery()).total.errors) == (3, 1)
    (trace,) = engine.reader.traces(ALL, None, 10).items
    assert (trace.error_count, trace.status) == (1, "completed")
    assert [row.status for row in engine.reader.calls(CallFilter(has_error=True), None, 10).items] == ["interrupted"]
    assert {row.status: row.error for row in engine.reader.calls(ALL, None, 10).items}["cancelled"] == "the client went away"


def test_statistics_are_narrowed(engine: Engine) -> None:
    put_all(
        engine.store, *(given(n, at_ms=n * 3_600_000, thread=f"t{n}", model=f"m{n % 2}", agent=f"a{n}").finished(usd=1.0) for n in range(6))
    )
    for query, calls in (
        (StatsQuery(model="m1"), 3),
        (StatsQuery(agent="a2"), 1),
        (StatsQuery(provider="claude"), 6),
        (StatsQuery(provider="nobody"), 0),
        (StatsQuery(since_ns=T0 + 2 * HOUR), 4),
        (StatsQuery(until_ns=T0 + 2 * HOUR), 3),
        (StatsQuery(since_ns=-5, until_ns=10**30), 6),
        (StatsQuery(model="m0", since_ns=T0 + 2 * HOUR, until_ns=T0 + 3 * HOUR), 1),
    ):
        stats = engine.reader.stats(query)
        assert stats.total.calls == calls, query
        assert sum(row.calls for row in stats.rows) == calls


def test_latencies_are_percentiles(engine: Engine) -> None:
    put_all(engine.store, *(given(n, thread=f"th-{n}").finished(after_ms=100 if n < 90 else 10_000) for n in range(100)))
    rows = {row.what: row for row in engine.reader.stats(StatsQuery()).latency}
    assert rows["duration"].calls == 100
    assert rows["duration"].p50_ms == pytest.approx(100, rel=0.1)
    assert rows["duration"].p95_ms == pytest.approx(10_000, rel=0.1)
    assert rows["ttft"].p99_ms == pytest.approx(50, rel=0.1)


def test_statistics_by_nothing_we_know_are_refused(engine: Engine) -> None:
    with pytest.raises(UsageError):
        engine.reader.stats(StatsQuery(by="1; DROP TABLE hour"))


def test_a_new_price_goes_into_every_sum(engine: Engine) -> None:
    call = given(1).finished(usd=None)
    put_all(engine.store, call, given(2))
    with engine.store.batch() as batch:
        assert batch.set_cost(call.call_id, Cost(0.75, "m", "prices 2", "batch", "said so"))
        assert not batch.set_cost(call.call_id, Cost(0.75, "m", "prices 2", "batch", "said so"))
        assert not batch.set_cost(given(2).call_id, Cost(1.0)), "it has not ended"
        assert not batch.set_cost("nobody", Cost(1.0))
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    assert (detail.cost.usd, detail.cost.catalogue, detail.cost.tier) == (0.75, "prices 2", "batch")
    assert engine.reader.traces(ALL, None, 1).items[0].cost_usd == 0.75
    assert engine.reader.traces(ALL, None, 1).items[0].unpriced_count == 0
    assert engine.reader.stats(StatsQuery()).total.cost_usd == 0.75
    assert engine.reader.stats(StatsQuery()).total.unpriced == 0
    with engine.store.batch() as batch:
        assert batch.set_cost(call.call_id, Cost(None, why="gone"))
    assert engine.reader.stats(StatsQuery()).total.unpriced == 1
    assert engine.reader.traces(ALL, None, 1).items[0].cost_usd is None


def test_what_a_price_depends_on_comes_back(engine: Engine) -> None:
    searching = replace(message("assistant", "found"), parts=(Part("text", "found"), Part("server_tool_use", name="web_search_call")))
    call = given(1).finished(searching)
    call = replace(call, call=replace(call.call, service_tier="flex"))
    put_all(engine.store, call, given(2, thread="th-2").finished(usd=None), given(3, thread="th-3"))
    first = engine.reader.priced(None, 1)
    rest = engine.reader.priced(first.next_cursor, 5)
    assert rest.next_cursor is None
    assert [(item.call.call_id, item.cost.usd) for item in (*first.items, *rest.items)] == [(call.call_id, 0.01), (given(2).call_id, None)]
    found = first.items[0].call
    assert (found.usage, found.service_tier, found.model, found.model_response) == (
        call.call.usage,
        "flex",
        call.call.model,
        call.call.model_response,
    )
    assert (found.operation, found.method, found.status, found.http_status) == ("chat", "POST", Status.COMPLETED, 200)
    assert [part.name for answer in found.answers for part in answer.parts if part.kind == "server_tool_use"] == ["web_search_call"]


def test_a_renamed_agent_takes_its_statistics_along(engine: Engine) -> None:
    put_all(engine.store, given(1, thread="th-7").finished(usd=2.0), given(2, thread="th-8").finished(usd=1.0))
    with engine.store.batch() as batch:
        batch.relink(LinkChanges(moves=(ThreadMove("th-7", "th-7", "tr-1", given(1).call_id, None, "planner"),)))
    rows = engine.reader.stats(StatsQuery(by="agent", step_hours=0)).rows
    assert [(row.name, row.calls, row.cost_usd) for row in rows] == [("", 1, 1.0), ("planner", 1, 2.0)]


def test_expired_calls_go_with_all_they_hold(engine: Engine) -> None:
    old = given(1, trace="old", thread="th-1", messages=(message("user", "elephant"),)).finished(usd=1.0)
    kept = given(10, trace="new", thread="th-2", messages=(message("user", "giraffe"),), parent=old).finished(usd=2.0)
    running = given(2, trace="old-but-running", thread="th-3")
    put_all(engine.store, old, kept, running)
    engine.store.tidy()
    assert engine.store.purge(T0 + 5 * SECOND, None) == 1
    assert engine.store.purge(T0 + 5 * SECOND, None) == 0
    assert {row.call_id for row in engine.reader.calls(ALL, None, 10).items} == {kept.call_id, running.call_id}
    assert engine.reader.call(old.call_id) is None
    assert engine.reader.raw(old.call_id) is None
    assert engine.reader.trace("old") is None
    assert engine.reader.calls(CallFilter(text="elephant"), None, 10).items == ()
    assert len(engine.reader.calls(CallFilter(text="giraffe"), None, 10).items) == 1
    detail = engine.reader.trace("new")
    assert detail is not None
    assert detail.edges == ()
    assert engine.reader.stats(StatsQuery()).total.cost_usd == 3.0, "what was spent was spent"
    removed = [msgspec.json.decode(event.body, type=RemovedRow) for event in engine.reader.events(0, 100) if event.kind == "removed"]
    assert removed == [RemovedRow("old", None, None)]


def test_what_could_be_deleted_is_counted(engine: Engine) -> None:
    put_all(engine.store, given(1).finished(), given(2), given(3).finished())
    assert [(room.calls, room.expired) for room in map(engine.reader.room, (0, T0 + 2 * SECOND, T0 + 5 * SECOND, 10**30))] == [
        (3, 0),
        (3, 1),
        (3, 2),
        (3, 2),
    ]


def test_a_trace_that_loses_some_calls_is_counted_anew(engine: Engine) -> None:
    put_all(engine.store, *(given(n, thread=f"th-{n}", agent=f"a{n}", task=f"task {n}").finished(usd=1.0) for n in range(1, 5)))
    assert engine.store.purge(T0 + 3 * SECOND, None) == 2
    (trace,) = engine.reader.traces(ALL, None, 5).items
    assert (trace.call_count, trace.agent_count, trace.cost_usd, trace.task_description) == (2, 2, 2.0, "task 3")
    assert trace.created_at == "2025-10-09T08:53:23.000000Z"
    removed = [msgspec.json.decode(event.body, type=RemovedRow) for event in engine.reader.events(0, 100) if event.kind == "removed"]
    assert removed == [RemovedRow("tr-1", given(1).call_id, None), RemovedRow("tr-1", given(2).call_id, None)]


def test_what_was_deleted_can_be_said_again(engine: Engine) -> None:
    put_all(engine.store, given(1, trace="a").finished("same answer"))
    engine.store.purge(T0 + 5 * SECOND, None)
    again = given(6, trace="a", messages=given(1).call.messages)
    put_all(engine.store, again)
    put_all(engine.store, again.finished("same answer"))
    detail, raw = engine.reader.call(again.call_id), engine.reader.raw(again.call_id)
    assert detail is not None
    assert raw is not None
    assert detail.answers[0].parts[0].text == "same answer"
    assert detail.messages[0].parts[0].text == "question 1"
    assert raw.request_body == again.exchange.request.body


def test_the_exchange_can_be_read_again(engine: Engine) -> None:
    call = given(1).finished()
    put_all(engine.store, call)
    assert engine.reader.exchange(call.call_id) == call.exchange
    assert engine.reader.exchange("nobody") is None


def test_a_search_shows_where_it_found_the_words(engine: Engine) -> None:
    long = "lorem ipsum " * 50 + "the Crème\n brûlée was here " + "dolor " * 50
    put_all(
        engine.store,
        given(1, messages=(message("user", long),)).finished("nothing"),
        given(2, thread="th-2", messages=(message("user", "hello"),)).finished("a creme of the crop"),
        given(3, thread="th-3", system=(message("system", "only creme"),), messages=(message("user", "x"),)).finished("y"),
    )
    engine.store.tidy()
    page = engine.reader.calls(CallFilter(text="creme"), None, 10)
    assert len(page.snippets) == len(page.items) == 3
    system, answer, prompt = page.snippets
    assert system == Snippet("prompt", (("only ", False), ("creme", True)))
    assert answer == Snippet("answer", (("a ", False), ("creme", True), (" of the crop", False)))
    assert prompt is not None
    assert ("Crème", True) in prompt.pieces
    assert sum(len(text) for text, _ in prompt.pieces) <= 160
    assert "\n" not in "".join(text for text, _ in prompt.pieces)
    assert engine.reader.calls(ALL, None, 10).snippets == ()


def test_a_turn_knows_what_it_adds(engine: Engine) -> None:
    one = given(1, messages=(message("user", "a"),))
    history = (message("user", "a"), message("assistant", "b"), message("user", "c"))
    two, retry = given(2, messages=history, parent=one), given(3, messages=history, parent=given(2, messages=history))
    put_all(engine.store, one.finished("b"), two, retry)
    with engine.store.batch() as batch:
        batch.put_deltas([Delta(two.call_id, T0, 0, "text", "x")])
    found = [engine.reader.call(call.call_id) for call in (one, two, retry)]
    assert [detail.new_from for detail in found if detail] == [0, 2, 2]
