"""What linking asks of the store and gets back: keys, the calls they find, and the keys a call is found by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """Indexed keys by which earlier calls are looked up for linking. Empty means: do not look.

    tips: chain hashes, longest history first: an earlier call whose history *with its answer* hashes to one of these
    is continued by this call. histories: chain hashes of this call's whole history, for retries.
    named: `(kind, value)` such as `("session", "…")`, `("response_id", "resp_…")`, `("call", "01J…")`.
    """

    tips: tuple[bytes, ...] = ()
    histories: tuple[bytes, ...] = ()
    named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier call as linking sees it. `matched` says by which key it was found (`tip`, `history`, or the named kind)."""

    call_id: str
    matched: str
    key: bytes | str
    trace_id: str
    thread_id: str
    agent_name: str | None
    started_ns: int
    ended_ns: int | None
    status: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """Keys under which a call can be found later: the other half of `LinkKeys`."""

    history: bytes | None = None
    """Chain hash of its messages."""
    tip: bytes | None = None
    """Chain hash of its messages followed by its answer; None until it has one."""
    named: tuple[tuple[str, str], ...] = ()
