"""Every capture, fed whole, byte by byte, at every event boundary, and truncated everywhere: always a call, always the same one."""

import json
from dataclasses import replace

import pytest
from tests.support.wire_corpus import CORPUS, boundaries, cuts, load, names, read_in_pieces

from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.model.exchange import Chunk, Exchange, Outcome
from modular_agents.proxy.wire.reader import read_call


def with_body(exchange: Exchange, body: bytes, outcome: Outcome) -> Exchange:
    assert exchange.response is not None
    response = replace(exchange.response, body=body, body_size=len(body), chunks=(Chunk(exchange.response.chunks[0].at_ns, len(body)),))
    return replace(exchange, response=response, outcome=outcome)


@pytest.fixture(params=names())
def capture(request: pytest.FixtureRequest) -> Exchange:
    return load(request.param)


def body_of(exchange: Exchange) -> bytes:
    assert exchange.response is not None
    return exchange.response.body


def test_any_chunking_gives_the_same_call(capture: Exchange) -> None:
    body, whole = body_of(capture), read_call(capture)
    assert read_in_pieces(capture, [body])[0] == whole
    assert read_in_pieces(capture, [body[i : i + 1] for i in range(len(body))])[0] == whole
    for at in boundaries(body):
        assert read_in_pieces(capture, cuts(body, at))[0] == whole


def test_deltas_say_what_the_answer_says(capture: Exchange) -> None:
    body = body_of(capture)
    call, deltas = read_in_pieces(capture, [body[i : i + 7] for i in range(0, len(body), 7)])
    if call.stream and call.answers:
        assert "".join(delta.text for delta in deltas if delta.kind == "text") == call.answer_text


def test_truncated_anywhere_is_never_shown_as_success(capture: Exchange) -> None:
    body = body_of(capture)
    step = max(len(body) // 400, 1)
    for at in range(0, len(body), step):
        call = read_call(with_body(capture, body[:at], Outcome.UPSTREAM_CUT))
        assert call.status is Status.FAILED
        assert call.error is not None
        assert call.error.kind == "upstream_cut"


STREAMS = [name for name in names() if (call := read_call(load(name))).stream and call.status is Status.COMPLETED and call.format != "raw"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_before_its_end_is_no_success_even_if_http_ended_cleanly(name: str) -> None:
    capture = load(name)
    body = body_of(capture)
    for at in list(boundaries(body))[:-3]:  # the last three bring the finish reason and the end mark
        call = read_call(with_body(capture, body[:at], Outcome.COMPLETE))
        assert (call.status, call.error.kind if call.error else None) == (Status.FAILED, "incomplete_stream")


def words(call: Call) -> list[object]:
    usage = call.usage
    counts = [usage.source.value, usage.input_total, usage.input_uncached, usage.cache_read, usage.output_total]
    return [
        call.format,
        call.operation,
        call.status.value,
        call.model,
        call.model_response,
        call.answer_text[:20],
        call.finish_reason,
        *counts,
    ]


EXPECTED: dict[str, list[object]] = json.loads((CORPUS.parent / "wire_expected.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_read(name: str) -> None:
    assert words(read_call(load(name))) == EXPECTED[name]
