"""What the reader itself decides: when nothing is fed, when the head is unknown, what is estimated, what is unreadable."""

import gzip
import json
from dataclasses import replace

import pytest
from tests.support.wire_corpus import START_NS, exchange, load, read_in_pieces

from modular_agents.proxy.model.call import Status, UsageSource
from modular_agents.proxy.model.exchange import Chunk, Outcome
from modular_agents.proxy.wire.estimate import text_tokens
from modular_agents.proxy.wire.reader import CallReader, read_call

ASKED = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True})
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n'
CHAT, EVENTS = "/v1/chat/completions", "text/event-stream"


def test_a_running_call_knows_its_request() -> None:
    asked = exchange(ASKED, None, target=CHAT, outcome=None, upstream="openai")
    call = CallReader(asked).request(asked)
    assert (call.status, call.model, call.stream, call.answers, call.ended_ns) == (Status.RUNNING, "gpt-4o", True, (), None)
    assert (call.provider, call.format, call.operation, call.error) == ("openai", "openai.chat", "chat", None)
    finished = exchange(ASKED, CHUNK, target=CHAT)
    assert CallReader(finished).request(finished).status is Status.RUNNING


def test_deltas_and_first_token_have_the_time_of_their_bytes() -> None:
    whole = exchange(ASKED, CHUNK + LAST, target=CHAT, content_type=EVENTS)
    reader = CallReader(whole)
    reader.request(whole)
    assert whole.response is not None
    reader.response(whole.response)
    assert reader.feed(CHUNK[:20], 1) == []
    (first,) = reader.feed(CHUNK[20:], 2)
    (second,) = reader.feed(LAST, 3)
    assert (first.at_ns, first.text, first.part, first.kind, first.name) == (2, "Hel", 0, "text", None)
    assert (second.at_ns, second.text) == (3, "lo")
    assert reader.finish(whole).first_token_ns == 2


def test_pieces_of_one_moment_are_one_delta() -> None:
    whole = exchange(ASKED, CHUNK * 3 + LAST, target=CHAT, content_type=EVENTS)
    assert [delta.text for delta in read_in_pieces(whole, [CHUNK * 3 + LAST])[1]] == ["HelHelHello"]


def test_without_the_head_nothing_is_shown_and_nothing_is_lost() -> None:
    body = gzip.compress(CHUNK + LAST)
    whole = exchange(ASKED, body, target=CHAT, content_type=EVENTS, response_headers=(("content-encoding", "gzip"),))
    reader = CallReader(whole)
    reader.request(whole)
    assert reader.feed(body, 7) == []
    assert reader.finish(whole) == read_call(whole)
    assert read_call(whole).answer_text == "Hello"


def test_what_was_fed_in_part_is_read_again_from_the_exchange() -> None:
    whole = exchange(ASKED, CHUNK + LAST, target=CHAT, content_type=EVENTS)
    assert whole.response is not None
    whole = replace(whole, response=replace(whole.response, chunks=(Chunk(START_NS + 5, len(CHUNK)),)))
    assert read_in_pieces(whole, [CHUNK])[0] == read_call(whole)
    assert read_call(whole).first_token_ns == START_NS + 5


def test_no_response_at_all() -> None:
    call = read_call(exchange(ASKED, None, target=CHAT, outcome=Outcome.UPSTREAM_UNREACHABLE))
    assert (call.status, call.http_status, call.answers, call.usage.source) == (Status.FAILED, None, (), UsageSource.UNKNOWN)
    assert call.error is not None
    assert call.error.whose == "provider"


def test_a_request_in_a_coding_is_read() -> None:
    asked = exchange(gzip.compress(ASKED.encode()), None, target=CHAT, request_headers=(("Content-Encoding", "gzip"),))
    assert read_call(asked).model == "gpt-4o"


