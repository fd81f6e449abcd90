from dataclasses import replace
from hashlib import blake2b

from tests.support.link_memory import LinkMemory
from tests.support.talks import World, result, use

from modular_agents.proxy.model.call import Call, Message, Part, Status
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.model.trace import EdgeType, Placement

SECOND = 1_000_000_000


def said(role: str, text: str) -> Message:
    return Message(role, (Part("text", text),), b"{}", blake2b(f"{role}:{text}".encode(), digest_size=16).digest())


def made(call_id: str, *texts: str, at: int = 0, answer: str | None = None, **more: object) -> Call:
    call = Call(
        call_id=call_id,
        status=Status.RUNNING if answer is None else Status.COMPLETED,
        started_ns=at * SECOND,
        provider="claude",
        upstream="anthropic",
        format="anthropic.messages",
        operation="chat",
        method="POST",
        path="/v1/messages",
        client="127.0.0.1:5",
        connection_id="c1",
        hints=Hints(),
        request_headers=(),
        messages=tuple(said("assistant" if n % 2 else "user", text) for n, text in enumerate(texts)),
        answers=() if answer is None else (said("assistant", answer),),
        ended_ns=None if answer is None else (at + 1) * SECOND,
    )
    return replace(call, **more)  # type: ignore[arg-type]


def place(*calls: Call) -> Placement:
    """Where the last of the calls stands, when they came in this order."""
    memory = LinkMemory()
    for call in calls:
        memory.link(call)
    return memory.rows[calls[-1].call_id].placement


def test_a_call_alone_opens_a_trace_named_after_itself() -> None:
    call = made("one", "Fix the bug")
    where = place(call)
    assert (where.trace_id, where.thread_id, where.parent_id, where.edges) == ("tr-one", "th-one", None, ())
    assert where.task_description == "Fix the bug"
    assert place(call, replace(call, status=Status.COMPLETED)).trace_id == "tr-one"


def test_the_next_turn_joins_the_thread_and_trace() -> None:
    where = place(made("one", "Hi", answer="Hello"), made("two", "Hi", "Hello", "More", at=2))
    assert (where.trace_id, where.thread_id, where.parent_id) == ("tr-one", "th-one", "one")
    (edge,) = where.edges
    assert (edge.edge_type, edge.evidence.rule, edge.evidence.confidence) == (EdgeType.REQUEST, "continuation", 1.0)


def test_another_answer_is_another_conversation() -> None:
    assert place(made("one", "Hi", answer="Hello"), made("two", "Hi", "Good day", "More", at=2)).parent_id is None


def test_two_equal_conversations_are_marked_ambiguous() -> None:
    one, two = made("one", "Hi", answer="Hello"), made("two", "Hi", answer="Hello", connection_id="c2", at=1)
    where = place(one, two, made("three", "Hi", "Hello", "More", at=5, connection_id="c1"))
    assert where.parent_id == "one"
    assert where.edges[0].evidence.confidence == 0.8
    assert where.edges[0].evidence.detail.startswith("ambiguous: 2")


def test_a_retry_hangs_on_the_first_attempt() -> None:
    first = made("one", "Hi", status=Status.FAILED, ended_ns=SECOND)
    again = made("two", "Hi", at=2, request_headers=(("X-Stainless-Retry-Count", "1"),))
    third = made("three", "Hi", at=4, request_headers=(("X-Stainless-Retry-Count", "2"),))
    where = place(first, again, third)
    assert (where.parent_id, where.kind, where.trace_id) == ("one", "retry", "tr-one")
    assert where.edges[0].evidence.rule == "retry"


def test_the_same_prompt_again_after_an_answer_is_no_retry() -> None:
    assert place(made("one", "Hi", answer="Hello"), made("two", "Hi", at=5)).parent_id is None


def test_what_the_app_says_beats_what_the_words_say() -> None:
    second = made("two", "Hi", "Hello", "More", at=2, hints=Hints(trace="nightly", agent="reviewer"))
    where = place(made("one", "Hi", answer="Hello"), second)
    assert (where.trace_id, where.agent_name, where.parent_id) == ("nightly", "reviewer", "one")


def test_response_ids_and_replays() -> None:
    first = made("one", "Hi", answer="Hello", response_id="resp_1")
    assert place(first, made("two", "More", at=3, previous_response_id="resp_1")).edges[0].evidence.rule == "response_id"
    where = place(first, made("three", "Edited", at=9, hints=Hints(replay_of="one")))
    assert (where.parent_id, where.edges[0].evidence.rule, where.trace_id) == ("one", "replay", "tr-one")


def test_an_attempt_after_an_answer_that_did_not_arrive_is_a_retry() -> None:
    first = made("one", "Hi", answer="Hello")
    again = made("two", "Hi", at=2, request_headers=(("X-Stainless-Retry-Count", "1"),))
    assert (place(first, again).parent_id, place(first, again).kind) == ("one", "retry")
    assert place(first, replace(again, request_headers=())).parent_id is None


def test_an_agent_takes_over_with_its_own_system_prompt() -> None:
    world = World()
    triage = world.talk("You are the Triage Agent.", tools=1)
    first = triage.turn("Count the files here", use("call_1", "transfer_to_counter"))
    counter = world.talk("You are the Counter Agent.", tools=3, history=list(triage.history))
    second = counter.turn(result("call_1", "Go on."), use("call_2", "count"))
    third = counter.turn(result("call_2", "12 files"), "There are twelve.")
    memory = LinkMemory()
    for call in (first, second, third):
        memory.link(call)
    placed = [memory.rows[call.call_id].placement for call in (first, second, third)]
    assert [placement.agent_name for placement in placed] == ["triage", "counter", "counter"]
    assert [placement.parent_id for placement in placed] == [None, first.call_id, second.call_id]
    leading = [replace(call, system=(), messages=(*call.system, *call.messages)) for call in (first, second)]
    where = place(*leading)
    assert (where.parent_id, where.agent_name, where.edges[0].evidence.rule) == (first.call_id, "counter", "handoff")
