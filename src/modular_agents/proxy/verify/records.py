"""Whether what was recorded is what was sent: the calls of a self-test by their bytes, all stored calls by what was noted of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from modular_agents.proxy.errors import StoreDamaged, StoreUnavailable
from modular_agents.proxy.ports import Reader
from modular_agents.proxy.verify.cases import Case

CAUGHT_UP_S = 20.0
"""Time for the recorder to bring over the last call on a busy machine."""
LOOK_S = 0.05
PAGE = 200
"""Calls per question: reads stay short, the writer's checkpoints are not held up."""
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The calls of one self-test as they were recorded. `faults`: what is missing or not as it was sent, in words."""

    calls: int
    """Those whose bodies were compared."""
    bytes: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JournalCheck:
    """The segments that are still on disk. Frames carry a CRC each."""

    frames: int
    bytes: int
    damaged_bytes: int
    """Bytes that do not check, with whole frames after them."""
    torn_bytes: int
    """The unfinished end of what a killed worker wrote: no damage."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A stored call that is not as it was recorded."""

    call_id: str
    fault: str


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """Every stored call that has ended, put together again. `damage`: what the engine finds wrong with its file."""

    calls: int
    rebuilt: int
    """Requests that stand in parts and were rebuilt byte for byte."""
    parts: int
    """Calls of which only a part was kept: beyond the cap, or records dropped."""
    bytes: int
    faults: tuple[Fault, ...]
    damage: tuple[str, ...]


def check_recorded(reader: Reader, trace_id: str, cases: Sequence[Case]) -> Recorded:
    """Wait until the recorder has the calls of a self-test, and compare their bodies with what was sent. Raises `StoreDamaged`."""
    wanted = {case.target.decode("latin-1"): case for case in cases if case.asked is not None}
    faults: list[str] = []
    size = 0
    ended = _await_calls(reader, trace_id, len(cases))
    for call_id in ended:
        raw = reader.raw(call_id)
        case = wanted.pop(raw.target, None) if raw is not None else None
        if raw is None or case is None:
            continue
        for what, sent, kept in (("request", case.asked, raw.request_body), ("answer", case.answered, raw.response_body)):
            size += len(kept)
            if sent != kept:
                faults.append(f"{case.name}: the {what} was recorded as {len(kept)} bytes that are not the {len(sent or b'')} sent")
    faults += [f"{case.name}: not recorded" for case in wanted.values()]
    return Recorded(sum(case.asked is not None for case in cases) - len(wanted), size, tuple(faults))


def _await_calls(reader: Reader, trace_id: str, count: int) -> list[str]:
    """Return the ids of the calls that have ended once there are `count` of them, or when time is up."""
    end = time.monotonic() + CAUGHT_UP_S
    while True:
        try:
            trace = reader.trace(trace_id)
        except StoreUnavailable:
            trace = None
        ended = [call.call_id for call in trace.calls if call.status != RUNNING] if trace is not None else []
        if len(ended) >= count and not (trace is not None and trace.trace.running_count):
            return ended
        if time.monotonic() > end:
            return ended
        time.sleep(LOOK_S)


def check_stored(reader: Reader) -> StoredCheck:
    """Put every stored call together again. Raises `StoreUnavailable`; damage is a finding."""
    calls = rebuilt = parts = size = 0
    faults: list[Fault] = []
    damage: list[str] = []
    try:
        damage += reader.damage()
        cursor: str | None = None
        while True:
            page = reader.checked(cursor, PAGE)
            for item in page.items:
                calls, rebuilt, parts, size = calls + 1, rebuilt + item.rebuilt, parts + item.is_part, size + item.bytes
                if item.fault:
                    faults.append(Fault(item.call_id, item.fault))
            cursor = page.next_cursor
            if cursor is None:
                break
    except StoreDamaged as error:
        damage.append(str(error))
    return StoredCheck(calls, rebuilt, parts, size, tuple(faults), tuple(damage))