@pytest.mark.parametrize(
    ("body", "headers", "why"),
    [
        (b"\xff\xfe", (), "UTF-8"),
        (b"{", (), "JSON"),
        (b"{}", (("Content-Encoding", "snappy"),), "snappy"),
    ],
)
def test_an_unreadable_request_is_a_value(body: bytes, headers: tuple[tuple[str, str], ...], why: str) -> None:
    call = read_call(exchange(body, CHUNK + LAST, target=CHAT, content_type=EVENTS, request_headers=headers))
    assert call.unreadable is not None
    assert (call.unreadable.where, why in call.unreadable.reason) == ("request", True)
    assert (call.status, call.answer_text) == (Status.COMPLETED, "Hello")


def test_an_unreadable_answer_is_a_value() -> None:
    for body in (b"<html>", b'{"choices":', b"\xff"):
        call = read_call(exchange(ASKED, body, target=CHAT))
        assert call.unreadable is not None
        assert call.unreadable.where == "response"
    broken_event = read_call(exchange(ASKED, CHUNK + b"data: {oops\n\n" + LAST, target=CHAT, content_type=EVENTS))
    assert broken_event.unreadable is not None
    assert broken_event.answer_text == "Hello"
    error_page = read_call(exchange(ASKED, b"<html>bad gateway", target=CHAT, status=502))
    assert (error_page.unreadable, error_page.error is not None) == (None, True)


def test_an_empty_body_is_nothing_however_it_is_fed() -> None:
    whole = exchange(ASKED, b"", target=CHAT)
    assert read_in_pieces(whole, [b"", b""])[0] == read_call(whole)
    assert read_call(whole).unreadable is None


def test_mislabelled_streams_are_seen_through() -> None:
    for content_type in ("application/json", "text/plain", ""):
        assert read_call(exchange(ASKED, b"\n\n" + CHUNK + LAST, target=CHAT, content_type=content_type)).answer_text == "Hello"
    error = b'{"error":{"message":"no"}}'
    call = read_call(exchange(ASKED, error, target=CHAT, content_type=EVENTS))
    assert (call.status, call.error.message if call.error else None) == (Status.FAILED, "no")
    commented = b": OPENROUTER PROCESSING\n\n" + CHUNK + LAST
    assert read_call(exchange(ASKED, commented, target=CHAT, content_type="text/plain")).answer_text == "Hello"


def test_usage_nobody_reports_is_estimated_and_marked() -> None:
    usage = read_call(exchange(ASKED, CHUNK + LAST, target=CHAT, content_type=EVENTS)).usage
    assert (usage.source, usage.input_total, usage.output_total, usage.cache_read) == (UsageSource.ESTIMATED, 4, 1, None)
    cut = read_call(exchange(ASKED, CHUNK, target=CHAT, content_type=EVENTS, outcome=Outcome.CLIENT_GONE))
    assert (cut.status, cut.usage.source, cut.usage.output_total) == (Status.CANCELLED, UsageSource.ESTIMATED, 1)
    nothing = read_call(exchange(ASKED, b"", target=CHAT, outcome=Outcome.CLIENT_GONE)).usage
    assert (nothing.source, nothing.input_total) == (UsageSource.UNKNOWN, None)


def test_estimates_are_near() -> None:
    assert text_tokens("The quick brown fox jumps over the lazy dog.") == pytest.approx(10, abs=2)
    assert text_tokens("žluťoučký kůň") == pytest.approx(9, abs=3)
    assert text_tokens("敏捷的棕色狐狸跳过懒狗") == pytest.approx(12, abs=4)
    assert text_tokens("") == 0


def test_ids_and_flags_pass_through() -> None:
    whole = replace(
        exchange(ASKED, CHUNK + LAST, target=CHAT, content_type=EVENTS, response_headers=(("X-Request-Id", "b"), ("Request-Id", "a"))),
        flags=frozenset({"redacted"}),
    )
    call = read_call(whole)
    assert (call.request_id, call.flags) == ("a", frozenset({"redacted"}))


def test_a_captured_answer_has_its_times() -> None:
    whole = load("anthropic-python-messages-stream")
    call = read_call(whole)
    assert (call.started_ns, call.first_token_ns, call.ended_ns) == (START_NS, START_NS + 3_000, START_NS + 9_000)
    assert read_call(load("anthropic-python-messages")).first_token_ns is None
