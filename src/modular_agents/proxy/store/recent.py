"""The latest calls, by what they left and what they asked for: the part of linking's index that is kept in memory.

Who came first goes first when there is too much, with all that it stands under: what is kept takes the same room all the time. It
holds nothing that the store could not give back; an engine fills it when it opens its file.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Generic, TypeVar

from modular_agents.proxy.model.link import CALLS_BESIDE, CALLS_PER_TOKEN, CALLS_TOLD, RECENT_CHARS, RECENT_TOKENS, Lookup, Pair

ASKERS_PER_TOKEN = 64
"""Calls that one token lets be placed anew. Reached by floods of equal requests only."""
WATCHERS_PER_SIDE = 256
"""The same where only neighbours count: the nearest, together as many as linking places anew because of one call."""


class Entry:
    """One of the latest calls. `number` is the engine's own; `lasting` are the tokens by which it is found later on, too."""

    __slots__ = ("asked", "bag", "call_id", "is_gone", "lasting", "left", "number", "pairs", "started_ns", "texts", "watched")

    def __init__(self, number: int, call_id: str, started_ns: int) -> None:
        self.number, self.call_id, self.started_ns = number, call_id, started_ns
        self.lasting: tuple[int, ...] = ()
        self.left: tuple[int, ...] = ()
        self.pairs: tuple[Pair, ...] = ()
        self.asked: tuple[int, ...] = ()
        self.watched: tuple[int, ...] = ()
        self.texts: tuple[str, ...] | None = ()
        """None: nobody knows."""
        self.bag: frozenset[str] | None = None
        """The words of the texts, once somebody has looked for some."""
        self.is_gone = False

    @property
    def size(self) -> int:
        """Tokens and pairs under which it stands."""
        return len(self.left) + len(self.pairs) + len(self.asked) + len(self.watched)

    @property
    def chars(self) -> int:
        """Characters that it was told."""
        return sum(map(len, self.texts or ()))

    def words(self) -> frozenset[str]:
        """Return the words of the texts. They are parted once, in the time of eight searches through 4 KB."""
        if self.bag is None:
            self.bag = frozenset().union(*[text.split(" ") for text in self.texts or ()])
        return self.bag

    def holds(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> bool:
        """Return whether one of these strings, each with its words, stands in what the call was told, as far as is known."""
        if self.texts is None:
            return True
        bag = self.words()
        return any(bag.issuperset(words) and any(said in text for text in self.texts) for said, words in wanted)


_START = attrgetter("started_ns")
_MOMENT = attrgetter("started_ns", "number")
K = TypeVar("K", int, Pair)


class Postings(Generic[K]):
    """Entries by key, those of one key in the order of their moments."""

    __slots__ = ("_there",)

    def __init__(self) -> None:
        self._there: dict[K, Entry | list[Entry]] = {}

    def change(self, entry: Entry, old: Collection[K], new: Collection[K]) -> None:
        """Let an entry be found by the new keys, and no longer by the old ones."""
        if old == new:
            return
        if old:
            self.remove(entry, [key for key in old if key not in new])
            new = [key for key in new if key not in old]
        there = self._there
        shared = [(key, there[key]) for key in filter(there.__contains__, new)]
        there.update(dict.fromkeys(new, entry))
        for key, others in shared:  # hardly ever more than one
            there[key] = _with(others, entry)

    def remove(self, entry: Entry, keys: Iterable[K]) -> None:
        """Let an entry be found by these keys no longer."""
        for key in keys:
            there = self._there.get(key)
            if there is entry:
                del self._there[key]
            elif isinstance(there, list) and entry in there:
                there.remove(entry)
                if not there:
                    del self._there[key]

    def hits(self, keys: Iterable[K]) -> list[K]:
        """Return those of the keys that lead anywhere."""
        return list(filter(self._there.__contains__, keys))

    def find(self, key: K) -> Sequence[Entry]:
        """Return the entries of a key."""
        there = self._there.get(key, ())
        return (there,) if isinstance(there, Entry) else there

    def before(self, keys: Iterable[K], at_ns: int) -> list[Entry]:
        """Return, for each key, its newest entries that began at or before `at_ns`."""
        found: list[Entry] = []
        for key in self.hits(keys):
            found += _before(self.find(key), at_ns, CALLS_PER_TOKEN)
        return found


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


def _before(there: Sequence[Entry], at_ns: int, count: int, but: str = "") -> list[Entry]:
    """Return the newest so many that began at or before a moment, oldest first."""
    at = len(there)
    if at and there[-1].started_ns > at_ns:
        at = bisect_right(there, at_ns, key=_START)
    if not but:
        return [*there[max(0, at - count) : at]]
    return [entry for entry in there[max(0, at - count - 1) : at] if entry.call_id != but][-count:]


def _after(there: Sequence[Entry], at_ns: int, count: int, but: str = "") -> list[Entry]:
    """Return the oldest so many that began at or after a moment."""
    at = bisect_left(there, at_ns, key=_START)
    return [entry for entry in there[at : at + count + 1] if entry.call_id != but][:count]


class Recent:
    """The latest calls."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Hold nothing."""
        self._left, self._asked, self._watched = Postings[int](), Postings[int](), Postings[int]()
        self._pairs = Postings[Pair]()
        self._calls: dict[str, Entry] = {}
        self._order: deque[Entry] = deque()
        """In the order in which they came; some may be gone."""
        self._told: list[Entry] = []
        """Those that were told anything, in the order of their moments."""
        self._tokens = self._chars = 0
        """Of all of them."""
        self.horizon_ns = 0
        """Every stored call that began later is here."""
        self.newest_ns = 0
        self.dropped: list[Entry] = []
        """Whoever went to make room, for the engine to read and empty."""

    def get(self, call_id: str) -> Entry | None:
        """Return a call."""
        return self._calls.get(call_id)

    def put(
        self,
        entry: Entry,
        left: tuple[int, ...],
        pairs: tuple[Pair, ...],
        passing: tuple[tuple[int, ...], tuple[int, ...]] | None,
        texts: tuple[str, ...] | None,
    ) -> None:
        """Let a call be found by what it left, and by what it asked for, watches and was told (`passing` None: as before)."""
        call_id = entry.call_id
        if call_id in self._calls:
            self._tokens -= entry.size
        else:
            self._calls[call_id] = entry
            self._order.append(entry)
            self.newest_ns = max(self.newest_ns, entry.started_ns)
        self._left.change(entry, entry.left, left)
        self._pairs.change(entry, entry.pairs, pairs)
        entry.left, entry.pairs = left, pairs
        if passing is not None:
            asked, watched = passing
            self._asked.change(entry, entry.asked, asked)
            self._watched.change(entry, entry.watched, watched)
            entry.asked, entry.watched = asked, watched
            self._tell(entry, texts)
        self._tokens += entry.size
        while (self._tokens > RECENT_TOKENS or self._chars > RECENT_CHARS) and len(self._calls) > 1:
            self._make_room()

    def _make_room(self) -> None:
        oldest = self._order.popleft()
        if oldest.is_gone:
            return
        self.horizon_ns = max(self.horizon_ns, oldest.started_ns)
        self.dropped.append(oldest)
        self.drop(oldest.call_id)

    def _tell(self, entry: Entry, texts: tuple[str, ...] | None) -> None:
        if texts == ():
            return
        if entry.texts == ():
            told = self._told
            if not told or told[-1].started_ns < entry.started_ns:
                told.append(entry)
            else:
                insort(told, entry, key=_MOMENT)
            if len(told) > CALLS_TOLD:
                told[-CALLS_TOLD - 1].bag = None
        self._chars -= entry.chars
        if entry.texts != texts:
            entry.texts, entry.bag = texts, None
        self._chars += entry.chars

    def drop(self, call_id: str) -> None:
        """Forget a call."""
        entry = self._calls.pop(call_id, None)
        if entry is None:
            return
        entry.is_gone = True
        self._tokens -= entry.size
        self._chars -= entry.chars
        self._left.remove(entry, entry.left)
        self._asked.remove(entry, entry.asked)
        self._watched.remove(entry, entry.watched)
        self._pairs.remove(entry, entry.pairs)
        if entry.texts != ():
            at = bisect_left(self._told, _MOMENT(entry), key=_MOMENT)
            if at < len(self._told) and self._told[at] is entry:
                del self._told[at]
        entry.texts, entry.bag = (), None

    def find(self, lookup: Lookup) -> list[Entry]:
        """Return the calls that a look-up finds among them, some perhaps more than once; ids, threads and traces are the engine's."""
        at_ns = lookup.at_ns
        found: list[Entry] = []
        if lookup.earlier:
            found += self.earlier(lookup.earlier, at_ns)
        if lookup.pairs:
            found += self._said(lookup.pairs, at_ns)
        if lookup.later:
            found += self.later(lookup.later, at_ns)
        if lookup.beside:
            found += self._beside(lookup.beside, at_ns, lookup.but)
        if lookup.watching:
            found += self._watching(lookup.watching, at_ns)
        if lookup.asking:
            found += self._asking(lookup.asking, lookup.watching, at_ns)
        if lookup.holding:
            found += self._holding(lookup.holding, at_ns)
        return found

    def earlier(self, tokens: Collection[int], at_ns: int) -> list[Entry]:
        """Return, for each token, the newest calls that left it and began at or before `at_ns`."""
        return self._left.before(tokens, at_ns)

    def _said(self, pairs: Sequence[Iterable[Pair]], at_ns: int) -> list[Entry]:
        """Return, for each pair of words, the newest calls that left it and began at or before `at_ns`."""
        found: list[Entry] = []
        for some in pairs:
            found += self._pairs.before(some, at_ns)
        return found

    def later(self, tokens: Collection[int], at_ns: int) -> list[Entry]:
        """Return, for each token, the oldest calls that left it and began at or after `at_ns`."""
        found: list[Entry] = []
        if at_ns <= self.newest_ns:
            for token in self._left.hits(tokens):
                found += _after(self._left.find(token), at_ns, CALLS_PER_TOKEN)
        return found

    def _beside(self, tokens: Collection[int], at_ns: int, but: str) -> list[Entry]:
        """Return, for each token, the nearest calls that left it, before and after `at_ns`."""
        found: list[Entry] = []
        for token in self._left.hits(tokens):
            there = self._left.find(token)
            found += _before(there, at_ns, CALLS_BESIDE, but)
            found += _after(there, at_ns, CALLS_BESIDE, but)
        return found

    def _watching(self, tokens: Collection[int], at_ns: int) -> list[Entry]:
        """Return calls that watch one of these tokens and stand as near to `at_ns` as the nearest that left it."""
        found: list[Entry] = []
        for token in self._watched.hits(tokens):
            left, there = self._left.find(token), self._watched.find(token)
            before, after = _before(left, at_ns, CALLS_BESIDE + 1), _after(left, at_ns, CALLS_BESIDE + 1)
            first_ns = before[0].started_ns if len(before) > CALLS_BESIDE else 0
            last_ns = after[-1].started_ns if len(after) > CALLS_BESIDE else self.newest_ns
            some = _before(there, at_ns, WATCHERS_PER_SIDE) + _after(there, at_ns, WATCHERS_PER_SIDE)
            found += [entry for entry in some if first_ns <= entry.started_ns <= last_ns]
        return found

    def _asking(self, tokens: Collection[int], beside: Collection[int], at_ns: int) -> list[Entry]:
        """Return calls that asked for one of these tokens and began at or after `at_ns`, and those that watch one not `beside`."""
        found: list[Entry] = []
        for token in self._watched.hits(tokens):
            if token not in beside:
                found += _after(self._watched.find(token), 0, ASKERS_PER_TOKEN)
        if at_ns < self.newest_ns:
            for token in self._asked.hits(tokens):
                found += _after(self._asked.find(token), at_ns, ASKERS_PER_TOKEN)
        return found

    def _holding(self, words: Sequence[str], at_ns: int) -> list[Entry]:
        """Return calls that began after `at_ns` and were told one of these strings: of the last that were told anything."""
        told = self._told
        if not told or told[-1].started_ns <= at_ns:
            return []
        start = max(bisect_right(told, at_ns, key=_START), len(told) - CALLS_TOLD)
        wanted = [(said, said.split(" ")) for said in words]
        telling = {max(one, key=len) for _, one in wanted}
        some = [entry for entry in told[start:] if entry.texts is None or not (entry.bag or entry.words()).isdisjoint(telling)]
        return [entry for entry in some if entry.holds(wanted)]
