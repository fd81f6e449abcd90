"""A child's end of the line to its supervisor: settings come in by it, readiness goes out, and its breaking means "stop".

Standard input gives one line of JSON and then nothing, as long as the supervisor lives; its end says that the supervisor is
gone, however it died. Standard output takes one line: `ready`, or why this child cannot work. Everything else is said on
standard error.
"""

import os
import select
import signal
import socket
import threading
from types import FrameType

import msgspec

READY = b"ready\n"
_READ_BYTES = 65536


class Told(msgspec.Struct, frozen=True):
    """The line of settings: the settings of the role, and the listening sockets that the child inherited."""

    settings: msgspec.Raw
    fds: tuple[int, ...] = ()

    def sockets(self) -> list[socket.socket]:
        """Return the inherited sockets. Call it once: they own their descriptors."""
        return [socket.socket(fileno=fd) for fd in self.fds]


class Lifeline:
    """One per process. Takes over standard input and output."""

    def __init__(self) -> None:
        self.is_cut = False
        """Whether the supervisor is gone."""
        self._asked = False
        self._wake: socket.socket | None = None

    def told(self) -> Told:
        """Return what this child is told. Raises EOFError when the supervisor went away before it was whole."""
        line = b""
        while not line.endswith(b"\n"):
            more = os.read(0, _READ_BYTES)
            if not more:
                raise EOFError
            line += more
        return msgspec.json.decode(line, type=Told)

    def ready(self) -> None:
        """Tell the supervisor that this child works."""
        self._say(READY)

    def refuse(self, why: str) -> None:
        """Tell the supervisor that starting this child again is of no use: the person must change something."""
        self._say(msgspec.json.encode({"refused": why}) + b"\n")

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether to stop: because SIGTERM came (see `listen`), or because the supervisor is gone."""
        if not self._asked and not self.is_cut:
            sources: list[int] = [0] if self._wake is None else [0, self._wake.fileno()]
            readable, _, _ = select.select(sources, [], [], seconds)
            if 0 in readable:
                self.is_cut = not os.read(0, _READ_BYTES)
        return self._asked or self.is_cut

    def listen(self) -> None:
        """From now on SIGTERM ends the next `pause` instead of the process; SIGINT is for the supervisor."""
        self._wake, other = socket.socketpair()
        other.setblocking(False)  # noqa: FBT003 - its only parameter
        self._kept = other
        signal.set_wakeup_fd(other.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow(self) -> None:
        """From now on a supervisor that is gone is a SIGTERM to this process: for children with a loop of their own."""
        threading.Thread(target=self._follow, name="lifeline", daemon=True).start()

    def _follow(self) -> None:
        while os.read(0, _READ_BYTES):
            pass
        self.is_cut = True
        os.kill(os.getpid(), signal.SIGTERM)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def _say(self, line: bytes) -> None:
        try:
            os.write(1, line)
        except OSError:  # the supervisor is gone: standard input says so too
            self.is_cut = True
