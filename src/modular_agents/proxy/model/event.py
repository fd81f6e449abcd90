"""What the live page is told: numbered events, each carrying the row it announces."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """`kind`: `call`, `trace`, `delta`, `edge` or `removed`; `body` is the row as JSON text."""

    seq: int
    kind: str
    trace_id: str | None
    call_id: str | None
    body: str
