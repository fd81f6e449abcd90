import platform
import resource
from pathlib import Path

import pytest
from tests.support.fake_clock import FakeClock
from tests.support.fake_store import FakeStore
from tests.support.segments import Worker

from modular_agents.proxy.errors import StoreDamaged, StoreTooNew, StoreUnavailable, UsageError
from modular_agents.proxy.linking import read, revise, settle
from modular_agents.proxy.model.call import Cost
from modular_agents.proxy.recorder.heap import trimmer
from modular_agents.proxy.recorder.loop import NS, REOPEN_NS, RETRY_MAX_S, Recorder, Turn
from modular_agents.proxy.recorder.pace import IDLE_S
from modular_agents.proxy.recorder.pipeline import Rooms
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.recorder.report import read_report
from modular_agents.proxy.wire.reader import CallReader

REDACTOR = Redactor(b"dummy")
ROOMS = Rooms(CallReader, settle, lambda _call: Cost(None), revise, read)


class Bench:
    """A recorder over a journal directory. `stores` are opened one after the other, the last one for ever; an error is raised."""

    def __init__(self, directory: Path, *stores: FakeStore | Exception) -> None:
        self.journal = directory / "journal"
        self.journal.mkdir()
        self.worker = Worker(self.journal)
        self.clock, self.stores, self.aside = FakeClock(), list(stores), 0
        self.report = directory / "recorder.json"
        self.given_back: list[int] = []
        self.recorder = Recorder(
            self.journal,
            self._open,
            self._set_aside,
            ROOMS,
            REDACTOR,
            self.clock,
            self.report,
            give_back=lambda: self.given_back.append(self.clock.monotonic_ns() // NS),
        )

    def _open(self) -> FakeStore:
        store = self.stores.pop(0) if len(self.stores) > 1 else self.stores[0]
        if isinstance(store, Exception):
            raise store
        return store

    def _set_aside(self) -> Path:
        self.aside += 1
        return Path("damaged")

    def call(self, number: int) -> None:
        self.worker.request(number, b"{}")
        self.worker.end(number, request_size=2)


def damaged(*_: object) -> None:
    raise StoreDamaged("the database is damaged")


def test_asked_to_stop_it_first_brings_over_what_the_journal_holds(tmp_path: Path) -> None:
    store = FakeStore()
    bench = Bench(tmp_path, store)
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        if not pauses:
            bench.call(2)
        pauses.append(seconds)
        return True

    bench.call(1)
    bench.recorder.run(pause)
    assert sorted(store.final) == ["call1", "call2"]
    report = read_report(bench.report)
    assert report is not None
    assert (report.calls_ended, report.lag_bytes, report.open_calls) == (2, 0, 0)


def test_idle_it_looks_about_twenty_times_a_second(tmp_path: Path) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 20

    Bench(tmp_path, FakeStore()).recorder.run(pause)
    assert pauses[-1] == IDLE_S
    assert pauses == sorted(pauses)


def test_memory_is_given_back_now_and_then_while_there_is_work(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeStore())
    began = bench.clock.monotonic_ns() // NS
    for second in range(60):
        if second < 25:
            bench.call(second)
        bench.recorder.turn()
        bench.clock.go(1.0)
    after = [second - began for second in bench.given_back]
    assert after == [0, 10, 20, 30]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no malloc_trim")
def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    """Every second block stays, so the C library keeps what is between them."""
    blocks = [b"x" * 100_000 + bytes([number % 256]) for number in range(600)]
    del blocks[::2]
    before = resident_bytes()
    trimmer()()
    assert before - resident_bytes() > 20_000_000
    assert len(blocks) == 300


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def test_an_absent_store_is_asked_less_and_less_often_and_not_waited_for_at_the_end(tmp_path: Path) -> None:
    store = FakeStore(away=True)
    bench, pauses = Bench(tmp_path, store), list[float]()
    bench.call(1)

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 8

    bench.recorder.run(pause)
    assert pauses == sorted(pauses)
    assert pauses[-1] == RETRY_MAX_S
    assert store.puts == []


def test_a_store_that_comes_back_gets_everything(tmp_path: Path) -> None:
    store = FakeStore()
    bench = Bench(tmp_path, store)
    bench.call(1)
    store.away = True
    assert bench.recorder.turn() is Turn.AWAY
    bench.clock.monotonic += REOPEN_NS + 1
    assert bench.recorder.turn() is Turn.AWAY
    bench.call(2)
    store.away = False
    assert bench.recorder.turn() is Turn.WORKED
    assert sorted(store.final) == ["call1", "call2"]


def test_the_report_says_why_nothing_moves(tmp_path: Path) -> None:
    store = FakeStore()
    bench = Bench(tmp_path, store)
    bench.recorder.turn()
    bench.call(1)
    store.away = True
    bench.clock.go(2)
    bench.recorder.turn()
    report = read_report(bench.report)
    assert report is not None
    assert report.store_trouble == "away"


def test_a_damaged_database_is_set_aside_and_recording_goes_on(tmp_path: Path) -> None:
    bad, good = FakeStore(), FakeStore()
    bench = Bench(tmp_path, bad, good)
    bench.call(1)
    assert bench.recorder.turn() is Turn.WORKED
    bad.fail = damaged
    bench.call(2)
    assert bench.recorder.turn() is Turn.WORKED
    assert bench.recorder.turn() is Turn.WORKED
    assert bench.aside == 1
    assert sorted(good.final) == ["call1", "call2"]


def test_a_database_that_is_damaged_from_the_start_is_set_aside(tmp_path: Path) -> None:
    good = FakeStore()
    bench = Bench(tmp_path, StoreDamaged("bad"), good)
    bench.call(1)
    bench.recorder.turn()
    bench.recorder.turn()
    assert list(good.final) == ["call1"]


def test_a_damaged_database_that_cannot_be_moved_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, StoreDamaged("bad"), FakeStore())

    def refuse() -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bench.recorder, "_set_aside", refuse)
    assert bench.recorder.turn() is Turn.AWAY


def test_a_store_that_cannot_be_opened_now_is_opened_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path, StoreUnavailable("locked"), FakeStore())
    assert [bench.recorder.turn(), bench.recorder.turn()] == [Turn.AWAY, Turn.IDLE]


def test_a_database_of_a_later_version_ends_the_recorder(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Bench(tmp_path, StoreTooNew("schema 99")).recorder.run(lambda _: False)


@pytest.mark.parametrize("text", ["", "{", '{"pid": "x"}'])
def test_a_report_that_is_no_report_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    assert read_report(tmp_path / "r") is None
    assert read_report(tmp_path / "none") is None
