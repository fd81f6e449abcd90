"""What every engine does with calls: versions in, rows, details and events out (see `ports`)."""

import json
from dataclasses import asdict, replace

import msgspec
import pytest
from tests.conformance.conftest import Engine
from tests.support.stored import MS, T0, Given, given, message, put_all, tool_use

from modular_agents.proxy.errors import ProxyError
from modular_agents.proxy.model.call import CallError, Delta, Message, Part, Status, Unreadable
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.event import DeltaRow
from modular_agents.proxy.model.query import CallerView, CallFilter, CallRow, EdgeRow, StatsQuery, TraceRow
from modular_agents.proxy.ports import JournalPosition, OpenCall

ALL = CallFilter()


def test_an_empty_store_has_nothing(engine: Engine) -> None:
    assert engine.store.position() == JournalPosition()
    assert engine.reader.seq() == (0, 0)
    assert engine.reader.calls(ALL, None, 10).items == ()
    assert engine.reader.traces(ALL, None, 10).items == ()
    assert engine.reader.call("01JABCDEFGHJKMNPQRSTVWXYZ0") is None
    assert engine.reader.raw("01JABCDEFGHJKMNPQRSTVWXYZ0") is None
    assert engine.reader.trace("nothing") is None
    assert engine.reader.events(0, 10) == []


def test_a_running_call_is_a_row(engine: Engine) -> None:
    call = given(1, agent="orchestrator", task="Fix the bug")
    put_all(engine.store, call)
    (row,) = engine.reader.calls(ALL, None, 10).items
    assert row.call_id == call.call_id
    assert row.status == "running"
    assert row.trace_id == "tr-1"
    assert row.thread_id == "th-1"
    assert row.created_at == "2025-10-09T08:53:21.000000Z"
    assert row.ended_at is None
    assert row.duration_ms is None
    assert (row.tokens_input, row.cost_usd, row.error) == (None, None, None)
    assert row.prompt_preview == "question 1"
    (trace,) = engine.reader.traces(ALL, None, 10).items
    assert (trace.trace_id, trace.status, trace.task_description) == ("tr-1", "running", "Fix the bug")
    assert (trace.call_count, trace.running_count, trace.agent_count) == (1, 1, 1)
    assert trace.cost_usd is None
    assert trace.ended_at is None


def test_a_final_version_replaces_the_running_one(engine: Engine) -> None:
    call = given(1)
    put_all(engine.store, call)
    put_all(engine.store, call.finished("The answer.", usd=0.25))
    (row,) = engine.reader.calls(ALL, None, 10).items
    assert row.status == "completed"
    assert row.answer_preview == "The answer."
    assert row.duration_ms == 250.0
    assert row.ttft_ms == 50.0
    assert row.ended_at == "2025-10-09T08:53:21.250000Z"
    assert (row.tokens_input, row.tokens_output, row.cost_usd) == (100, 20, 0.25)
    (trace,) = engine.reader.traces(ALL, None, 10).items
    assert (trace.status, trace.call_count, trace.running_count) == ("completed", 1, 0)
    assert (trace.tokens_input, trace.tokens_output, trace.cost_usd, trace.unpriced_count) == (100, 20, 0.25, 0)
    assert trace.ended_at == "2025-10-09T08:53:21.250000Z"


@pytest.mark.parametrize("late", ["running", "other final"])
def test_a_final_version_is_never_replaced(engine: Engine, late: str) -> None:
    call = given(1)
    put_all(engine.store, call.finished("First."))
    last = engine.reader.seq()[1]
    put_all(engine.store, call if late == "running" else call.finished("Second.", status=Status.FAILED))
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    assert detail.call.answer_preview == "First."
    assert engine.reader.seq()[1] == last, "nothing changed, so nothing is told"


def test_both_versions_in_one_batch(engine: Engine) -> None:
    call = given(1)
    put_all(engine.store, call, call.finished())
    assert [row.status for row in engine.reader.calls(ALL, None, 10).items] == ["completed"]
    assert engine.reader.traces(ALL, None, 10).items[0].call_count == 1


