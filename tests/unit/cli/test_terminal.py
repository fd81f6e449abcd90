"""Nothing a call contains is obeyed by a terminal."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_reader import TRACE

from modular_agents.proxy.cli.terminal import console, print_json, safe

HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\b\x00\u202etxt.exe\u2066\u200b\ufeff\ud800\U000e0041"


def test_control_characters_are_shown_as_escapes() -> None:
    assert safe("a\x1b[31mb\rc\x07\x9bd\te\nf") == "a\\e[31mb\\rc\\x07\\x9bd\\te\\nf"
    assert safe("a\tb\nc", lines=True) == "a\tb\nc"


def test_marks_that_reorder_text_are_shown() -> None:
    assert safe("\u202egnp.exe\u2069\U000e0041\ud800") == "\\u202egnp.exe\\u2069\\ue0041\\ud800"


@given(st.text())
def test_nothing_is_left_to_obey(text: str) -> None:
    shown = safe(text)
    assert not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in shown)
    assert not set(shown) & set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    assert safe(text, lines=True).count("\n") == text.count("\n")


@pytest.mark.parametrize("text", ["plain", "été 日本 😀", "[bold]x[/bold]", ":smile:", "a b-c_d"])
def test_honest_text_stays(text: str) -> None:
    assert safe(text) == text


def test_json_stays_the_same_document(capsys: pytest.CaptureFixture[str]) -> None:
    text = HOSTILE.replace("\ud800", "")
    print_json({"text": text, "row": TRACE})
    printed = capsys.readouterr().out
    assert json.loads(printed)["text"] == text
    assert not any(unicodedata.category(letter) in {"Cc", "Cf"} and letter != "\n" for letter in printed)


def test_the_console_takes_text_as_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    console().print("[bold red]x[/] :smile: http://a 12 'b' " + "y" * 300)
    assert capsys.readouterr().out == "[bold red]x[/] :smile: http://a 12 'b' " + "y" * 300 + "\n"
