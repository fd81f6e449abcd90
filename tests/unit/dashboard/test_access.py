"""Links work once, cookies only when we signed them, and neither for ever."""

import os
from pathlib import Path

import pytest

from modular_agents.proxy.dashboard.access import COOKIE_LIFE_S, LINK_LIFE_S, Access, make_link_token

NOW_S = 1_800_000_000.0


def access(folder: Path, now_s: float = NOW_S, token: str = "dummy-token") -> Access:
    return Access(token, folder / "links", lambda: now_s)


def test_a_link_lets_in_once(tmp_path: Path) -> None:
    token = make_link_token(tmp_path / "links")
    gate = Access("dummy-token", tmp_path / "links")
    assert [gate.spend(token), gate.spend(token)] == [True, False]


def test_two_links_are_two(tmp_path: Path) -> None:
    first, second = (make_link_token(tmp_path / "links") for _ in range(2))
    gate = Access("dummy-token", tmp_path / "links")
    assert [gate.spend(second), gate.spend(first)] == [True, True]


@pytest.mark.parametrize("token", ["", "..", "../links", "a/b", "\0", "x" * 5000, "é", "\udcff"])
def test_a_made_up_link_lets_nobody_in(tmp_path: Path, token: str) -> None:
    make_link_token(tmp_path / "links")
    assert not access(tmp_path).spend(token)
    assert len(list((tmp_path / "links").iterdir())) == 1


def test_the_folder_gives_no_token_away(tmp_path: Path) -> None:
    token = make_link_token(tmp_path / "links")
    (entry,) = (tmp_path / "links").iterdir()
    assert token not in entry.name
    assert entry.stat().st_size == 0
    assert (tmp_path / "links").stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_mode & 0o777 == 0o600


def test_an_old_link_lets_nobody_in(tmp_path: Path) -> None:
    token = make_link_token(tmp_path / "links", NOW_S)
    (entry,) = (tmp_path / "links").iterdir()
    os.utime(entry, (NOW_S, NOW_S))
    assert not access(tmp_path, NOW_S + LINK_LIFE_S + 1).spend(token)


def test_old_links_are_swept(tmp_path: Path) -> None:
    make_link_token(tmp_path / "links", NOW_S)
    (entry,) = (tmp_path / "links").iterdir()
    os.utime(entry, (NOW_S, NOW_S))
    make_link_token(tmp_path / "links", NOW_S + LINK_LIFE_S + 1)
    assert not entry.exists()


def test_a_cookie_is_good_until_it_ends(tmp_path: Path) -> None:
    cookie = access(tmp_path).make_cookie()
    assert access(tmp_path).cookie_is_good(cookie)
    assert access(tmp_path, NOW_S + COOKIE_LIFE_S - 1).cookie_is_good(cookie)
    assert not access(tmp_path, NOW_S + COOKIE_LIFE_S).cookie_is_good(cookie)


def test_a_cookie_of_another_token_is_no_good(tmp_path: Path) -> None:
    assert not access(tmp_path, token="dummy-other").cookie_is_good(access(tmp_path).make_cookie())


def test_a_cookie_cannot_be_prolonged(tmp_path: Path) -> None:
    ends, _, signature = access(tmp_path).make_cookie().partition(".")
    assert not access(tmp_path).cookie_is_good(f"{int(ends) + 1}.{signature}")


@pytest.mark.parametrize("value", ["", ".", "1.", ".x", "99999999999", "9" * 5000, "é.é", "\udcff.\udcff"])
def test_a_made_up_cookie_is_no_good(tmp_path: Path, value: str) -> None:
    assert not access(tmp_path).cookie_is_good(value)


def test_bearers_are_compared_whole(tmp_path: Path) -> None:
    gate = access(tmp_path)
    assert gate.bearer_is_good("dummy-token")
    assert not any(gate.bearer_is_good(given) for given in ("", "dummy", "dummy-token ", "dummy-tokén"))
