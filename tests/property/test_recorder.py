"""Laws of the recorder: a crash or an absent store at any moment changes nothing in the end, and no run of frames makes it fail."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fake_clock import FakeClock
from tests.support.fake_store import FakeStore
from tests.support.segments import Worker

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.journal.frames import Kind, encode
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.linking import read, revise, settle
from modular_agents.proxy.model.call import Cost, Status
from modular_agents.proxy.recorder.pipeline import Pipeline, Rooms
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.wire.reader import CallReader

REDACTOR = Redactor(b"dummy")
ROOMS = Rooms(CallReader, settle, lambda _call: Cost(None), revise, read)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), min_size=1, max_size=5)


def pipeline(directory: Path, store: FakeStore, clock: FakeClock) -> Pipeline:
    position = store.position()
    return Pipeline(JournalReader(directory, position), store, position, ROOMS, REDACTOR, clock)


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def call_frames(worker: Worker, exchange: int, texts: list[str]) -> Iterator[None]:
    """Write a streamed call; yield between its frames."""
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": f"question {exchange}"}]}).encode()
    worker.request(exchange, body)
    yield
    worker.answer(exchange, head=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    message = {"id": f"m{exchange}", "role": "assistant", "model": "m", "content": []}
    stream = event("message_start", message=message)
    stream += event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    stream += b"".join(event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}) for text in texts)
    stream += event("content_block_stop", index=0) + event("message_stop")
    for at in range(0, len(stream), 150):
        worker.frame(Kind.RESPONSE_BODY, exchange, stream[at : at + 150])
        yield
    worker.end(exchange, request_size=len(body), response_size=len(stream))


@settings(max_examples=50, deadline=None)
@given(calls=st.lists(TEXTS, min_size=1, max_size=4), moves=st.lists(st.integers(0, 9), max_size=120), dies=st.booleans())
def test_restarts_and_absent_stores_change_nothing(calls: list[list[str]], moves: list[int], dies: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, store, clock = Path(name), FakeStore(), FakeClock()
        worker = Worker(directory)
        open_calls = [call_frames(worker, n, texts) for n, texts in enumerate(calls)]
        line = pipeline(directory, store, clock)
        for n, move in enumerate(moves):
            clock.go(0.3)
            with contextlib.suppress(StoreUnavailable):
                if move < 5 and open_calls:
                    own = open_calls[n % len(open_calls)]
                    open_calls = [other for other in open_calls if other is not own or next(own, "over") != "over"]
                elif move == 5:
                    store.away = not store.away
                elif move == 6:
                    worker.rotate()
                elif move == 7:
                    line = pipeline(directory, store, clock)
                else:
                    line.step()
        store.away = False
        left = len(open_calls)
        if not dies:
            for own in open_calls:
                list(own)
        worker.die()
        clock.go(2)
        while line.step():
            clock.go(2)
        line.step()
        finals = [put for put in store.puts if put.exchange.outcome is not None]
        begun = {put.call.call_id for put in store.puts}
        assert sorted(put.call.call_id for put in finals) == sorted(begun)
        assert len([put for put in finals if put.call.status == Status.COMPLETED]) == len(calls) - (left if dies else 0)
        wholes = {f"call{n}": "".join(texts) for n, texts in enumerate(calls)}
        assert all(wholes[put.call.call_id].startswith(put.call.answer_text) for put in finals)
        assert all(put.call.answer_text.startswith(store.text(put.call.call_id)) for put in finals)
        assert dies or [put.call.answer_text for put in finals if put.call.answer_text != wholes[put.call.call_id]] == []
        assert store.at.open_calls == ()


FRAMES = st.tuples(st.sampled_from([*range(10), 11, 200]), st.integers(0, 3), st.binary(max_size=40), st.integers(0, 7))


@settings(max_examples=100, deadline=None)
@given(frames=st.lists(FRAMES | st.tuples(st.just("request"), st.integers(0, 3))))
def test_no_run_of_frames_makes_it_fail(frames: list[tuple[int, int, bytes, int] | tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory, store, clock = Path(name), FakeStore(), FakeClock()
        worker = Worker(directory)
        for n, frame in enumerate(frames):
            if frame[0] == "request":
                worker.request(frame[1], call_id=f"r{n}")
            else:
                kind, exchange, payload, flags = frame
                worker.append(_frame(worker, kind, exchange, payload, flags))
        worker.die()
        line = pipeline(directory, store, clock)
        while line.step():
            pass
        assert sorted(store.final) == sorted(f"r{n}" for n, frame in enumerate(frames) if frame[0] == "request")
        assert store.at.open_calls == ()


def _frame(worker: Worker, kind: int, exchange: int, payload: bytes, flags: int) -> bytes:
    worker.now += 1
    return encode(kind, exchange, worker.now, payload, flags)
