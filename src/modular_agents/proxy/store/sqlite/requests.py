"""What was sent is stored as references: lists of contents, and a recipe that rebuilds the body from them.

The version of a call that ends it brings the same request once more; it is recognised by the size and CRC of its body and nothing
is stored again. A body without a recipe is kept whole, equal bodies once.
"""

from dataclasses import dataclass
from hashlib import blake2b

import apsw

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.quick import quick
from modular_agents.proxy.store import zstd
from modular_agents.proxy.store.rows import new_from
from modular_agents.proxy.store.sqlite.contents import HASH_BYTES, NO_NODE, Contents
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.sqlite.parts import Parts


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """Where a request is stored. `mark` is the size and CRC of its body and what was read in it: equal marks, nothing to store."""

    messages: int = NO_NODE
    message_count: int = 0
    new_from: int = 0
    system: int = NO_NODE
    tools: int = NO_NODE
    params: int = NO_NODE
    recipe: int = NO_NODE
    body: int = 0
    mark: tuple[int, ...] | None = None
    system_is_new: bool = False

    def is_of(self, call: Call, body: bytes, crc: int) -> bool:
        """Say whether this is the request of `call`, as far as the size and CRC-32 of its body, and counts, can tell."""
        return self.mark == _mark(call, body, crc)

    @property
    def tips(self) -> tuple[int, ...]:
        """Every chain node it names."""
        return self.messages, self.system, self.tools, self.params, self.recipe

    @property
    def columns(self) -> tuple[int, ...]:
        """Its columns in `call`, in order."""
        return self.messages, self.message_count, self.new_from, self.system, self.tools, self.params


class Requests:
    """Requests of one writing connection."""

    def __init__(self, db: apsw.Connection, contents: Contents) -> None:
        self._db = db
        self._sql = statements()
        self._contents = contents

    def expect(self, parts: Parts) -> None:
        """Hash what will be put, if it is new."""
        if parts.asked is None:
            return
        contents, call = self._contents, parts.call
        contents.expect(f"message {call.format}", [message.raw for message in call.messages])
        contents.expect(f"system {call.format}", [message.raw for message in call.system])
        contents.expect("tool", call.tools)
        contents.expect("params", (call.params,))
        if parts.recipe is not None:
            contents.expect("recipe", (parts.recipe,))

    def put(self, call: Call, body: bytes, parts: Parts, continued: int | None) -> Request:
        """Store what was sent; its parts are read. `continued`: the message count of the call that this one continues, if any."""
        contents = self._contents
        messages = contents.messages(f"message {call.format}", call.messages)
        system = contents.messages(f"system {call.format}", call.system)
        tools = contents.texts("tool", call.tools)
        params = contents.texts("params", (call.params,))
        request = Request(
            messages,
            len(call.messages),
            new_from(call.messages, continued),
            system,
            tools,
            params,
            contents.texts("recipe", (parts.recipe,)) if parts.recipe is not None else NO_NODE,
            self._put_body(body) if body and parts.recipe is None else 0,
            _mark(call, body, parts.crc),
            contents.is_new(system),
        )
        for tip in request.tips:
            contents.hold(tip)
        if request.body:
            self._db.execute(self._sql["use_body"], (1, request.body))
        return request

    def release(self, request: Request) -> None:
        """Give back what a request refers to."""
        for tip in request.tips:
            self._contents.release(tip)
        if request.body:
            self._db.execute(self._sql["use_body"], (-1, request.body))
            self._db.execute(self._sql["drop_unused_body"], (request.body,))

    def _put_body(self, body: bytes) -> int:
        digest = blake2b(body, digest_size=HASH_BYTES).digest()
        found: int | None = self._db.execute(self._sql["find_body"], (digest,)).get
        if found is None:
            self._db.execute(self._sql["add_body"], (digest, zstd.pack(body)))
            found = self._db.last_insert_rowid()
        return found


def _mark(call: Call, body: bytes, crc: int) -> tuple[int, ...]:
    """Return what tells two versions of a call's request apart."""
    return len(body), crc, len(call.messages), len(call.system), len(call.tools)
