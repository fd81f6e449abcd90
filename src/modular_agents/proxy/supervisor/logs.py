"""How our processes log: to stderr, a line per message, as text or as JSON.

Nobody logs a body or a head. What looks like a key all the same (a path, a provider's words in an exception) is replaced
here, in the last place before stderr, by a mark whose key lives as long as the process.
"""

import logging
import os
import secrets
import sys
from datetime import UTC, datetime

import msgspec

from modular_agents.proxy.model.secret import KEY_BYTES, Secrets

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
_TEXT_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class SafeText(logging.Formatter):
    """Text without what looks like a key."""

    def __init__(self, hidden: Secrets) -> None:
        super().__init__(_TEXT_FORMAT)
        self._hidden = hidden

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, with its exception on further lines."""
        return self._safe(super().format(record))

    def _safe(self, text: str) -> str:
        return self._hidden.redact(text.encode("utf-8", "backslashreplace")).decode()


class SafeJson(SafeText):
    """One JSON object per line: `at` (UTC), `level`, `process`, `pid`, `logger`, `message`, and `exception` where there is one."""

    def __init__(self, hidden: Secrets, process: str) -> None:
        super().__init__(hidden)
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": os.getpid(),
            "logger": record.name,
            "message": self._safe(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = self._safe(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


def log_to_stderr(process: str, level: str, form: str) -> None:
    """Let this process, which is called `process`, log from a level on in one of `FORMATS`."""
    hidden = Secrets(secrets.token_bytes(KEY_BYTES))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeJson(hidden, process) if form == JSON else SafeText(hidden))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
