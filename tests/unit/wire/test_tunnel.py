"""Turns of a WebSocket, from captured and made-up sockets."""

import base64
import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.wire_corpus import CORPUS, START_NS, exchange, load

from modular_agents.proxy.model.call import Status
from modular_agents.proxy.model.exchange import Exchange, Outcome, TunnelFrame
from modular_agents.proxy.wire.reader import read_call
from modular_agents.proxy.wire.tunnel import METHOD, TunnelReader, TurnAnswering, TurnAsked, TurnEnded, TurnGrew, read_turns
from modular_agents.proxy.wire.websocket import Deflate, MessageDecoder, agreed

MASK = b"\x01\x02\x03\x04"


def frame(payload: bytes, first: int = 0x81, mask: bytes | None = None) -> bytes:
    size = len(payload)
    flag = 128 if mask else 0
    if size < 126:
        length = bytes([flag | size])
    else:
        length = bytes([flag | 126]) + size.to_bytes(2, "big") if size < 2**16 else bytes([flag | 127]) + size.to_bytes(8, "big")
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([first]) + length + (mask or b"") + body


class Deflater:
    def __init__(self, *, keeps_context: bool = True) -> None:
        self.keeps_context = keeps_context
        self.inner = zlib.compressobj(wbits=-15)

    def __call__(self, data: bytes) -> bytes:
        if not self.keeps_context:
            self.inner = zlib.compressobj(wbits=-15)
        return (self.inner.compress(data) + self.inner.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_messages_however_they_are_cut() -> None:
    long = b"x" * 70_000
    stream = frame(b"one", mask=MASK) + frame(b"", 0x89) + frame(b"tw", 0x01) + frame(b"pong", 0x8A) + frame(b"o", 0x80) + frame(long, 0x82)
    for pieces in ([stream], [stream[i : i + 7] for i in range(0, len(stream), 7)], [stream[:1], stream[1:3], stream[3:]]):
        decoder = MessageDecoder()
        assert [message for piece in pieces for message in decoder.feed(piece)] == [b"one", b"two", long]


@pytest.mark.parametrize("keeps_context", [True, False])
def test_permessage_deflate(keeps_context: bool) -> None:
    deflate = Deflater(keeps_context=keeps_context)
    texts = [b'{"type":"response.created"}' * 9, b'{"type":"response.created"}', b"", b"x" * 100_000]
    stream = b"".join(frame(deflate(text), 0xC1, MASK) for text in texts) + frame(b"plain")
    decoder = MessageDecoder(Deflate(keeps_context=keeps_context))
    assert [message for at in range(0, len(stream), 11) for message in decoder.feed(stream[at : at + 11])] == [*texts, b"plain"]
    assert decoder.failure is None


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (frame(b"x", 0x83), "opcode 3"),
        (frame(b"x", 0x80), "opcode 0"),
        (frame(b"x", 0x01) + frame(b"x", 0x81), "opcode 1"),
        (frame(b"x", 0xC1), "nobody agreed"),
        (b"\x82\x7f" + (2**40).to_bytes(8, "big"), "a frame of"),
        (frame(bytes(20 * 2**20), 0x02) + frame(bytes(20 * 2**20), 0x80), "passes"),
    ],
    ids=range(6),
)
def test_what_is_no_websocket_ends_the_reading(stream: bytes, why: str) -> None:
    decoder = MessageDecoder()
    decoder.feed(stream)
    assert decoder.failure is not None
    assert why in decoder.failure
    assert decoder.feed(frame(b"x")) == []


def test_bombs_and_rubbish_end_the_reading() -> None:
    for payload in (Deflater()(b"\0" * 50_000_000), b"\xff\xff\xff"):
        decoder = MessageDecoder(Deflate())
        assert decoder.feed(frame(payload, 0xC2)) == []
        assert decoder.failure is not None


