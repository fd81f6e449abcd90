"""What each format writes, over a store in memory."""

import base64
import csv
import gzip
import hashlib
import html
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from tests.support import har_schema, wire_corpus
from tests.support.stored import given, message, put_all, tool_use

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export import csv_rows, har, html_page, spelling
from modular_agents.proxy.export.exporter import FORMATS
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.model.call import CallError, Status
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.memory import MemoryStore

HOSTILE = '=HYPERLINK("http://x.invalid")\n<script>alert(1)</script>\x1b[31m'


def store() -> MemoryStore:
    made = MemoryStore()
    first = given(1, agent="planner", messages=(message("user", HOSTILE),), task="Plan it")
    failed = CallError("provider", "overloaded_error", "Overloaded")
    put_all(
        made,
        first.finished(tool_use("delegate", {"task": "x"}), usd=0.25),
        given(2, thread="th-2", agent="worker", parent=first, trace="tr-1").finished("-1+1", usd=None, tokens=(None, None)),
        given(3, thread="th-3", trace="tr-2").finished("", status=Status.FAILED, error=failed),
        given(4, thread="th-4"),
    )
    return made


def written(name: str, *traces: str, where: CallFilter | None = None) -> bytes:
    return b"".join(FORMATS[name].write(Source(store().reader(), Wanted(where or CallFilter(), traces))))


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_has_a_row_for_each_call_that_has_ended() -> None:
    rows = table(written("csv"))
    assert [(row["agent_name"], row["status"], row["cost_usd"]) for row in rows] == [
        ("planner", "completed", "0.25"),
        ("worker", "completed", ""),
        ("", "failed", "0.01"),
    ]
    assert rows[0]["prompt"] == f"'{HOSTILE}"
    assert rows[0]["tool_names"] == '["delegate"]'
    assert rows[1]["response"] == "'-1+1"
    assert (rows[1]["tokens_input"], rows[1]["tokens_output"]) == ("", "")
    assert (rows[2]["error"], rows[2]["error_whose"]) == ("Overloaded", "provider")


def test_csv_columns_are_a_contract() -> None:
    assert written("csv").split(b"\r\n", 1)[0].decode() == ",".join(csv_rows.COLUMNS)
    assert csv_rows.COLUMNS[:8] == ("call_id", "trace_id", "thread_id", "parent_id", "created_at", "ended_at", "status", "kind")


@for_all(st.text(max_size=200) | st.sampled_from("=+-@\t\r\n").map(lambda start: start + "cmd"))
def test_no_cell_is_a_formula_and_a_short_one_says_what_was_said(text: str) -> None:
    cell = csv_rows.safe(text)
    assert not cell.startswith(csv_rows.FORMULA_STARTS)
    assert cell.removeprefix("'") == text.replace("\0", "\ufffd").removeprefix("'")
    assert len(csv_rows.safe(text * 400)) <= csv_rows.CELL_CHARS


def test_jsonl_is_one_object_per_line() -> None:
    lines = [json.loads(line) for line in written("jsonl").splitlines()]
    assert lines[0] == {"anton_export": "calls", "version": 1, "calls": None}
    assert lines[-1] == {"anton_export": "end", "version": 1, "calls": 3}
    planner = lines[1]
    assert planner["wire"]["request"]["body"]["text"].startswith("{")
    assert planner["answers"][0]["parts"][0]["name"] == "delegate"
    assert lines[2]["edges"][0]["from_call_id"] == planner["call_id"]
    assert "cost_usd" not in lines[2]


def test_traces_and_filters_choose() -> None:
    assert [row["trace_id"] for row in table(written("csv", "tr-2", "tr-1"))] == ["tr-2", "tr-1", "tr-1"]
    assert [row["agent_name"] for row in table(written("csv", where=CallFilter(agent="worker")))] == ["worker"]
    assert Source(store().reader(), Wanted(CallFilter(status="running"))).is_empty()


def test_har_is_har() -> None:
    entries = har_schema.check(json.loads(written("har")))
    assert len(entries) == 3
    one = entries[0]
    assert one["request"]["url"] == "https://api.anthropic.com/v1/messages"
    assert json.loads(one["request"]["postData"]["text"])["model"] == "claude-sonnet-4-5"
    assert {"name": "X-Api-Key", "value": "[redacted 1a2b3c4d]"} in one["request"]["headers"]
    assert one["timings"] == {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 1, "wait": 39, "receive": 210}
    assert (one["time"], one["_agent"], one["_cost_usd"]) == (250, "planner", 0.25)
    assert "_cost_usd" not in entries[1]


def test_har_undoes_codings_and_says_what_is_missing() -> None:
    plain = b'{"a": "\xc3\xa9"}' * 50
    packed = gzip.compress(plain)
    sent = wire_corpus.exchange(
        packed,
        b"\x89PNG\xff",
        target="/v1/x?b=1&b=&key=%5Bredacted%5D",
        content_type="image/png",
        request_headers=(("Content-Encoding", "gzip"), ("Content-Type", "application/json")),
    )
    capped = replace(sent, request=replace(sent.request, body_size=10**9))
    row = store().reader().calls(CallFilter(), None, 1).items[0]
    archive = {"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [har.entry(row, capped)]}}
    (one,) = har_schema.check(json.loads(json.dumps(archive)))
    assert one["request"]["postData"]["text"] == plain.decode()
    assert one["request"]["postData"]["comment"] == f"only {len(packed)} of 1,000,000,000 bytes were recorded"
    assert one["request"]["queryString"][1:] == [{"name": "b", "value": ""}, {"name": "key", "value": "[redacted]"}]
    assert base64.b64decode(one["response"]["content"]["text"]) == b"\x89PNG\xff"
    nothing = har.entry(row, replace(capped, response=None, outcome=Outcome.UPSTREAM_TIMEOUT))
    assert (nothing["response"]["status"], nothing["response"]["comment"]) == (0, "no answer: upstream_timeout")
    archive["log"]["entries"] = [nothing]
    har_schema.check(json.loads(json.dumps(archive)))


@pytest.mark.parametrize("name", [name for name in wire_corpus.names() if "websocket" not in name])
def test_har_of_every_capture(name: str) -> None:
    row = store().reader().calls(CallFilter(), None, 1).items[0]
    archive = {"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [har.entry(row, wire_corpus.load(name))]}}
    har_schema.check(json.loads(json.dumps(archive)))


def test_html_stands_alone_and_takes_nothing_from_a_call_as_markup() -> None:
    page = written("html").decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;␛[31m" in page
    assert page.count("<script>") == 1
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?!#)[a-z/]", page)
    assert not re.search(r"url\(|@import", page)
    assert "planner" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    for inline in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]


def test_html_is_well_formed() -> None:
    class Balance(HTMLParser):
        void = frozenset({"meta", "input", "br", "line", "rect"})

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in self.void:
                assert self.open.pop() == tag

    parser = Balance()
    parser.feed(written("html").decode())
    assert parser.open == []


def test_html_of_too_many_calls_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "MAX_CALLS", 2)
    with pytest.raises(UsageError, match="2 calls at most"):
        written("html")


@for_all(st.text(max_size=60))
def test_a_text_of_a_page_has_no_markup_and_no_control(said: str) -> None:
    shown = spelling.text(said)
    assert not set(shown) & set("<>\"'\x00\x1b\r\u202e")
    if said.isprintable():
        assert html.unescape(shown) == said
