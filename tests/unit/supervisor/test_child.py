import asyncio
import errno
import os
from typing import NoReturn

import pytest

from modular_agents.proxy.supervisor import child as room
from modular_agents.proxy.supervisor.child import Child, Role


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
