"""The proxy's own secrets, made once and kept 0600 beside the database: nobody has to choose or copy one."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.journal.segment import make_private


@dataclass(frozen=True, slots=True)
class Keys:
    """`fingerprint_key` (hex) keys the fingerprints that stand in for secrets; `dashboard_token` lets scripts into the dashboard."""

    fingerprint_key: str = field(default_factory=lambda: secrets.token_hex(32))
    dashboard_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))


def read_or_make_keys(path: Path) -> Keys:
    """Return the keys in the file, made now when there is none. Raises `UsageError` when it cannot be read or made."""
    try:
        make_private(path.parent)
        if not path.exists():
            _write_once(path, msgspec.json.encode(Keys()))
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    except OSError as error:
        msg = f"the proxy's own keys at {path} cannot be used: {error.strerror}"
        raise UsageError(msg) from error
    except msgspec.DecodeError as error:
        msg = f"{path} does not hold the proxy's keys: move it away and a new one is made"
        raise UsageError(msg) from error


def _write_once(path: Path, content: bytes) -> None:
    """Make the file whole or not at all; when two make it at once, the first one stands."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