def test_the_detail_gives_back_all_that_was_said(engine: Engine) -> None:
    history = (message("user", 'Say "hi" — naïve ☃ \\ \n twice'), message("assistant", "hi"), message("user", "again", cached=True))
    call = given(1, messages=history, system=(message("system", "Be brief."),), tools=(b'{"name":"bash"}', b'{"name": "edit"}'))
    final = call.finished(tool_use("bash", {"command": "ls -la " + "x" * 50}))
    put_all(engine.store, final)
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    assert [(view.role, [(part.kind, part.text) for part in view.parts]) for view in detail.messages] == [
        (entry.role, [(part.kind, part.text) for part in entry.parts]) for entry in history
    ]
    assert [part.raw for view in detail.messages for part in view.parts] == [part.raw.decode() for entry in history for part in entry.parts]
    assert [part.text for view in detail.system for part in view.parts] == ["Be brief."]
    assert detail.tools == ('{"name":"bash"}', '{"name": "edit"}')
    assert detail.params == '{"max_tokens": 1024}'
    (answer,) = detail.answers
    (part,) = answer.parts
    assert (part.kind, part.name, part.tool_id) == ("tool_use", "bash", "toolu_1")
    assert json.loads(part.arguments or "") == {"command": "ls -la " + "x" * 50}
    assert detail.call.tool_names == ("bash",)
    assert detail.usage_raw == '{"input_tokens": 100}'
    assert (detail.cost.usd, detail.cost.model, detail.cost.catalogue) == (0.01, "claude-sonnet-4-5", "test prices 1")
    assert detail.request_id == f"req_{call.call_id}"
    assert detail.seq == engine.reader.seq()[1]


def test_equal_messages_are_one_node(engine: Engine) -> None:
    first = given(1, messages=(message("user", "same"), message("user", "other")))
    second = given(2, messages=(message("user", "same"),), trace="tr-2", thread="th-2")
    put_all(engine.store, first, second)
    one, two = engine.reader.call(first.call_id), engine.reader.call(second.call_id)
    assert one is not None
    assert two is not None
    assert one.messages[0].node == two.messages[0].node
    assert one.messages[0].node != one.messages[1].node


def test_errors_and_unreadable_bodies_are_shown(engine: Engine) -> None:
    call = given(1, body=b"\xff\xfenot json", messages=(message("user", "x"),))
    final = call.finished("", status=Status.FAILED, usd=None, tokens=(None, None), error=CallError("provider", "overloaded", "Try later"))
    final = replace(final, call=replace(final.call, messages=(), unreadable=Unreadable("request", "not JSON"), flags=frozenset({"gap"})))
    put_all(engine.store, final)
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    assert (detail.call.error, detail.error_whose, detail.error_kind) == ("Try later", "provider", "overloaded")
    assert (detail.unreadable_where, detail.unreadable_reason) == ("request", "not JSON")
    assert detail.messages == ()
    assert detail.answers == ()
    assert detail.call.flags == ("gap",)
    (trace,) = engine.reader.traces(ALL, None, 10).items
    assert (trace.status, trace.error_count, trace.unpriced_count, trace.tokens_input) == ("failed", 1, 0, None)


