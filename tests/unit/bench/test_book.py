"""A bench's results: what was written is read back, and a server that did not get done is a result too."""

import json
from pathlib import Path

import pytest
from bench.book import Book

ABOUT = {"commit": "abc1234", "machine": "2 shared cores, any", "python": "3.11"}


def test_a_run_is_shown_again_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(tmp_path / "run.jsonl", ABOUT)
    for who, figures in {"direct": (20.0,), "nginx": (40.0, 30.0, 50.0), "relay": (80.0, 60.0, 100.0)}.items():
        for figure in figures:
            book.add("latency", who, {"p50_us": figure})
    book.fell_behind("calls", "product", "product did not drain in 20 s")
    book.show()
    shown = capsys.readouterr().out
    Book.read(tmp_path / "run.jsonl").show()
    again = capsys.readouterr().out
    assert again.splitlines()[-6:] == shown.splitlines()[-6:]
    assert "2.00" in shown, "the ratio of the medians"
    assert "x 3.00" in shown, "the ratio of what is added to a direct call"
    assert "calls     product did not drain in 20 s" in shown


def test_each_line_says_commit_and_machine_and_nothing_of_its_owner(tmp_path: Path) -> None:
    book = Book(tmp_path / "run.jsonl", ABOUT)
    book.add("calls", "relay", {"cpu_us": 1.23456})
    (line,) = [json.loads(text) for text in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert {name: line[name] for name in ABOUT} == ABOUT
    assert line["cpu_us"] == 1.235
    assert set(line) == {"at", "case", "who", "cpu_us", *ABOUT}