@pytest.mark.parametrize(
    ("value", "up", "down"),
    [
        ("", None, None),
        ("x-other", None, None),
        ("permessage-deflate", Deflate(), Deflate()),
        ("Permessage-Deflate; server_no_context_takeover; client_max_window_bits=12", Deflate(12), Deflate(keeps_context=False)),
        ('permessage-deflate; client_no_context_takeover; server_max_window_bits="8"', Deflate(keeps_context=False), Deflate(9)),
        ("permessage-deflate; server_max_window_bits=999; client_max_window_bits", Deflate(), Deflate()),
    ],
)
def test_what_the_handshake_agreed(value: str, up: Deflate | None, down: Deflate | None) -> None:
    assert agreed((("Sec-WebSocket-Extensions", value),)) == (up, down)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_survived(data: bytes, deflated: bool) -> None:
    whole = MessageDecoder(Deflate() if deflated else None)
    pieces = MessageDecoder(Deflate() if deflated else None)
    messages = whole.feed(data)
    assert [message for at in range(len(data)) for message in pieces.feed(data[at : at + 1])] == messages
    assert (whole.failure is None) == (pieces.failure is None)


def socket(*said: tuple[bool, object], target: str = "/v1/responses", outcome: Outcome = Outcome.COMPLETE) -> Exchange:
    """A WebSocket on which this was said; True: by the client."""
    frames = tuple(
        TunnelFrame(START_NS + at, up, frame(json.dumps(value).encode(), mask=MASK if up else None)) for at, (up, value) in enumerate(said)
    )
    made = exchange(b"", b"", target=target, method="GET", status=101, outcome=outcome, upstream="openai")
    return replace(made, tunnel=frames)


def ask(text: str, **more: object) -> tuple[bool, object]:
    return True, {"type": "response.create", "model": "gpt-5", "input": text, **more}


def tell(text: str, number: int = 1, **more: object) -> list[tuple[bool, object]]:
    response = {"id": f"resp_{number}", "model": "gpt-5", "status": "in_progress", "output": []}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    done = {**response, "status": "completed", "output": [item], "usage": {"input_tokens": 5, "output_tokens": 2}}
    events = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text},
        {"type": "response.completed", "response": done},
    ]
    return [(False, {**event, **more}) for event in events]


def said(exchange_: Exchange) -> list[tuple[str, str, str]]:
    calls = [read_call(turn) for turn in read_turns(exchange_)]
    return [(call.call_id[-1], call.messages[0].parts[0].text if call.messages else "", call.answer_text) for call in calls]


def test_a_captured_socket_is_one_turn() -> None:
    name = "openai-python-responses-websocket"
    capture = json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
    frames = tuple(TunnelFrame(START_NS + int(at * 1e9), way == ">", base64.b64decode(data)) for at, way, data in capture["ws_frames_raw"])
    whole = replace(load(name), tunnel=frames)
    handshake = read_call(whole)
    assert (handshake.operation, handshake.status, handshake.format) == ("websocket", Status.COMPLETED, "raw")
    (turn,) = read_turns(whole)
    call = read_call(turn)
    assert (call.call_id, call.method, call.format, call.operation) == (f"{whole.call_id}-1", METHOD, "openai.responses", "chat")
    assert (call.status, call.stream, call.model, call.model_response) == (Status.COMPLETED, True, "gpt-4o-mini", "gpt-4o-mini")
    assert call.answer_text == "Hi there from the mock upstream. Unicode: žluťoučký 🐎 中文 end."
    assert (call.usage.input_total, call.usage.output_total) == (11, 7)
    assert call.first_token_ns == START_NS + 11_000_000
    assert call.started_ns == START_NS + 8_500_000
    byte_by_byte = replace(
        whole, tunnel=tuple(TunnelFrame(one.at_ns, one.up, one.data[i : i + 1]) for one in frames for i in range(len(one.data)))
    )
    assert [read_call(one) for one in read_turns(byte_by_byte)] == [call]


