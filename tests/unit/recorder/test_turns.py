import json
from pathlib import Path

import pytest
from tests.support.segments import Worker
from tests.unit.recorder.test_pipeline import Line

from modular_agents.proxy.journal.frames import Kind
from modular_agents.proxy.model.call import Status
from modular_agents.proxy.wire.tunnel import TunnelReader


def frame(**fields: object) -> bytes:
    message = json.dumps(fields).encode()
    return bytes([0x81, 126, *len(message).to_bytes(2, "big")]) + message


def open_socket(worker: Worker) -> None:
    worker.request(1, b"", call_id="socket", method="GET", target="/v1/responses", upstream="openai", head="Upgrade: websocket\r\n")
    worker.answer(1, head=b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n")


def ask(worker: Worker, text: str) -> None:
    said = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]
    worker.frame(Kind.TUNNEL_UP, 1, frame(type="response.create", model="gpt-5", input=said))


def answer(worker: Worker, text: str, *, whole: bool = True) -> None:
    worker.frame(Kind.TUNNEL_DOWN, 1, frame(type="response.created", response={"id": "resp_1", "model": "gpt-5", "output": []}))
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    worker.frame(Kind.TUNNEL_DOWN, 1, frame(type="response.output_text.delta", delta=text, **place))
    if whole:
        item = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
        done = {"id": "resp_1", "model": "gpt-5", "status": "completed", "output": [item]}
        worker.frame(Kind.TUNNEL_DOWN, 1, frame(type="response.completed", response=done))


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def statuses(line: Line) -> list[tuple[str, str]]:
    return [(put.call.call_id, put.call.status) for put in line.run().puts]


def test_turns_of_a_socket_are_calls_of_their_own(worker: Worker, line: Line) -> None:
    open_socket(worker)
    ask(worker, "hi")
    assert statuses(line) == [("socket", Status.RUNNING), ("socket-1", Status.RUNNING)]
    answer(worker, "hello")
    ask(worker, "and?")
    assert statuses(line)[2:] == [("socket-1", Status.COMPLETED), ("socket-2", Status.RUNNING)]
    answer(worker, "half", whole=False)
    line.run()
    assert line.store.text("socket-2") == "half"
    worker.end(1, "client_gone")
    assert statuses(line)[4:] == [("socket-2", Status.CANCELLED), ("socket", Status.CANCELLED)]
    final = line.store.final
    assert final["socket-1"].call.answer_text == "hello"
    assert final["socket-2"].call.answer_text == "half"
    assert len(final["socket"].exchange.tunnel) == 7


def test_a_restart_tells_no_turn_twice(worker: Worker, line: Line) -> None:
    open_socket(worker)
    ask(worker, "hi")
    answer(worker, "hello")
    ask(worker, "and?")
    line.run()
    line.start()
    answer(worker, "well")
    worker.die()
    store = line.run()
    assert [put.call.call_id for put in store.puts].count("socket-1") == 1
    assert store.final["socket-2"].call.answer_text == "well"
    assert store.final["socket"].call.status == Status.INTERRUPTED


def test_a_bug_in_reading_a_socket_ends_its_turns_and_keeps_its_bytes(worker: Worker, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise IndexError

    open_socket(worker)
    ask(worker, "hi")
    line.run()
    monkeypatch.setattr(TunnelReader, "feed", fail)
    answer(worker, "hello")
    line.run()
    worker.end(1)
    final = line.run().final
    assert final["socket-1"].call.status == Status.INTERRUPTED
    assert len(final["socket"].exchange.tunnel) == 4
