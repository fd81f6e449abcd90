"""Bodies keep every byte on their way into JSON; codings are removed for reading only, and never without an end."""

import base64
import gzip
from dataclasses import replace

import pytest
from tests.support.fake_reader import RAW

from modular_agents.proxy.dashboard.bodies import SHOWN_BYTES, spell, view_body, view_raw

GZIP = (("Content-Encoding", "gzip"),)


@pytest.mark.parametrize("body", [b"", b"plain", "é\u2028\x00".encode(), b"\xff\xfe", bytes(range(256)), b"\xed\xa0\x80"])
def test_every_byte_comes_back(body: bytes) -> None:
    view = view_body(body, ())
    assert (view.data.encode() if view.encoding == "utf8" else base64.b64decode(view.data)) == body
    assert (view.truncated, view.decoded) == (False, None)


@pytest.mark.parametrize("tail", [0, 1, 2, 3])
def test_a_cut_through_a_character_leaves_text(tail: int) -> None:
    assert spell(b"ab" + "😀".encode()[:tail], cut=True) == ("utf8", "ab")


def test_a_cut_does_not_excuse_binary() -> None:
    assert spell(b"ab\xff\xff\xff\xff\xff", cut=True)[0] == "base64"


def test_long_bodies_are_cut_and_say_so() -> None:
    view = view_body(b"x" * (SHOWN_BYTES + 1), ())
    assert (len(view.data), view.truncated) == (SHOWN_BYTES, True)


def test_gzip_is_removed_for_reading() -> None:
    view = view_body(gzip.compress(b'{"a":"\xc3\xa9"}'), GZIP)
    assert view.encoding == "base64"
    assert view.decoded is not None
    assert (view.decoded.data, view.decoded.coding, view.decoded.truncated, view.decoded.reason) == ('{"a":"é"}', "gzip", False, "")


def test_damage_shows_what_stands_before_it() -> None:
    whole = gzip.compress(" ".join(map(str, range(20_000))).encode())
    view = view_body(whole[:-8] + bytes(8), GZIP)
    assert view.decoded is not None
    assert view.decoded.data.startswith("0 1 2 3")
    assert view.decoded.truncated
    assert view.decoded.reason


def test_a_bomb_has_an_end() -> None:
    view = view_body(gzip.compress(b"\0" * 8_000_000, 9), GZIP)
    assert view.decoded is not None
    assert len(view.decoded.data) <= SHOWN_BYTES * 2
    assert view.decoded.truncated


@pytest.mark.parametrize("coding", ["exi", "identity", ""])
def test_what_we_cannot_remove_stays(coding: str) -> None:
    assert view_body(b"abc", (("content-encoding", coding),)).decoded is None


def test_everything_else_of_an_exchange_is_kept() -> None:
    view = view_raw(replace(RAW, flags=("redacted",), status=None, reason=None, outcome=None))
    assert (view.target_received, view.upstream_url, view.flags, view.status) == (
        "/v1/v1/messages",
        "https://api.anthropic.com",
        ("redacted",),
        None,
    )
