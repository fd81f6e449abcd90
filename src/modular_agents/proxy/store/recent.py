"""The latest calls, by the tokens they left and those they asked for: the part of linking's index that is kept in memory.

Two halves: when the younger one is full the older one is dropped whole, so that nothing is ever swept and the size is bounded.
It holds nothing that the store could not give back; an engine fills it when it opens its file.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter

from modular_agents.proxy.model.link import CALLS_PER_TOKEN, CALLS_TOLD, RECENT_CHARS, RECENT_TOKENS

ASKERS_PER_TOKEN = 64
"""Calls that one token lets be placed anew. Reached by floods of equal requests only."""


class Entry:
    """One of the latest calls. `number` is the engine's own; `lasting` are the tokens by which it is found later on, too."""

    __slots__ = ("asked", "call_id", "lasting", "left", "number", "started_ns", "texts", "watched")

    def __init__(self, number: int, call_id: str, started_ns: int) -> None:
        self.number, self.call_id, self.started_ns = number, call_id, started_ns
        self.lasting: tuple[int, ...] = ()
        self.left: tuple[int, ...] = ()
        self.asked: tuple[int, ...] = ()
        self.watched: tuple[int, ...] = ()
        self.texts: tuple[str, ...] | None = ()
        """None: nobody knows."""

    def holds(self, words: Sequence[str]) -> bool:
        """Return whether one of these strings stands in what the call was told, as far as is known."""
        return self.texts is None or any(one in text for text in self.texts for one in words)


_START = attrgetter("started_ns")
_MOMENT = attrgetter("started_ns", "number")


class Postings:
    """Entries by token, those of one token in the order of their moments."""

    __slots__ = ("before", "now")

    def __init__(self) -> None:
        self.now: dict[int, Entry | list[Entry]] = {}
        self.before: dict[int, Entry | list[Entry]] = {}

    def add(self, tokens: Collection[int], entry: Entry) -> None:
        """Let an entry be found by these tokens."""
        now = self.now
        shared = [(token, now[token]) for token in filter(now.__contains__, tokens)]
        now.update(dict.fromkeys(tokens, entry))
        for token, there in shared:  # hardly ever more than one
            if there is not entry:
                now[token] = _with(there, entry)

    def remove(self, tokens: Iterable[int], entry: Entry) -> None:
        """Let it be found by them no more."""
        for token in tokens:
            for half in (self.now, self.before):
                there = half.get(token)
                if there is entry:
                    del half[token]
                elif isinstance(there, list) and entry in there:
                    there.remove(entry)
                    if not there:
                        del half[token]

    def turn(self) -> None:
        """Drop the older half."""
        self.before, self.now = self.now, {}

    def hits(self, tokens: Collection[int]) -> list[int]:
        """Return those of the tokens that lead anywhere."""
        now, before = self.now, self.before
        hits = list(filter(now.__contains__, tokens))
        if before:
            hits += [token for token in filter(before.__contains__, tokens) if token not in now]
        return hits

    def find(self, token: int) -> list[Entry]:
        """Return the entries of a token."""
        young, old = self.now.get(token), self.before.get(token)
        if young is None or old is None:
            there = young if old is None else old
            return there if isinstance(there, list) else [] if there is None else [there]
        both = {*(young if isinstance(young, list) else [young]), *(old if isinstance(old, list) else [old])}
        return sorted(both, key=_MOMENT)


def _with(there: Entry | list[Entry], entry: Entry) -> list[Entry]:
    """Put an entry among others at its moment: nearly always at the end."""
    entries = there if isinstance(there, list) else [there]
    at = len(entries)
    moment = _MOMENT(entry)
    while at and _MOMENT(entries[at - 1]) > moment:
        at -= 1
    if not (at and entries[at - 1] is entry):
        entries.insert(at, entry)
    return entries


