"""Exports downloaded from a real server: the same token rules, the same bytes as the command's, broken off when they fail."""

import csv
import http.client
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support import har_schema
from tests.support.fake_reader import FakeStore
from tests.support.running_dashboard import TOKEN, RunningDashboard, running_dashboard
from tests.support.running_proxy import wait_for
from tests.support.stored import given, message, put_all

from modular_agents.proxy.dashboard.exporting import MAX_EXPORTS
from modular_agents.proxy.errors import StoreDamaged
from modular_agents.proxy.export.exporter import FORMATS, pieces
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.model.query import CallDetail, CallFilter, Kept
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.memory.reader import MemoryReader

CALLS = 30


class BreakingReader(MemoryReader):
    """A reader whose store breaks at a call, or waits there."""

    def __init__(self, store: "ServedStore") -> None:
        inner = store.inner.reader()
        super().__init__(inner._now, inner._now_ns)
        self._store = store

    def kept(self, call_id: str) -> Kept | None:
        self._reach(call_id)
        return super().kept(call_id)

    def call(self, call_id: str) -> CallDetail | None:
        self._reach(call_id)
        return super().call(call_id)

    def close(self) -> None:
        self._store.closed += 1

    def _reach(self, call_id: str) -> None:
        if call_id == self._store.breaks_at:
            raise StoreDamaged("the file is damaged")
        if call_id == self._store.waits_at:
            self._store.go_on.wait(20)


class ServedStore:
    """What the dashboard reads."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        long = "x" * 40_000
        put_all(self.inner, *(given(number, messages=(message("user", f"{number} {long}"),)).finished() for number in range(CALLS)))
        put_all(self.inner, given(100, trace="tr 2/ä").finished(), given(101, trace="tr-run"))
        self.breaks_at = self.waits_at = ""
        self.go_on = threading.Event()
        self.closed = 0

    def reader(self) -> BreakingReader:
        return BreakingReader(self)


@pytest.fixture
def store() -> ServedStore:
    return ServedStore()


@pytest.fixture
def dashboard(tmp_path: Path, store: ServedStore) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, cast("FakeStore", store)) as running:
        yield running


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_what_the_command_writes(dashboard: RunningDashboard, store: ServedStore, name: str) -> None:
    answer = dashboard.ask(f"/api/export?format={name}&trace=tr%202%2F%C3%A4")
    assert answer.status == 200
    assert answer.header("content-disposition") == f'attachment; filename="anton-tr2.{FORMATS[name].suffix}"'
    assert (answer.header("x-content-type-options"), answer.header("cache-control")) == ("nosniff", "no-store")
    if name == "html":
        assert answer.header("content-type") == "application/octet-stream"
    made = b"".join(pieces(FORMATS[name], Source(store.reader(), Wanted(CallFilter(trace_id="tr 2/ä")))))
    assert len(answer.body) == len(made) if name == "parquet" else answer.body == made


def test_filters_narrow_it(dashboard: RunningDashboard) -> None:
    rows = list(csv.DictReader(io.StringIO(dashboard.ask("/api/export?format=csv&min_cost=0.01").body.decode())))
    assert len(rows) == CALLS + 1
    har_schema.check(json.loads(dashboard.ask("/api/export?format=har").body))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/export", 400),
        ("/api/export?format=doc", 400),
        ("/api/export?format=csv&since=NaN", 400),
        ("/api/export?format=csv&limit=1", 400),
        ("/api/export?format=csv&trace=none", 404),
        ("/api/export?format=csv&trace=tr-run", 404),
        ("/api/export?format=csv&agent=nobody", 404),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_sent(dashboard: RunningDashboard, target: str, status: int) -> None:
    answer = dashboard.ask(target)
    assert (answer.status, answer.json()["error"]["whose"]) == (status, "caller")


def test_without_a_token_nothing_leaves(dashboard: RunningDashboard) -> None:
    assert dashboard.ask("/api/export?format=jsonl", bearer=None).status == 401
    assert dashboard.ask("/api/export?format=jsonl", ("Sec-Fetch-Site", "cross-site")).status == 403
    assert dashboard.ask("/api/export?format=jsonl", method="HEAD").body == b""


def test_an_export_that_fails_half_way_is_broken_off(dashboard: RunningDashboard, store: ServedStore) -> None:
    store.breaks_at = given(CALLS - 1).call_id
    connection, response = asked(dashboard, "jsonl")
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    wait_for(lambda: store.closed == 1)
    store.breaks_at = given(0).call_id
    assert dashboard.ask("/api/export?format=csv&trace=tr-1").status in {200, 500}


def test_who_goes_away_ends_it_and_only_so_many_at_once(dashboard: RunningDashboard, store: ServedStore) -> None:
    store.waits_at = given(CALLS - 1).call_id
    opened = [asked(dashboard, "jsonl") for _ in range(MAX_EXPORTS)]
    assert dashboard.ask("/api/export?format=csv").status == 503
    for connection, response in opened:
        response.close()
        connection.close()
    store.go_on.set()
    wait_for(lambda: store.closed == MAX_EXPORTS)
    wait_for(lambda: dashboard.ask("/api/export?format=csv").status == 200)


def asked(dashboard: RunningDashboard, name: str) -> tuple[http.client.HTTPConnection, Any]:
    """Ask for an export and read its head only."""
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=30)
    connection.request("GET", f"/api/export?format={name}", headers={"Authorization": f"Bearer {TOKEN}"})
    response = connection.getresponse()
    assert response.status == 200
    return connection, response
