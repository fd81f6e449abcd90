"""Debian's own `sqlite3` (3.40), as a user's SQL client: another process, another version, read-only."""

import json
import subprocess
from pathlib import Path
from typing import Any


def select(path: Path, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query, through `sqlite3 -readonly -json`."""
    done = subprocess.run(
        ["sqlite3", "-readonly", "-json", str(path), query], capture_output=True, text=True, check=False, timeout=60, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout) if done.stdout.strip() else []
    return rows


def run(path: Path, script: str) -> str:
    """Run a script that may write; return what it prints."""
    done = subprocess.run(["sqlite3", str(path)], input=script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
