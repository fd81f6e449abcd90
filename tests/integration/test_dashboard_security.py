"""The dashboard's security rules, each on a real server; the rules themselves are tested head by head in tests/unit/dashboard."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.running_dashboard import TOKEN, RunningDashboard, running_dashboard
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
PATHS = ["/", "/traces/x", "/assets/x.js", "/api/traces", "/api/openapi.json", "/api/nothing", "/nothing.txt", "/login"]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path_factory.mktemp("dashboard")) as running:
        yield running


def websocket_status(
    dashboard: RunningDashboard, headers: dict[str, str], host: str | None = None, query: str = "", path: str = "/ws"
) -> int:
    """Return the status of a handshake: 101, or that of the refusal."""
    sock = socket.create_connection(("127.0.0.1", dashboard.port), timeout=10)
    try:
        with connect(f"ws://{host or dashboard.host}{path}{query}", sock=sock, additional_headers=headers, proxy=None):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_no_route_without_a_token(dashboard: RunningDashboard, path: str, method: str) -> None:
    answer = dashboard.ask(path, ("X-Anton", "1"), ("Content-Type", "application/json"), method=method, bearer=None)
    assert answer.status == 401
    assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize(
    "target", ["/api%2Ftraces", "//api/traces", "/api//traces", "/%61pi/traces", "/./api/traces", "/x/../api/traces", "/%2e%2e/api/traces"]
)
def test_other_spellings_do_not_slip_by(dashboard: RunningDashboard, target: str) -> None:
    assert dashboard.ask(target, bearer=None).status == 401
    assert b"trace-1" not in dashboard.ask(target).body


def test_a_link_becomes_a_cookie_once(dashboard: RunningDashboard) -> None:
    token = dashboard.link()
    first = dashboard.ask(f"/traces/t1?token={token}&call=c1", bearer=None)
    assert (first.status, first.header("location")) == (303, "/traces/t1?call=c1")
    cookie = first.header("set-cookie") or ""
    assert cookie.startswith(f"anton_{dashboard.port}=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert "Domain" not in cookie
    assert dashboard.ask("/api/traces", ("Cookie", cookie.partition(";")[0]), bearer=None).status == 200

    second = dashboard.ask(f"/?token={token}", bearer=None)
    assert (second.status, second.header("set-cookie")) == (401, None)
    again = dashboard.ask(f"/?token={token}", ("Cookie", cookie.partition(";")[0]), bearer=None)
    assert (again.status, again.header("location")) == (303, "/")


def test_login_leads_to_the_first_page(dashboard: RunningDashboard) -> None:
    assert dashboard.ask(f"/login?token={dashboard.link()}", bearer=None).header("location") == "/"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example/x"])
def test_a_link_leads_nowhere_else(dashboard: RunningDashboard, path: str) -> None:
    location = dashboard.ask(f"{path}?token={dashboard.link()}", bearer=None).header("location") or ""
    assert location.startswith("/evil")


def test_a_look_at_the_head_spends_no_link(dashboard: RunningDashboard) -> None:
    token = dashboard.link()
    assert dashboard.ask(f"/?token={token}", method="HEAD", bearer=None).status == 401
    assert dashboard.ask(f"/?token={token}", ("Sec-Fetch-Site", "cross-site"), bearer=None).status == 403
    assert dashboard.ask(f"/?token={token}", host="evil.example", bearer=None).status == 403
    assert dashboard.ask(f"/api/traces?token={token}", bearer=None).status == 401
    assert dashboard.ask(f"/?token={token}", bearer=None).status == 303


def test_the_bearer_token_is_no_link(dashboard: RunningDashboard) -> None:
    assert dashboard.ask(f"/?token={TOKEN}", bearer=None).status == 401


@pytest.mark.parametrize("host", ["evil.example", "localhost", "localhost:1", "127.0.0.1", ""])
def test_other_host_names_are_refused(dashboard: RunningDashboard, host: str) -> None:
    assert dashboard.ask("/api/traces", host=host).status == 403
    assert dashboard.ask("/", host=host).status == 403


def test_localhost_of_this_port_is_answered(dashboard: RunningDashboard) -> None:
    assert dashboard.ask("/api/traces", host=f"localhost:{dashboard.port}").status == 200


def test_both_loopback_families_are_ours(dashboard: RunningDashboard) -> None:
    with socket.create_connection(("::1", dashboard.port), timeout=10) as sock:
        head = f"GET /api/status HTTP/1.1\r\nHost: [::1]:{dashboard.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        sock.sendall(head.encode())
        assert sock.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    "header", [("Origin", "null"), ("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site")]
)
def test_foreign_pages_are_refused(dashboard: RunningDashboard, header: tuple[str, str]) -> None:
    assert dashboard.ask("/api/traces", header).status == 403
    assert websocket_status(dashboard, {"Authorization": f"Bearer {TOKEN}", header[0]: header[1]}) == 403


def test_websocket_rules(dashboard: RunningDashboard) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert websocket_status(dashboard, bearer) == 101
    assert websocket_status(dashboard, {**bearer, "Origin": f"http://{dashboard.host}"}) == 101
    assert websocket_status(dashboard, {}) == 401
    assert websocket_status(dashboard, {}, query=f"?token={dashboard.link()}") == 401
    assert websocket_status(dashboard, bearer, host="evil.example") == 403
    assert websocket_status(dashboard, {**bearer, "Origin": f"http://localhost:{dashboard.port}"}) == 403
    assert websocket_status(dashboard, bearer, path="/api/traces") == 403


def test_no_cors_header_is_ever_sent(dashboard: RunningDashboard) -> None:
    for origin in ("http://evil.example", f"http://{dashboard.host}"):
        for method in ("GET", "OPTIONS"):
            answer = dashboard.ask("/api/traces", ("Origin", origin), ("Access-Control-Request-Method", "POST"), method=method)
            assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_a_change_needs_json_and_the_header(dashboard: RunningDashboard) -> None:
    json, own = ("Content-Type", "application/json"), ("X-Anton", "1")
    assert dashboard.ask("/api/traces", own, ("Content-Type", "text/plain"), method="POST").status == 415
    assert dashboard.ask("/api/traces", json, method="POST").status == 403
    assert dashboard.ask("/api/traces", json, own, method="POST").status == 405
    assert dashboard.ask("/api/traces", json, own, method="DELETE").status == 405


@pytest.mark.parametrize("path", [*PATHS, "/api/traces?limit=0", "/api/traces/none", "/api/calls/01J0000000000000000000000A/raw/request"])
@pytest.mark.parametrize("bearer", [TOKEN, None])
def test_safe_headers_are_on_every_answer(dashboard: RunningDashboard, path: str, bearer: str | None) -> None:
    answer = dashboard.ask(path, bearer=bearer)
    policy = answer.header("content-security-policy") or ""
    assert policy == POLICY or policy.replace(policy.split("style-src ")[1].split(";")[0], "'self'", 1) == POLICY
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert answer.header("server") is None
    assert "no-store" in (answer.header("cache-control") or "")


def test_a_browser_without_a_cookie_is_told_what_to_do(dashboard: RunningDashboard) -> None:
    answer = dashboard.ask("/traces/x", ("Accept", "text/html,*/*"), bearer=None)
    assert answer.status == 401
    assert "text/html" in (answer.header("content-type") or "")
    assert b"anton proxy link" in answer.body
    assert b"<script" not in answer.body


def test_a_crash_says_nothing_of_the_inside(tmp_path: Path) -> None:
    with running_dashboard(tmp_path) as running:
        running.store.failure = RuntimeError("dummy secret of the inside")
        answer = running.ask("/api/traces")
        assert answer.status == 500
        assert answer.json()["error"]["whose"] == "dashboard"
        assert b"inside" not in answer.body
        assert answer.header("content-security-policy") == POLICY
        running.store.failure = None
        assert running.ask("/api/traces").status == 200
