import signal
from pathlib import Path

import pytest

from modular_agents.proxy.config import Settings
from modular_agents.proxy.supervisor import supervise
from modular_agents.proxy.supervisor.child import Child, Role
from modular_agents.proxy.supervisor.supervise import Supervisor

DRAIN_THEN_STOP_NOW = 3


def test_only_a_signal_after_interrupting_had_its_time_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int]] = []
    monkeypatch.setattr(Child, "stop", lambda self, number=signal.SIGTERM: told.append((self.role.name, number)))
    supervisor = Supervisor(Settings(tmp_path / "traces.db"), "1", lambda _: None)
    supervisor._relays = [Child(Role("relay", b"{}"), lambda: None)]
    supervisor._recorder = Child(Role("recorder", b"{}"), lambda: None)
    for _ in range(DRAIN_THEN_STOP_NOW):
        supervisor.signal()
    assert told == [("relay", signal.SIGTERM)]
    monkeypatch.setattr(supervise, "PATIENCE_S", 0.0)
    supervisor.signal()
    assert told[1:] == [("relay", signal.SIGKILL), ("recorder", signal.SIGKILL)]
