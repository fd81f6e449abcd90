"""One turn of the loop: when several sockets were ready, what they brought goes to the journal in one append, then on its way.

Law: nothing is passed on before it is in the journal, and what is done to a connection happens in the order in which it was
asked for: a close, a half-close or a reset comes after what was written before it. No piece waits longer than until the loop
has looked at the sockets that were ready with it. An append costs nearly the same for one call as for ten; but to wait for
the end of a turn costs something too, so a relay with little to do does not: each piece is appended and written at once.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, cast

TURN_BYTES = 256 * 1024
"""Bytes to append and to pass on that end a turn early: more in memory saves nothing."""
PROBE = 16
"""Appends made at once before one is gathered to see whether others come in the same turn."""
ALONE = 4
"""Turns in a row that brought but one append, after which appends are made at once again."""

_log = logging.getLogger("anton.relay")


class Turn:
    """What is being gathered. One per worker; `append` is the journal's, `call_soon` the loop's."""

    __slots__ = ("_alone", "_append", "_begun", "_call_soon", "_data", "_frames", "_probes", "_size", "_until_probe", "_writes", "gathers")

    def __init__(self, append: Callable[[bytes, int], None], call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._append = append
        self._call_soon = call_soon
        self.gathers = False
        """Whether appends and writes wait for the end of the turn."""
        self._until_probe = PROBE
        self._probes = False
        """Gathers this once, to see whether it is worth it."""
        self._alone = 0
        self._data: list[bytes] = []
        self._frames = 0
        self._writes: list[tuple[asyncio.Transport, bytes]] = []
        self._size = 0
        self._begun = False

    def append(self, data: bytes, frames: int) -> None:
        """Append whole frames, at once or with what else this turn brings; never raises, never waits."""
        if not self.gathers:
            self._until_probe -= 1
            if self._until_probe:
                self._append(data, frames)
                return
            self.gathers = self._probes = True
        self._data.append(data)
        self._frames += frames
        self._grow(len(data))

    def write(self, transport: asyncio.Transport, data: bytes) -> None:
        """Pass bytes on once everything that was appended so far is in the journal."""
        self._writes.append((transport, data))
        self._grow(len(data))

    def end(self) -> None:
        """Append, then write, what has been gathered: for whatever cannot wait until the loop comes round."""
        data = self._data
        self._size = 0
        if data:
            frames, self._data, self._frames = self._frames, [], 0
            self._append(data[0] if len(data) == 1 else b"".join(data), frames)
        writes = self._writes
        if writes:
            self._writes = []
            for transport, piece in writes:
                try:
                    if not transport.is_closing():
                        transport.write(piece)
                except RuntimeError:  # uvloop's word for a transport that nobody may write to any more
                    _log.exception("defect: a write to a connection that was ended before")

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > TURN_BYTES:
            self.end()
        elif not self._begun:
            self._begun = True
            self._call_soon(self._close)

    def _close(self) -> None:
        """End the turn, and see whether gathering was worth it."""
        self._begun = False
        self._alone = 0 if len(self._data) > 1 else self._alone + 1
        self.end()
        if self._alone >= (1 if self._probes else ALONE):
            self.gathers, self._until_probe, self._alone = False, PROBE, 0
        self._probes = False


class Outlet(asyncio.Transport):
    """A transport whose writes may wait for the end of the turn; what else is done to it ends the turn first."""

    __slots__ = ("_transport", "_turn", "is_closing")

    def __init__(self, transport: asyncio.BaseTransport, turn: Turn) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._turn = turn
        self.is_closing = transport.is_closing  # type: ignore[method-assign]  # asked for each call, so without a step between

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write at once, or at the end of the turn."""
        turn = self._turn
        if turn.gathers:
            turn.write(self._transport, cast("bytes", data))
        else:
            self._transport.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write several pieces without copying them together."""
        turn = self._turn
        if turn.gathers:
            for data in list_of_data:
                turn.write(self._transport, cast("bytes", data))
        else:
            self._transport.writelines(list_of_data)

    def flush(self) -> None:
        """End the turn. For `eof_received`: unless it asks to stay, the loop closes the transport itself, and not through here."""
        self._turn.end()

    def write_eof(self) -> None:
        """Send FIN after what was written."""
        self._turn.end()
        self._transport.write_eof()

    def close(self) -> None:
        """Close after what was written."""
        self._turn.end()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._turn.end()
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that are not in the kernel yet."""
        self._turn.end()
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - asyncio's own
        """Return what the transport knows."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give what comes to another protocol."""
        self._transport.set_protocol(protocol)
