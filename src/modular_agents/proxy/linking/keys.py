"""A call names the keys it looks for and the keys it is found by; each costs one indexed look-up, none a scan.

The two halves mirror each other: what `index` leaves behind for one call is what `keys` of a later one asks for.
"""

from modular_agents.proxy.linking.identity import identify
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.chain import prefixes
from modular_agents.proxy.model.link import Indexed, LinkKeys

ANSWER_ROLES = frozenset({"assistant", "model"})
MAX_TIPS = 4
"""How many answers back a continued call is looked for: the last nearly always matches, others serve when the client cut or wrote it."""


def keys(call: Call) -> LinkKeys:
    """Return what to look up to place `call`."""
    digests = [message.digest for message in call.messages]
    answered = _answered(call)
    names = prefixes(digests, [*reversed(answered), len(digests)])
    identity = identify(call)
    named = (
        ("call", identity.parent_call),
        ("call", identity.replay_of),
        ("response_id", call.previous_response_id),
        ("thread", identity.thread),
        ("thread", identity.parent_thread),
    )
    return LinkKeys(
        tips=tuple(reversed(names[:-1])),
        histories=(names[-1],) if digests else (),
        named=tuple((kind, value) for kind, value in named if value),
    )


def index(call: Call) -> Indexed:
    """Return the keys under which later calls find `call`."""
    digests = [message.digest for message in call.messages]
    answer = [message.digest for message in call.answers[:1]]
    lengths = [len(digests), *([len(digests) + 1] if answer else [])]
    names = prefixes(digests + answer, lengths)
    identity = identify(call)
    named = (("response_id", call.response_id), ("thread", identity.thread))
    return Indexed(
        history=names[0] if digests else None,
        tip=names[1] if answer else None,
        named=tuple((kind, value) for kind, value in named if value),
    )


def _answered(call: Call) -> list[int]:
    """Return the lengths of the last few prefixes that end with an answer, longest first."""
    found: list[int] = []
    for length in range(len(call.messages), 0, -1):
        if call.messages[length - 1].role in ANSWER_ROLES:
            found.append(length)
            if len(found) == MAX_TIPS:
                break
    return found
