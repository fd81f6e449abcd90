"""What a worker counts, kept in a small file so that any worker can add up all of them for `/-/metrics`.

`<control dir>/<worker id>.counters`: one unsigned 64-bit little-endian number per name in `NAMES`, written whole once
a second. The worker holds an exclusive flock on the file while it lives: numbers of the dead still count, except the
gauges, which describe the present.
"""

import contextlib
import fcntl
import os
import struct
from pathlib import Path

NAMES = (
    "connections_total", "connections_open", "requests_total", "requests_open", "request_bytes_total", "response_bytes_total",
    "errors_client_total", "errors_upstream_total", "errors_proxy_total", "client_gone_total", "tunnels_open",
    "upstream_connections_total", "upstream_reused_total", "upstream_idle",
    "journal_frames_total", "journal_bytes_total", "journal_dropped_frames_total", "journal_dropped_bytes_total",
    "journal_degraded", "journal_degraded_total", "journal_queued_bytes", "journal_failed_fsyncs_total",
)  # fmt: skip
GAUGES = frozenset({"connections_open", "requests_open", "tunnels_open", "upstream_idle", "journal_degraded", "journal_queued_bytes"})
HELP = {
    "connections_total": "Client connections accepted.",
    "connections_open": "Client connections open now.",
    "requests_total": "Requests read from clients.",
    "requests_open": "Requests being answered now.",
    "request_bytes_total": "Body bytes of requests.",
    "response_bytes_total": "Body bytes of answers.",
    "errors_client_total": "Requests refused as the client's fault.",
    "errors_upstream_total": "Calls that failed through the provider: unreachable, cut, timed out.",
    "errors_proxy_total": "Calls that failed through this proxy.",
    "client_gone_total": "Calls whose client went away first.",
    "tunnels_open": "WebSocket tunnels open now.",
    "upstream_connections_total": "Connections made to providers.",
    "upstream_reused_total": "Calls sent on a kept-alive connection.",
    "upstream_idle": "Idle connections kept alive now.",
    "journal_frames_total": "Frames written to the journal.",
    "journal_bytes_total": "Bytes written to the journal.",
    "journal_dropped_frames_total": "Frames that could not be recorded. The calls themselves went through.",
    "journal_dropped_bytes_total": "Bytes that could not be recorded.",
    "journal_degraded": "Workers whose journal disk fails or stalls now: frames wait in memory.",
    "journal_degraded_total": "Times a journal became degraded.",
    "journal_queued_bytes": "Bytes that wait in memory for the journal's disk.",
    "journal_failed_fsyncs_total": "Failed fsync calls.",
}
SEEN = {
    "workers": "Relay workers alive.",
    "troubles": "Processes behind the relay that do not work now; `anton proxy status` says which and why.",
    "journal_size_bytes": "Bytes of journal segments on disk: what the store does not have yet, and the segment being written.",
}
"""Gauges that are looked up when they are asked for."""
RECORDER = {
    "recorder_lag_bytes": "Bytes in the journal that the store does not have yet.",
    "recorder_calls_open": "Calls that the recorder follows now.",
    "recorder_calls_total": "Calls that ended and are in the store, since this recorder began.",
    "recorder_batches_total": "Transactions, since this recorder began.",
    "recorder_bare_calls_total": "Calls stored with less than they hold, because of a fault of ours.",
    "recorder_skipped_calls_total": "Calls not stored at all, because of a fault of ours.",
    "recorder_damaged_bytes_total": "Journal bytes that did not check, with good ones after them.",
    "recorder_torn_bytes_total": "Journal bytes at the end of dead workers' segments that are no whole frame.",
    "recorder_orphan_frames_total": "Frames of calls whose beginning is not in the journal.",
    "recorder_missing_segments_total": "Journal segments that somebody deleted before they were read.",
    "recorder_refused_segments": "Segments of a later version of the proxy, left alone.",
    "recorder_store_away": "1 while the store takes nothing: locked, full or gone. The journal keeps everything.",
    "recorder_reported_seconds": "When the recorder last said all this, in Unix time; it does so once a second.",
}
"""What the recorder says of itself, while there is one that did."""
_SUFFIX = ".counters"
_LAYOUT = struct.Struct(f"<{len(NAMES)}Q")


class Counters:
    """A worker's own counts. Plain attributes: counting costs an addition."""

    __slots__ = (*NAMES, "_fd", "_path")
    connections_total: int
    connections_open: int
    requests_total: int
    requests_open: int
    request_bytes_total: int
    response_bytes_total: int
    errors_client_total: int
    errors_upstream_total: int
    errors_proxy_total: int
    client_gone_total: int
    tunnels_open: int
    upstream_connections_total: int
    upstream_reused_total: int
    upstream_idle: int
    journal_frames_total: int
    journal_bytes_total: int
    journal_dropped_frames_total: int
    journal_dropped_bytes_total: int
    journal_degraded: int
    journal_degraded_total: int
    journal_queued_bytes: int
    journal_failed_fsyncs_total: int

    def __init__(self, directory: Path | None = None, worker_id: str = "") -> None:
        for name in NAMES:
            setattr(self, name, 0)
        self._fd: int | None = None
        if directory is not None:
            self._path = directory / f"{worker_id}{_SUFFIX}"
            self._open()
            self.publish()

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def blame(self, whose: str) -> None:
        """Count an error as the client's, the upstream's or the proxy's."""
        if whose == "client":
            self.errors_client_total += 1
        elif whose == "upstream":
            self.errors_upstream_total += 1
        else:
            self.errors_proxy_total += 1

    def alone(self) -> dict[str, int]:
        """Return what `add_up` would if this worker were the only one."""
        return {name: getattr(self, name) for name in NAMES} | {"workers": 1}

    def publish(self) -> None:
        """Write the numbers where the others read them."""
        if self._fd is not None:
            with contextlib.suppress(OSError):  # a full disk must not stop a worker over its statistics
                if not os.fstat(self._fd).st_nlink:  # somebody deleted the folder
                    gone = self._fd
                    self._open()
                    os.close(gone)
                os.pwrite(self._fd, _LAYOUT.pack(*(getattr(self, name) for name in NAMES)), 0)

    def close(self) -> None:
        """Publish a last time and let go of the file. Idempotent."""
        if self._fd is not None:
            self.publish()
            os.close(self._fd)
            self._fd = None


def add_up(directory: Path) -> dict[str, int]:
    """Return the sum over all workers, living and dead, and `workers`: how many live."""
    total = dict.fromkeys(NAMES, 0)
    total["workers"] = 0
    for path in directory.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            numbers, lives = _read(path)
            total["workers"] += lives
            for name, number in zip(NAMES, numbers, strict=False):
                if lives or name not in GAUGES:
                    total[name] += number
    return total


def _read(path: Path) -> tuple[tuple[int, ...], bool]:
    with path.open("rb") as file:
        data = file.read(_LAYOUT.size)
        lives = False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            lives = True
        return (_LAYOUT.unpack(data) if len(data) == _LAYOUT.size else ()), lives


def prometheus(total: dict[str, int]) -> str:
    """Return the sums as Prometheus text (exposition format 0.0.4)."""
    lines: list[str] = []
    for name, says in (SEEN | HELP | RECORDER).items():
        if name in total:
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP anton_{name} {says}", f"# TYPE anton_{name} {kind}", f"anton_{name} {total[name]}"]
    return "\n".join(lines) + "\n"
