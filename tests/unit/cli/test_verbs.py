"""The verbs that read, over a store given by hand: what they ask for, what they print, how they fail."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from rich.console import Console
from tests.support.fake_reader import CALL, RAW, TRACE, FakeReader, FakeStore, detail, message
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.cli import terminal
from modular_agents.proxy.cli.tail import changes, tell
from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.event import Event
from modular_agents.proxy.model.query import CallPage, CallRow, RawExchange

HOSTILE = "\x1b[31m[bold]x[/bold]\x9b2J\u202e\r"
Anton = Callable[..., Result]


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def anton(store: FakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anton]:
    for name in ("ANTON_DB", "ANTON_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(app, "build_reader", lambda _: store.reader())
    db = tmp_path / "traces.db"
    db.touch()
    return lambda *words: CliRunner().invoke(cli.anton, [*words, "--db", str(db)])


def test_traces_are_listed(anton: Anton) -> None:
    result = anton("proxy", "ls")
    heading, row = result.stdout.splitlines()
    assert heading.split() == ["TASK", "AGE", "TOOK", "AGENTS", "CALLS", "ERRORS", "IN", "OUT", "COST", "TRACE"]
    assert "Add a login page" in row
    assert row.endswith("$0.0021  trace-1")
    assert result.exit_code == 0


def test_calls_are_listed(anton: Anton, store: FakeStore) -> None:
    store.calls = [replace(CALL, error="rate_limit_error: slow down", status="failed"), replace(CALL, tool_names=("read_file", "grep"))]
    _, failed, used = anton("proxy", "ls", "--calls").stdout.splitlines()
    assert failed.startswith("✗")
    assert "rate_limit_error: slow down" in failed
    assert "→ read_file, grep" in used
    assert used.endswith(CALL.call_id)


def test_filters_are_passed_on(anton: Anton, store: FakeStore) -> None:
    words = "--error --search x --model m --agent a --provider claude --status failed --min-cost 0.5 --since 2026-11-22 --until 2026-11-23"
    assert anton("proxy", "ls", "--calls", *words.split(), "-n", "7", "--cursor", "3").exit_code == 0
    what, where, cursor, limit = store.asked[-1]
    assert (what, where.text, where.model, where.agent, where.provider, where.status) == ("calls", "x", "m", "a", "claude", "failed")
    assert (where.has_error, where.min_cost_usd, cursor, limit) == (True, 0.5, "3", 7)
    assert (where.since_ns, where.until_ns) == (1_795_305_600_000_000_000, 1_795_392_000_000_000_000)


@pytest.mark.parametrize("wanted", ["trace-1", "trace", CALL.call_id])
def test_a_trace_is_found_by_its_id_its_beginning_or_a_call(anton: Anton, store: FakeStore, wanted: str) -> None:
    assert anton("proxy", "ls", wanted).exit_code == 0
    assert store.asked[-1][1].trace_id == "trace-1"


def test_two_traces_of_one_beginning(anton: Anton, store: FakeStore) -> None:
    store.traces.append(replace(TRACE, trace_id="trace-2"))
    result = anton("proxy", "ls", "trace")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "2 traces" in result.stderr


def test_more_is_announced_beside_the_table(anton: Anton, store: FakeStore) -> None:
    store.traces = [replace(TRACE, trace_id=f"t{number}") for number in range(3)]
    result = anton("proxy", "ls", "-n", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "--cursor 2" in result.stderr


def test_json_is_what_the_api_gives(anton: Anton) -> None:
    page = json.loads(anton("proxy", "ls", "--json").stdout)
    assert page["items"][0]["trace_id"] == "trace-1"
    assert json.loads(anton("proxy", "show", CALL.call_id, "--json").stdout)["call"]["model"] == CALL.model
    assert json.loads(anton("proxy", "show", CALL.call_id, "--raw", "--json").stdout)["response_body"]["encoding"] == "utf8"


def test_nothing_found_is_no_failure(anton: Anton, store: FakeStore) -> None:
    store.traces = []
    result = anton("proxy", "ls")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing found.\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ls", "--status", "done"], 2, "There is no status 'done'"),
        (["ls", "-n", "0"], 2, "limit='0' is not a whole number"),
        (["ls", "--since", "yesterday"], 2, "is not a time"),
        (["ls", "--cursor", "foreign"], 2, "cursor is not ours"),
        (["ls", "nothing"], 4, "No trace or call has the id"),
        (["show", "nothing"], 4, "There is no call 'nothing' here"),
        (["show", "x", "--body", "both"], 2, "request or response"),
        (["ls", "--config", "/nowhere/x.toml"], 2, "cannot be read"),
    ],
)
def test_errors_are_one_line_and_a_code(anton: Anton, words: list[str], code: int, said: str) -> None:
    result = anton("proxy", *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert result.stderr.startswith("anton: ")
    assert result.stderr.count("\n") == 1


def test_a_store_that_fails_is_a_failure(anton: Anton, store: FakeStore) -> None:
    store.failure = StoreUnavailable("the database is locked")
    result = anton("proxy", "ls")
    assert (result.exit_code, result.stderr) == (1, "anton: the database is locked\n")


def test_nothing_recorded_yet(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.anton, ["proxy", "ls", "--db", str(tmp_path / "none.db")])
    assert result.exit_code == 4
    assert "anton proxy start" in result.stderr


def test_there_is_no_token_for_a_database_that_was_never_used(tmp_path: Path) -> None:
    db = tmp_path / "typo" / "none.db"
    result = CliRunner().invoke(cli.anton, ["proxy", "link", "--bearer", "--db", str(db)])
    assert (result.exit_code, result.stdout) == (4, "")
    assert not db.parent.exists()


def test_a_call_is_shown(anton: Anton) -> None:
    shown = anton("proxy", "show", CALL.call_id).stdout
    assert "state     completed · end_turn · HTTP 200" in shown
    assert "tokens    1,200 in, 85 out, 1,000 from cache" in shown
    assert "cost      $0.0021 (genai-prices 0.2.3)" in shown
    assert "── user ──\nExplore the repository\n" in shown
    assert "── answer ──\nIt has three modules\n" in shown
    assert "Orchestrator Agent" not in shown


def test_full_shows_everything(anton: Anton, store: FakeStore) -> None:
    history = (message("user", "first"), message("assistant", "second"), message("user", "\n".join(map(str, range(100)))))
    store.details[CALL.call_id] = detail(messages=history)
    short, full = (anton("proxy", "show", CALL.call_id, *more).stdout for more in ([], ["--full"]))
    assert "(2 earlier messages and the system prompt not shown; --full shows all)" in short
    assert "(70 more lines; --full shows all)" in short
    assert "Orchestrator Agent" in full
    assert "first" in full
    assert "\n99\n" in full


def test_a_running_call_shows_what_has_come(anton: Anton, store: FakeStore) -> None:
    running = replace(CALL, status="running", cost_usd=None, tokens_input=None, tokens_output=None, http_status=None, duration_ms=None)
    store.details[CALL.call_id] = detail(running, answers=(), partial=(message("assistant", "It has"),))
    shown = anton("proxy", "show", CALL.call_id).stdout
    assert "── answer so far ──\nIt has\n" in shown
    assert "no answer" not in shown
    assert "tokens    unknown" in shown
    assert "cost      unpriced" in shown


def test_an_error_says_whose(anton: Anton, store: FakeStore) -> None:
    failed = replace(CALL, status="failed", error="Overloaded", http_status=529)
    store.details[CALL.call_id] = detail(failed, error_whose="provider", error_kind="overloaded_error")
    assert "error     Overloaded (provider's: overloaded_error)" in anton("proxy", "show", CALL.call_id).stdout


def test_raw_shows_what_crossed(anton: Anton) -> None:
    shown = anton("proxy", "show", CALL.call_id, "--raw").stdout
    assert "> POST /v1/messages\n  (the client wrote /v1/v1/messages)\n" in shown
    assert "> X-Api-Key: [redacted 1a2b3c4d]\n" in shown
    assert "< 200 OK\n< content-type: text/event-stream\n" in shown


def test_body_writes_exact_bytes(anton: Anton, store: FakeStore) -> None:
    body = bytes(range(256))
    store.raws[CALL.call_id] = replace(RAW, response_body=body)
    assert anton("proxy", "show", CALL.call_id, "--body", "response").stdout_bytes == body


def hostile_raw() -> RawExchange:
    body = HOSTILE.encode()
    return replace(
        RAW, target=HOSTILE, reason=HOSTILE, request_headers=((HOSTILE, HOSTILE),), request_body=body, response_body=body, outcome=HOSTILE
    )


@pytest.mark.parametrize(
    "words", [["ls"], ["ls", "--calls"], ["show", CALL.call_id], ["show", CALL.call_id, "--full"], ["show", CALL.call_id, "--raw"]]
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_hostile_text_is_shown_never_obeyed(anton: Anton, store: FakeStore, words: list[str], more: list[str]) -> None:
    call = replace(CALL, model=HOSTILE, agent_name=HOSTILE, error=HOSTILE, path=HOSTILE, finish_reason=HOSTILE, flags=(HOSTILE,))
    store.calls = [call]
    store.traces = [replace(TRACE, task_description=HOSTILE, trace_id=HOSTILE)]
    parts = [message(HOSTILE, HOSTILE, kind) for kind in ("text", "thinking", "tool_use", "tool_result", "other")]
    store.details[CALL.call_id] = detail(call, messages=tuple(parts), answers=tuple(parts), error_whose=HOSTILE, error_kind=HOSTILE)
    store.raws[CALL.call_id] = hostile_raw()
    result = anton("proxy", *words, *more)
    assert result.exit_code == 0
    assert not set(result.stdout) & set("\x1b\x9b\u202e\r")
    assert "[bold]x[/bold]" in result.stdout


def call_event(seq: int, call: CallRow) -> Event:
    return Event(seq, "call", call.trace_id, call.call_id, msgspec.json.encode(call).decode())


def test_tail_tells_each_call_when_it_begins_and_ends(store: FakeStore) -> None:
    running = replace(CALL, status="running")
    following = changes(store.reader(), 5)
    store.events = [call_event(6, running), call_event(7, running), call_event(9, CALL)]
    store.last = 9
    assert [next(following).status for _ in range(2)] == ["running", "completed"]


def test_a_line_of_tail_obeys_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for status in ("running", "failed"):
        tell(replace(CALL, model=HOSTILE, agent_name=HOSTILE, error=HOSTILE, prompt_preview=HOSTILE, status=status), as_json=False)
        tell(replace(CALL, model=HOSTILE), as_json=True)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 4
    assert not set(printed) & set("\x1b\x9b\u202e\r")


def test_a_narrow_terminal_still_shows_what_was_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "console", lambda: Console(width=80, force_terminal=True, markup=False))
    tell(replace(CALL, status="running", prompt_preview="fix the login page"), as_json=False)
    assert "fix the" in capsys.readouterr().out


def test_tail_needs_a_trace_that_exists(anton: Anton) -> None:
    assert anton("proxy", "tail", "--trace", "nothing").exit_code == 4


def test_empty_pages_of_a_search_are_read_past(anton: Anton, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [CallPage((), "1", 0), CallPage((), "2", 0), CallPage((CALL,), None, 0)]
    monkeypatch.setattr(FakeReader, "calls", lambda *_: pages.pop(0))
    assert anton("proxy", "ls", "--calls", "--search", "x").stdout.splitlines()[1].endswith(CALL.call_id)
