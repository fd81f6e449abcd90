"""Each rule of the guard, on heads alone."""

from pathlib import Path

import pytest

from modular_agents.proxy.dashboard.access import Access
from modular_agents.proxy.dashboard.guard import MAX_PATH_BYTES, MAX_QUERY_BYTES, Asked, judge, make_site

SITE = make_site(3000, ["127.0.0.1", "::1"])
BEARER = ("authorization", "Bearer dummy-token")
HOST = ("host", "localhost:3000")


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access("dummy-token", tmp_path / "links")


def asked(*headers: tuple[str, str], method: str = "GET", path: str = "/api/traces", query: str = "") -> Asked:
    return Asked(method, path.encode(), query.encode(), tuple((name.encode(), value.encode()) for name, value in headers))


def status(access: Access, *headers: tuple[str, str], method: str = "GET", path: str = "/api/traces", query: str = "") -> int:
    refusal = judge(asked(*headers, method=method, path=path, query=query), SITE, access)
    return refusal.status if refusal else 200


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:3000"])
def test_own_hosts_are_answered(access: Access, host: str) -> None:
    assert status(access, ("host", host), BEARER) == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:3001",
        "localhost:03000",
        "evil.example:3000",
        "127.0.0.1.nip.io:3000",
        "localhost.:3000",
        "0.0.0.0:3000",
        "[::]:3000",
        "",
    ],
)
def test_other_hosts_are_refused(access: Access, host: str) -> None:
    assert status(access, ("host", host), BEARER) == 403


def test_exactly_one_host(access: Access) -> None:
    assert status(access, BEARER) == 403
    assert status(access, HOST, HOST, BEARER) == 403


def test_extra_hosts_are_whole_values(tmp_path: Path) -> None:
    site = make_site(3000, ["0.0.0.0"], ["traces.example"])  # noqa: S104 - judged, not bound
    access = Access("dummy-token", tmp_path)
    assert judge(asked(("host", "traces.example"), BEARER), site, access) is None
    assert judge(asked(("host", "traces.example:3000"), BEARER), site, access) is not None
    assert judge(asked(("host", "0.0.0.0:3000"), BEARER), site, access) is not None


def test_port_80_may_be_left_out(access: Access) -> None:
    assert judge(asked(("host", "localhost"), BEARER), make_site(80, []), access) is None


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://localhost:3000"])
def test_own_origin_is_answered(access: Access, origin: str) -> None:
    assert status(access, HOST, BEARER, ("origin", origin)) == 200


@pytest.mark.parametrize(
    "origin", ["null", "", "http://evil.example", "http://localhost", "http://localhost:5173", "http://127.0.0.1:3000", "localhost:3000"]
)
def test_foreign_origins_are_refused(access: Access, origin: str) -> None:
    assert status(access, HOST, BEARER, ("origin", origin)) == 403


@pytest.mark.parametrize(("site", "expected"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("", 403)])
def test_fetch_site(access: Access, site: str, expected: int) -> None:
    assert status(access, HOST, BEARER, ("sec-fetch-site", site)) == expected


@pytest.mark.parametrize(
    "path", ["/", "/api/traces", "/ws", "/assets/x.js", "/nothing", "/api%2Ftraces", "//api/traces", "/%2e%2e/api/traces"]
)
def test_every_path_needs_a_token(access: Access, path: str) -> None:
    assert status(access, HOST, path=path) == 401
    assert status(access, HOST, BEARER, path=path) == 200


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer wrong", "Basic dummy-token", "dummy-token", "Bearer dummy-token,x"])
def test_bad_bearers(access: Access, value: str) -> None:
    assert status(access, HOST, ("authorization", value)) == 401


def test_the_cookie_of_this_port_lets_in(access: Access) -> None:
    cookie = access.make_cookie()
    assert status(access, HOST, ("cookie", f"other=1; anton_3000={cookie}")) == 200
    assert status(access, HOST, ("cookie", f"anton_3001={cookie}")) == 401
    assert status(access, HOST, ("cookie", f"anton_3000={cookie}x")) == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB"])
def test_a_change_needs_json_and_the_header(access: Access, method: str) -> None:
    json, own = ("content-type", "application/json; charset=utf-8"), ("x-anton", "1")
    assert status(access, HOST, BEARER, json, own, method=method) == 200
    assert status(access, HOST, BEARER, own, method=method) == 415
    assert status(access, HOST, BEARER, own, ("content-type", "text/plain"), method=method) == 415
    assert status(access, HOST, BEARER, json, method=method) == 403
    assert status(access, HOST, json, own, method=method) == 401


def test_long_addresses(access: Access) -> None:
    assert status(access, HOST, BEARER, path="/" + "a" * MAX_PATH_BYTES) == 414
    assert status(access, HOST, BEARER, query="q=" + "a" * MAX_QUERY_BYTES) == 414
