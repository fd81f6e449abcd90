"""Messages already read. An agent sends its whole history with every turn; what was read once is not read again.

Bounded by bytes in two generations: what has not been used while one generation filled up is forgotten. One per recorder,
given to its readers; a reader without one reads everything itself, with the same result.
"""

from modular_agents.proxy.model.call import Message

GENERATION_BYTES = 8 * 1024 * 1024
"""Bytes of messages held per generation. Of long ones their text is held once more."""
ENTRY_BYTES = 640
"""What an entry takes besides its raw bytes (700 bytes in all for 86). Short messages count as what they take, so that the memory is full,
and grows no more, after some 12,000 of them and not after 37,000."""
MAX_ENTRY_BYTES = 256 * 1024
"""Larger messages (pictures) are read again each time: a few of them would push out a conversation."""

Key = tuple[str, bytes]
"""Format and exact bytes."""


class Memo:
    """Messages by format and exact bytes."""

    def __init__(self) -> None:
        self._young: dict[Key, Message] = {}
        self._old: dict[Key, Message] = {}
        self._young_bytes = 0

    def get(self, key: Key) -> Message | None:
        """Return the message, if it is remembered."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Key, message: Message) -> None:
        """Remember a message."""
        size = len(key[1])
        if size > MAX_ENTRY_BYTES:
            return
        size += ENTRY_BYTES
        if self._young_bytes + size > GENERATION_BYTES:
            self._old, self._young, self._young_bytes = self._young, {}, 0
        self._young[key] = message
        self._young_bytes += size
