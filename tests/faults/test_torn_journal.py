"""D2 and bad inputs: a journal that ends anywhere is read as far as it goes, and a wall clock that jumps bends nothing."""

import http.client
import json
import shutil
from pathlib import Path

import pytest
from tests.support.fake_clock import FakeClock
from tests.support.fake_store import FakeStore
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.segments import head

from modular_agents.proxy.app import build_rooms
from modular_agents.proxy.journal.frames import FLAG_LAST, End, Kind, encode
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.journal.writer import JournalWriter
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.recorder.pipeline import Pipeline
from modular_agents.proxy.recorder.redact import Redactor

BLOCK_BYTES, LEAST_CALL_BYTES = 512, 512
DAY_NS = 86_400 * 1_000_000_000


def recorded(journal: Path) -> FakeStore:
    """Bring a dead journal into a store."""
    store = FakeStore()
    reader = JournalReader(journal)
    line = Pipeline(reader, store, JournalPosition(), build_rooms(), Redactor(b"dummy"), FakeClock())
    while line.step():
        pass
    line.finish()
    reader.close()
    return store


def live_segment(tmp_path: Path) -> Path:
    """Return the segment of six calls through a real relay."""
    with ProviderServer() as provider, RelayThread({"openai": provider.url}, tmp_path / "live") as relay:
        connection = http.client.HTTPConnection("127.0.0.1", relay.port)
        for n in range(6):
            body = {"model": "m", "stream": n % 2 == 0, "messages": [{"role": "user", "content": f"question {n}"}]}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
            connection.getresponse().read()
        connection.close()
        relay.ended(6)
    (segment,) = (tmp_path / "live" / "journal").glob("*.seg")
    return segment


@pytest.mark.slow
def test_every_prefix_of_a_journal_opens_and_loses_only_what_was_cut(tmp_path: Path) -> None:
    segment = live_segment(tmp_path)
    data, whole, before = segment.read_bytes(), recorded(_copy(segment, tmp_path / "whole", len(segment.read_bytes()))), 0
    assert len(whole.final) == 6
    for size in range(0, len(data), 37):
        store = recorded(_copy(segment, tmp_path / str(size), size))
        texts = {call_id: put.call.answer_text for call_id, put in store.final.items()}
        assert all(whole.final[call_id].call.answer_text.startswith(text) for call_id, text in texts.items())
        assert len([put for put in store.puts if put.exchange.outcome is not None]) == len(store.final) >= before
        assert store.at.open_calls == ()
        before = len(store.final)
    assert before == 6


@pytest.mark.slow
def test_blocks_that_never_reached_the_disk_cost_only_the_calls_they_were_of(tmp_path: Path) -> None:
    """After a power loss a file may be longer than what was written of it: blocks of zeros stand where the others should."""
    segment = live_segment(tmp_path)
    data = segment.read_bytes()
    whole = {call_id: put.call.answer_text for call_id, put in recorded(_copy(segment, tmp_path / "whole", len(data))).final.items()}
    for at in range(0, len(data), BLOCK_BYTES):
        copy = _copy(segment, tmp_path / f"hole-{at}", len(data))
        (copy / segment.name).write_bytes(data[:at] + bytes(len(data[at : at + BLOCK_BYTES])) + data[at + BLOCK_BYTES :])
        store = recorded(copy)
        assert store.at.open_calls == ()
        assert len(whole) - len(store.final) <= BLOCK_BYTES // LEAST_CALL_BYTES + 1
        for call_id, put in store.final.items():
            is_marked = "gap" in put.exchange.flags or put.call.status == "interrupted"
            assert is_marked or put.call.answer_text == whole[call_id]


def _copy(segment: Path, directory: Path, size: int) -> Path:
    directory.mkdir()
    shutil.copy(segment, directory)
    (directory / segment.name).write_bytes(segment.read_bytes()[:size])
    return directory


@pytest.mark.parametrize("jump_ns", [DAY_NS, -DAY_NS])
def test_a_wall_clock_that_jumps_bends_neither_order_nor_durations(tmp_path: Path, jump_ns: int) -> None:
    clock = FakeClock()
    born_ns = clock.now
    writer = JournalWriter(tmp_path, "ab01", clock, durability="none", segment_bytes=400)

    def append(kind: Kind, exchange: int, payload: bytes, flags: int = 0) -> None:
        clock.go(1)
        writer.append(encode(kind, exchange, clock.monotonic, payload, flags), 1)

    for n in range(1, 5):
        append(Kind.REQUEST_HEAD, n, head(f"call{n}").pack(), FLAG_LAST)
        clock.now += jump_ns
        append(Kind.RESPONSE_HEAD, n, b"HTTP/1.1 200 OK\r\n\r\n")
        append(Kind.RESPONSE_BODY, n, b"{}" * 50)
        append(Kind.END, n, End("complete", "", 0, 100).pack())
    writer.close()
    calls = [put.exchange for put in recorded(tmp_path).final.values()]
    assert [call.call_id for call in calls] == ["call1", "call2", "call3", "call4"]
    assert [(call.ended_ns or 0) - call.started_ns for call in calls] == [3_000_000_000] * 4
    assert all(call.flags == frozenset() for call in calls)
    assert calls[0].started_ns == born_ns + 1_000_000_000
