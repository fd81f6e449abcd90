"""How the recorder stands, in a small file that status, metrics and page read: always a whole report, never half of one."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modular_agents.proxy.model.status import RECORDER_NUMBERS_NAME, write_numbers


@dataclass(frozen=True, slots=True)
class Report:
    """Counts are since this recorder began; sizes in bytes."""

    pid: int
    at_ns: int
    """UTC time of this report."""
    lag_bytes: int
    """In the journal and not in the store yet."""
    open_calls: int
    calls_ended: int
    batches: int
    bare_calls: int
    """Stored with less than they hold, because of a fault of ours."""
    skipped_calls: int
    """Not stored at all, because of a fault of ours."""
    dropped_frames: int
    """Lost by the relay while its disk failed or the journal was full."""
    dropped_bytes: int
    damaged_bytes: int
    """Journal bytes that did not check, with good ones after them."""
    torn_bytes: int
    """Journal bytes at the end of dead workers' segments that are no whole frame: what power loss or kill -9 cut."""
    orphan_frames: int
    missing_segments: int = 0
    """Of the journal, deleted by somebody before they were read."""
    refused_segments: tuple[str, ...] = ()
    """Written by a later version of the proxy; left alone."""
    store_trouble: str = ""
    """Why the store is not taking anything now; empty when it is."""


def write_report(path: Path, report: Report) -> None:
    """Put a report in place of the last one, and its numbers beside it for `/-/metrics`. Raises OSError."""
    _put(path, msgspec.json.encode(report))
    _put(path.with_name(RECORDER_NUMBERS_NAME), write_numbers(numbers_of(report)))


def numbers_of(report: Report) -> dict[str, int]:
    """Return what `/-/metrics` tells of a report, by the names that stand there behind `anton_recorder_`."""
    return {
        "lag_bytes": report.lag_bytes,
        "calls_open": report.open_calls,
        "calls_total": report.calls_ended,
        "batches_total": report.batches,
        "bare_calls_total": report.bare_calls,
        "skipped_calls_total": report.skipped_calls,
        "damaged_bytes_total": report.damaged_bytes,
        "torn_bytes_total": report.torn_bytes,
        "orphan_frames_total": report.orphan_frames,
        "missing_segments_total": report.missing_segments,
        "refused_segments": len(report.refused_segments),
        "store_away": int(bool(report.store_trouble)),
        "reported_seconds": report.at_ns // 1_000_000_000,
    }


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    fresh.replace(path)


def read_report(path: Path) -> Report | None:
    """Return the last report, or None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        return None
