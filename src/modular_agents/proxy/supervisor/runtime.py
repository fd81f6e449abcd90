"""The runtime file: by it other commands find a running proxy. It is there while the proxy runs; a lock says whether to believe it."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modular_agents.proxy.journal.segment import is_held

LOCK_NAME = "supervisor.lock"
"""In the journal directory: held by the supervisor for its whole life, holds its pid."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What is known of a running proxy."""

    version: str
    pid: int
    """The supervisor's."""
    started_at: str
    """ISO 8601 UTC."""
    url: str
    """Base URL that clients are pointed at."""
    port: int
    worker_pids: tuple[int, ...]
    recorder_pid: int | None
    dashboard_pid: int | None
    dashboard_url: str | None
    control_token: str
    db: str
    journal_dir: str
    control_dir: str
    echo_port: int = 0
    """Where a self-test listens as the upstream `config.SELF_TEST`; 0: a proxy that has none."""


def write_runtime(path: Path, runtime: Runtime) -> None:
    """Put the file (0600) in place of the last one. Raises OSError."""
    put_private(path, msgspec.json.format(msgspec.json.encode(runtime)))


def put_private(path: Path, content: bytes) -> None:
    """Put a file (0600) in place of the last one, whole or not at all. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def read_runtime(path: Path) -> Runtime | None:
    """Return what the file says, or None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Runtime)
    except (OSError, msgspec.DecodeError):
        return None


def is_running(journal_dir: Path) -> bool:
    """Return whether a supervisor lives for this journal."""
    return is_held(journal_dir / LOCK_NAME)
