import asyncio
import errno
import os
from typing import NoReturn

import pytest

from modular_agents.proxy.supervisor import child as room
from modular_agents.proxy.supervisor.child import (
    FRUITLESS,
    LONGEST_READY_WAIT_S,
    LONGEST_REFUSED_WAIT_S,
    LONGEST_WAIT_S,
    STEADY_S,
    Child,
    Role,
    pause_s,
    refused_pause_s,
)


def test_a_machine_that_has_no_process_free_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    async def main() -> None:
        child = Child(Role("recorder", b"{}"), lambda: None)

        async def refuse(*command: str, **_: object) -> NoReturn:
            tries.append(command[-3])
            if len(tries) == 3:
                child.stop()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
        async with asyncio.timeout(10):
            await child.keep()

    monkeypatch.setattr(room, "FIRST_WAIT_S", 0.001)
    asyncio.run(main())
    assert tries == ["recorder"] * 3


def pauses(lives: list[tuple[float, bool]]) -> list[float]:
    found, wait_s = [], -1.0
    for lived_s, was_ready in lives:
        wait_s = pause_s(wait_s, lived_s, was_ready=was_ready)
        found.append(wait_s)
    return found


def test_the_first_death_of_a_ready_child_costs_no_time() -> None:
    assert pauses([(0.5, True)]) == [0.0]


def test_a_child_that_keeps_dying_waits_ever_longer() -> None:
    assert pauses([(0.5, True)] * 7) == [0.0, 0.1, 0.2, 0.4, 0.8, LONGEST_READY_WAIT_S, LONGEST_READY_WAIT_S]
    assert pauses([(0.5, False)] * 8)[-1] == LONGEST_WAIT_S


def test_a_steady_life_ends_the_waiting() -> None:
    assert pauses([(0.5, True)] * 5 + [(STEADY_S, True), (0.5, True)])[-2:] == [0.0, 0.1]


class Acting(Child):
    """A child whose lives are played: `refuses`, `dies` or `works`."""

    def __init__(self, *lives: str) -> None:
        super().__init__(Role("recorder", b"{}"), self.note)
        self.lives, self.seen = list(lives), list[str]()

    def note(self) -> None:
        if not self.seen or self.seen[-1] != self.trouble:
            self.seen.append(self.trouble)

    async def _live(self) -> int:
        life = self.lives.pop(0)
        if life == "works":
            self._hears(b"ready\n")
        elif life == "refuses":
            self._hears(b'{"refused":"the schema is newer"}\n')
        if not self.lives:
            self.stop()
        return 2

    def play(self) -> list[str]:
        async def main() -> None:
            async with asyncio.timeout(10):
                await self.keep()

        asyncio.run(main())
        return self.seen


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_WAIT_S", "FIRST_REFUSED_WAIT_S", "LONGEST_REFUSED_WAIT_S", "LONGEST_WAIT_S", "LONGEST_READY_WAIT_S"):
        monkeypatch.setattr(room, name, 0.001)


@pytest.mark.usefixtures("hurried")
def test_a_child_that_refuses_is_tried_again_and_told_of_until_it_works() -> None:
    assert Acting("works", "refuses", "refuses", "refuses", "works").play() == ["", "the schema is newer", ""]


@pytest.mark.usefixtures("hurried")
def test_a_child_that_never_becomes_ready_is_told_of() -> None:
    said = "ends as soon as it is started (exit code 2)"
    assert Acting(*["dies"] * FRUITLESS, "works", "dies", "works").play() == ["", said, ""]


def test_a_child_that_refuses_is_asked_ever_less_often_but_never_given_up() -> None:
    found, wait_s = [], -1.0
    for _ in range(9):
        wait_s = refused_pause_s(wait_s)
        found.append(wait_s)
    assert found == [1, 2, 4, 8, 16, 32, LONGEST_REFUSED_WAIT_S, LONGEST_REFUSED_WAIT_S, LONGEST_REFUSED_WAIT_S]
