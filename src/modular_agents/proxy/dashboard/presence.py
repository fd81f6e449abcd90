"""How a dashboard that runs without a proxy is found by other commands: a file with its address, believed while its process lives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class Presence:
    """Where it is and which process it is."""

    url: str
    pid: int


@contextmanager
def present(path: Path, url: str) -> Iterator[None]:
    """Keep the file (0600) while the block runs. Raises OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(Presence(url, os.getpid())))
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def find_alone(path: Path) -> str | None:
    """Return the address in the file, or None when there is none or its process is gone."""
    try:
        said = msgspec.json.decode(path.read_bytes(), type=Presence)
        os.kill(said.pid, 0)
    except (OSError, OverflowError, msgspec.DecodeError):
        return None
    return said.url
