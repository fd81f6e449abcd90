"""Every content is stored once, by its exact bytes; a list of contents shares its beginning with every list that begins alike.

A chain node is counted: by nodes that follow it and by calls that name it as their tip. At zero it goes, with its content when no
other node holds that, and gives back its own parent. Counts are summed per batch and written when the batch ends.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import apsw

from modular_agents.proxy.model.call import Message
from modular_agents.proxy.store import reading
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.known import forget_oldest

NO_NODE = 0
"""The empty list."""
HASH_BYTES = 16
LONG_STRING_BYTES = 384
"""A JSON string of this length stands alone: a picture, a file that was read, a long answer that comes back. Storing a shorter one
twice, when its message comes back with another cache mark, takes less than a row, two index entries and a hash for each piece."""
CUT_FROM_BYTES = LONG_STRING_BYTES
"""Shorter contents are stored in one piece."""
MAX_PIECES = 400
"""Pieces of one content; the rest stays together."""
KNOWN_MAX = 20_000
"""Contents and nodes whose number is remembered, about 4 MB each."""
SEEN_MAX_BYTES = 8 * 1024 * 1024
SEEN_ENTRY_BYTES = 150
"""Contents that are known by their bytes, with what holding one costs besides."""
WAITING_MAX_BYTES = 4 * 1024 * 1024
WAITING_ROW_BYTES, WAITING_NODE_BYTES = 300, 200
"""Rows that wait, with what holding one takes besides its text: a call of 16 MB may have a million messages. Beyond it they are written."""

SWEPT_NODES = 100
"""Deleted in one slice, 8 ms: the last call of a conversation of 1,000 turns takes 2,000 of them with it. They are found again by an
index of those that nobody names, whenever a process ends."""

_NONE: dict[bytes, bytes] = {}
_STRING = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)


class Contents:
    """Contents and chains of one writing connection. What it remembers holds until `forget`."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._sql = statements()
        self._contents: dict[bytes, int] = {}
        self._seen: dict[str, dict[bytes, int]] = {}
        """Contents by kind and bytes: what comes back soon is not hashed again."""
        self._seen_bytes = 0
        self._nodes: dict[tuple[int, int], int] = {}
        self._uses: dict[int, int] = {}
        """Changes of counts not written yet."""
        self._new: list[tuple[int, bytes, str | None, str | None]] = []
        self._new_nodes: list[tuple[int, int, int, int]] = []
        self._pieces: list[tuple[int, int, int]] = []
        """Rows of `content`, `chain` and `piece` not written yet: written together, table by table, which takes half the time."""
        self._written = self._last = self._last_node = 0
        """The greatest numbers: of contents in the file, of all contents, of all nodes."""
        self.waiting_bytes = 0
        """Of rows that are not written yet, about."""
        self._expected: dict[str, dict[bytes, bytes]] = {}
        """Hashes of what will be put, by kind and bytes."""
        self._absent: frozenset[bytes] = frozenset()
        """Of those, what is not in the file."""
        self.sweeps_later = False
        """Nodes that nobody names any more may be left for `sweep` when they are many."""
        self._leaves = True
        """There may be such nodes."""
        self._unclaimed: set[int] = set()
        """Nodes made with a count of 1 for a user that is about to claim it."""

    def expect(self, kind: str, raws: Iterable[bytes]) -> None:
        """Hash contents that will be put, if they have not been seen lately."""
        seen, expected, person = self._seen.get(kind, ()), self._expected.setdefault(kind, {}), _person(kind)
        for raw in raws:
            if raw not in seen and raw not in expected:
                expected[raw] = blake2b(raw, digest_size=HASH_BYTES, person=person).digest()

    def look_up(self) -> None:
        """Find out which of the expected contents are in the file: many at once take a third of the time."""
        known = self._contents
        wanted = {digest for expected in self._expected.values() for digest in expected.values() if digest not in known}
        if wanted:
            found: dict[bytes, int] = dict(self._db.execute(self._sql["find_contents"], (apsw.carray(tuple(wanted)),)))
            known |= found
            self._absent = frozenset(wanted - found.keys())

    def messages(self, kind: str, messages: Sequence[Message], parent: int = NO_NODE) -> int:
        """Return the tip of a list of messages. `kind` tells apart what is read differently though its bytes are equal."""
        seen, nodes = self._seen.setdefault(kind, {}), self._nodes
        for depth, message in enumerate(messages):
            content = seen.get(message.raw) or self._look_up(seen, kind, message.raw, message)
            parent = nodes.get((parent, content)) or self._node(parent, content, depth)
        return parent

    def texts(self, kind: str, raws: Sequence[bytes], parent: int = NO_NODE) -> int:
        """Return the tip of a list of plain texts (UTF-8)."""
        seen, nodes = self._seen.setdefault(kind, {}), self._nodes
        for depth, raw in enumerate(raws):
            content = seen.get(raw) or self._look_up(seen, kind, raw, None)
            parent = nodes.get((parent, content)) or self._node(parent, content, depth)
        return parent

    def is_new(self, tip: int) -> bool:
        """Say whether a list was stored for the first time, as long as nobody has claimed it."""
        return tip in self._unclaimed

    def hold(self, tip: int) -> None:
        """Count a call that names `tip`."""
        if tip in self._unclaimed:
            self._unclaimed.discard(tip)
        elif tip != NO_NODE:
            self._uses[tip] = self._uses.get(tip, 0) + 1

    def release(self, tip: int) -> None:
        """Count a call that no longer names `tip`."""
        if tip != NO_NODE:
            self._uses[tip] = self._uses.get(tip, 0) - 1

    def write(self) -> None:
        """Write the rows that wait: what they hold can be read from now on."""
        for statement, rows in (("add_content", self._new), ("add_node", self._new_nodes), ("add_piece", self._pieces)):
            if rows:
                self._db.executemany(self._sql[statement], rows)
                rows.clear()
        self._written, self.waiting_bytes = self._last, 0

    def flush(self) -> None:
        """Write rows and counts, and delete what nobody names."""
        self._expect_nothing()
        self.write()
        for node in self._unclaimed:
            self._uses[node] = self._uses.get(node, 0) - 1
        self._unclaimed.clear()
        self._count(SWEPT_NODES if self.sweeps_later else sys.maxsize)
        while self._seen_bytes > SEEN_MAX_BYTES:
            for seen in self._seen.values():
                self._seen_bytes -= sum(len(raw) + SEEN_ENTRY_BYTES for raw in forget_oldest(seen))
        while len(self._contents) > KNOWN_MAX:
            forget_oldest(self._contents)
        while len(self._nodes) > KNOWN_MAX:
            forget_oldest(self._nodes)

    @property
    def has_unused(self) -> bool:
        """Say whether there are nodes that nobody names any more, left for later."""
        if self._leaves:
            self._leaves = self._db.execute(self._sql["unused_nodes"], (1,)).get is not None
        return self._leaves

    def sweep(self) -> None:
        """Delete a slice of them."""
        unused = [node for (node,) in self._db.execute(self._sql["unused_nodes"], (SWEPT_NODES,))]
        for node in unused:
            self._sweep(node)
        self._count(SWEPT_NODES - len(unused))

    def forget(self) -> None:
        """Forget everything: the batch was rolled back."""
        self.sweeps_later, self._leaves = False, True
        self._forget_seen()
        self._contents.clear()
        self._nodes.clear()
        self._uses = {}
        self._expect_nothing()
        for rows in (self._new, self._new_nodes, self._pieces):
            rows.clear()
        self._unclaimed.clear()
        self.waiting_bytes = 0
        self._written = self._last = self._db.execute(self._sql["last_content_id"]).get
        self._last_node = self._db.execute(self._sql["last_node_id"]).get

    def _expect_nothing(self) -> None:
        self._expected.clear()
        self._absent = frozenset()

    def _forget_seen(self) -> None:
        self._seen.clear()
        self._seen_bytes = 0

    def _look_up(self, seen: dict[bytes, int], kind: str, raw: bytes, message: Message | None) -> int:
        """Return the number of a content that has not been seen lately."""
        expected = self._expected.get(kind, _NONE).get(raw)
        digest = expected or blake2b(raw, digest_size=HASH_BYTES, person=_person(kind)).digest()
        content = seen[raw] = self._contents.get(digest) or self._put(digest, raw, message)
        self._seen_bytes += len(raw) + SEEN_ENTRY_BYTES
        return content

    def _put(self, digest: bytes, raw: bytes, message: Message | None) -> int:
        """Return the number of a content, stored now if it was not."""
        pieces = list(_cut(raw)) if len(raw) >= CUT_FROM_BYTES and message is not None else []
        whole = None if len(pieces) > 1 else raw.decode("utf-8", "replace")
        number, is_new = self._insert(digest, whole, None if message is None else reading.encode(message))
        if is_new and whole is None:
            seen = self._seen.setdefault("piece", {})
            self._pieces += [(number, place, seen.get(piece) or self._piece(seen, piece)) for place, piece in enumerate(pieces)]
        return number

    def _piece(self, seen: dict[bytes, int], piece: bytes) -> int:
        """Return the number of a piece. What stands around a long string is short, and the same from message to message."""
        named = blake2b(piece, digest_size=HASH_BYTES, person=_person("piece")).digest()
        number = self._contents.get(named) or self._insert(named, piece.decode("utf-8", "replace"), None)[0]
        if len(piece) < LONG_STRING_BYTES:
            seen[piece] = number
            self._seen_bytes += len(piece) + SEEN_ENTRY_BYTES
        return number

    def _insert(self, digest: bytes, body: str | None, read: str | None) -> tuple[int, bool]:
        number: int | None = None if digest in self._absent else self._db.execute(self._sql["find_content"], (digest,)).get
        is_new = number is None
        if number is None:
            number = self._last = self._last + 1
            self._new.append((number, digest, body, read))
            self._wait(len(body or "") + len(read or "") + WAITING_ROW_BYTES)
        self._contents[digest] = number
        return number, is_new

    def _node(self, parent: int, content: int, depth: int) -> int:
        node: int | None = None
        if content <= self._written:  # a list with a content that has no row yet has none either, unless it is known
            node = self._db.execute(self._sql["find_node"], (content, parent)).get
        if node is None:
            node = self._last_node = self._last_node + 1
            self._new_nodes.append((node, parent, content, depth))
            self._unclaimed.add(node)
            self.hold(parent)
            self._wait(WAITING_NODE_BYTES)
        self._nodes[parent, content] = node
        return node

    def _wait(self, size: int) -> None:
        self.waiting_bytes += size
        if self.waiting_bytes > WAITING_MAX_BYTES:
            self.write()

    def _count(self, room: int) -> None:
        """Write counts, and delete what nobody names any more: no more nodes than there is room for."""
        while self._uses:
            changes = [(node, change) for node, change in self._uses.items() if change]
            self._uses = {}
            self._db.executemany(self._sql["use_node"], ((change, node) for node, change in changes))
            released = [node for node, change in changes if change < 0]
            for node in released[:room]:
                self._sweep(node)
            self._leaves = self._leaves or len(released) > room
            room = max(0, room - len(released))

    def _sweep(self, node: int) -> None:
        """Delete a node that nobody names any more, and its content when no other node holds it."""
        row = self._db.execute(self._sql["unused_node"], (node,)).get
        if row is None:
            return
        parent, content = row
        self._db.execute(self._sql["drop_node"], (node,))
        self._nodes.pop((parent, content), None)
        self.release(parent)
        if self._db.execute(self._sql["content_in_use"], (content,)).get:
            return
        pieces = [piece for (piece,) in self._db.execute(self._sql["pieces"], (content,))]
        self._db.execute(self._sql["drop_pieces"], (content,))
        for unused in (content, *dict.fromkeys(pieces)):
            digest: bytes | None = self._db.execute(self._sql["drop_unused_content"], (unused,)).get
            if digest is not None:
                self._contents.pop(digest, None)
                self._forget_seen()


@lru_cache(maxsize=256)
def _person(kind: str) -> bytes:
    return blake2b(kind.encode("utf-8", "replace"), digest_size=HASH_BYTES).digest()


def _cut(raw: bytes) -> Iterator[bytes]:
    """Yield the pieces of a content; together they are `raw`."""
    at = count = 0
    for start, stop in _long_strings(raw):
        if count >= MAX_PIECES:
            break
        yield raw[at:start]
        yield raw[start:stop]
        at = stop
        count += 2
    yield raw[at:]


def _long_strings(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the insides of long JSON strings stand."""
    if b'\\"' in raw:
        yield from (found.span(1) for found in _STRING.finditer(raw) if found.end(1) - found.start(1) >= LONG_STRING_BYTES)
        return
    sizes = list(map(len, raw.split(b'"')))  # no quote is escaped: every second part stands between two
    if max(sizes) < LONG_STRING_BYTES:
        return
    for number in range(1, len(sizes), 2):
        if sizes[number] >= LONG_STRING_BYTES:
            at = sum(sizes[:number]) + number
            yield at, at + sizes[number]
