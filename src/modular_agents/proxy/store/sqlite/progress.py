"""How far the journal is contained in the file: written in the transaction of the rows, changes only."""

import apsw

from modular_agents.proxy.ports import JournalPosition, OpenCall
from modular_agents.proxy.store.sqlite.engine import statements


class Progress:
    """The journal position: `committed` and the one that the batch brings."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._coming: JournalPosition | None = None
        self.committed = JournalPosition()

    def set(self, position: JournalPosition) -> None:
        """Write what differs from the position before."""
        was = self._coming or self.committed
        gone = [(name,) for name in was.offsets if name not in position.offsets]
        grown = [(name, at) for name, at in position.offsets.items() if was.offsets.get(name) != at]
        then = {call.call_id: call for call in was.open_calls}
        now = {call.call_id: call for call in position.open_calls}
        ended = [(call_id,) for call_id in then.keys() - now.keys()]
        begun = [
            (call_id, call.segment, call.offset)
            for call_id, call in now.items()
            if (was_open := then.get(call_id)) is not call and was_open != call
        ]
        self._db.executemany(self._sql["drop_segment"], gone)
        self._db.executemany(self._sql["put_segment"], grown)
        self._db.executemany(self._sql["drop_open_call"], ended)
        self._db.executemany(self._sql["put_open_call"], begun)
        self._coming = position

    def land(self) -> None:
        """Note that the batch has landed."""
        self.committed, self._coming = self._coming or self.committed, None

    def forget(self) -> None:
        """Read again what the file says."""
        self._coming = None
        self.committed = JournalPosition(
            dict(self._db.execute(self._sql["segments"])),
            tuple(OpenCall(*row) for row in self._db.execute(self._sql["open_calls"])),
        )
