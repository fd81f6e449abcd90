import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.fake_clock import FakeClock
from tests.support.fake_store import FakeStore
from tests.support.segments import Worker

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.journal.frames import Kind
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.linking import read, revise, settle
from modular_agents.proxy.linking.facts import Told
from modular_agents.proxy.model.call import Call, Cost, Status
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.recorder.live import Reads
from modular_agents.proxy.recorder.pipeline import LAZY_NS, Pipeline, Rooms
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.wire.reader import CallReader

REDACTOR = Redactor(b"dummy")
ROOMS = Rooms(CallReader, settle, lambda _call: Cost(0.5), revise, read)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@dataclass
class Line:
    """A journal directory, a store, and the pipeline between them."""

    directory: Path
    rooms: Rooms = ROOMS
    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.pipeline = self.start()

    def start(self) -> Pipeline:
        position = self.store.position()
        self.reader = JournalReader(self.directory, position)
        self.pipeline = Pipeline(self.reader, self.store, position, self.rooms, REDACTOR, self.clock)
        return self.pipeline

    def run(self) -> FakeStore:
        while self.pipeline.step():
            pass
        return self.store


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def question(*texts: str, stream: bool = False) -> bytes:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return json.dumps({"model": "m", "max_tokens": 9, "stream": stream, "messages": messages}).encode()


def answer(text: str) -> bytes:
    content = [{"type": "text", "text": text}]
    return json.dumps({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}).encode()


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def begin_stream(worker: Worker, exchange: int) -> None:
    worker.request(exchange, question("hi", stream=True))
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 3}}
    start = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    worker.answer(exchange, event("message_start", message=message), start, head=STREAM_HEAD)


def say(worker: Worker, exchange: int, *texts: str) -> None:
    for text in texts:
        worker.frame(Kind.RESPONSE_BODY, exchange, event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}))


def end_stream(worker: Worker, exchange: int) -> None:
    worker.frame(Kind.RESPONSE_BODY, exchange, event("content_block_stop", index=0))
    worker.frame(Kind.RESPONSE_BODY, exchange, event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}))
    worker.frame(Kind.RESPONSE_BODY, exchange, event("message_stop"))
    worker.end(exchange)


def whole_call(worker: Worker, exchange: int, *texts: str, reply: str = "ok") -> None:
    worker.request(exchange, question(*texts))
    worker.answer(exchange, answer(reply))
    worker.end(exchange)


def test_a_call_that_is_over_is_put_once(worker: Worker, line: Line) -> None:
    whole_call(worker, 1, "hi", reply="hello")
    (put,) = line.run().puts
    assert (put.call.status, put.call.answer_text, put.cost.usd) == (Status.COMPLETED, "hello", 0.5)
    assert put.exchange.response is not None
    assert put.exchange.response.body == answer("hello")
    assert line.store.deltas == []


def test_a_running_call_is_put_as_soon_as_its_request_is_complete_then_its_text_then_its_end(worker: Worker, line: Line) -> None:
    begin_stream(worker, 1)
    (running,) = line.run().puts
    assert (running.call.status, running.call.messages[0].parts[0].text) == (Status.RUNNING, "hi")
    say(worker, 1, "a", "b", "c")
    assert [delta.text for delta in line.run().deltas if delta.text] == ["abc"]
    say(worker, 1, "d")
    end_stream(worker, 1)
    store = line.run()
    assert store.text("call1") == "abc"
    assert len(store.puts) == 2
    assert store.final["call1"].call.answer_text == "abcd"
    assert store.final["call1"].call.first_token_ns is not None


def test_an_answer_is_stored_before_the_call_that_continues_it(worker: Worker, line: Line) -> None:
    whole_call(worker, 1, "hi", reply="hello")
    whole_call(worker, 2, "hi", "hello", "and?")
    final = line.run().final
    assert final["call2"].placement.parent_id == "call1"
    assert final["call2"].placement.trace_id == final["call1"].placement.trace_id


def test_a_request_that_never_ended_is_put_at_its_end(worker: Worker, line: Line) -> None:
    worker.request(1, b'{"mess', whole=False)
    worker.answer(1, b"early")
    assert line.run().puts == []
    worker.end(1, "client_gone")
    (put,) = line.run().puts
    assert (put.call.status, put.exchange.request.body) == (Status.CANCELLED, b'{"mess')


