"""Linux: the kernel, or /proc/net/tcp{,6}, names the socket's inode, some /proc/PID/fd links to it. Source: proc_net(5), proc_pid_fd(5).

Processes of other users stay unknown: their descriptors may not be read. Processes that were found before are looked at first,
since most connections come from few programs.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modular_agents.proxy.callers.asked import Asked
from modular_agents.proxy.kernel import socket_inode

_RECENT = 32
"""Processes looked at before all others."""
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_START_FIELD = 19
"""Of /proc/PID/stat behind the command's closing bracket: field 22 of all."""
_NS = 10**9


AskInode = Callable[[tuple[str, int], tuple[str, int]], int | None]
"""As `kernel.socket_inode`."""


@dataclass(frozen=True, slots=True)
class Process:
    """What the system says of a process; what it does not say is empty."""

    pid: int
    started_ns: int | None
    executable: str
    arguments: tuple[bytes, ...]
    directory: str


class LinuxProcesses:
    """Finds processes below `root` (`/proc`); `ask` names the inode of most connections, the table in /proc the rest."""

    def __init__(self, root: Path = Path("/proc"), ask: AskInode = socket_inode) -> None:
        self._root, self._ask = root, ask
        self._recent: deque[int] = deque(maxlen=_RECENT)

    def find(self, asked: Sequence[Asked]) -> dict[Asked, Process]:
        """Return the processes that hold the other ends of connections; those that are not found are left out."""
        wanted = {inode: one for one, inode in self._inodes(asked).items()}
        found: dict[Asked, Process] = {}
        for pid in self._pids():
            if not wanted:
                break
            mine = [wanted.pop(inode) for inode in self._sockets(pid) & wanted.keys()]
            if mine:
                self._remember(pid)
                process = self._process(pid)
                found |= dict.fromkeys(mine, process)
        return found

    def _inodes(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        found = {one: inode for one in asked if (inode := self._ask((one.host, one.port), (_own(one.host), one.own_port)))}
        by_ports = {(one.port, one.own_port): one for one in asked if one not in found}
        for name in ("tcp", "tcp6") if by_ports else ():
            for line in self._read("net", name).decode("ascii", "replace").splitlines()[1:]:
                fields = line.split()
                one = by_ports.get((_port(fields[1]), _port(fields[2])))
                if one is not None and fields[9] != "0":
                    found[one] = int(fields[9])
        return found

    def _pids(self) -> Iterator[int]:
        recent = list(self._recent)
        yield from recent
        try:
            names = [name for name in os.listdir(self._root) if name.isdigit()]  # noqa: PTH208 - names are wanted, of thousands
        except OSError:
            return
        yield from sorted((pid for pid in map(int, names) if pid not in recent), reverse=True)  # the youngest first

    def _remember(self, pid: int) -> None:
        if pid in self._recent:
            self._recent.remove(pid)
        self._recent.appendleft(pid)

    def _sockets(self, pid: int) -> set[int]:
        folder = self._root / str(pid) / "fd"
        found = set()
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - as above
                try:
                    match = _SOCKET.fullmatch(os.readlink(f"{folder}/{name}"))  # noqa: PTH115 - thousands of them
                except OSError:
                    continue  # closed meanwhile
                if match is not None:
                    found.add(int(match[1]))
        except OSError:
            return set()  # gone, or somebody else's
        return found

    def _process(self, pid: int) -> Process:
        arguments = self._read(str(pid), "cmdline").split(b"\0")
        return Process(pid, self._started_ns(pid), self._link(pid, "exe"), tuple(arguments[:-1]), self._link(pid, "cwd"))

    def _started_ns(self, pid: int) -> int | None:
        fields = self._read(str(pid), "stat").rpartition(b")")[2].split()
        boot = re.search(rb"^btime (\d+)$", self._read("stat"), re.MULTILINE)
        if len(fields) <= _START_FIELD or boot is None or not fields[_START_FIELD].isdigit():
            return None
        return int(boot[1]) * _NS + int(fields[_START_FIELD]) * _NS // os.sysconf("SC_CLK_TCK")

    def _link(self, pid: int, name: str) -> str:
        try:
            return str((self._root / str(pid) / name).readlink())
        except OSError:
            return ""

    def _read(self, *names: str) -> bytes:
        try:
            return self._root.joinpath(*names).read_bytes()
        except OSError:
            return b""


def _own(host: str) -> str:
    """Return the address at which a local client finds us, nearly always."""
    return "::1" if host == "::1" else "::ffff:127.0.0.1" if ":" in host else "127.0.0.1"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
