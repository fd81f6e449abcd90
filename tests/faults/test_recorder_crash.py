"""A recorder that dies at any step of a batch, on the real store: each call lands exactly once, its live text too."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property.test_recorder import call_frames
from tests.support.fake_clock import FakeClock
from tests.support.segments import Worker

from modular_agents.proxy.app import build_reader, build_rooms, build_store
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.ports import Store
from modular_agents.proxy.recorder.pipeline import Pipeline
from modular_agents.proxy.recorder.redact import Redactor

ROOMS, REDACTOR = build_rooms(), Redactor(b"dummy")


class Dead(BaseException):
    """kill -9, as far as one process can play it."""


class Dying:
    """The store of a recorder that dies at a given moment: `before`, `in` or `after` the commit of a batch."""

    def __init__(self, store: Store, moment: str | None) -> None:
        self.store, self.moment = store, moment

    @contextlib.contextmanager
    def batch(self) -> Iterator[object]:
        if self.moment == "before":
            raise Dead
        with self.store.batch() as transaction:
            yield transaction
            if self.moment == "in":
                raise Dead
        if self.moment == "after":
            raise Dead

    def position(self) -> object:
        return self.store.position()

    def tidy(self, *, is_idle: bool = True) -> bool:
        return self.store.tidy(is_idle=is_idle)

    def close(self) -> None:
        self.store.close()


class Life:
    """One recorder's life over a journal and a database."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.store = Dying(build_store(folder / "traces.db"), None)
        position = self.store.store.position()
        self.reader = JournalReader(folder / "journal", position)
        self.pipeline = Pipeline(self.reader, self.store, position, ROOMS, REDACTOR, clock)  # type: ignore[arg-type]

    def end(self) -> None:
        self.reader.close()
        self.store.close()


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(moves=st.lists(st.sampled_from(["write", "write", "write", "step", "before", "in", "after", "rotate"]), min_size=10, max_size=70))
def test_a_crash_at_any_step_doubles_and_loses_nothing(tmp_path_factory: pytest.TempPathFactory, moves: list[str]) -> None:
    folder, clock = tmp_path_factory.mktemp("crash"), FakeClock()
    (folder / "journal").mkdir()
    worker = Worker(folder / "journal")
    texts = [["one ", "two"], ["three"], ["four ", "five ", "six"]]
    calls = [call_frames(worker, n, text) for n, text in enumerate(texts)]
    life = Life(folder, clock)
    for n, move in enumerate(moves):
        clock.go(0.4)
        if move == "write":
            next(calls[n % 3], None)
        elif move == "rotate":
            worker.rotate()
        else:
            life.store.moment = None if move == "step" else move
            try:
                life.pipeline.step()
                life.store.moment = None
            except Dead:
                life.end()
                life = Life(folder, clock)
    for call in calls:
        list(call)
    worker.die()
    clock.go(2)
    while life.pipeline.step():
        clock.go(2)
    life.end()
    reader = build_reader(folder / "traces.db")
    rows = reader.calls(CallFilter(), None, 100).items
    assert {row.call_id: (row.status, row.answer_preview) for row in rows} == {
        f"call{n}": ("completed", "".join(text)) for n, text in enumerate(texts)
    }
    events = reader.events(0, 10_000)
    reader.close()
    shown: dict[str, str] = defaultdict(str)
    for event in events:
        if event.kind == "delta":
            row = json.loads(event.body)
            shown[row["call_id"]] += row["text"]
    assert all("".join(texts[int(call_id.removeprefix("call"))]).startswith(text) for call_id, text in shown.items())
    db = apsw.Connection(str(folder / "traces.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.pragma("integrity_check") == "ok"
    db.close()
