"""What a running proxy says of itself: read from its runtime file and its counters, shown by `anton proxy status` and the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TROUBLES_NAME = "troubles"
"""In the control directory, while there is any: what does not work, kept by the supervisor for everybody else."""

RECORDER_NUMBERS_NAME = "recorder.numbers"
"""In the control directory: what the recorder counts, renewed once a second, for whoever must not read JSON."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something behind the relay that does not work now. Calls go on and wait in the journal, until that reaches its cap."""

    what: str
    """`relay` (one worker of several), `recorder`, `dashboard` or `store`."""
    why: str


@dataclass(frozen=True, slots=True)
class OtlpStatus:
    """How the live push to an OpenTelemetry collector stands, since this database was first pushed."""

    endpoint: str
    """Address of the collector, without path or keys."""
    sent_spans: int
    rejected_spans: int
    """Refused by the collector."""
    missed_calls: int
    """Calls that ended and were never offered: the collector was away for longer than they could wait."""
    waiting_calls: int
    said: str
    """The collector's complaint, while it has one."""


@dataclass(frozen=True, slots=True)
class ProxyStatus:
    """The proxy whose runtime file lies beside the database. `running` False: the file is there but its process is not."""

    running: bool
    url: str
    """Base URL that clients are pointed at."""
    dashboard_url: str | None
    """Address of its own dashboard, without a token."""
    pid: int
    """The supervisor's."""
    worker_pids: tuple[int, ...]
    recorder_pid: int | None
    dashboard_pid: int | None
    started_at: str | None
    version: str | None
    calls: int | None
    """Calls relayed since the start, all workers together; None where no counter could be read, as below."""
    calls_open: int | None
    journal_lag_bytes: int | None
    """Bytes in the journal that the store does not have yet."""
    journal_degraded: bool
    """Appends have failed or stalled: frames queue in memory until the disk answers."""
    records_dropped: int
    """Frames that could not be kept; the calls themselves were relayed."""
    troubles: tuple[Trouble, ...] = ()
    """What does not work now; empty while all is well."""
    otlp: OtlpStatus | None = None
    """None: calls are not pushed."""


def write_troubles(troubles: Iterable[Trouble]) -> bytes:
    """Return the file's content: a line for each."""
    return "".join(f"{trouble.what}\t{' '.join(trouble.why.split())}\n" for trouble in troubles).encode()


def read_troubles(content: bytes) -> tuple[Trouble, ...]:
    """Return what the file says."""
    lines = (line.partition("\t") for line in content.decode("utf-8", "replace").splitlines())
    return tuple(Trouble(what, why) for what, tab, why in lines if tab)


def write_numbers(numbers: Mapping[str, int]) -> bytes:
    """Return the content of a file of numbers: a line for each."""
    return "".join(f"{name}\t{number}\n" for name, number in numbers.items()).encode()


def read_numbers(content: bytes) -> dict[str, int]:
    """Return the numbers that a file holds; lines that are none are left out."""
    lines = (line.partition(b"\t") for line in content.splitlines())
    return {name.decode("ascii", "replace"): int(number) for name, _, number in lines if number.isdigit()}
