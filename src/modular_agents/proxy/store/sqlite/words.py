"""What a turn adds can be found by its words: new messages, a system prompt not seen before, the answer.

Indexing many calls at once costs half of indexing each by itself, so under load they wait, up to `HOLD_NS`; a call that comes
alone is indexed with its batch. Those that wait are named in `unsearched`, in the transaction of their row; after a crash their
words are read from what is stored.
"""

from collections.abc import Callable

import apsw

from modular_agents.proxy.model.call import Message
from modular_agents.proxy.store.rows import NS, SEARCH_CHARS, searched
from modular_agents.proxy.store.sqlite import details
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.volumes import Volumes

HOLD_NS = 2 * NS
"""How long the words of a call may wait."""
HOLD_CALLS = 500
HOLD_CHARS = 2 * 1024 * 1024
"""Calls and characters that may wait: bounds memory and the length of one batch, some 45 ms of CPU."""


class Words:
    """The index of one writing connection."""

    def __init__(self, db: apsw.Connection, monotonic_ns: Callable[[], int]) -> None:
        self._db = db
        self._sql = statements()
        self._monotonic_ns = monotonic_ns
        self.volumes = Volumes(db)
        self._indexed_ns = 0
        self._waiting: dict[int, tuple[str, str]] = {}
        self._new: list[tuple[int]] = []
        """Those of this batch."""
        self._chars = 0
        self._stored = False
        """Calls wait in the file that are not in memory."""
        self._put_off = False

    def add(self, number: int, said: tuple[Message, ...], answers: tuple[Message, ...]) -> None:
        """Let call `number` be found by what was said."""
        prompt, answer = _clean(searched(said, SEARCH_CHARS)), _clean(searched(answers, SEARCH_CHARS))
        self._waiting[number] = (prompt, answer)
        self._chars += len(prompt) + len(answer)
        self._new.append((number,))

    def drop(self, number: int) -> None:
        """Let a call be found no more."""
        if self._waiting.pop(number, None) is not None:
            self._new = [one for one in self._new if one != (number,)]
        self.volumes.delete(number)
        self._db.execute(self._sql["drop_unsearched"], (number,))

    def put_off(self) -> None:
        """Let what waits do so for one batch more: indexing it, and the merging that follows, take longer than a slice of deleting may."""
        self._put_off = True

    def flush(self, *, is_idle: bool = False) -> None:
        """Index what waits, if it is time to."""
        put_off, self._put_off = self._put_off, False
        if not self._waiting and not self._stored:
            return
        now_ns = self._monotonic_ns()
        full = len(self._waiting) >= HOLD_CALLS or self._chars >= HOLD_CHARS
        if put_off or (not full and not is_idle and now_ns - self._indexed_ns < HOLD_NS):
            self._db.executemany(self._sql["add_unsearched"], self._new)
            self._new.clear()
            return
        if self._stored:
            for number in [row[0] for row in self._db.execute(self._sql["unsearched"])]:
                self._waiting.setdefault(number, self._read(number))
        self.volumes.add([(number, *words) for number, words in sorted(self._waiting.items())])
        self._db.execute(self._sql["clear_unsearched"])
        self._waiting, self._chars, self._stored = {}, 0, False
        self._new.clear()
        self._indexed_ns = now_ns

    @property
    def waits(self) -> bool:
        """Say whether there is anything to index."""
        return bool(self._waiting) or self._stored

    def forget(self) -> None:
        """Read again what waits in the file."""
        self._waiting, self._chars, self._put_off = {}, 0, False
        self._new.clear()
        self.volumes.forget()
        self._stored = self._db.execute(self._sql["unsearched"]).get is not None

    def _read(self, number: int) -> tuple[str, str]:
        return details.said(self._db, number) or ("", "")


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
