import asyncio
import errno
import os
from typing import NoReturn

import pytest

from modular_agents.proxy.supervisor import child as room
from modular_agents.proxy.supervisor.child import LONGEST_READY_WAIT_S, LONGEST_WAIT_S, STEADY_S, Child, Role, pause_s


def test_a_machine_that_has_no_process_free_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    async def main() -> None:
        child = Child(Role("recorder", b"{}"), lambda: None)

        async def refuse(*command: str, **_: object) -> NoReturn:
            tries.append(command[-2])
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
