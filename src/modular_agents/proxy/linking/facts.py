"""What linking remembers of a call: enough to link it again without its bodies, small enough to keep for every call.

Facts are made from a call once and never from another call. Where a call stands (`Stand`) is kept beside them and may change.
"""

from typing import NamedTuple

import msgspec

from modular_agents.proxy.linking.offers import Offer
from modular_agents.proxy.linking.text import Said

COMPLETED = "completed"
UNANSWERED = frozenset({"failed", "cancelled", "interrupted"})


class Heard(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a turn brings back: the result of one tool use (`tool_id`), or a person's words (empty id); tokens of its lines."""

    tool_id: str
    keys: tuple[int, ...]
    is_error: bool = False


class Facts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A call in the eyes of linking. A token of 0 says nothing."""

    call_id: str
    started_ns: int
    ended_ns: int | None
    status: str
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
    parent_call: str | None
    replay_of: str | None
    agent: str | None
    intro: str | None
    """The agent's name as its system prompt introduces it."""
    task: str | None
    # what it goes on from
    system: int
    """System prompt and number of tools."""
    request: int
    """The same request sent again has the same."""
    previous: int
    """The provider's id of the answer it goes on from."""
    tips: tuple[int, ...]
    """Its history up to an answer, longest first: a call that ended one of them is continued by this one."""
    recalled: tuple[int, ...]
    """Its last answers by themselves, newest first: their history may have been edited."""
    reasked: tuple[int, ...]
    """Its last questions before the newest, with the beginning of the answer it has to them: the rest may have been edited or cut."""
    is_first: bool
    """It has no answer in its history: a conversation's first turn."""
    heard: tuple[Heard, ...]
    """What came back since the last answer."""
    # what it leaves behind
    asked: int
    """Its last question with the beginning of its answer: the other half of `reasked`."""
    tip: tuple[int, ...]
    """Its history with its answer, one for each choice."""
    answer: int
    """Its answer by itself."""
    response: int
    """The provider's id of its answer."""
    offers: tuple[Offer, ...]
    handed: Said | None
    """Its answer's text, where it asked for no tool: what it may hand to somebody else."""
    handed_keys: tuple[int, ...]
    """Of the same text: the whole, the first line and the last, as a later turn may bring them back."""
    was_seen: bool = False
    """An earlier version was placed already: only what the answer adds is new."""

    @property
    def moment(self) -> tuple[int, str]:
        """Its place in time."""
        return self.started_ns, self.call_id


class Words(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a first turn was told, as `text.Reading` needs it: kept only while a call that comes late may still have said it."""

    texts: tuple[str, ...] = ()
    """Its new user texts."""
    briefing: str = ""
    """Its system prompt's ends."""


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
    was_told: bool = False
    """Where its thread's answer went told who opened it."""
    is_doubtful: bool = False
    """Other calls might as well have led here."""


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    facts: Facts
    stand: Stand


NO_WORDS = Words()
_ENCODER = msgspec.msgpack.Encoder()
_RECORDS = msgspec.msgpack.Decoder(_Record)
_WORDS = msgspec.msgpack.Decoder(Words)


def encode(facts: Facts, stand: Stand) -> bytes:
    """Return the bytes that the store keeps."""
    return _ENCODER.encode(_Record(facts, stand))


def decode(data: bytes) -> tuple[Facts, Stand]:
    """Return what `encode` was given."""
    record = _RECORDS.decode(data)
    return record.facts, record.stand


def encode_words(words: Words) -> bytes:
    """Return the bytes that the store keeps for a while; none when there is nothing to keep."""
    return _ENCODER.encode(words) if words != NO_WORDS else b""


def decode_words(data: bytes) -> Words:
    """Return what `encode_words` was given."""
    return _WORDS.decode(data) if data else NO_WORDS
