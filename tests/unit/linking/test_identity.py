"""What Codex says of itself, where it says so: in headers, and on a WebSocket in each turn's own body."""

import json
from dataclasses import replace

import pytest
from tests.support.link_memory import LinkMemory
from tests.support.talks import World, use
from tests.support.wire_corpus import exchange

from modular_agents.proxy.linking import identity
from modular_agents.proxy.linking.identity import Identity, identify
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.wire.reader import read_call

ROOT = "/root"
SOCKET = {"session_id": "s", "thread_id": "s", "agent_name": "/root", "request_kind": "prewarm"}


def turn(number: int, said: dict[str, str], body: dict[str, object], *, at_ns: int = 0) -> Call:
    """A turn on Codex's socket, whose headers stay those of its first moment."""
    asked = {"model": "m", "client_metadata": {"x-codex-turn-metadata": json.dumps(SOCKET | said)}} | body
    answer = {"type": "response.completed", "response": {"id": f"resp_{number}", "status": "completed", "output": body.get("said", [])}}
    made = exchange(
        json.dumps(asked),
        json.dumps(answer) + "\n",
        target="/v1/responses",
        method="WEBSOCKET",
        content_type="application/x-ndjson",
        request_headers=(("x-codex-turn-metadata", json.dumps(SOCKET)), ("session-id", "s"), ("thread-id", "s")),
    )
    call = read_call(made)
    values = {name: getattr(call, name) for name in Call.__slots__} | {"call_id": f"call-{number}", "started_ns": call.started_ns + at_ns}
    return Call(**values)


def who(headers: dict[str, str]) -> Identity:
    return identify(read_call(exchange("{}", target="/v1/responses", request_headers=tuple(headers.items()))))


def test_a_turn_on_a_socket_is_what_its_body_says() -> None:
    told = identify(turn(1, {"request_kind": "turn", "agent_name": f"{ROOT}/alpha", "parent_thread_id": "p"}, {}))
    assert (told.request_kind, told.agent) == ("turn", "alpha")
    assert identify(turn(1, {}, {"client_metadata": "none"})).request_kind == "prewarm"


@pytest.mark.parametrize(
    ("headers", "agent"),
    [
        ({"x-codex-turn-metadata": json.dumps({"agent_name": f"{ROOT}/alpha"}), "x-openai-subagent": "collab_spawn"}, "alpha"),
        ({"x-codex-turn-metadata": '{"agent_name":"/root"}', "x-openai-subagent": "review"}, "review"),
        ({"x-codex-turn-metadata": '{"agent_name":"/root"}'}, "root"),
        ({"x-openai-subagent": "compact"}, "compact"),
        ({"x-codex-turn-metadata": '{"agent_name":"/root"}', "x-openai-subagent": "collab_spawn"}, None),
        ({}, None),
    ],
)
def test_the_agents_own_name_says_more_than_its_kind(headers: dict[str, str], agent: str | None) -> None:
    assert who(headers).agent == agent


def test_the_turn_after_a_warm_up_opens_the_conversation() -> None:
    warm = turn(1, {}, {"input": [], "generate": False})
    words = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Repair the login form"}]}]
    first = turn(2, {"request_kind": "turn"}, {"input": words, "previous_response_id": "resp_1"}, at_ns=10_000)
    result = [{"type": "function_call_output", "call_id": "c", "output": "ok"}]
    second = turn(3, {"request_kind": "turn"}, {"input": result, "previous_response_id": "resp_2"}, at_ns=20_000)
    memory = LinkMemory()
    for call in (warm, first, second):
        memory.link(call)
    placed = {call_id: row.placement for call_id, row in memory.rows.items()}
    assert (placed["call-1"].kind, placed["call-2"].kind) == ("warmup", "turn")
    assert (placed["call-2"].parent_id, placed["call-2"].task_description) == (None, "Repair the login form")
    assert (placed["call-3"].parent_id, placed["call-3"].thread_id) == ("call-2", placed["call-2"].thread_id)
    assert len({placement.trace_id for placement in placed.values()}) == 1


def test_who_the_tooling_names_is_the_opener_whoever_else_said_the_same() -> None:
    world = World()
    ask = use("t1", "task", prompt="Find every broken link in the docs")
    lead = world.talk("You are the Lead Agent.", headers={"x-session-id": "ses_lead"}, connection="c1").turn("Do it all", ask)
    other = world.talk("You are another.", connection="c2").turn("Do all of it", ask)
    said = {"x-session-id": "ses_child", "x-parent-session-id": "ses_lead"}
    child = world.talk("You check.", headers=said, connection="c3").turn("Find every broken link in the docs", "None.")
    rephrased = world.talk("You check.", headers=said | {"x-session-id": "ses_2"}, connection="c3").turn("Something of its own", "None.")
    orphan = world.talk("You check.", headers={"x-session-id": "ses_3", "x-parent-session-id": "ses_none"}).turn(
        "Find every broken link in the docs", "No."
    )
    memory = LinkMemory()
    for call in (lead, other, child, rephrased, orphan):
        memory.link(call)
    parents = [memory.rows[call.call_id].placement.parent_id for call in (child, rephrased, orphan)]
    assert parents == [lead.call_id, lead.call_id, None]


def test_what_is_large_is_read_and_not_remembered() -> None:
    before = identity._remembered.cache_info().currsize
    for number in range(3):
        params = json.dumps({"metadata": {"session_id": f"s-{number}"}, "schema": "x" * identity.REMEMBERED_BYTES}).encode()
        call = replace(World().talk("You work.").turn("Hello there.", "Hello."), params=params)
        assert identify(call).session == f"s-{number}"
    assert identity._remembered.cache_info().currsize == before
