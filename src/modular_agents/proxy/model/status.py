"""What a running proxy says of itself: read from its runtime file and its counters, shown by `anton proxy status` and the page."""

from dataclasses import dataclass


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
