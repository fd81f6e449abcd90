"""An export comes back: each line becomes the call it was, with its ids, its place in the graph and its redactions.

A call that is there already stays as it is, so importing twice is importing once. What the request says is read again from its bytes;
all else is as the line says. An edge whose first call stands further down in the file is drawn when that call is there.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export.lines import CALLS, END, VERSION, CallLine, Mark
from modular_agents.proxy.export.reread import kept_of
from modular_agents.proxy.model.link import Indexed, LinkChanges, Lookup, Replaced
from modular_agents.proxy.model.query import Kept
from modular_agents.proxy.model.trace import Placement
from modular_agents.proxy.ports import Store

BATCH_CALLS = 50
"""Calls that one transaction brings."""
BATCH_BYTES = 16 * 1024 * 1024
"""Or so many bytes of lines: bounds memory."""
LATE_EDGES_MAX = 50_000
"""Calls whose edges wait for calls further down; more are drawn without. Bounds memory to some 50 MB."""
_CALL = msgspec.json.Decoder(CallLine)
_MARK = msgspec.json.Decoder(Mark)
_MARK_BEGINS = b'"anton_export"'
_MARK_WITHIN = 40


MAX_LINE_BYTES = 256 * 1024 * 1024
"""Of one line: two bodies of 16 MB in base64, or escaped six-fold, and room. A longer one is no call of ours."""


class NotUnderstood(UsageError):
    """A line that is no call of ours. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line:,}: {reason}.")
        self.line, self.reason = line, reason


@dataclass(slots=True)
class Restored:
    """What came of an import."""

    calls: int = 0
    """New here."""
    already: int = 0
    """Were here; nothing changed."""
    refused: int = 0
    """Lines that were not understood."""
    read_anew: int = 0
    """Calls whose request this version reads otherwise than the one that recorded them."""
    edges_left_out: int = 0
    """Edges from calls that are neither in the file nor here."""
    is_whole: bool = False
    """The last line says that nothing is missing."""
    traces: set[str] = field(default_factory=set)
    """At most `TRACES_NAMED` of those that calls came into."""


TRACES_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Waiting:
    call_id: str
    placement: Placement
    indexed: Indexed


def restore(lines: Iterable[bytes], store: Store, on_refused: Callable[[NotUnderstood], None], on_calls: Callable[[int], None]) -> Restored:
    """Put every call of an export into a store. `on_refused` may raise what it is given to stop; `on_calls` hears how many are done.

    Raises `NotUnderstood` for a file that is no export at all or of a newer version, and what a store raises.
    """
    told = Restored()
    waiting: list[_Waiting] = []
    batch: list[Kept] = []
    size = 0
    for line, kept in _calls(lines, told, on_refused):
        told.read_anew += kept[1]
        batch.append(kept[0])
        size += line
        if len(batch) >= BATCH_CALLS or size >= BATCH_BYTES:
            _put(store, batch, told, waiting)
            on_calls(told.calls + told.already)
            batch, size = [], 0
    if batch:
        _put(store, batch, told, waiting)
    for start in range(0, len(waiting), BATCH_CALLS):
        _draw(store, waiting[start : start + BATCH_CALLS], told)
    return told


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is too long its beginning, which no decoder takes."""
    while line := file.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES)


def _calls(lines: Iterable[bytes], told: Restored, on_refused: Callable[[NotUnderstood], None]) -> Iterator[tuple[int, tuple[Kept, bool]]]:
    """Yield (size of the line, (call, whether it is read otherwise now))."""
    begun = False
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if _MARK_BEGINS in text[:_MARK_WITHIN]:
            mark = _mark(number, text)
            begun = True
            told.is_whole = mark.anton_export == END
        elif not begun:
            raise NotUnderstood(number, "this is no export of `anton proxy export --format jsonl`")
        else:
            try:
                yield len(text), kept_of(_CALL.decode(text))
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                told.refused += 1
                on_refused(NotUnderstood(number, _reason(error)))
    if not begun:
        raise UsageError("There is nothing in this file.")


def _mark(number: int, text: bytes) -> Mark:
    try:
        mark = _MARK.decode(text)
    except msgspec.MsgspecError as error:
        raise NotUnderstood(number, _reason(error)) from None
    if mark.version > VERSION:
        raise NotUnderstood(
            number, f"this export is of version {mark.version}, and this anton reads up to {VERSION}: import it with a newer one"
        )
    if mark.anton_export not in {CALLS, END}:
        raise NotUnderstood(number, f"this is an export of {mark.anton_export[:40]!r}, not of calls")
    return mark


def _put(store: Store, calls: list[Kept], told: Restored, waiting: list[_Waiting]) -> None:
    ids = tuple(kept.call.call_id for kept in calls)
    with store.batch() as transaction:
        there = {found.call_id for found in transaction.find(Lookup(calls=ids))}
        starts = {edge.from_call_id for kept in calls for edge in kept.placement.edges}
        seen = {found.call_id for found in transaction.find(Lookup(calls=tuple(starts)))}
        for kept in calls:
            call_id = kept.call.call_id
            if call_id in there:
                told.already += 1
                continue
            there.add(call_id)
            told.calls += 1
            if kept.caller is not None:
                transaction.put_callers((kept.caller,))
            transaction.put_call(kept.call, kept.exchange, kept.placement, kept.cost, kept.indexed)
            for decision in kept.decisions:
                transaction.put_decision(decision)
            if len(told.traces) < TRACES_NAMED:
                told.traces.add(kept.placement.trace_id)
            if any(edge.from_call_id not in seen for edge in kept.placement.edges):
                waiting.append(_Waiting(call_id, kept.placement, kept.indexed))
            seen.add(call_id)
    told.edges_left_out += sum(len(one.placement.edges) for one in waiting[LATE_EDGES_MAX:])
    del waiting[LATE_EDGES_MAX:]


def _draw(store: Store, late: list[_Waiting], told: Restored) -> None:
    """Draw the edges of calls that were put before the calls from which they lead."""
    with store.batch() as transaction:
        starts = {edge.from_call_id for one in late for edge in one.placement.edges}
        there = {found.call_id for found in transaction.find(Lookup(calls=tuple(starts)))}
        told.edges_left_out += sum(edge.from_call_id not in there for one in late for edge in one.placement.edges)
        transaction.relink(LinkChanges(replaced=tuple(Replaced(one.call_id, one.placement, one.indexed) for one in late)))


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
