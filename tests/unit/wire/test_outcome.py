from dataclasses import replace

import pytest
from tests.support.wire_corpus import exchange

from modular_agents.proxy.model.call import Status
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.wire.outcome import judge
from modular_agents.proxy.wire.reading import NOT_ANSWERED, Answered, Fault

ENDED = Answered(ended=True)
FAULT = Answered(fault=Fault("overloaded_error", "busy"), ended=True)


@pytest.mark.parametrize(
    ("outcome", "http_status", "answered", "needs_end", "status", "whose", "kind"),
    [
        (None, 200, NOT_ANSWERED, True, Status.RUNNING, None, None),
        (Outcome.COMPLETE, 200, ENDED, True, Status.COMPLETED, None, None),
        (Outcome.COMPLETE, 200, NOT_ANSWERED, False, Status.COMPLETED, None, None),
        (Outcome.COMPLETE, 200, NOT_ANSWERED, True, Status.FAILED, "provider", "incomplete_stream"),
        (Outcome.COMPLETE, 200, FAULT, True, Status.FAILED, "provider", "overloaded_error"),
        (Outcome.COMPLETE, 200, Answered(unreadable="not JSON"), False, Status.FAILED, "provider", "unreadable_answer"),
        (Outcome.COMPLETE, 200, Answered(unreadable="one event is not JSON", ended=True), True, Status.COMPLETED, None, None),
        (Outcome.COMPLETE, 304, NOT_ANSWERED, False, Status.COMPLETED, None, None),
        (Outcome.COMPLETE, 400, FAULT, False, Status.FAILED, "client", "overloaded_error"),
        (Outcome.COMPLETE, 401, NOT_ANSWERED, False, Status.FAILED, "client", "http_401"),
        (Outcome.COMPLETE, 429, NOT_ANSWERED, False, Status.FAILED, "provider", "http_429"),
        (Outcome.COMPLETE, 529, FAULT, False, Status.FAILED, "provider", "overloaded_error"),
        (Outcome.CLIENT_GONE, 200, NOT_ANSWERED, True, Status.CANCELLED, "client", "client_gone"),
        (Outcome.CLIENT_GONE, 200, ENDED, True, Status.COMPLETED, None, None),
        (Outcome.CLIENT_GONE, 200, FAULT, True, Status.CANCELLED, "client", "client_gone"),
        (Outcome.UPSTREAM_CUT, 200, ENDED, True, Status.FAILED, "provider", "upstream_cut"),
        (Outcome.UPSTREAM_TIMEOUT, 200, NOT_ANSWERED, True, Status.FAILED, "provider", "upstream_timeout"),
        (Outcome.UPSTREAM_UNREACHABLE, 502, NOT_ANSWERED, False, Status.FAILED, "provider", "upstream_unreachable"),
        (Outcome.REFUSED, 400, NOT_ANSWERED, False, Status.FAILED, "client", "refused"),
        (Outcome.INTERRUPTED, 200, NOT_ANSWERED, True, Status.INTERRUPTED, "proxy", "interrupted"),
    ],
)
def test_how_it_ended_and_whose_fault_it_was(
    outcome: Outcome | None, http_status: int, answered: Answered, needs_end: bool, status: Status, whose: str | None, kind: str | None
) -> None:
    got, error = judge(exchange("", "", status=http_status, outcome=outcome), answered, b"", needs_end=needs_end)
    assert got is status
    assert (error.whose if error else None, error.kind if error else None) == (whose, kind)


@pytest.mark.parametrize("outcome", [Outcome.INTERRUPTED, Outcome.UPSTREAM_CUT, Outcome.UPSTREAM_TIMEOUT])
def test_a_transfer_cut_behind_the_last_event_is_no_success_and_says_that_nothing_is_missing(outcome: Outcome) -> None:
    status, error = judge(exchange("", "", outcome=outcome), ENDED, b"", needs_end=True)
    assert status is not Status.COMPLETED
    assert error is not None
    assert error.message.endswith("its last event had come, so what is kept of it is whole")
    for answered in (NOT_ANSWERED, FAULT):
        _, error = judge(exchange("", "", outcome=outcome), answered, b"", needs_end=True)
        assert error is not None
        assert "whole" not in error.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"no"}}', "no"),
        (b'{"error":"no"}', "no"),
        (b'{"message":"no"}', "no"),
        (b'{"detail":"no"}', "no"),
        (b'{"Message":"no"}', "no"),
        (b'[{"error":{"message":"no"}}]', "no"),
        (b'{"error":{"message":"\\ud83d"}}', "\ufffd"),
        (b"<html>no</html>", "<html>no</html>"),
        (b'{"x":1}', '{"x":1}'),
        (b"\xff", "\ufffd"),
        (b"", ""),
        (b"x" * 9000, "x" * 2000),
    ],
)
def test_what_an_error_page_says(body: bytes, message: str) -> None:
    _, error = judge(exchange("", body, status=500), NOT_ANSWERED, body, needs_end=False)
    assert error is not None
    assert error.message == message


def test_a_capped_record_is_not_taken_for_a_cut_stream() -> None:
    from dataclasses import replace  # noqa: PLC0415 - used once

    capped = replace(exchange("", ""), flags=frozenset({"truncated"}))
    assert judge(capped, NOT_ANSWERED, b"", needs_end=True) == (Status.COMPLETED, None)


def test_the_details_are_told() -> None:
    from dataclasses import replace  # noqa: PLC0415 - used once

    cut = replace(exchange("", "", outcome=Outcome.UPSTREAM_CUT), outcome_detail="connection reset")
    _, error = judge(cut, NOT_ANSWERED, b"", needs_end=True)
    assert error is not None
    assert error.message == "the provider cut the answer: connection reset"


def test_a_proxy_that_was_stopped_is_not_called_dead() -> None:
    over = replace(exchange(b"{}", b"", outcome=Outcome.INTERRUPTED), outcome_detail="the proxy was stopped")
    _, error = judge(over, NOT_ANSWERED, b"", needs_end=True)
    assert error is not None
    assert error.message == "the proxy broke the call off: the proxy was stopped"
