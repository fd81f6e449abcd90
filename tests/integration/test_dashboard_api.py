"""The JSON API on a real server: shapes, pages, errors, downloads, the built page."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.support.fake_reader import CALL, RAW, TRACE, FakeStore, detail
from tests.support.running_dashboard import RunningDashboard, running_dashboard

from modular_agents.proxy.dashboard.shapes import ErrorView, GraphView, RawView, StatusView, ToolRunsView, ToolsView
from modular_agents.proxy.errors import StoreDamaged, StoreUnavailable
from modular_agents.proxy.model.comparison import Comparison
from modular_agents.proxy.model.query import CallDetail, CallPage, TraceDetail, TracePage
from modular_agents.proxy.model.status import ProxyStatus


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def dashboard(tmp_path: Path, store: FakeStore) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, store) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        ("/api/traces", TracePage),
        ("/api/traces/trace-1", TraceDetail),
        ("/api/traces/trace-1/graph", GraphView),
        ("/api/traces/trace-1/tools", ToolsView),
        ("/api/calls", CallPage),
        (f"/api/calls/{CALL.call_id}", CallDetail),
        (f"/api/calls/{CALL.call_id}/tools", ToolRunsView),
        (f"/api/calls/{CALL.call_id}/raw", RawView),
        (f"/api/calls/{CALL.call_id}/diff?against={CALL.call_id}", Comparison),
        ("/api/search?q=login", CallPage),
        ("/api/status", StatusView),
    ],
)
def test_each_route_answers_with_its_shape(dashboard: RunningDashboard, target: str, shape: type) -> None:
    answer = dashboard.ask(target)
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    msgspec.json.decode(answer.body, type=shape)


def test_filters_reach_the_reader(dashboard: RunningDashboard, store: FakeStore) -> None:
    dashboard.ask("/api/calls?q=a%20b&trace=t&error=0&limit=3&cursor=2")
    what, where, cursor, limit = store.asked[-1]
    assert (what, where.text, where.trace_id, where.has_error, cursor, limit) == ("calls", "a b", "t", False, "2", 3)


def test_pages_follow_each_other(dashboard: RunningDashboard, store: FakeStore) -> None:
    store.traces = [replace(TRACE, trace_id=f"t{number}") for number in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = dashboard.ask(f"/api/traces?limit=2&cursor={cursor}").json()
        seen += [row["trace_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["t0", "t1", "t2", "t3", "t4"]


@pytest.mark.parametrize(
    ("target", "status", "whose"),
    [
        ("/api/traces?limit=1e9", 400, "caller"),
        ("/api/traces?since=NaN", 400, "caller"),
        ("/api/traces?status=cancelled", 400, "caller"),
        ("/api/traces?trace=x", 400, "caller"),
        ("/api/traces?cursor=foreign", 400, "caller"),
        ("/api/search", 400, "caller"),
        ("/api/search?q=" + "a" * 9000, 414, "caller"),
        ("/api/traces/none", 404, "caller"),
        ("/api/traces/none/graph", 404, "caller"),
        ("/api/traces/none/tools", 404, "caller"),
        ("/api/calls/none/tools", 404, "caller"),
        (f"/api/calls/{CALL.call_id}/diff", 404, "caller"),
        (f"/api/calls/{CALL.call_id}/diff?with=x", 400, "caller"),
        ("/api/calls/none", 404, "caller"),
        ("/api/calls/none/raw", 404, "caller"),
        ("/api/calls/none/raw/request", 404, "caller"),
        (f"/api/calls/{CALL.call_id}/raw/both", 404, "caller"),
        ("/api/calls/%00", 400, "caller"),
        ("/api/calls/%ff", 400, "caller"),
        ("/api/calls/" + "x" * 201, 400, "caller"),
        ("/api/", 404, "caller"),
        ("/api/nothing", 404, "caller"),
        ("/api/status?x=1", 400, "caller"),
        ("/api/openapi.json?x=1", 400, "caller"),
    ],
)
def test_errors_say_whose_they_are(dashboard: RunningDashboard, target: str, status: int, whose: str) -> None:
    answer = dashboard.ask(target)
    error = msgspec.json.decode(answer.body, type=ErrorView).error
    assert (answer.status, error.whose) == (status, whose)
    assert error.message.endswith(".")
    assert error.hint


def test_a_route_that_is_not_there_is_no_deleted_call(dashboard: RunningDashboard) -> None:
    assert "openapi.json" in msgspec.json.decode(dashboard.ask("/api/nothing").body, type=ErrorView).error.hint
    assert "retention" in msgspec.json.decode(dashboard.ask("/api/calls/none").body, type=ErrorView).error.hint


@pytest.mark.parametrize(("failure", "status"), [(StoreUnavailable("The database is locked."), 503), (StoreDamaged("It is corrupt."), 500)])
def test_a_store_that_fails_is_the_stores_fault(dashboard: RunningDashboard, store: FakeStore, failure: Exception, status: int) -> None:
    store.failure = failure
    answer = dashboard.ask("/api/traces")
    assert (answer.status, answer.json()["error"]) == (status, answer.json()["error"] | {"whose": "store", "message": str(failure)})
    store.failure = None
    assert dashboard.ask("/api/traces").status == 200


def test_ids_with_slashes_are_one_segment(dashboard: RunningDashboard, store: FakeStore) -> None:
    store.traces = [replace(TRACE, trace_id="team/x graph/é")]
    assert dashboard.ask("/api/traces/team%2Fx%20graph%2F%C3%A9").json()["trace"]["trace_id"] == "team/x graph/é"
    assert dashboard.ask("/api/traces/team%2Fx%20graph%2F%C3%A9/graph").json()["nodes"] == []
    assert dashboard.ask("/api/traces/team/x").status == 404


def test_bodies_come_back_exactly(dashboard: RunningDashboard, store: FakeStore) -> None:
    body = bytes(range(256)) * 3
    store.raws[CALL.call_id] = replace(RAW, response_body=body)
    view = dashboard.ask(f"/api/calls/{CALL.call_id}/raw").json()
    assert view["request_body"] == {"encoding": "utf8", "data": RAW.request_body.decode(), "truncated": False, "decoded": None}
    assert view["response_body"]["encoding"] == "base64"
    saved = dashboard.ask(f"/api/calls/{CALL.call_id}/raw/response")
    assert (saved.body, saved.header("content-type")) == (body, "application/octet-stream")
    assert saved.header("content-disposition") == f'attachment; filename="{CALL.call_id}-response.bin"'
    assert dashboard.ask(f"/api/calls/{CALL.call_id}/raw/request").body == RAW.request_body


def test_hostile_text_is_only_ever_json(dashboard: RunningDashboard, store: FakeStore) -> None:
    text = "</script><script>alert(1)</script>\u2028\x1b[31m\x00"
    store.details[CALL.call_id] = detail(replace(CALL, model=text))
    answer = dashboard.ask(f"/api/calls/{CALL.call_id}")
    assert answer.json()["call"]["model"] == text
    assert (answer.header("content-type"), answer.header("x-content-type-options")) == ("application/json", "nosniff")


def test_status_shows_the_proxy(dashboard: RunningDashboard, store: FakeStore) -> None:
    store.add(3)
    assert dashboard.ask("/api/status").json() == {
        "version": "0.0.0",
        "db": "traces.db",
        "proxy": None,
        "journal_lag_bytes": None,
        "records_dropped": 0,
        "floor": 0,
        "seq": 3,
    }
    dashboard.proxy[0] = ProxyStatus(
        running=True,
        url="http://127.0.0.1:8000",
        dashboard_url=None,
        pid=1,
        worker_pids=(2,),
        recorder_pid=3,
        dashboard_pid=None,
        started_at=None,
        version="0.0.0",
        calls=10,
        calls_open=1,
        journal_lag_bytes=4096,
        journal_degraded=False,
        records_dropped=7,
    )
    answer = dashboard.ask("/api/status").json()
    assert (answer["records_dropped"], answer["journal_lag_bytes"], answer["proxy"]["worker_pids"]) == (7, 4096, [2])


def test_openapi_names_every_route(dashboard: RunningDashboard) -> None:
    document = dashboard.ask("/api/openapi.json").json()
    assert "/api/calls/{id}/raw/{side}" in document["paths"]
    named = set(_references(document))
    assert named <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_the_built_page_is_served(tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>page one")
    (static / "assets" / "main-1a2b.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    with running_dashboard(tmp_path, static=static) as dashboard:
        for path in ("/", "/traces/x?call=y", "/stats", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"):
            answer = dashboard.ask(path)
            assert (answer.status, answer.body, answer.header("cache-control")) == (200, b"<!doctype html>page one", "no-cache")
        script = dashboard.ask("/assets/main-1a2b.js")
        assert (script.body, script.header("content-type")) == (b"1", "text/javascript; charset=utf-8")
        assert "immutable" in (script.header("cache-control") or "")
        assert dashboard.ask("/assets/../../secret.txt").status == 404
        assert dashboard.ask("/assets/gone.js").status == 404
        (static / "index.html").unlink()
        assert dashboard.ask("/").status == 503
        (static / "index.html").write_text("page two")
        assert dashboard.ask("/").body == b"page two"


def test_a_page_that_was_never_built_says_how(dashboard: RunningDashboard) -> None:
    answer = dashboard.ask("/")
    assert answer.status == 503
    assert b"make web" in answer.body
