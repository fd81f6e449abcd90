import gzip
import json
import zlib
from dataclasses import replace
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from tests.unit.model.test_secret import SHAPES
from tests.unit.recorder.test_pipeline import Line, Worker, answer, begin_stream, end_stream, question, say

from modular_agents.proxy.model.call import Status
from modular_agents.proxy.model.exchange import Chunk, Exchange, Headers, Hints, Outcome, RequestSide, ResponseSide, TunnelFrame
from modular_agents.proxy.recorder.live import LiveCall
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.wire.encodings import decode_body
from modular_agents.proxy.wire.reader import CallReader, read_call

KEY = SHAPES["anthropic"].decode()
SLACK = "xox" + "b-123456789012-abcdefghijklmnop"
ENCODE = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(b"dummy")


def exchange(request: bytes = b"", response: bytes | None = None, headers: Headers = (), target: str = "/v1/messages") -> Exchange:
    side = None
    if response is not None:
        side = ResponseSide(200, "OK", headers, 5, response, len(response), chunks=(Chunk(6, 4), Chunk(7, len(response) - 4)))
    asked = RequestSide("POST", target, target, headers, request, len(request), complete_ns=2)
    return Exchange("c", "n", "", "anthropic", "", Hints(), 1, asked, side, outcome=Outcome.COMPLETE, ended_ns=9)


def test_what_holds_no_secret_stays_the_very_same(redactor: Redactor) -> None:
    whole = exchange(question("hi"), answer("hello"))
    assert redactor.request(whole) is whole
    assert redactor.response(whole) is whole
    assert redactor.response(whole, strings=True) is whole
    assert redactor.tunnel(whole) is whole


def test_words_about_an_end_may_quote_a_key(redactor: Redactor) -> None:
    refused = replace(exchange(question("hi")), outcome=Outcome.REFUSED, outcome_detail=f"no upstream is called {KEY!r}")
    assert KEY not in redactor.ending(refused).outcome_detail
    started: list[Exchange] = []

    def start(given: Exchange) -> CallReader:
        started.append(given)
        return CallReader(given)

    version = LiveCall("c", start, redactor).ended(refused)
    assert "no upstream is called '[redacted:" in version.exchange.outcome_detail
    assert KEY not in repr(version)
    whole = exchange(question("hi"))
    assert redactor.ending(whole) is whole


@pytest.mark.parametrize("coding", [None, *ENCODE])
def test_a_body_is_redacted_in_its_own_coding(redactor: Redactor, coding: str | None) -> None:
    encode = ENCODE[coding] if coding else bytes
    headers: Headers = (("Content-Encoding", coding),) if coding else ()
    whole = exchange(encode(question(f"my key is {KEY}.")), encode(answer(f"I keep {KEY} safe")), headers)
    clean = redactor.response(redactor.request(whole))
    assert clean.flags == {"redacted"}
    assert clean.response is not None
    for body in (clean.request.body, clean.response.body):
        plain, failure = decode_body(body, headers)
        assert failure is None
        assert KEY.encode() not in plain
        assert b"[redacted:" in plain
        json.loads(plain)
    assert sum(chunk.size for chunk in clean.response.chunks) == len(clean.response.body)
    assert clean.response.body_size == whole.response.body_size if whole.response else False


def test_a_key_behind_escapes_is_found(redactor: Redactor) -> None:
    hidden = question(f"key {KEY}").replace(b"sk-", b"\\u0073k\\u002D")
    clean = redactor.request(exchange(hidden))
    assert KEY.encode() not in clean.request.body
    assert read_call(clean).messages[0].parts[0].text.startswith("key [redacted:")


def test_what_was_found_clean_is_not_searched_again_but_what_is_new_is(redactor: Redactor) -> None:
    turns = ["x" * 20_000]
    for n in range(5):
        body = question(*turns)
        assert redactor.request(exchange(body)).request.body is body
        turns.append(f"turn {n} " * 100)
    turns.append(KEY)
    assert KEY.encode() not in redactor.request(exchange(question(*turns))).request.body
    assert len(redactor._known) == 1


def test_a_key_that_grows_at_the_end_of_what_is_known_is_found(redactor: Redactor) -> None:
    start = b'{"a":"' + b"x" * 20_000 + b" sk-"
    assert redactor.request(exchange(start)).flags == set()
    assert redactor.request(exchange(start + KEY[3:].encode())).flags == {"redacted"}


def test_a_damaged_coding_keeps_no_secret(redactor: Redactor) -> None:
    headers: Headers = (("content-encoding", "gzip"),)
    body = gzip.compress(answer(KEY) * 50, mtime=0)[:-20]
    clean = redactor.response(exchange(b"", body, headers))
    assert clean.response is not None
    assert KEY.encode() not in decode_body(clean.response.body, headers)[0]


def _frame(message: bytes) -> bytes:
    return bytes([0x81, 126, *len(message).to_bytes(2, "big")]) + message


