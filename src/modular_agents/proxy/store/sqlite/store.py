"""One process writes a database, one batch after another; its write-ahead log is kept small.

A batch waits a moment for a lock and then gives up (`StoreUnavailable`): the journal waits better than we do.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.sqlite.batch import SqliteBatch
from modular_agents.proxy.store.sqlite.engine import open_writer, translated

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Write-ahead log at which its pages are copied into the database."""
WAL_LIMIT_BYTES = 32 * 1024 * 1024
"""Write-ahead log at which no batch begins before it has been emptied: half of the 64 MB promised, for the batch itself."""


class SqliteStore:
    """The writing side on SQLite. One per file, in one thread of one process."""

    def __init__(self, path: Path) -> None:
        self._wal = path.with_name(path.name + "-wal")
        self._db: apsw.Connection | None = open_writer(path)
        with translated():
            self._batch = SqliteBatch(self._db)

    def position(self) -> JournalPosition:
        """Return the committed position."""
        return self._batch.progress.committed

    @contextmanager
    def batch(self) -> Iterator[SqliteBatch]:
        """Open a batch. Raises `StoreUnavailable` when the file is closed, locked, full or its log cannot be emptied."""
        if self._db is None:
            msg = "the database is closed"
            raise StoreUnavailable(msg)
        with translated():
            self._bound_log()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._batch
                self._batch.flush()
                self._db.execute("COMMIT")
            except BaseException:
                if not self._db.get_autocommit():
                    self._db.execute("ROLLBACK")
                self._batch.forget()
                raise
            self._batch.land()
        with suppress(StoreUnavailable), translated():
            if self._log_bytes() > CHECKPOINT_BYTES:
                self._db.wal_checkpoint()

    def close(self) -> None:
        """Release the database. Idempotent."""
        if self._db is not None:
            with translated():
                self._db.close()
            self._db = None

    def _log_bytes(self) -> int:
        try:
            return os.stat(self._wal).st_size  # noqa: PTH116 - once per batch, and Path.stat makes three objects more
        except FileNotFoundError:
            return 0

    def _bound_log(self) -> None:
        if self._db is not None and self._log_bytes() > WAL_LIMIT_BYTES:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
