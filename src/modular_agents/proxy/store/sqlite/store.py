"""One process writes a database, one batch after another; its write-ahead log is kept small.

A batch waits a moment for a lock and then gives up (`StoreUnavailable`): the journal waits better than we do.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.sqlite.batch import SqliteBatch
from modular_agents.proxy.store.sqlite.engine import PAGE_BYTES, open_writer, translated

CHECKPOINT_PAGES = 8 * 1024 * 1024 // PAGE_BYTES
"""Write-ahead log at which its pages are copied into the database; the next batch then writes from its beginning."""
LOG_LIMIT_PAGES = 32 * 1024 * 1024 // PAGE_BYTES
"""Write-ahead log at which no batch begins before it has been emptied: half of the 64 MB promised, for the batch itself."""


class SqliteStore:
    """The writing side on SQLite. One per file, in one thread of one process."""

    def __init__(self, path: Path, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._db: apsw.Connection | None = open_writer(path)
        self._log_pages = 0
        self._db.set_wal_hook(self._note_log)
        with translated():
            self._batch = SqliteBatch(self._db, monotonic_ns)
            self._db.wal_checkpoint()

    def position(self) -> JournalPosition:
        """Return the committed position."""
        return self._batch.progress.committed

    @contextmanager
    def batch(self) -> Iterator[SqliteBatch]:
        """Open a batch. Raises `StoreUnavailable` when the file is closed, locked, full or its log cannot be emptied."""
        if self._db is None:
            msg = "the database is closed"
            raise StoreUnavailable(msg)
        landed = False
        with translated():
            self._bound_log()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._batch
                self._batch.flush()
                self._db.execute("COMMIT")
                landed = True
            finally:
                if not landed:
                    self._roll_back(self._db)
            self._batch.land()
        if self._log_pages > CHECKPOINT_PAGES:
            with suppress(StoreUnavailable), translated():
                self._db.wal_checkpoint()

    def tidy(self) -> bool:
        """Do a slice of housekeeping; return whether there is more to do."""
        if self._db is not None and self._batch.words.waits:
            with self.batch() as batch:
                batch.words.flush(is_idle=True)
        return False

    def close(self) -> None:
        """Release the database. Idempotent."""
        if self._db is not None:
            with translated():
                self._db.close()
            self._db = None

    def _roll_back(self, db: apsw.Connection) -> None:
        if db.in_transaction:
            db.execute("ROLLBACK")
        self._batch.forget()

    def _note_log(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _bound_log(self) -> None:
        if self._db is not None and self._log_pages > LOG_LIMIT_PAGES:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._log_pages = 0
