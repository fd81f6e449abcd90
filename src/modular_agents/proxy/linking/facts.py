"""What linking remembers of a call: enough to link it again without its bodies, small enough to keep for every call.

Facts are made from a call once and never from another call. Where a call stands (`Stand`) is kept beside them and may change.
"""

import msgspec

from modular_agents.proxy.linking.identity import Identity, identify
from modular_agents.proxy.linking.kinds import kind_of
from modular_agents.proxy.linking.names import named_agent, task_of
from modular_agents.proxy.linking.tokens import token
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.chain import prefixes

ANSWER_ROLES = frozenset({"assistant", "model"})
MAX_TIPS = 3
"""How many answers back a continued call is looked for: the last nearly always matches, others serve when the client cut or wrote it."""


class Facts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A call in the eyes of linking. A token of 0 says nothing.

    tips: histories up to an answer, longest first: a call that ended one of them is continued by this one.
    tip: its history with its answer. request: the same request sent again has the same. previous, response: provider's ids.
    """

    call_id: str
    started_ns: int
    ended_ns: int | None
    status: str
    connection: str
    kind: str
    said: str | None
    said_rule: str
    session: str | None
    session_rule: str
    thread: str | None
    parent_thread: str | None
    agent: str | None
    intro: str | None
    task: str | None
    parent_call: str | None
    replay_of: str | None
    attempt: int
    request: int
    previous: int
    tips: tuple[int, ...]
    tip: int
    response: int


class Stand(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a call was put: `edges` lead to it, as (from, type, rule, detail, confidence)."""

    parent: str | None = None
    kind: str = "turn"
    edges: tuple[tuple[str, str, str, str, float], ...] = ()


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`Indexed.facts`, decoded."""

    facts: Facts
    stand: Stand


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)


def encode(facts: Facts, stand: Stand) -> bytes:
    """Return the bytes that the store keeps."""
    return _ENCODER.encode(Record(facts, stand))


def decode(data: bytes) -> Record:
    """Return what `encode` was given."""
    return _DECODER.decode(data)


def gather(call: Call) -> Facts:
    """Return the facts of a call."""
    identity = identify(call)
    digests = [message.digest for message in call.messages]
    answered = _answered(call)
    answer = [call.answers[0].digest] if call.answers else []
    lengths = [*reversed(answered), len(digests), len(digests) + len(answer)]
    names = prefixes(digests + answer, lengths)
    previous = call.previous_response_id
    return Facts(
        call_id=call.call_id,
        started_ns=call.started_ns,
        ended_ns=call.ended_ns,
        status=str(call.status),
        connection=call.connection_id,
        kind=kind_of(call, identity),
        said=identity.trace,
        said_rule=identity.trace_rule,
        session=identity.session,
        session_rule=identity.session_rule,
        thread=identity.thread,
        parent_thread=identity.parent_thread,
        agent=identity.agent,
        intro=named_agent(call),
        task=None if answered else task_of(call),
        parent_call=identity.parent_call,
        replay_of=identity.replay_of,
        attempt=identity.attempt,
        request=_request(call, identity, names[-2]) if digests else 0,
        previous=token("response", previous) if previous else 0,
        tips=tuple(token("tip", name) for name in reversed(names[:-2])),
        tip=token("tip", names[-1]) if answer else 0,
        response=token("response", call.response_id) if call.response_id else 0,
    )


def _request(call: Call, identity: Identity, history: bytes) -> int:
    """What makes two requests the same: all that the model reads, and who asks as far as they say."""
    system = b"".join(message.digest for message in call.system)
    said = "\0".join(
        (
            call.operation,
            call.model or "",
            str(len(call.tools)),
            call.previous_response_id or "",
            identity.trace or "",
            identity.thread or "",
        )
    )
    return token("request", history + system + said.encode("utf-8", "surrogatepass"))


def _answered(call: Call) -> list[int]:
    """Return the lengths of the last few prefixes that end with an answer, longest first."""
    found: list[int] = []
    messages = call.messages
    for length in range(len(messages), 0, -1):
        message = messages[length - 1]
        if message.role in ANSWER_ROLES and message.digest:
            found.append(length)
            if len(found) == MAX_TIPS:
                break
    return found
