"""What a turn of the loop gathers: the journal first, order kept, and nothing left lying when a connection is closed."""

from collections import deque
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.relay_in_memory import GatheringTurn, MemoryRelay, turns

from modular_agents.proxy.relay.turn import ALONE, PROBE, TURN_BYTES, Outlet, Turn


class Stage:
    """A journal, a loop and connections that note in one list what happened, in order."""

    def __init__(self, connections: int = 1) -> None:
        self.events: list[tuple[object, ...]] = []
        self.ready: deque[Callable[[], None]] = deque()
        self.turn = Turn(lambda data, frames: self.events.append(("journal", data, frames)), self.ready.append)
        self.wires = [Wire(number, self.events) for number in range(connections)]
        self.outlets = [Outlet(cast("Any", wire), self.turn) for wire in self.wires]

    def loop(self) -> None:
        """Let the loop come round once."""
        for _ in range(len(self.ready)):
            self.ready.popleft()()

    def busy(self) -> "Stage":
        """Bring it to gather: a probe finds two appends in one turn."""
        for _ in range(PROBE + 1):
            self.turn.append(b"x", 1)
        self.loop()
        assert self.turn.gathers
        self.events.clear()
        return self


class Wire:
    """A connection."""

    def __init__(self, number: int, events: list[tuple[object, ...]]) -> None:
        self.number, self.events, self.closed, self.broken = number, events, False, False

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        if self.broken:
            message = "the handler is closed"
            raise RuntimeError(message)
        self.events.append(("write", self.number, data))

    def writelines(self, parts: list[bytes]) -> None:
        for part in parts:
            self.write(part)

    def write_eof(self) -> None:
        self.events.append(("eof", self.number))

    def close(self) -> None:
        self.closed = True
        self.events.append(("close", self.number))

    def abort(self) -> None:
        self.closed = True
        self.events.append(("abort", self.number))

    def get_write_buffer_size(self) -> int:
        return 0


def test_with_little_to_do_each_piece_goes_at_once() -> None:
    stage = Stage()
    for number in range(5):
        stage.turn.append(b"%d" % number, 1)
        stage.outlets[0].write(b"w%d" % number)
        assert stage.events[-2:] == [("journal", b"%d" % number, 1), ("write", 0, b"w%d" % number)]
    assert not stage.ready


def test_now_and_then_it_looks_whether_more_comes_at_once() -> None:
    stage = Stage()
    for _ in range(PROBE):
        stage.turn.append(b"x", 1)
    stage.outlets[0].write(b"w")
    assert stage.events == [("journal", b"x", 1)] * (PROBE - 1), "the last one waits, and so does what goes out behind it"
    stage.loop()
    assert stage.events[PROBE - 1 :] == [("journal", b"x", 1), ("write", 0, b"w")]
    assert not stage.turn.gathers, "it was alone"


def test_with_much_to_do_a_turn_is_one_append_before_all_writes() -> None:
    stage = Stage(3).busy()
    for number, outlet in enumerate(stage.outlets):
        stage.turn.append(b"f%d" % number, 2)
        outlet.write(b"w%d" % number)
    assert stage.events == []
    stage.loop()
    assert stage.events == [("journal", b"f0f1f2", 6), *[("write", number, b"w%d" % number) for number in range(3)]]
    assert stage.turn.gathers


def test_it_stops_when_turns_bring_one_append_each() -> None:
    stage = Stage().busy()
    for number in range(ALONE):
        assert stage.turn.gathers, number
        stage.turn.append(b"x", 1)
        stage.loop()
    assert not stage.turn.gathers


@pytest.mark.parametrize("how", ["write_eof", "close", "abort", "get_write_buffer_size"])
def test_what_is_done_to_a_connection_comes_after_what_was_written(how: str) -> None:
    stage = Stage(2).busy()
    stage.turn.append(b"f", 1)
    stage.outlets[1].write(b"other")
    stage.outlets[0].writelines([b"a", b"b"])
    getattr(stage.outlets[0], how)()
    assert stage.events[:4] == [("journal", b"f", 1), ("write", 1, b"other"), ("write", 0, b"a"), ("write", 0, b"b")]
    stage.loop()
    assert len(stage.events) <= 5, "nothing is done twice"


def test_many_bytes_end_a_turn_early() -> None:
    stage = Stage().busy()
    stage.turn.append(b"f", 1)
    stage.outlets[0].write(b"w" * (TURN_BYTES + 1))
    assert [event[0] for event in stage.events] == ["journal", "write"]
    stage.turn.append(b"f" * TURN_BYTES, 1)
    assert len(stage.events) == 2
    stage.turn.append(b"f", 1)
    assert [event[0] for event in stage.events] == ["journal", "write", "journal"], "frames of bodies that are not passed on yet count too"


def test_a_connection_that_closed_meanwhile_is_passed_over_and_a_defect_costs_no_other() -> None:
    stage = Stage(4).busy()
    for outlet in stage.outlets:
        stage.turn.append(b"f", 1)
        outlet.write(b"w")
    stage.wires[0].closed = stage.wires[1].broken = True
    stage.loop()
    assert stage.events == [("journal", b"ffff", 4), ("write", 2, b"w"), ("write", 3, b"w")]


def test_an_answer_is_not_lost_to_a_fin_that_comes_in_the_same_turn() -> None:
    """The loop itself closes a transport whose protocol does not ask to stay: it knows nothing of what was gathered for it."""
    with turns(GatheringTurn):
        relay = MemoryRelay()
    relay.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    relay.pool.made[0].data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    if not relay.client.eof_received():
        relay.transport.close()
    relay.loop.run()
    assert relay.received.endswith(b"ok")


@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "write", "writelines", "loop", "end", "write_eof", "close", "abort"]), st.integers(0, 3)),
        max_size=120,
    )
)
def test_nothing_passes_before_it_is_in_the_journal_and_each_connection_keeps_its_order(steps: list[tuple[str, int]]) -> None:
    stage = Stage(4)
    appended = [0]
    asked: list[list[tuple[object, ...]]] = [[] for _ in range(4)]
    before: dict[bytes, int] = {}
    """Bytes written → appends made before."""
    for number, (step, which) in enumerate(steps):
        piece = b"<%d>" % number
        if step == "append":
            appended[0] += 1
            stage.turn.append(b"f", 1)
        elif step == "loop":
            stage.loop()
        elif step == "end":
            stage.turn.end()
        elif not stage.wires[which].closed:
            if step.startswith("write") and step != "write_eof":
                before[piece] = appended[0]
                asked[which].append(("write", which, piece))
                getattr(stage.outlets[which], step)(piece if step == "write" else [piece])
            else:
                asked[which].append((step.removeprefix("write_"), which))
                getattr(stage.outlets[which], step)()
    stage.turn.end()
    kept = 0
    for event in stage.events:
        kept += cast("int", event[2]) if event[0] == "journal" else 0
        assert event[0] != "write" or kept >= before[cast("bytes", event[2])]
    assert kept == appended[0], "every frame once"
    for which in range(4):
        assert [event for event in stage.events if event[0] != "journal" and event[1] == which] == asked[which]
