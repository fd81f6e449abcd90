"""The recorder's life: it follows the journal closely when there is something, cheaply when there is not, and waits for an absent store.

It never gives up on its own: what the store does not take, the journal keeps. Asked to stop, it first brings over what
the journal holds; a store that is away is not waited for then.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from modular_agents.proxy.errors import AlreadyRunning, StoreDamaged, StoreUnavailable
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.ports import Clock, Store
from modular_agents.proxy.recorder.pace import Pace
from modular_agents.proxy.recorder.pipeline import Pipeline, Rooms
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.recorder.report import Report, write_report

NS = 1_000_000_000
RETRY_S, RETRY_MAX_S = 0.05, 1.0
"""Pauses while the store is away, doubling: it is in use again within a second of being back."""
REOPEN_NS = 5_000_000_000
"""A store that has been away this long is opened anew: its file may have been moved, its disk remounted."""
LOOK_NS = 1_000_000_000
"""How often the report is renewed and the database's file looked at."""
TRIM_NS = 10_000_000_000
"""How often memory is given back, if any batch came since."""

_log = logging.getLogger("anton.recorder")


class Turn(Enum):
    """What came of one look at the journal."""

    WORKED = 1
    IDLE = 2
    AWAY = 3


class Recorder:
    """Brings the journal in `directory` into a store until told to stop.

    open_store: opens the store; may raise `StoreUnavailable`, `StoreDamaged`, or `UsageError`, which ends the recorder.
    set_aside: moves a damaged database away and returns its new name. report: the file that says how things stand.
    file: the database; when it is not the one that was opened any more, it is opened anew. keep_lock: takes the recorder's lock
    again if somebody deleted it; False when another recorder has it. callers: gives whose connections are, as it is found out.
    give_back: gives freed memory back to the system.
    """

    def __init__(
        self,
        directory: Path,
        open_store: Callable[[], Store],
        set_aside: Callable[[], Path],
        rooms: Rooms,
        redactor: Redactor,
        clock: Clock,
        report: Path | None = None,
        file: Path | None = None,
        keep_lock: Callable[[], bool] = lambda: True,
        callers: Callable[[], list[Caller]] = list,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._directory, self._callers = directory, callers
        self._open_store, self._set_aside = open_store, set_aside
        self._rooms, self._redactor, self._clock, self._report_file = rooms, redactor, clock, report
        self._file, self._inode, self._keep_lock = file, 0, keep_lock
        self._store: Store | None = None
        self._reader: JournalReader | None = None
        self._pipeline: Pipeline | None = None
        self._trouble = ""
        self._trouble_ns = self._looked_ns = 0
        self._give_back = give_back
        self._trimmed_ns = self._trimmed_batches = 0

    def run(self, pause: Callable[[float], bool]) -> None:
        """Work until `pause`, which waits for the given seconds, says that it is time to stop. Raises `UsageError`."""
        stopping, away_s, pace = False, 0.0, Pace()
        while True:
            began_ns = self._clock.monotonic_ns()
            turn = self.turn()
            if stopping and turn is not Turn.WORKED:
                break
            if turn is Turn.WORKED:
                wait_s = pace.worked(began_ns / NS, self._clock.monotonic_ns() / NS, *self._brought())
            elif turn is Turn.IDLE:
                wait_s = pace.idle()
            else:
                wait_s = max(RETRY_S, min(away_s * 2, RETRY_MAX_S))
            away_s = wait_s
            has_more = self._pipeline is not None and self._pipeline.assembler.has_more
            stopping = pause(0.0 if has_more and turn is Turn.WORKED else wait_s) or stopping
        if self._pipeline is not None and turn is Turn.IDLE:
            with contextlib.suppress(StoreUnavailable, StoreDamaged):
                self._pipeline.finish()
        self._say()
        self._close()

    def _brought(self) -> tuple[int, int]:
        """Return how many versions the last batch brought, and how many changes."""
        return (self._pipeline.versions, self._pipeline.changes) if self._pipeline is not None else (0, 0)

    def turn(self) -> Turn:
        """Look at the journal once and bring over what is there."""
        try:
            worked = self._work()
        except StoreUnavailable as error:
            return self._away(str(error))
        except StoreDamaged as error:
            return self._begin_anew(error)
        if self._trouble:
            _log.warning("the store is back")
            self._trouble = ""
        self._look_around()
        return Turn.WORKED if worked else Turn.IDLE

    def _work(self) -> bool:
        if self._pipeline is None:
            self._store = store = self._open_store()
            self._inode = self._file_now()
            position = store.position()
            self._reader = reader = JournalReader(self._directory, position)
            self._pipeline = Pipeline(reader, store, position, self._rooms, self._redactor, self._clock, self._callers)
        return self._pipeline.step()

    def _away(self, why: str) -> Turn:
        now_ns = self._clock.monotonic_ns()
        if not self._trouble:
            _log.warning("the store takes nothing now, the journal keeps everything: %s", why)
            self._trouble_ns = now_ns
        self._trouble = why
        if now_ns - self._trouble_ns > REOPEN_NS:
            self._trouble_ns = now_ns
            self._close()
        self._look_around()
        return Turn.AWAY

    def _begin_anew(self, error: StoreDamaged) -> Turn:
        """Set a damaged database aside; the journal is read into a new one as far back as it goes."""
        self._close()
        try:
            aside = self._set_aside()
        except OSError as failure:
            return self._away(f"{error}; it cannot be set aside: {failure.strerror}")
        _log.error("%s; kept as %s, recording goes on in a new one", error, aside.name)
        return Turn.WORKED

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._store is not None:
            with contextlib.suppress(StoreUnavailable, StoreDamaged):
                self._store.close()
        self._store = self._reader = self._pipeline = None

    def _look_around(self) -> None:
        """Once a second: say how things stand, and see whether the database is still where it was."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now_ns
        self._say()
        with contextlib.suppress(OSError):  # tried again the next time
            if not self._keep_lock():
                raise AlreadyRunning(f"another recorder took {self._directory} over while its folder was away")
        if self._store is not None and self._file_now() != self._inode:
            _log.warning("the database was moved or deleted: recording goes on in a new one")
            self._close()
        batches = self._pipeline.tally.batches if self._pipeline is not None else 0
        if batches != self._trimmed_batches and now_ns - self._trimmed_ns >= TRIM_NS:
            self._trimmed_ns, self._trimmed_batches = now_ns, batches
            self._give_back()

    def _file_now(self) -> int:
        try:
            return self._file.stat().st_ino if self._file is not None else 0
        except OSError:
            return 0

    def _say(self) -> None:
        reader, pipeline = self._reader, self._pipeline
        if self._report_file is None or reader is None or pipeline is None:
            return
        tally, losses = pipeline.tally, pipeline.assembler.losses
        report = Report(
            pid=os.getpid(),
            at_ns=self._clock.now_ns(),
            lag_bytes=reader.lag_bytes(),
            open_calls=pipeline.assembler.open_count,
            calls_ended=tally.calls_ended,
            batches=tally.batches,
            bare_calls=tally.bare_calls,
            skipped_calls=tally.skipped_calls,
            dropped_frames=losses.dropped_frames,
            dropped_bytes=losses.dropped_bytes,
            damaged_bytes=reader.damaged_bytes,
            torn_bytes=reader.torn_bytes,
            orphan_frames=losses.orphan_frames,
            missing_segments=losses.missing_segments,
            refused_segments=tuple(reader.refused()),
            store_trouble=self._trouble,
        )
        with contextlib.suppress(OSError):  # a full disk must not stop recording over its report
            write_report(self._report_file, report)
