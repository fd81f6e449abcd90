"""Events are numbered without holes in the order they happen, and written in the transaction of what they tell of.

The newest `RING_EVENTS` can be read; `floor` says where they begin and moves in the same transaction that deletes. The pieces of a
running answer outlive the floor: they are the only place where its text stands. `call` and `trace` events name their rows and
carry nothing: the reader brings the row as it is then.
"""

import apsw

from modular_agents.proxy.model.event import EventKind
from modular_agents.proxy.store.sqlite.engine import statements

RING_EVENTS = 20_000
"""25 s of 200 calls/s for a page that reconnects; an older page fetches its lists again."""
TRIM_EVENTS = 1000
"""Trimmed at a time, so that not every batch deletes."""


class Events:
    """The ring, as the writer sees it."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._waiting: list[tuple[int, str, int, int, str | None]] = []
        self._seq = self._floor = 0

    def announce(self, kind: EventKind, trace: int, call: int = 0, body: str | None = None) -> None:
        """Add an event about the numbered trace and call."""
        self._seq += 1
        self._waiting.append((self._seq, str(kind), trace, call, body))

    def end_deltas(self, call: int) -> None:
        """Delete what the floor has passed of the pieces of a call that has ended."""
        if self._floor:
            self._db.execute(self._sql["trim_deltas"], (call, self._floor))

    def flush(self) -> None:
        """Write the events; move the floor when the ring is full."""
        self._db.executemany(self._sql["add_event"], self._waiting)
        self._waiting.clear()
        if self._seq - self._floor > RING_EVENTS + TRIM_EVENTS:
            self._floor = self._seq - RING_EVENTS
            self._db.execute(self._sql["trim_events"], (self._floor,))
            self._db.execute(self._sql["set_event_floor"], (self._floor,))

    def forget(self) -> None:
        """Drop what was not written; read again where the ring begins and ends."""
        self._waiting.clear()
        self._seq = self._db.execute(self._sql["last_seq"]).get
        self._floor = self._db.execute(self._sql["event_floor"]).get