def test_while_the_store_is_away_nothing_is_lost_and_nothing_more_is_read(worker: Worker, line: Line) -> None:
    whole_call(worker, 1, "hi")
    line.store.away = True
    with pytest.raises(StoreUnavailable):
        line.pipeline.step()
    read = line.reader.offsets()
    whole_call(worker, 2, "hi")
    with pytest.raises(StoreUnavailable):
        line.pipeline.step()
    assert line.reader.offsets() == read
    line.store.away = False
    assert sorted(line.run().final) == ["call1", "call2"]
    assert len(line.store.puts) == 2


def test_a_commit_that_fails_at_its_end_is_made_again_whole(worker: Worker, line: Line) -> None:
    whole_call(worker, 1, "hi")
    failures = [StoreUnavailable("full")]

    def fail(call: Call | None) -> None:
        if call is None and failures:
            raise failures.pop()

    line.store.fail = fail
    with pytest.raises(StoreUnavailable):
        line.pipeline.step()
    assert line.store.puts == []
    assert len(line.run().puts) == 1


class Counts:
    """A reader that counts its verbs."""

    def __init__(self, exchange: object, counts: dict[str, int]) -> None:
        self.inner: Reads = CallReader(exchange)  # type: ignore[arg-type]
        self.counts = counts

    def __getattr__(self, name: str) -> object:
        self.counts[name] = self.counts.get(name, 0) + 1
        return getattr(self.inner, name)


def test_an_answer_that_nobody_saw_growing_is_read_at_once_from_where_it_begins(worker: Worker, tmp_path: Path) -> None:
    counts: dict[str, int] = {}
    line = Line(tmp_path, replace(ROOMS, start=lambda exchange: Counts(exchange, counts)))
    begin_stream(worker, 1)
    say(worker, 1, *"abcdefghij")
    end_stream(worker, 1)
    (put,) = line.run().puts
    assert put.call.answer_text == "abcdefghij"
    assert put.exchange.response is not None
    assert put.call.first_token_ns == put.exchange.response.chunks[2].at_ns
    assert counts == {"ask": 1, "response": 1, "feed": 4, "finish": 1}


class Breaks:
    """A reader that fails at one of its verbs."""

    def __init__(self, exchange: object, verb: str) -> None:
        self.inner: Reads = CallReader(exchange)  # type: ignore[arg-type]
        self.verb = verb

    def __getattr__(self, name: str) -> object:
        if name == self.verb:
            raise RecursionError(name)
        return getattr(self.inner, name)


@pytest.mark.parametrize("verb", ["ask", "response", "feed", "finish"])
def test_a_bug_in_reading_costs_no_row(worker: Worker, tmp_path: Path, verb: str) -> None:
    line = Line(tmp_path, replace(ROOMS, start=lambda exchange: Breaks(exchange, verb)))
    whole_call(worker, 1, "hi", reply="hello")
    (put,) = line.run().puts
    assert put.call.status == Status.COMPLETED
    assert put.call.unreadable is not None
    assert put.exchange.response is not None
    assert put.exchange.response.body == answer("hello")
    assert (put.call.messages == ()) == (verb == "ask")


def test_a_bug_in_showing_a_running_call_costs_no_row(worker: Worker, tmp_path: Path) -> None:
    line = Line(tmp_path, replace(ROOMS, start=lambda exchange: Breaks(exchange, "running")))
    worker.request(1, question("hi"))
    (put,) = line.run().puts
    assert put.call.status == Status.RUNNING
    assert put.call.unreadable is not None
    assert put.exchange.request.body == question("hi")


def breaks(*_: object) -> object:
    raise KeyError("bug")


@pytest.mark.parametrize("room", ["start", "gather", "link", "price"])
def test_a_bug_in_any_room_costs_no_row(worker: Worker, tmp_path: Path, room: str) -> None:
    line = Line(tmp_path, replace(ROOMS, **{room: breaks}))
    whole_call(worker, 1, "hi")
    worker.request(2, question("x"))
    store = line.run()
    assert [(put.call.call_id, put.call.status) for put in store.puts] == [("call1", Status.COMPLETED), ("call2", Status.RUNNING)]
    assert store.final["call1"].placement.trace_id


def fails_on(*calls: str, bare_too: bool = False) -> Callable[[Call | None], None]:
    def fail(call: Call | None) -> None:
        if call and call.call_id in calls and (bare_too or call.format != "raw"):
            raise TypeError("bug")

    return fail


def test_a_call_the_store_fails_on_is_stored_bare_and_its_neighbours_whole(worker: Worker, line: Line) -> None:
    for n in (1, 2, 3):
        whole_call(worker, n, f"hi {n}")
    line.store.fail = fails_on("call2")
    final = line.run().final
    assert [put.call.format for put in final.values()] == ["anthropic.messages", "raw", "anthropic.messages"]
    assert line.pipeline.tally.bare_calls == 1


