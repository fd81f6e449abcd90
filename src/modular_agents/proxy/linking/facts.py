"""What linking remembers of a call: enough to link it again without its bodies, small enough to keep for every call.

Facts are made from a call once and never from another call. Where a call stands (`Stand`) is kept beside them and may change.
"""

from typing import Any, NamedTuple

import msgspec

from modular_agents.proxy.linking.offers import Offer
from modular_agents.proxy.linking.text import Reading, Said
from modular_agents.proxy.model.trace import Placement

COMPLETED = "completed"
UNANSWERED = frozenset({"failed", "cancelled", "interrupted"})
BY_HAND = "by hand"
"""The rule of what a person said."""
CHOSEN_BY_WORDS = frozenset({"tool_input", "plan", "said.parent", "header.parent-thread"})


class Heard(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a turn brings back: the result of one tool use, and how the texts begin that it may hold (`text.heads_in`)."""

    tool_id: str
    heads: tuple[int, ...]
    is_error: bool = False


class Hand(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a person said about a call (`model.decision`); it outranks whatever else is known."""

    places: bool = False
    """It opens a thread where the person said, whatever its words, its ids and its session say."""
    opener: str = ""
    """The call that asked for it."""
    beside: str = ""
    """A call of the trace to which it belongs."""
    trace: str = ""
    """That trace, should the call be gone."""
    cut: tuple[tuple[str, str], ...] = ()
    """(source, type) of edges that are wrong."""
    detail: str = ""


class Facts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A call in the eyes of linking. A token of 0 says nothing."""

    call_id: str
    started_ns: int
    connection: str
    kind: str
    attempt: int
    # who says so
    said: str | None
    said_rule: str
    session: str | None
    session_rule: str
    thread: str | None
    parent_thread: str | None
    branch: str | None
    parent_branch: str | None
    parent_call: str | None
    replay_of: str | None
    agent: str | None
    intro: str | None
    """The agent's name as its system prompt introduces it."""
    task: str | None
    trace_name: str | None
    # what it goes on from
    system: int
    """System prompt and number of tools."""
    request: int
    """The same request sent again has the same."""
    previous: int
    """The provider's id of the answer it goes on from."""
    history: bytes
    """Names its messages, all of them."""
    tips: tuple[bytes, ...]
    """Names its history up to an answer, longest first: a call that ended one of them is continued by this one."""
    is_first: bool
    """It has no answer in its history: a conversation's first turn."""
    heard: tuple[Heard, ...]
    """Tool results since the last answer."""
    question: bytes
    """Names its last question."""
    recalled: tuple[int, ...] = ()
    """Its last answers by themselves, newest first: their history may have been edited. Read when need be (`gather.recall`)."""
    reasked: tuple[int, ...] = ()
    """Its last questions before the newest, with the beginning of the answer it has to them: the rest may have been cut."""
    # how it ended
    status: str = "running"
    ended_ns: int | None = None
    tip: tuple[bytes, ...] = ()
    """Its history with its answer, one for each choice."""
    answer: int = 0
    """Its answer by itself."""
    asked: int = 0
    """Its last question with the beginning of its answer: the other half of `reasked`."""
    response: int = 0
    """The provider's id of its answer."""
    offers: tuple[Offer, ...] = ()
    handed: Said | None = None
    """Its answer's text, where it ends its work: what it may hand to somebody else."""
    head: int = 0
    """How the same text begins (`text.head_of`), as a later turn may bring it back."""
    hand: Hand | None = None
    process: int = 0
    """Names the run of the program that made it; 0 when nobody knows, or not yet."""

    @property
    def moment(self) -> tuple[int, str]:
        """Its place in time."""
        return self.started_ns, self.call_id


class Words(msgspec.Struct, frozen=True, dict=True):
    """What a turn was told, as `text.Reading` needs it: kept only while a call that comes late may still have said it."""

    texts: tuple[str, ...] = ()
    """Its new user texts, squeezed."""
    lines: tuple[str, ...] = ()
    """Of them, the lines that may be short pieces."""
    briefing: str = ""
    """Its system prompt's ends, likewise."""
    prompts: tuple[str, ...] = ()
    """Of a helper: lines that may be the first words of the conversation that it helps."""

    @property
    def reading(self) -> Reading:
        """The words as a text in which others may stand."""
        made: Reading | None = self.__dict__.get("reading")
        if made is None:
            made = self.__dict__["reading"] = Reading(self.texts, self.lines, self.briefing)
        return made

    def __bool__(self) -> bool:
        """Return whether anything was said."""
        return bool(self.texts or self.briefing)


class Came(NamedTuple):
    """An edge that leads to a call, as it is kept."""

    source: str
    type: str
    rule: str
    detail: str
    confidence: float


class Stand(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a call was put: what leads to it, and what ties its thread to another without an edge (`kin`)."""

    parent: str | None = None
    kind: str = "turn"
    came: tuple[Came, ...] = ()
    kin: str | None = None
    kin_rule: str = ""
    took: int = 0
    """Token of the piece of text by which its thread was opened, 0 when it was by another rule."""
    use: str = ""
    """Id of the tool use that opened its thread."""
    is_doubtful: bool = False
    """Other calls might as well have led here."""
    told: tuple[str, ...] = ()
    """Roots of the threads whose answers come back here."""
    named: str | None = None
    """The trace that its thread was given."""
    agent: str | None = None
    """What its thread is called."""
    tied: tuple[str, ...] = ()
    """Of a thread that was given a trace: the roots of the threads that lead to it."""
    freed: str | None = None
    """The trace that its thread was given, where a person said otherwise of it or of a thread above it."""
    unruled: "Stand | None" = None
    """Where it would stand had nobody said anything of it."""


class Told:
    """All that is kept of a call, decoded. Read from its bytes, `words` and `placement` (where it stood when this was made) are None."""

    __slots__ = ("facts", "known", "placement", "stand", "words")

    def __init__(self, facts: Facts, stand: Stand, words: Words | None, placement: Placement | None = None) -> None:
        self.facts, self.stand, self.words, self.placement = facts, stand, words, placement
        self.known: object = None
        """The call as `sight.known` gave it last."""


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    facts: Facts
    stand: Stand


NO_WORDS = Words()
_VERSION, _EARLIER = b"\x03", b"\x02"
"""Facts of any other version say nothing; `relink` makes them anew."""
_OFFERS, _HANDED = map(Facts.__struct_fields__.index, ("offers", "handed"))
_ENCODER = msgspec.msgpack.Encoder()
_RECORDS = msgspec.msgpack.Decoder(_Record)


def encode(facts: Facts, stand: Stand) -> bytes:
    """Return the bytes that the store keeps."""
    return _VERSION + _ENCODER.encode(_Record(facts, stand))


def decode(data: bytes) -> tuple[Facts, Stand]:
    """Return what `encode` was given. Raises `msgspec.DecodeError` for facts of another version."""
    if data[:1] == _VERSION:
        record = _RECORDS.decode(memoryview(data)[1:])
    elif data[:1] == _EARLIER:
        record = _of_earlier(msgspec.msgpack.decode(memoryview(data)[1:]))
    else:
        raise msgspec.DecodeError("facts of another version")
    return record.facts, record.stand


def _of_earlier(record: list[Any]) -> _Record:
    """Read facts in which a piece of text had another mark before its words: `[size, whole, mark, offset, mark, words]`."""
    facts = record[0]
    for piece in filter(None, [*(offer[-1] for offer in facts[_OFFERS]), facts[_HANDED]]):
        has_inside = piece[3] >= 0
        piece[2:] = [0 if has_inside else piece[2], piece[3], "".join(piece[5:]) if has_inside else ""]
    return msgspec.convert(record, _Record)
