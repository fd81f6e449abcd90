"""A database file is opened here, for writing by one process and for reading by any; SQLite's errors go no further than here.

Opening for writing makes the file (0600, in a 0700 directory), sets what must be set before the first table, and brings the
schema up to date. Opening for reading changes nothing. What SQLite reports is translated: try again (`StoreUnavailable`),
set the file aside (`StoreDamaged`), use a newer version (`StoreTooNew`), or name another file (`UsageError`).
"""

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from importlib import resources
from pathlib import Path
from types import TracebackType

import apsw

from modular_agents.proxy.errors import StoreDamaged, StoreTooNew, StoreUnavailable, UsageError

APPLICATION_ID = 0x414E544E
"""Marks the file as ours ("ANTN"), for `file` and for us."""
BUSY_MS = 500
"""How long one statement waits for a lock: longer than any read of ours; beyond it the journal waits better than we do."""
PAGE_BYTES = 4096
"""The unit of writing: smaller pages mean less written for each index entry that lands at a random place."""
CACHE_KIB = 64 * 1024
"""Page cache of a connection: the upper levels of every index of a database of a million calls."""
STATEMENTS = 200
"""Prepared statements kept: more than are in use at a time."""

_UNAVAILABLE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.ProtocolError,
    apsw.NoMemError,
    apsw.PermissionsError,
    apsw.InterruptError,
    apsw.SchemaChangeError,
)
_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
_MAGIC = b"SQLite format 3\0"
"""https://sqlite.org/fileformat.html, 1.3."""
_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


class _Translated:
    """Translates what SQLite reports. No generator: linking goes through it five times a call."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if error is None:
            return
        if isinstance(error, _DAMAGED):
            msg = f"the database is damaged ({error}): it will be set aside and a new one begun"
            raise StoreDamaged(msg) from error
        if isinstance(error, _UNAVAILABLE):
            msg = f"the database cannot be used now ({type(error).__name__}: {error})"
            raise StoreUnavailable(msg) from error


_TRANSLATED = _Translated()


def translated() -> _Translated:
    """Translate what SQLite reports, while the context lasts."""
    return _TRANSLATED


@cache
def statements() -> Mapping[str, str]:
    """Return the statements of queries.sql by name."""
    return {name: text.strip() for name, text in _NAMED.findall(_text("queries.sql"))}


@cache
def migrations() -> tuple[str, ...]:
    """Return the migrations in order; the first makes schema version 1."""
    folder = resources.files(__package__).joinpath("migrations")
    return tuple(path.read_text("utf-8") for path in sorted(folder.iterdir(), key=lambda path: path.name) if path.name.endswith(".sql"))


def open_writer(path: Path) -> apsw.Connection:
    """Open a database for writing; make it or bring it up to date first. At most one process at a time does this."""
    _make_file(path)
    with translated(), ExitStack() as undo:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX  # one thread writes: it need not lock out others at every step
        db = apsw.Connection(os.fspath(path), flags=flags, statementcachesize=STATEMENTS)
        undo.callback(db.close)
        _prepare_file(db)
        _migrate(db, path)
        undo.pop_all()
    return db


def open_reader(path: Path) -> apsw.Connection:
    """Open a database for reading. Raises `StoreUnavailable` while there is none, or while it awaits a migration."""
    if not path.exists():
        msg = f"there is no database at {path} yet: start the proxy"
        raise StoreUnavailable(msg)
    with translated(), ExitStack() as undo:
        db = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=STATEMENTS)
        undo.callback(db.close)
        db.set_busy_timeout(BUSY_MS)
        db.pragma("cache_size", -CACHE_KIB)
        if _version(db, path) != len(migrations()):
            msg = f"the database at {path} has not been brought up to date yet: start the proxy"
            raise StoreUnavailable(msg)
        undo.pop_all()
    return db


def is_database(path: Path) -> bool:
    """Return whether a file begins as every SQLite database does; one that is empty, not there or not to be read may become one."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) in {_MAGIC, b""}
    except OSError:
        return True


def set_aside(path: Path, now_ns: int) -> Path:
    """Rename a damaged database and what belongs to it, and return its new name. Nothing is deleted."""
    aside = path.with_name(f"{path.name}.damaged-{now_ns}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        msg = f"{path} cannot be a database: {error.strerror}"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"the database at {path} cannot be opened: {error.strerror}"
        raise StoreUnavailable(msg) from error


def _prepare_file(db: apsw.Connection) -> None:
    """Set what holds for the file's life, then what holds for this connection."""
    db.set_busy_timeout(BUSY_MS)
    if db.pragma("page_count") == 0:
        db.pragma("page_size", PAGE_BYTES)
        db.pragma("auto_vacuum", "incremental")
    db.pragma("journal_mode", "wal")
    # FULL: a commit is on the disk when it returns. The journal deletes a segment once it is committed here, so with NORMAL
    # a power loss could take calls that stand nowhere else (docs/decisions, "Commits reach the disk").
    db.pragma("synchronous", "full")
    db.pragma("cache_size", -CACHE_KIB)
    db.pragma("temp_store", "memory")
    db.wal_autocheckpoint(0)


def _migrate(db: apsw.Connection, path: Path) -> None:
    """Bring the schema up to date, all steps or none."""
    views, steps = _text("views.sql"), migrations()
    if _version(db, path) == len(steps) and _stored_views(db) == views:
        return
    db.transaction_mode = "IMMEDIATE"
    with db:
        have = _version(db, path)
        for number, step in enumerate(steps[have:], have + 1):
            db.execute(step)
            db.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT")
            db.execute("INSERT INTO schema_version VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", (number,))
        db.execute(views)
        db.execute("CREATE TABLE IF NOT EXISTS contract (views TEXT NOT NULL) STRICT")
        db.execute("DELETE FROM contract")
        db.execute("INSERT INTO contract VALUES (?)", (views,))
        db.pragma("application_id", APPLICATION_ID)


def _stored_views(db: apsw.Connection) -> str | None:
    if not db.table_exists(None, "contract"):
        return None
    stored: str | None = db.execute("SELECT views FROM contract").get
    return stored


def _version(db: apsw.Connection, path: Path) -> int:
    """Return the schema version of the file; 0 when it is empty."""
    tables, ours = db.execute(
        "SELECT count(*), total(name = 'schema_version') FROM sqlite_schema"
    ).get  # at one moment: it may be made just now
    if not ours:
        if tables:
            msg = f"{path} is a database, but not one of ours: name another file with --db"
            raise UsageError(msg)
        return 0
    version: int = db.execute("SELECT coalesce(max(version), 0) FROM schema_version").get
    if version > len(migrations()):
        msg = f"{path} was written by a later version (schema {version}): upgrade, or name another file with --db"
        raise StoreTooNew(msg)
    return version