def test_a_call_the_store_cannot_store_at_all_holds_up_nobody_and_is_counted(worker: Worker, line: Line) -> None:
    for n in (1, 2):
        whole_call(worker, n, f"hi {n}")
    line.store.fail = fails_on("call1", bare_too=True)
    assert list(line.run().final) == ["call2"]
    assert line.pipeline.tally.skipped_calls == 1


def test_a_store_that_fails_on_the_position_is_not_papered_over(worker: Worker, line: Line) -> None:
    whole_call(worker, 1, "hi")
    line.store.fail = lambda call: breaks() if call is None else None
    with pytest.raises(KeyError):
        line.pipeline.step()


def test_a_restart_continues_a_stream_without_doubling_text_or_rows(worker: Worker, line: Line) -> None:
    begin_stream(worker, 1)
    say(worker, 1, "a", "b")
    line.run()
    say(worker, 1, "c")
    line.start()
    line.run()
    say(worker, 1, "d")
    line.run()
    end_stream(worker, 1)
    line.start()
    store = line.run()
    assert [put.call.status for put in store.puts] == [Status.RUNNING, Status.COMPLETED]
    assert store.text("call1") == "abcd"
    assert store.final["call1"].call.answer_text == "abcd"


def test_calls_of_a_dead_worker_are_interrupted_with_what_was_seen(worker: Worker, line: Line) -> None:
    begin_stream(worker, 1)
    say(worker, 1, "half of ")
    line.run()
    worker.die()
    line.run()
    put = line.store.final["call1"]
    assert (put.call.status, put.call.answer_text) == (Status.INTERRUPTED, "half of ")
    assert line.store.at.open_calls == ()


def test_progress_nobody_sees_is_committed_now_and_then(worker: Worker, line: Line) -> None:
    worker.request(1, b"half", whole=False)
    assert not line.pipeline.step()
    assert line.store.commits == 0
    line.clock.monotonic += LAZY_NS
    assert line.pipeline.step()
    assert [call.call_id for call in line.store.at.open_calls] == ["call1"]


def test_segments_are_deleted_once_committed_and_needed_no_more(worker: Worker, line: Line) -> None:
    first, second = worker.path, worker.directory / worker.name.replace("000000", "000001")
    begin_stream(worker, 1)
    worker.rotate()
    line.run()
    line.clock.go(2)
    whole_call(worker, 2, "hi")
    line.run()
    assert first.exists()
    end_stream(worker, 1)
    worker.rotate()
    line.run()
    line.clock.go(2)
    whole_call(worker, 3, "hi")
    line.run()
    assert not first.exists()
    assert not second.exists()
    line.clock.go(2)
    whole_call(worker, 4, "hi")
    line.run()
    assert list(line.store.at.offsets) == [worker.name]


def test_an_empty_journal_is_no_work(line: Line) -> None:
    assert not line.pipeline.step()
    assert line.store.commits == 0


def test_linking_hears_of_a_process_that_is_found_out_while_its_call_runs(line: Line, worker: Worker) -> None:
    told: list[list[Caller]] = []
    line.pipeline._callers = lambda: told.pop(0) if told else []
    begin_stream(worker, 1)
    (running,) = line.run().puts
    assert isinstance(running.indexed.live, Told)
    assert not running.indexed.live.facts.process
    told.append([Caller("c1", 0, 7, 5, "", "", "")])
    end_stream(worker, 1)
    final = line.run().final["call1"]
    assert isinstance(final.indexed.live, Told)
    assert final.call.process
    assert final.indexed.live.facts.process


def test_of_very_many_connections_those_that_are_used_keep_their_process(
    line: Line, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept connection outlasts thousands of short ones, as long as it is used."""
    monkeypatch.setattr("modular_agents.proxy.recorder.pipeline.MOST_CONNECTIONS", 3)
    told: list[list[Caller]] = []
    line.pipeline._callers = lambda: told.pop(0) if told else []

    def process_of_the_next(exchange: int, *connections: str) -> str:
        told.append([Caller(name, 0, 7, 5, "", "", "") for name in connections])
        worker.request(exchange, question(f"question {exchange}"))
        worker.answer(exchange, answer("yes"))
        worker.end(exchange)
        return line.run().final[f"call{exchange}"].call.process

    assert process_of_the_next(1, "c1")
    assert all(process_of_the_next(exchange, f"short-{exchange}") for exchange in range(2, 12))
    assert len(line.pipeline._processes) <= 3
    assert not process_of_the_next(12, "other-1", "other-2", "other-3"), "three others came since it was used"
