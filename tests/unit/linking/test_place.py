from dataclasses import replace
from hashlib import blake2b

from modular_agents.proxy.linking import index, keys, place
from modular_agents.proxy.model.call import Call, Message, Part, Status
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.model.link import Candidate
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


def found(call: Call, *others: tuple[Call, Placement]) -> list[Candidate]:
    """What a store answers: others whose index meets the call's keys."""
    wanted = keys(call)
    answers = []
    for other, at in others:
        left = index(other)
        hits: list[tuple[str, bytes | str]] = [("tip", tip) for tip in wanted.tips if tip == left.tip]
        hits += [("history", history) for history in wanted.histories if history == left.history]
        hits += [(kind, value) for kind, value in wanted.named if (kind, value) in {*left.named, ("call", other.call_id)}]
        for matched, key in hits:
            answers.append(
                Candidate(
                    other.call_id,
                    matched,
                    key,
                    at.trace_id,
                    at.thread_id,
                    at.agent_name,
                    other.started_ns,
                    other.ended_ns,
                    other.status.value,
                    other.connection_id,
                )
            )
    return answers


def test_a_call_alone_opens_a_trace_named_after_itself() -> None:
    call = made("one", "Fix the bug")
    where = place(call, ())
    assert (where.trace_id, where.thread_id, where.parent_id, where.edges) == ("tr-one", "th-one", None, ())
    assert where.task_description == "Fix the bug"
    assert place(replace(call, status=Status.COMPLETED), ()).trace_id == "tr-one"


def test_the_next_turn_joins_the_thread_and_trace() -> None:
    first = made("one", "Hi", answer="Hello")
    at = place(first, ())
    second = made("two", "Hi", "Hello", "More", at=2)
    where = place(second, found(second, (first, at)))
    assert (where.trace_id, where.thread_id, where.parent_id) == (at.trace_id, at.thread_id, "one")
    (edge,) = where.edges
    assert (edge.edge_type, edge.evidence.rule, edge.evidence.confidence) == (EdgeType.REQUEST, "continuation", 1.0)


def test_another_answer_is_another_conversation() -> None:
    first = made("one", "Hi", answer="Hello")
    other = made("two", "Hi", "Good day", "More", at=2)
    assert found(other, (first, place(first, ()))) == []


def test_two_equal_conversations_are_marked_ambiguous_unless_the_connection_tells() -> None:
    one, two = made("one", "Hi", answer="Hello"), made("two", "Hi", answer="Hello", connection_id="c2", at=1)
    places = [(one, place(one, ())), (two, place(two, ()))]
    third = made("three", "Hi", "Hello", "More", at=5, connection_id="c1")
    where = place(third, found(third, *places))
    assert where.parent_id == "one"
    assert where.edges[0].evidence.confidence == 0.5


def test_a_retry_hangs_on_the_first_attempt() -> None:
    first = made("one", "Hi", status=Status.FAILED, ended_ns=SECOND)
    at = place(first, ())
    again = made("two", "Hi", at=2, request_headers=(("X-Stainless-Retry-Count", "1"),))
    at_again = place(again, found(again, (first, at)))
    third = made("three", "Hi", at=4, request_headers=(("X-Stainless-Retry-Count", "2"),))
    where = place(third, found(third, (first, at), (again, at_again)))
    assert (where.parent_id, where.kind, where.trace_id) == ("one", "retry", "tr-one")
    assert where.edges[0].evidence.rule == "retry"


def test_the_same_prompt_again_after_an_answer_is_no_retry() -> None:
    first = made("one", "Hi", answer="Hello")
    again = made("two", "Hi", at=5)
    assert place(again, found(again, (first, place(first, ())))).parent_id is None


def test_what_the_app_says_beats_what_the_words_say() -> None:
    first = made("one", "Hi", answer="Hello")
    second = made("two", "Hi", "Hello", "More", at=2, hints=Hints(trace="nightly", agent="reviewer"))
    where = place(second, found(second, (first, place(first, ()))))
    assert (where.trace_id, where.agent_name, where.parent_id) == ("nightly", "reviewer", "one")


def test_response_ids_and_replays() -> None:
    first = made("one", "Hi", answer="Hello", response_id="resp_1")
    second = made("two", "More", at=3, previous_response_id="resp_1")
    at = place(first, ())
    assert place(second, found(second, (first, at))).edges[0].evidence.rule == "response_id"
    replayed = made("three", "Edited", at=9, hints=Hints(replay_of="one"))
    where = place(replayed, found(replayed, (first, at)))
    assert (where.parent_id, where.edges[0].evidence.rule, where.trace_id) == ("one", "replay", "tr-one")
