"""D2: whatever the disk has when the power goes, the database opens, is sound, and holds every call whose commit had returned."""

import os
import random
from pathlib import Path

import apsw
import pytest
from tests.support.recording_disk import RecordingDisk
from tests.support.stored import given, put_all

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore, engine

CALLS = 24
SEGMENT = "1760000000000-ab01-000001.seg"


def write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RecordingDisk, list[int]]:
    """Record into a database; return the disk, and after how many steps each batch had returned."""
    prepare = engine._prepare_file

    def alone(db: apsw.Connection) -> None:
        db.pragma("locking_mode", "exclusive")
        prepare(db)

    monkeypatch.setattr(engine, "_prepare_file", alone)
    disk, returned = RecordingDisk(), list[int]()
    try:
        store = SqliteStore(folder / "traces.db")
        returned.append(len(disk.steps))
        for number in range(CALLS):
            call = given(number, thread=f"th-{number}", body=os.urandom(20_000) if number % 5 == 0 else None)
            with store.batch() as batch:
                call.put(batch)
                call.finished().put(batch)
                batch.set_position(JournalPosition({SEGMENT: number + 1}))
            returned.append(len(disk.steps))
            if number % 6 == 5:
                while store.tidy():
                    pass
                store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        store.close()
    finally:
        disk.close()
    monkeypatch.setattr(engine, "_prepare_file", prepare)
    return disk, returned


def lose_power(directory: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> int:
    """Let the power go at so many moments, at every commit among them; check what is left. Return how many databases were opened."""
    (directory / "made").mkdir()
    disk, returned = write(directory / "made", monkeypatch)
    dice = random.Random(times)
    moments = [*returned, *(at + 1 for at in returned[:-1]), *(dice.randrange(1, len(disk.steps)) for _ in range(times))]
    for number, at in enumerate(moments):
        folder = directory / str(number)
        folder.mkdir()
        disk.after_power_loss(at, folder, dice)
        check(folder / "traces.db", sum(steps <= at for steps in returned) - 1)
    return len(moments)


def check(path: Path, committed: int) -> None:
    """Check that a database opens, is sound, and holds at least the first `committed` calls, whole, and its place in the journal."""
    store = SqliteStore(path)
    place = store.position().offsets.get(SEGMENT, 0)
    assert place >= committed
    put_all(store, given(500).finished())
    store.close()
    reader = SqliteReader(path)
    assert not reader.damage()
    rows = reader.calls(CallFilter(), None, 100).items
    assert [(row.call_id, row.status) for row in rows[1:]] == [(given(number).call_id, "completed") for number in reversed(range(place))]
    assert not any(checked.fault for checked in reader.checked(None, 100).items)
    reader.close()


@pytest.mark.slow
def test_a_database_survives_a_power_loss_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_power(tmp_path, monkeypatch, 20)


@pytest.mark.soak
def test_a_database_survives_a_thousand_power_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print(lose_power(tmp_path, monkeypatch, 1000), "databases opened")  # noqa: T201 - the figure is the result