def test_an_exchange_comes_back_byte_for_byte(engine: Engine) -> None:
    call = given(1, messages=(message("user", "a"), message("assistant", "b"), message("user", "c")), tools=(b'{"name":"t"}',)).finished()
    put_all(engine.store, call)
    raw = engine.reader.raw(call.call_id)
    assert raw is not None
    assert raw.request_body == call.exchange.request.body
    assert raw.request_rebuilt
    response = call.exchange.response
    assert response is not None
    assert raw.response_body == response.body
    assert raw.response_headers == response.headers
    assert raw.request_headers == call.exchange.request.headers
    assert raw.chunks == ((50.0, len(response.body) // 2), (250.0, len(response.body) - len(response.body) // 2))
    assert (raw.status, raw.reason, raw.outcome) == (200, "OK", "complete")


@pytest.mark.parametrize("body", [b"", b"\x28\xb5\x2f\xfd compressed", b'{"messages": []}', bytes(range(256)) * 40], ids=len)
def test_a_body_that_no_recipe_rebuilds_is_kept_whole(engine: Engine, body: bytes) -> None:
    call = given(1, body=body)
    put_all(engine.store, call)
    put_all(engine.store, call.finished())
    raw = engine.reader.raw(call.call_id)
    assert raw is not None
    assert raw.request_body == body
    assert not raw.request_rebuilt


def test_a_request_is_shown_before_its_answer(engine: Engine) -> None:
    call = given(1)
    put_all(engine.store, call)
    raw = engine.reader.raw(call.call_id)
    assert raw is not None
    assert raw.request_body == call.exchange.request.body
    assert (raw.status, raw.response_body, raw.chunks, raw.outcome) == (None, b"", (), None)


def test_a_request_that_was_seen_in_part_is_replaced_by_the_whole(engine: Engine) -> None:
    whole = given(1, messages=(message("user", "one"), message("user", "two")))
    part = given(1, messages=(message("user", "one"),), body=b'{"messages": [')
    put_all(engine.store, part)
    put_all(engine.store, whole.finished())
    raw, detail = engine.reader.raw(whole.call_id), engine.reader.call(whole.call_id)
    assert raw is not None
    assert detail is not None
    assert raw.request_body == whole.exchange.request.body
    assert len(detail.messages) == 2


def test_the_partial_answer_of_a_running_call(engine: Engine) -> None:
    call = given(1)
    put_all(engine.store, call)
    pieces = [(0, "thinking", "Let me ", None), (1, "text", "Hel", None), (0, "thinking", "see", None), (1, "text", "lo", None)]
    with engine.store.batch() as transaction:
        transaction.put_deltas([Delta(call.call_id, T0 + at, part, kind, text, name) for at, (part, kind, text, name) in enumerate(pieces)])
        transaction.put_deltas([Delta(call.call_id, T0, 2, "tool_use", '{"a"', "bash"), Delta(call.call_id, T0, 2, "tool_use", ": 1}")])
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    (view,) = detail.partial
    assert [(part.kind, part.text, part.name, part.arguments) for part in view.parts] == [
        ("thinking", "Let me see", None, None),
        ("text", "Hello", None, None),
        ("tool_use", "", "bash", '{"a": 1}'),
    ]
    put_all(engine.store, call.finished())
    ended = engine.reader.call(call.call_id)
    assert ended is not None
    assert ended.partial == ()


def test_pieces_of_a_call_that_is_not_running_are_dropped(engine: Engine) -> None:
    call = given(1).finished()
    put_all(engine.store, call)
    last = engine.reader.seq()[1]
    with engine.store.batch() as transaction:
        transaction.put_deltas([Delta(call.call_id, T0, 0, "text", "late"), Delta("01JUNKNOWN", T0, 0, "text", "nobody")])
    assert engine.reader.seq()[1] == last


def test_events_tell_what_happened_in_order(engine: Engine) -> None:
    first = given(1)
    second = given(2, parent=first)
    put_all(engine.store, first)
    put_all(engine.store, first.finished(), second)
    with engine.store.batch() as transaction:
        transaction.put_deltas([Delta(second.call_id, T0 + 5 * MS, 0, "text", "Hi")])
    events = engine.reader.events(0, 100)
    assert [(event.kind, event.call_id) for event in events] == [
        ("call", first.call_id),
        ("trace", None),
        ("call", first.call_id),
        *sorted([("call", second.call_id), ("edge", second.call_id)], reverse=events[3].kind == "edge"),
        ("trace", None),
        ("delta", second.call_id),
    ]
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert {event.trace_id for event in events} == {"tr-1"}
    decoded = {"call": CallRow, "trace": TraceRow, "edge": EdgeRow, "delta": DeltaRow}
    rows = [msgspec.json.decode(event.body, type=decoded[event.kind]) for event in events]
    assert rows[-1] == DeltaRow(second.call_id, "2025-10-09T08:53:20.005000Z", 0, "text", "Hi", None)
    assert asdict(rows[-2]) == asdict(engine.reader.traces(ALL, None, 1).items[0])
    assert engine.reader.events(events[2].seq, 2) == events[3:5]
    assert engine.reader.seq() == (0, events[-1].seq)
    assert engine.reader.events(events[-1].seq, 10) == []


def test_a_batch_that_raises_leaves_nothing(engine: Engine) -> None:
    call, other = given(1), given(2, trace="tr-2", thread="th-2")
    put_all(engine.store, call)
    before = engine.reader.seq()
    with pytest.raises(RuntimeError):
        _fail_in_a_batch(engine, other, call.finished())
    assert engine.store.position() == JournalPosition()
    assert engine.reader.seq() == before
    assert [row.status for row in engine.reader.calls(ALL, None, 10).items] == ["running"]
    put_all(engine.store, call.finished(), other)
    assert sorted(row.status for row in engine.reader.calls(ALL, None, 10).items) == ["completed", "running"]
    assert len(engine.reader.traces(ALL, None, 10).items) == 2


def _fail_in_a_batch(engine: Engine, *calls: Given) -> None:
    with engine.store.batch() as transaction:
        for call in calls:
            call.put(transaction)
        transaction.set_position(JournalPosition({"a": 1}))
        raise RuntimeError


def test_the_position_lands_with_the_rows(engine: Engine) -> None:
    positions = [
        JournalPosition({"w1-0001": 100}, (OpenCall("c1", "w1-0001", 10), OpenCall("c2", "w1-0001", 20))),
        JournalPosition({"w1-0001": 900, "w1-0002": 5}, (OpenCall("c2", "w1-0001", 20), OpenCall("c3", "w1-0002", 1))),
        JournalPosition({"w1-0002": 70}, ()),
    ]
    for position in positions:
        with engine.store.batch() as transaction:
            transaction.set_position(position)
        found = engine.store.position()
        assert dict(found.offsets) == dict(position.offsets)
        assert set(found.open_calls) == set(position.open_calls)
    if engine.reopen:
        engine.store.close()
        engine.store = engine.reopen()
        assert dict(engine.store.position().offsets) == {"w1-0002": 70}


def test_the_version_changes_with_every_commit_and_only_then(engine: Engine) -> None:
    seen = engine.reader.version()
    assert engine.reader.version() == seen
    put_all(engine.store, given(1))
    assert engine.reader.version() != seen


def test_ids_are_found_by_a_unique_beginning_or_end(engine: Engine) -> None:
    first, second = given(1), given(2)
    put_all(engine.store, first, second)
    for part in (first.call_id, first.call_id[-6:], first.call_id[-10:].lower(), first.call_id[:20]):
        detail = engine.reader.call(part)
        assert detail is not None, part
        assert detail.call.call_id == first.call_id
    assert engine.reader.call(first.call_id[-5:]) is None, "five characters are too few"
    assert engine.reader.call(first.call_id[:6]) is None, "both begin so"
    assert engine.reader.call("%%%%%%%") is None
    assert engine.reader.call("______") is None


def test_hostile_text_is_stored_and_shown(engine: Engine) -> None:
    nasty = "<script>\x00\x1b[31m\ud800 \U0001f600 '; DROP TABLE call; --"
    call = given(1, agent=nasty, model=nasty, trace=nasty, thread=nasty)
    final = call.finished(Message("assistant", (Part("text", nasty),), b'{"role":"assistant"}', b"x" * 16))
    final = replace(final, call=replace(final.call, path=nasty, error=CallError("client", nasty, nasty)))
    put_all(engine.store, call)
    with engine.store.batch() as transaction:
        transaction.put_deltas([Delta(call.call_id, T0, 0, "text", nasty, nasty)])
    put_all(engine.store, final)
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    shown = nasty.replace("\ud800", "?")
    assert (detail.call.model, detail.call.agent_name, detail.call.path, detail.call.trace_id) == (shown, shown, shown, shown)
    assert detail.answers[0].parts[0].text == shown
    assert engine.reader.trace(shown) is not None
    assert engine.reader.events(0, 100) != []


def test_numbers_beyond_what_can_be_stored_are_unknown(engine: Engine) -> None:
    call = given(1).finished(tokens=(2**70, -(2**70)), usd=float("nan"))
    put_all(engine.store, call)
    (row,) = engine.reader.calls(ALL, None, 1).items
    assert (row.tokens_input, row.tokens_output, row.cost_usd) == (None, None, None)


def test_a_closed_store_says_so(engine: Engine) -> None:
    engine.store.close()
    engine.store.close()
    with pytest.raises(ProxyError), engine.store.batch():
        pass


def test_whose_a_connection_is_stands_on_its_calls(engine: Engine) -> None:
    call, other = given(1), given(2, thread="th-2")
    put_all(engine.store, call, other)
    detail = engine.reader.call(call.call_id)
    assert detail is not None
    assert detail.caller is None
    caller = Caller("conn-th-1", T0, 4711, T0 - 5 * MS, "/usr/bin/python3", "python agent.py", "/srv/project")
    later = replace(caller, pid=5, directory="/elsewhere\ud800")
    with engine.store.batch() as transaction:
        transaction.put_callers([caller, later, replace(later, connection_id="conn-th-2", started_ns=None)])
    first, second = (engine.reader.call(each.call_id) for each in (call, other))
    assert first is not None
    assert second is not None
    assert first.caller == CallerView(4711, "2025-10-09T08:53:19.995000Z", "/usr/bin/python3", "python agent.py", "/srv/project")
    assert second.caller == CallerView(5, None, "/usr/bin/python3", "python agent.py", "/elsewhere?")


def test_counts_that_no_call_can_have_do_not_stop_the_calls_after_it(engine: Engine) -> None:
    """A provider that counts nonsense: 64 bits hold one such number, not the sum of some, by trace and by hour."""
    for number in range(4):
        put_all(engine.store, given(number, trace=f"tr-{number % 2}").finished(tokens=(2**63 - 1, 2**40 - 1)))
    rows = engine.reader.traces(ALL, None, 10).items
    assert {(row.call_count, row.tokens_input, row.tokens_output) for row in rows} == {(2, None, 2**41 - 2)}
    total = engine.reader.stats(StatsQuery(step_hours=0)).total
    assert (total.calls, total.tokens_input, total.tokens_output) == (4, 0, 2**42 - 4)
