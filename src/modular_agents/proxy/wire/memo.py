"""Messages already read. An agent sends its whole history with every turn; what was read once is not read again.

Bounded by bytes: what has not been used for longest goes first, one by one, so that a full memory neither grows nor shrinks. One per
recorder, given to its readers; a reader without one reads everything itself, with the same result.
"""

from collections import OrderedDict

from modular_agents.proxy.model.call import Message

MAX_BYTES = 12 * 1024 * 1024
"""Bytes of messages held. Of long ones their text is held once more."""
ENTRY_BYTES = 700
"""What an entry takes besides its raw bytes (760 bytes in all for 86). Short messages count as what they take, so that the memory is full,
and grows no more, after some 16,000 of them and not after 140,000."""
MAX_ENTRY_BYTES = 256 * 1024
"""Larger messages (pictures) are read again each time: a few of them would push out a conversation."""

Key = tuple[str, bytes]
"""Format and exact bytes."""


class Memo:
    """Messages by format and exact bytes."""

    def __init__(self) -> None:
        self._messages: OrderedDict[Key, Message] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def get(self, key: Key) -> Message | None:
        """Return the message, if it is remembered."""
        found = self._messages.get(key)
        if found is not None:
            self._messages.move_to_end(key)
        return found

    def put(self, key: Key, message: Message) -> None:
        """Remember a message."""
        if len(key[1]) > MAX_ENTRY_BYTES or key in self._messages:
            return
        self._messages[key] = message
        self._bytes += len(key[1]) + ENTRY_BYTES
        while self._bytes > MAX_BYTES:
            (_, raw), _ = self._messages.popitem(last=False)
            self._bytes -= len(raw) + ENTRY_BYTES
