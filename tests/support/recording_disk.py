"""A disk that remembers every write, truncation and sync of SQLite's, and what may be left of them when the power goes.

What a file was synced with is there afterwards; of what was written since, any part may be, in any order, each piece torn. A file
that was deleted stays so once any file was synced: file systems keep the order of their own changes.
SQLite's shared memory does not go through here: a database on it is opened with `locking_mode = exclusive`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

SECTOR = 512
"""What a disk writes whole or not at all."""
VFS = "recording"


@dataclass(frozen=True, slots=True)
class Write:
    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """The file is cut to `size`; -1: it is gone."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    name: str


Step = Write | Cut | Sync


class RecordingDisk:
    """While it is open, every database of this process is written through it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._vfs = _Vfs(self.steps.append)

    def close(self) -> None:
        self._vfs.unregister()

    def after_power_loss(self, at: int, folder: Path, dice: random.Random) -> None:
        """Put into `folder` what may be left of the files when the power goes after `at` steps."""
        files: dict[str, bytearray] = {}
        for number, step in enumerate(self.steps[:at]):
            if isinstance(step, Sync):
                continue
            later = [sync.name for sync in self.steps[number + 1 : at] if isinstance(sync, Sync)]
            is_safe = bool(later) if isinstance(step, Cut) and step.size < 0 else step.name in later
            if is_safe or dice.random() < 0.5:
                _apply(files, step if is_safe else _torn(step, dice))
        for name, content in files.items():
            (folder / name).write_bytes(content)


def _torn(step: Write | Cut, dice: random.Random) -> Write | Cut:
    if isinstance(step, Write) and len(step.data) > SECTOR and dice.random() < 0.3:
        return Write(step.name, step.offset, step.data[: SECTOR * dice.randrange(1, len(step.data) // SECTOR + 1)])
    return step


def _apply(files: dict[str, bytearray], step: Write | Cut) -> None:
    content = files.setdefault(step.name, bytearray())
    if isinstance(step, Write):
        if len(content) < step.offset:
            content.extend(bytes(step.offset - len(content)))
        content[step.offset : step.offset + len(step.data)] = step.data
    elif step.size < 0:
        del files[step.name]
    else:
        del content[step.size :]


class _Vfs(apsw.VFS):
    def __init__(self, note: Callable[[Step], None]) -> None:
        self._note = note
        super().__init__(VFS, "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _File(name, flags, self._note)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        self._note(Cut(Path(filename).name, -1))


class _File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], note: Callable[[Step], None]) -> None:
        super().__init__("unix", name, flags)  # type: ignore[arg-type]  # None: a temporary file, which SQLite names itself
        self._note = note
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name if path else ""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        super().xWrite(data, offset)
        if self._name:
            self._note(Write(self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        super().xTruncate(newsize)
        if self._name:
            self._note(Cut(self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        if self._name:
            self._note(Sync(self._name))
