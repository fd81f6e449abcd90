"""The WebSocket on a real server: resuming, resets, slow readers, a store that goes away, stopping."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_reader import FakeStore
from tests.support.running_dashboard import TOKEN, RunningDashboard, running_dashboard
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from modular_agents.proxy.errors import StoreUnavailable


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def dashboard(tmp_path: Path, store: FakeStore) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, store) as running:
        yield running


def follow(dashboard: RunningDashboard, after: int | str | None = None) -> ClientConnection:
    query = "" if after is None else f"?after={after}"
    return connect(f"ws://{dashboard.host}/ws{query}", additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None, max_queue=1)


def receive(page: ClientConnection) -> Any:  # noqa: ANN401 - JSON
    return json.loads(page.recv(timeout=10))


def numbers(page: ClientConnection, last: int) -> list[int]:
    """Return the numbers of events until `last` has come."""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        message = receive(page)
        assert message["type"] == "events"
        seen += [item["seq"] for item in message["items"]]
    return seen


def test_events_arrive_as_they_happen(dashboard: RunningDashboard, store: FakeStore) -> None:
    with follow(dashboard) as page:
        assert receive(page) == {"type": "hello", "floor": 0, "last": 0}
        store.add(1, text="héllo")
        (item,) = receive(page)["items"]
        assert (item["seq"], item["kind"], item["row"]["text"]) == (1, "delta", "héllo")
        store.add(1200)
        assert numbers(page, 1201) == list(range(2, 1202))


def test_resuming_misses_nothing(dashboard: RunningDashboard, store: FakeStore) -> None:
    store.add(10)
    with follow(dashboard, 4) as page:
        assert receive(page)["last"] == 10
        assert numbers(page, 10) == [5, 6, 7, 8, 9, 10]
        store.add(2)
        assert numbers(page, 12) == [11, 12]


def test_too_old_is_reset_and_goes_on(dashboard: RunningDashboard, store: FakeStore) -> None:
    store.add(10)
    store.prune(6)
    with follow(dashboard, 4) as page:
        assert receive(page) == {"type": "hello", "floor": 6, "last": 10}
        assert receive(page) == {"type": "reset", "floor": 6, "last": 10}
        store.add(1)
        assert numbers(page, 11) == [11]


def test_a_number_of_another_database_is_reset(dashboard: RunningDashboard, store: FakeStore) -> None:
    store.add(3)
    with follow(dashboard, 4000) as page:
        assert [receive(page)["type"], receive(page)["type"]] == ["hello", "reset"]
        store.add(1)
        assert numbers(page, 4) == [4]


def test_a_page_that_does_not_read_costs_nobody_anything(dashboard: RunningDashboard, store: FakeStore) -> None:
    with follow(dashboard) as stalled, follow(dashboard) as page:
        assert [receive(stalled)["type"], receive(page)["type"]] == ["hello", "hello"]
        for _ in range(40):
            store.add(300, text="x" * 4000)
            assert numbers(page, store.last)[-1] == store.last
        seen, resets = 0, 0
        while seen < store.last:
            message = receive(stalled)
            resets += message["type"] == "reset"
            for item in message.get("items", []):
                assert item["seq"] == seen + 1
                seen += 1
            seen = message.get("last", seen)
        assert resets


def test_a_store_that_goes_away_comes_back(dashboard: RunningDashboard, store: FakeStore) -> None:
    with follow(dashboard) as page:
        receive(page)
        store.failure = StoreUnavailable("The database is locked.")
        store.add(2)
        deadline = time.monotonic() + 10
        while dashboard.ask("/api/status").status != 503:
            assert time.monotonic() < deadline
        store.failure = None
        assert numbers(page, 2) == [1, 2]


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "1e9", "99999999999999999999"])
def test_a_bad_number_is_refused_before_the_handshake(dashboard: RunningDashboard, after: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        follow(dashboard, after)
    assert caught.value.response.status_code == 400
    assert json.loads(caught.value.response.body)["error"]["whose"] == "caller"


def test_what_a_page_says_is_dropped_and_too_much_closes(dashboard: RunningDashboard, store: FakeStore) -> None:
    with follow(dashboard) as page:
        receive(page)
        page.send("hello?")
        store.add(1)
        assert numbers(page, 1) == [1]
        page.send("x" * 5000)
        with pytest.raises(ConnectionClosed):
            receive(page)


def test_a_page_that_leaves_is_forgotten(dashboard: RunningDashboard, store: FakeStore) -> None:
    for _ in range(5):
        with follow(dashboard) as page:
            receive(page)
    with follow(dashboard) as page:
        receive(page)
        store.add(1)
        assert numbers(page, 1) == [1]


def test_stopping_closes_the_pages(tmp_path: Path) -> None:
    with running_dashboard(tmp_path) as dashboard, follow(dashboard) as page:
        receive(page)
        dashboard.stop()
        with pytest.raises(ConnectionClosed) as caught:
            receive(page)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code in {1001, 1012}
