"""How the live push stands, in a small file: where it goes on after a restart, and what was sent and what was not, for status and page."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modular_agents.proxy.model.status import OtlpStatus


@dataclass(slots=True)
class Standing:
    """Numbers are of this database since it was first pushed. Every call that ended since then is sent, rejected, missed, or waits."""

    seq: int = -1
    """Events up to here are done with; -1: nothing has been yet."""
    base: int = 0
    """Calls that had ended before the first push."""
    seen: int = 0
    """Calls that have ended since and were offered: taken, or refused."""
    sent_spans: int = 0
    rejected_spans: int = 0
    """Refused by the collector."""
    missed_calls: int = 0
    """Never offered: events were gone before the collector could be reached again, or retention was faster."""
    waiting_calls: int = 0
    """Taken up and not sent yet."""
    said: str = ""
    """The collector's complaint, while it has one."""
    target: str = ""
    """Its address, without path and keys."""
    newest_end: str = ""
    """When the call ended that ended last of those taken up."""
    recent: tuple[str, ...] = ()
    """Calls sent last: an event that only moves one of them is no new call."""
    open_traces: tuple[str, ...] = ()
    """Traces whose agents' spans are still to be sent, once they are quiet."""


def read_standing(path: Path) -> Standing | None:
    """Return how it stood, or None when there is no file that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Standing)
    except (OSError, msgspec.MsgspecError):
        return None


def status_of(path: Path) -> OtlpStatus | None:
    """Return how it stands for a person; None when nothing was ever pushed."""
    found = read_standing(path)
    if found is None or not found.target:
        return None
    return OtlpStatus(found.target, found.sent_spans, found.rejected_spans, found.missed_calls, found.waiting_calls, found.said)


def write_standing(path: Path, standing: Standing) -> None:
    """Put the file in place of the last one, for its owner only. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(standing))
    fresh.replace(path)