def test_a_websocket_that_said_a_secret_or_cannot_be_read_keeps_no_bytes(redactor: Redactor) -> None:
    def on_socket(*frames: bytes) -> Exchange:
        head = ResponseSide(101, "", (), 3)
        return Exchange(
            "c",
            "n",
            "",
            "openai",
            "",
            Hints(),
            1,
            RequestSide("GET", "/x", "/x", ()),
            head,
            tunnel=tuple(TunnelFrame(4, up=False, data=f) for f in frames),
        )

    clean = on_socket(_frame(b'{"text":"hello"}' * 10))
    assert redactor.tunnel(clean) is clean
    assert redactor.tunnel(on_socket(_frame(b'{"text":"%b"}' % KEY.encode()))).tunnel == ()
    halves = [json.dumps({"delta": part, "pad": "x" * 130}).encode() for part in (KEY[:30], KEY[30:])]
    assert redactor.tunnel(on_socket(*map(_frame, halves))).tunnel == ()
    assert redactor.tunnel(on_socket(b"\xff" * 20)).tunnel == ()


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def everything(line: Line) -> str:
    return repr((line.store.puts, line.store.deltas))


def test_a_secret_in_a_prompt_reaches_no_row(worker: Worker, line: Line) -> None:
    worker.request(1, question(f"use {KEY} please"))
    line.run()
    worker.answer(1, answer(f"I used {KEY}"))
    worker.end(1)
    store = line.run()
    assert [put.exchange.flags for put in store.puts] == [{"redacted"}] * 2
    final = store.final["call1"].call
    assert (final.status, final.unreadable, final.flags) == (Status.COMPLETED, None, {"redacted"})
    assert final.answer_text.startswith("I used [redacted:")
    assert KEY not in everything(line)


def test_a_secret_in_pieces_of_a_stream_reaches_neither_the_row_nor_the_live_text(worker: Worker, line: Line) -> None:
    begin_stream(worker, 1)
    for piece in ("The key ", KEY[:2], KEY[2:9], KEY[9:40], KEY[40:], " works."):
        say(worker, 1, piece)
        line.run()
    end_stream(worker, 1)
    store = line.run()
    final = store.final["call1"]
    assert final.call.answer_text.startswith("The key [redacted:")
    assert final.call.answer_text.endswith(" works.")
    assert store.text("call1").startswith("The key [redacted:")
    assert final.call.flags == {"redacted"}
    for piece in (KEY[:20], KEY[10:35], KEY[45:70]):
        assert piece not in everything(line)


def test_a_restart_in_the_middle_of_a_secret_shows_no_part_of_it(worker: Worker, line: Line) -> None:
    begin_stream(worker, 1)
    say(worker, 1, "The key ", KEY[:30])
    line.run()
    line.start()
    say(worker, 1, KEY[30:60])
    line.run()
    say(worker, 1, KEY[60:], " works.")
    line.run()
    assert line.store.text("call1").startswith("The key [redacted:")
    assert KEY[10:30] not in everything(line)
    assert KEY[35:55] not in everything(line)


def test_an_exchange_that_cannot_be_searched_keeps_its_row_and_no_bodies(
    worker: Worker, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Exchange:
        raise RecursionError

    monkeypatch.setattr(Redactor, "response", fail)
    worker.request(1, question(f"use {KEY}"))
    worker.answer(1, answer(KEY))
    worker.end(1)
    put = line.run().final["call1"]
    assert put.exchange.response is not None
    assert (put.exchange.response.body, put.exchange.request.body) == (b"", b"")
    assert KEY not in everything(line)


def test_a_stream_of_unknown_format_is_searched_too(worker: Worker, line: Line) -> None:
    worker.request(1, b'{"q":1}', target="/unknown")
    events = b"".join(b'data: {"piece":%b}\n\n' % json.dumps(KEY[at : at + 7]).encode() for at in range(0, len(KEY), 7))
    worker.answer(1, events, head=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    worker.end(1)
    put = line.run().final["call1"]
    assert put.exchange.response is not None
    assert put.exchange.flags == {"redacted"}
    assert KEY[7:14].encode() not in put.exchange.response.body


@pytest.mark.parametrize("at", range(1, len(SLACK)))
def test_a_key_whose_first_piece_looks_like_a_key_leaves_nothing_behind(redactor: Redactor, at: int) -> None:
    pieces = [f"key: {SLACK[:at]}", SLACK[at:], " and on"]
    body = b"".join(b'data: {"delta":{"text":%b}}\n\n' % json.dumps(piece).encode() for piece in pieces)
    clean = redactor.response(redactor.response(exchange(b"", body)), strings=True)
    assert clean.response is not None
    told = "".join(json.loads(line[6:])["delta"]["text"] for line in clean.response.body.split(b"\n\n") if line)
    assert told.startswith("key: [redacted:")
    assert told.endswith("] and on")