class Recent:
    """The latest calls."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Hold nothing."""
        self._left, self._asked, self._watched = Postings(), Postings(), Postings()
        self._now: dict[str, Entry] = {}
        self._before: dict[str, Entry] = {}
        self._told: list[Entry] = []
        """Those that were told anything, in the order of their moments."""
        self._chars = 0
        """What those were told that came since calls were dropped."""
        self.horizon_ns = 0
        """Every stored call that began later is here."""
        self.newest_ns = 0
        self.turned = False
        """Calls have been dropped since this was last set to False."""

    def get(self, call_id: str) -> Entry | None:
        """Return a call."""
        return self._now.get(call_id) or self._before.get(call_id)

    def put(
        self,
        entry: Entry,
        left: tuple[int, ...],
        passing: tuple[tuple[int, ...], tuple[int, ...]] | None,
        texts: tuple[str, ...] | None,
    ) -> None:
        """Let a call be found by the tokens it left, and by those it asked for and watches (None: as before), and by its texts."""
        call_id = entry.call_id
        if call_id not in self._now and call_id not in self._before:
            self._now[call_id] = entry
            self.newest_ns = max(self.newest_ns, entry.started_ns)
        entry.left = self._changed(self._left, entry, entry.left, left)
        if passing is not None:
            entry.asked = self._changed(self._asked, entry, entry.asked, passing[0])
            entry.watched = self._changed(self._watched, entry, entry.watched, passing[1])
            self._tell(entry, texts)
        if len(self._left.now) > RECENT_TOKENS or self._chars > RECENT_CHARS:
            self.horizon_ns = max(self.horizon_ns, max((one.started_ns for one in self._before.values()), default=0))
            self._before, self._now = self._now, {}
            self._told = [one for one in self._told if one.call_id in self._before]
            self._chars = 0
            self.turned = True
            for postings in (self._left, self._asked, self._watched):
                postings.turn()
        if len(self._asked.now) > RECENT_TOKENS:
            self._asked.turn()

    def _tell(self, entry: Entry, texts: tuple[str, ...] | None) -> None:
        if texts != ():
            if entry.texts == ():
                insort(self._told, entry, key=_MOMENT)
            entry.texts = texts
            self._chars += sum(map(len, texts or ()))

    @staticmethod
    def _changed(postings: Postings, entry: Entry, old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
        if old:
            fresh, stale = set(new), set(old)
            postings.remove(stale - fresh, entry)
            postings.add(fresh - stale, entry)
        else:
            postings.add(new, entry)
        return new

    def drop(self, call_id: str) -> None:
        """Forget a call."""
        entry = self._now.pop(call_id, None) or self._before.pop(call_id, None)
        if entry is not None:
            self._left.remove(entry.left, entry)
            self._asked.remove(entry.asked, entry)
            self._watched.remove(entry.watched, entry)
            if entry in self._told:
                self._told.remove(entry)

    @property
    def oldest_number(self) -> int:
        """The smallest number of a call that is here; 0 when there is none."""
        return min((one.number for half in (self._before, self._now) for one in half.values()), default=0)

    def earlier(self, tokens: Collection[int], at_ns: int) -> list[Entry]:
        """Return, for each token, the newest calls that left it and began at or before `at_ns`."""
        found: list[Entry] = []
        for token in self._left.hits(tokens):
            there = self._left.find(token)
            end = len(there)
            if there[-1].started_ns > at_ns:
                end = bisect_right(there, at_ns, key=_START)
            found += there[max(0, end - CALLS_PER_TOKEN) : end]
        return found

    def later(self, tokens: Collection[int], at_ns: int) -> list[Entry]:
        """Return, for each token, the oldest calls that left it and began at or after `at_ns`."""
        found: list[Entry] = []
        if at_ns <= self.newest_ns:
            for token in self._left.hits(tokens):
                there = self._left.find(token)
                start = bisect_left(there, at_ns, key=_START)
                found += there[start : start + CALLS_PER_TOKEN]
        return found

    def asking(self, tokens: Collection[int], at_ns: int) -> list[Entry]:
        """Return calls that asked for one of these tokens and began at or after `at_ns`, and those that watch one."""
        found: list[Entry] = []
        for token in self._watched.hits(tokens):
            found += self._watched.find(token)[:ASKERS_PER_TOKEN]
        if at_ns < self.newest_ns:
            for token in self._asked.hits(tokens):
                there = self._asked.find(token)
                start = bisect_left(there, at_ns, key=_START)
                found += there[start : start + ASKERS_PER_TOKEN]
        return found

    def holding(self, words: Sequence[str], at_ns: int) -> list[Entry]:
        """Return calls that began after `at_ns` and were told one of these strings: of the last that were told anything."""
        told = self._told
        if not told or told[-1].started_ns <= at_ns:
            return []
        start = max(bisect_right(told, at_ns, key=_START), len(told) - CALLS_TOLD)
        return [entry for entry in told[start:] if entry.holds(words)]