def test_turns_follow_each_other_and_tell_what_changes() -> None:
    whole = socket(ask("a"), *tell("A"), ask("b", previous_response_id="resp_1"), *tell("B", 2))
    reader = TunnelReader(whole)
    changes = [change for one in whole.tunnel for change in reader.feed(one)]
    kinds = [TurnAsked, TurnAnswering, TurnGrew, TurnGrew, TurnGrew, TurnGrew, TurnEnded]
    assert [type(change) for change in changes] == kinds * 2
    assert reader.finish(whole) == []
    assert said(whole) == [("1", "a", "A"), ("2", "b", "B")]
    first, second = (read_call(turn) for turn in read_turns(whole))
    assert (first.response_id, second.previous_response_id) == ("resp_1", "resp_1")


def test_lanes_run_side_by_side() -> None:
    one, two = tell("A", 1, stream_id="x"), tell("B", 2, stream_id="y")
    mixed = [event for pair in zip(one, two, strict=True) for event in pair]
    assert said(socket(ask("a", stream_id="x"), ask("b", stream_id="y"), *mixed)) == [("1", "a", "A"), ("2", "b", "B")]


def test_turns_asked_ahead_are_answered_in_order() -> None:
    assert said(socket(ask("a"), ask("b"), *tell("A"), *tell("B", 2))) == [("1", "a", "A"), ("2", "b", "B")]


def test_a_steered_successor_is_a_turn_of_its_own() -> None:
    steer = (True, {"type": "response.steer", "previous_response_id": "resp_1", "input": "rather this"})
    whole = socket(ask("a"), *tell("A"), steer, *tell("B", 2), *tell("C", 3))
    assert said(whole) == [("1", "a", "A"), ("2", "rather this", "B"), ("3", "", "C")]


def test_an_error_ends_its_turn() -> None:
    error = {"type": "error", "status": 429, "error": {"type": "rate_limit_error", "code": "slow_down", "message": "wait"}}
    (turn,) = read_turns(socket(ask("a"), (False, error)))
    call = read_call(turn)
    assert (call.status, call.http_status) == (Status.FAILED, 429)
    assert call.error is not None
    assert (call.error.kind, call.error.message) == ("slow_down", "wait")


def test_a_socket_that_vanishes_leaves_its_turn_unfinished() -> None:
    for outcome, status in (
        (Outcome.CLIENT_GONE, Status.CANCELLED),
        (Outcome.UPSTREAM_CUT, Status.FAILED),
        (Outcome.COMPLETE, Status.FAILED),
    ):
        (turn,) = read_turns(socket(ask("a"), *tell("A")[:3], outcome=outcome))
        call = read_call(turn)
        assert (call.status, call.answer_text) == (status, "A")
    (silent,) = read_turns(socket(ask("a"), outcome=Outcome.CLIENT_GONE))
    assert read_call(silent).status is Status.CANCELLED


def test_what_is_said_beside_turns_makes_none() -> None:
    other: list[tuple[bool, object]] = [(True, {"type": "response.processed"}), (False, {"type": "hello"}), (True, [1]), (False, "x")]
    assert read_turns(socket(*other)) == []
    assert read_turns(socket(ask("a"), *tell("A"), target="/v1/realtime")) == []
    refused = socket(ask("a"), *tell("A"))
    assert refused.response is not None
    assert read_turns(replace(refused, response=replace(refused.response, status=426))) == []
    assert read_turns(replace(refused, response=None)) == []
    broken = replace(refused, tunnel=(TunnelFrame(START_NS, up=False, data=b"\x83\x01x"),))
    reader = TunnelReader(broken)
    assert [reader.feed(one) for one in broken.tunnel] == [[]]
    assert reader.failure is not None


def test_turns_on_one_socket_are_bounded() -> None:
    assert len(read_turns(socket(*[ask("a")] * 300))) == 256


def test_a_message_on_several_lines_is_one_event() -> None:
    spread = json.dumps({"type": "response.created", "response": {"id": "r"}}, indent=2).encode()
    made = socket(ask("a"))
    whole = replace(made, tunnel=(*made.tunnel, TunnelFrame(START_NS, up=False, data=frame(spread))))
    (turn,) = read_turns(whole)
    assert read_call(turn).response_id == "r"
