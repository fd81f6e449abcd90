"""D1: kill -9 of relay, recorder, or both, at any instant, loses no acknowledged call and doubles none."""

import random
import time
from pathlib import Path

import apsw
import pytest
from tests.support.ledger import NAME_HEADER, Clients, compare
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy, wait_for

STANDSTILL_S = 60.0
"""A recorder that is killed twice a second leaves a backlog; it is waited for as long as it gets on."""
UNHURRIED_S = 0.1
"""Pause of each client in the soak: its calls are bound by the kills, and need not be more."""


def pids(proxy: RunningProxy, what: str) -> list[int]:
    runtime = proxy.runtime
    relays, recorder = list(runtime.worker_pids), [runtime.recorder_pid] if runtime.recorder_pid else []
    return {"relay": relays, "recorder": recorder, "both": relays + recorder}[what]


def is_whole(proxy: RunningProxy, workers: int, dead: list[int]) -> bool:
    """Return whether others run in place of the dead."""
    running = pids(proxy, "both")
    return len(running) == workers + 1 and not set(running) & set(dead)


def wait_until_caught_up(proxy: RunningProxy, workers: int) -> None:
    """Return when the journal holds nothing but the open segments. Raises AssertionError when the recorder stands still."""
    journal = proxy.paths.journal_dir
    left = sorted(path.name for path in journal.glob("*.seg"))
    while len(left) > workers:
        before = (left, len(proxy.calls()))
        wait_for(lambda: (sorted(path.name for path in journal.glob("*.seg")), len(proxy.calls())) != before, STANDSTILL_S, 0.5)  # noqa: B023 - waited for here
        left = sorted(path.name for path in journal.glob("*.seg"))


def run(directory: Path, rounds: int, workers: int = 1, seed: int = 1, calls: int = 0, pause_s: float = 0.0) -> dict[str, int]:
    """Kill something at random `rounds` times at least, and until `calls` calls were made; return the ledger's figures."""
    dice = random.Random(seed)
    with ProviderServer() as provider, RunningProxy(directory, {"openai": provider.url}, workers=workers) as proxy:
        clients, killed = Clients(proxy.port, seed=seed, pause_s=pause_s), 0
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
        wait_until_caught_up(proxy, workers)
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
def test_a_call_killed_between_its_head_and_its_body_is_known_and_would_be_seen_twice(tmp_path: Path) -> None:
    with ProviderServer() as provider, RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        clients = Clients(proxy.port)
        clients.failed.update({"call-1-of-0", "call-2-of-0"})
        for rounds, name in enumerate(("call-1-of-0", "call-2-of-0", "call-2-of-0"), 1):
            (worker,) = pids(proxy, "relay")
            with RawClient(proxy.port) as client:
                client.send(request_bytes("POST", "/v1/chat/completions", b"{}" * 99, ((NAME_HEADER, name),))[:-9])
                provider.wait_for(lambda: len(provider.requests) == rounds, 30)  # noqa: B023 - waited for here
                proxy.kill(worker)
            proxy.wait_for_calls(*["interrupted"] * rounds)
            wait_for(lambda: pids(proxy, "relay") not in ([], [worker]))  # noqa: B023 - likewise
            if rounds < 3:
                figures = compare(clients, provider, proxy)
                assert (figures["promptless"], figures["doubled"], figures["nameless"]) == (rounds, 0, 0)
        with pytest.raises(AssertionError, match="'doubled': 1"):
            compare(clients, provider, proxy)


@pytest.mark.slow
def test_two_workers_lose_and_double_nothing_either(tmp_path: Path) -> None:
    run(tmp_path, rounds=3, workers=2, seed=2)


@pytest.mark.soak
@pytest.mark.parametrize(("rounds", "calls"), [(40, 0), (200, 20_000)])
def test_many_kills_lose_and_double_nothing(tmp_path: Path, rounds: int, calls: int) -> None:
    figures = run(tmp_path, rounds, seed=rounds, calls=calls, pause_s=UNHURRIED_S)
    print(figures)  # noqa: T201 - the figures are the result
