"""What a format makes of bytes: the half of a `Call` that depends on the format, and what every format must offer.

A format never raises: what it cannot make sense of it leaves out, or says in `unreadable`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from modular_agents.proxy.model.call import Message, Usage
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.wire.memo import Memo

NO_USAGE = Usage()


class Asked(msgspec.Struct, frozen=True):
    """What a request asks."""

    model: str | None = None
    stream: bool = False
    system: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()
    tools: tuple[bytes, ...] = ()
    params: bytes = b"{}"
    previous_response_id: str | None = None
    service_tier: str | None = None
    unreadable: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """An error the provider reported in an answer. `whose` as in `CallError`."""

    kind: str
    message: str
    whose: str = "provider"


class Answered(msgspec.Struct, frozen=True):
    """What has been answered so far. `ended`: the format's own end was seen, so that nothing can be missing."""

    answers: tuple[Message, ...] = ()
    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    usage: Usage = NO_USAGE
    fault: Fault | None = None
    service_tier: str | None = None
    ended: bool = False
    unreadable: str | None = None
    is_late: bool = False
    """It was made in the background: fetching it is where its usage is told."""


NOT_ANSWERED = Answered()


class Piece(NamedTuple):
    """A piece of a streamed answer: as `model.call.Delta`, without whose it is and when it came."""

    part: int
    kind: str
    text: str
    name: str | None = None


class Fold(Protocol):
    """One answer being put together: either from events, or from one whole body."""

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one event of a stream and return the pieces it adds."""

    def whole(self, body: bytes) -> None:
        """Take the whole body of an answer that is not a stream."""

    def answered(self) -> Answered:
        """Return what has come together so far. Idempotent."""


@quick
@dataclass(frozen=True, slots=True)
class Asking:
    """A request to be read: its decoded body, and the path of its target without the query, as written."""

    body: bytes
    path: str
    memo: Memo | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format: how a request reads, and a fresh fold for its answer."""

    name: str
    read_request: Callable[[Asking], Asked]
    fold: Callable[[Asked], Fold]
    streams_arrays: bool = False
    """A JSON array is a stream of answers (see `wire.array`)."""
