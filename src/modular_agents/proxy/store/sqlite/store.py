"""One process writes a database, one batch after another; its write-ahead log is kept small.

A batch waits a moment for a lock and then gives up (`StoreUnavailable`): the journal waits better than we do.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw

from modular_agents.proxy.config import Retention
from modular_agents.proxy.errors import StoreDamaged, StoreUnavailable
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.rows import NS
from modular_agents.proxy.store.sqlite.batch import SqliteBatch
from modular_agents.proxy.store.sqlite.engine import PAGE_BYTES, open_writer, translated

CHECKPOINT_PAGES = 16 * 1024 * 1024 // PAGE_BYTES
"""Write-ahead log at which its pages are copied into the database; the next batch then writes from its beginning. A page of an
index is written with every second batch and copied once, so the longer the log grows, the less there is to copy."""
IDLE_CHECKPOINT_PAGES = 4 * 1024 * 1024 // PAGE_BYTES
"""The same when there is nothing to write."""
DELETING_CHECKPOINT_PAGES = 2 * 1024 * 1024 // PAGE_BYTES
"""The same after calls were deleted. SQLite copies a log in one go: 16 MB hold the writer for 60 ms, 2 MB for 13 (docs/decisions/0026)."""
SLICE_NS = 4_000_000
"""How long calls are deleted, or space is given back, in one slice. What is under way then, the sums of traces and the commit come
on top: 2 ms, and the copy of the log when it is due."""
CALLS_AT_ONCE = 5
"""Expired calls that are looked up together; of a file that is too large no more go before its size is looked at again."""
EXPIRE_EVERY_NS = 10 * NS
"""How often retention looks for something to delete."""
FREE_PAGES = 16 * 1024 * 1024 // PAGE_BYTES
FREE_SHARE = 10
"""Free space is given back when it is more than both: new calls use a little of it anyway."""
VACUUM_PAGES = 256
"""Given back at a time, if a slice of time is enough: 1 MB. Most pages take 12 µs; one that is free itself is looked for among all
that are, which takes up to a millisecond when they are many."""
KEEP_ALL = Retention(None, None)
_ALWAYS_NS = _ALL = (1 << 63) - 1
LOG_LIMIT_PAGES = 32 * 1024 * 1024 // PAGE_BYTES
"""Write-ahead log at which no batch begins before it has been emptied: half of the 64 MB promised, for the batch itself."""


class SqliteStore:
    """The writing side on SQLite. One per file, in one thread of one process."""

    def __init__(
        self,
        path: Path,
        retention: Retention = KEEP_ALL,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._retention, self._now_ns, self._monotonic_ns = retention, now_ns, monotonic_ns
        self._expire_at_ns = 0
        self._db: apsw.Connection | None = open_writer(path)
        self._log_pages = 0
        self._db.set_wal_hook(self._note_log)
        with translated():
            self._batch = SqliteBatch(self._db, monotonic_ns)
            self._db.wal_checkpoint()
            self._others = self._db.pragma("data_version")

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
                self._look_for_others(self._db)
                yield self._batch
                self._batch.flush()
                self._db.execute("COMMIT")
                landed = True
            finally:
                if not landed:
                    self._roll_back(self._db)
            self._batch.land()
            self._batch.words.volumes.let_go()
        self._checkpoint(self._db, CHECKPOINT_PAGES)

    def purge(self, before_ns: int | None, max_bytes: int | None) -> int:
        """Delete the oldest ended calls, one slice of them (see `ports.Store`)."""
        deleted = 0
        if self._is_too_large(max_bytes):  # what calls that went before still hold is room, too
            while self._sweep() or self._sweep_lists():  # housekeeping has done so before
                pass
            self._merge()
        with self.batch() as batch:
            batch.words.put_off()
            too_large = self._is_too_large(max_bytes)
            limit_ns = _ALWAYS_NS if too_large else before_ns
            batch.contents.sweeps_later = not too_large  # of a file that is too large it must be known what room is given back
            if limit_ns is not None:
                deleted = self._delete(batch, limit_ns, CALLS_AT_ONCE if too_large else _ALL)
            batch.contents.sweeps_later = False
            if deleted:
                batch.forget_callers()
        if deleted and self._db is not None:
            self._checkpoint(self._db, DELETING_CHECKPOINT_PAGES)
        return deleted

    def _delete(self, batch: SqliteBatch, limit_ns: int, most: int) -> int:
        """Delete the oldest calls that began before a moment, until a slice of time is over; return how many went.

        The clock is looked at after each of them: one call may hold 16 MB that nobody else does.
        """
        ends_ns = self._monotonic_ns() + SLICE_NS
        deleted = 0
        while expired := batch.expired(limit_ns, CALLS_AT_ONCE):
            for call_id in expired:
                batch.delete(call_id)
                deleted += 1
                if deleted >= most or self._monotonic_ns() >= ends_ns:
                    return deleted
        return deleted

    def tidy(self, *, is_idle: bool = True) -> bool:
        """Do a slice of housekeeping; return whether there is more to do."""
        if self._db is None:
            return False
        if is_idle and self._batch.words.waits:
            with self.batch() as batch:
                batch.words.flush(is_idle=True)
            return True
        if is_idle and self._checkpoint(self._db, IDLE_CHECKPOINT_PAGES):
            return True
        return self._sweep() or self._sweep_lists() or self._expire() or self._merge() or self._give_back(self._db)

    def _sweep(self) -> bool:
        """Give back a slice of what the search index held of a time of which all calls are gone; before more are deleted for its room."""
        with translated():
            if not self._batch.words.volumes.are_spent():
                return False
        ends_ns = self._monotonic_ns() + SLICE_NS
        with self.batch() as batch:
            batch.words.put_off()
            batch.words.volumes.sweep(lambda: self._monotonic_ns() >= ends_ns)
        if self._db is not None:
            self._checkpoint(self._db, DELETING_CHECKPOINT_PAGES)
        return True

    def _sweep_lists(self) -> bool:
        """Delete a slice of what a call has left that was the last of a long conversation."""
        with translated():
            if not self._batch.contents.has_unused:
                return False
        with self.batch() as batch:
            batch.words.put_off()
            batch.contents.sweep()
        if self._db is not None:
            self._checkpoint(self._db, DELETING_CHECKPOINT_PAGES)
        return True

    def _merge(self) -> bool:
        """Merge a slice of the search index: a search reads fewer segments then, and what it held of deleted calls is room again."""
        if not self._batch.words.volumes.are_loose:
            return False
        with self.batch() as batch:
            batch.words.put_off()
            batch.words.volumes.merge()
        return True

    def _expire(self) -> bool:
        """Delete a slice of what retention no longer keeps; look for it now and then."""
        keep, now_ns = self._retention, self._monotonic_ns()
        if now_ns < self._expire_at_ns:
            return False
        before_ns = None if keep.max_age_s is None else self._now_ns() - int(keep.max_age_s * NS)
        if self.purge(before_ns, keep.max_bytes):
            return True
        self._expire_at_ns = now_ns + EXPIRE_EVERY_NS
        return False

    def _give_back(self, db: apsw.Connection) -> bool:
        """Give a slice of the space that deleted calls left back to the file system, when it is much."""
        ends_ns = self._monotonic_ns() + SLICE_NS
        with translated():
            free = db.pragma("freelist_count")
            if free < max(FREE_PAGES, db.pragma("page_count") // FREE_SHARE):
                return False
            with closing(db.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")) as pages:
                for _ in pages:  # it gives back one page a row, and ends when nobody asks for another
                    if self._monotonic_ns() >= ends_ns:
                        break
            self._checkpoint(db, DELETING_CHECKPOINT_PAGES)
        return True

    def _is_too_large(self, max_bytes: int | None) -> bool:
        return max_bytes is not None and self._used_bytes() > max_bytes

    def _used_bytes(self) -> int:
        if self._db is None:
            return 0
        pages: int = self._db.pragma("page_count") - self._db.pragma("freelist_count")
        return pages * PAGE_BYTES

    def close(self) -> None:
        """Release the database. Idempotent. What the log holds is copied into the file first: it can then be copied alone.

        SQLite does so itself for the last connection that may write; a dashboard, which may not, often outlives this one.
        """
        if self._db is not None:
            with suppress(StoreUnavailable, StoreDamaged), translated():
                self._db.wal_checkpoint()
            with translated():
                self._db.close()
            self._db = None

    def _look_for_others(self, db: apsw.Connection) -> None:
        """Forget what is remembered when another process has written (`gc`, `reprice`): it may not be so any more."""
        others = db.pragma("data_version")
        if others != self._others:
            self._others = others
            self._batch.look_again()

    def _roll_back(self, db: apsw.Connection) -> None:
        if db.in_transaction:
            db.execute("ROLLBACK")
        self._batch.forget()

    def _checkpoint(self, db: apsw.Connection, pages: int) -> bool:
        """Copy the log into the database when it has grown beyond so many pages; return whether nothing is left to copy of it.

        Whoever reads just now makes it wait.
        """
        if self._log_pages > pages:
            with suppress(StoreUnavailable), translated():
                size, copied = db.wal_checkpoint()
                if copied == size:
                    self._log_pages = 0  # until the next commit says where it wrote
                    return True
        return False

    def _note_log(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _bound_log(self) -> None:
        if self._db is not None and self._log_pages > LOG_LIMIT_PAGES:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._log_pages = 0
