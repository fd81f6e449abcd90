"""D1: kill -9 of relay, recorder, or both, at any instant, loses no acknowledged call and doubles none."""

import random
import time
from pathlib import Path

import apsw
import pytest
from tests.support.ledger import Clients, compare
from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy, wait_for

CATCH_UP_S = 240.0
"""Eight clients without a pause, and a recorder that is killed twice a second, leave a backlog."""


def pids(proxy: RunningProxy, what: str) -> list[int]:
    runtime = proxy.runtime
    relays, recorder = list(runtime.worker_pids), [runtime.recorder_pid] if runtime.recorder_pid else []
    return {"relay": relays, "recorder": recorder, "both": relays + recorder}[what]


def is_whole(proxy: RunningProxy, workers: int, dead: list[int]) -> bool:
    """Return whether others run in place of the dead."""
    running = pids(proxy, "both")
    return len(running) == workers + 1 and not set(running) & set(dead)


def run(directory: Path, rounds: int, workers: int = 1, seed: int = 1, calls: int = 0) -> dict[str, int]:
    """Kill something at random `rounds` times at least, and until `calls` calls were made; return the ledger's figures."""
    dice = random.Random(seed)
    with ProviderServer() as provider, RunningProxy(directory, {"openai": provider.url}, workers=workers) as proxy:
        clients, killed = Clients(proxy.port, seed=seed), 0
        clients.start()
        try:
            while killed < rounds or clients.made < calls:
                until = time.monotonic() + dice.uniform(0.05, 0.5)
                while time.monotonic() < until:
                    time.sleep(0.005)
                before = clients.made
                what = dice.choice(("relay", "recorder", "both"))
                dead = pids(proxy, what)
                for pid in dead:
                    proxy.kill(pid)
                killed += 1
                wait_for(lambda: is_whole(proxy, workers, dead))  # noqa: B023 - waited for here
                if what != "recorder":
                    wait_for(lambda: clients.made > before + clients.count)  # noqa: B023 - likewise
        finally:
            clients.stop()
        wait_for(lambda: len(list(proxy.paths.journal_dir.glob("*.seg"))) <= workers, CATCH_UP_S)
        wait_for(lambda: not any(row.status == "running" for row in proxy.calls()))
        assert proxy.stop() == 0
        figures = compare(clients, provider, proxy) | {"kills": killed}
        assert list(proxy.paths.journal_dir.glob("*.seg")) == []
        db = apsw.Connection(str(proxy.db), flags=apsw.SQLITE_OPEN_READONLY)
        assert db.pragma("integrity_check") == "ok"
        db.close()
    assert figures["acknowledged"] > 10 * rounds
    return figures


@pytest.mark.slow
def test_six_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    run(tmp_path, rounds=6)


@pytest.mark.slow
def test_two_workers_lose_and_double_nothing_either(tmp_path: Path) -> None:
    run(tmp_path, rounds=3, workers=2, seed=2)


@pytest.mark.soak
@pytest.mark.parametrize(("rounds", "calls"), [(40, 0), (200, 20_000)])
def test_many_kills_lose_and_double_nothing(tmp_path: Path, rounds: int, calls: int) -> None:
    figures = run(tmp_path, rounds, seed=rounds, calls=calls)
    print(figures)  # noqa: T201 - the figures are the result
