"""What gateways, tracers and bodies say of a session, and where in its tree a call stands."""

import json

import pytest
from tests.unit.linking.test_place import made, place

from modular_agents.proxy.linking.identity import identify

UUID = "01a20238-932c-7243-a18f-3ddfef1ff4ca"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("headers", "body", "session", "rule"),
    [
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, {}, TRACE, "header.traceparent"),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, {}, None, ""),
        ({"traceparent": "nonsense"}, {}, None, ""),
        ({"baggage": "user.id=7, session.id=night%20run;p=1"}, {}, "night run", "header.baggage"),
        ({"baggage": "session.id=b", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, {}, "b", "header.baggage"),
        ({"helicone-session-id": "h", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, {}, "h", "header.helicone-session-id"),
        ({}, {"prompt_cache_key": UUID}, UUID, "body.prompt_cache_key"),
        ({}, {"prompt_cache_key": "my-app-v1"}, None, ""),
        ({}, {"metadata": {"session_id": "s"}, "prompt_cache_key": UUID}, "s", "body.metadata.session_id"),
        ({}, {"metadata": {"user_id": json.dumps({"session_id": UUID})}}, UUID, "body.metadata.user_id"),
    ],
)
def test_a_session_is_read(headers: dict[str, str], body: dict[str, object], session: str | None, rule: str) -> None:
    call = made("one", "Hi", request_headers=tuple(headers.items()), params=json.dumps(body).encode())
    identity = identify(call)
    assert (identity.session, identity.session_rule) == (session, rule)


def test_calls_of_one_traced_run_are_one_trace() -> None:
    first = made("one", "Count the sheep.", answer="Forty.", request_headers=(("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),))
    second = made("two", "Mend the fence.", at=9, request_headers=(("traceparent", f"00-{TRACE}-11f067aa0ba902b7-01"),))
    where = place(first, second)
    assert (where.trace_id, where.trace_evidence.rule) == (TRACE, "header.traceparent")


def test_a_step_is_opened_by_the_step_above_it() -> None:
    """Helicone's paths name an agent, and who stands above it."""

    def step(call_id: str, text: str, path: str, at: int) -> object:
        return made(
            call_id,
            text,
            answer="Done as told, all of it.",
            at=at,
            request_headers=(("Helicone-Session-Id", "h1"), ("Helicone-Session-Path", path), ("Helicone-Session-Name", "Nightly")),
        )

    where = place(step("one", "Write a book.", "/book", 0), step("two", "List the chapters.", "/book/outline", 5))  # type: ignore[arg-type]
    assert (where.trace_id, where.trace_name, where.agent_name, where.parent_id) == ("h1", "Nightly", "outline", "one")
    assert where.edges[0].evidence.rule == "header.parent-thread"


def test_a_span_is_opened_by_its_parent_span() -> None:
    def span(call_id: str, own: str, above: str, at: int) -> object:
        headers = (("x-portkey-trace-id", "p1"), ("x-portkey-span-id", own), ("x-portkey-parent-span-id", above))
        return made(call_id, f"Words of {call_id}", answer="An answer to that.", at=at, request_headers=headers)

    where = place(span("one", "a", "", 0), span("two", "b", "", 3), span("three", "c", "a", 6))  # type: ignore[arg-type]
    assert where.parent_id == "one"
