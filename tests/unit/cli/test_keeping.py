"""The verbs that search, sum up, price and delete, over a store in memory."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.support.stored import SECOND, T0, given, message, put_all
from typer.testing import CliRunner

from modular_agents import cli
from modular_agents.proxy import app
from modular_agents.proxy.cli.gc import outlook, read_size, shrunk
from modular_agents.proxy.cli.reprice import Change, price_anew
from modular_agents.proxy.cli.search import find, least_cost
from modular_agents.proxy.dashboard.asking import Question
from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.journal.segment import hold_lock
from modular_agents.proxy.model.query import CallFilter, CallPage, Room, StatsQuery
from modular_agents.proxy.store.memory import MemoryStore

Anton = Callable[..., Result]
ALL = CallFilter()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(lambda: T0 + 3600 * SECOND)
    put_all(
        store,
        given(1, thread="th-1", agent="planner", messages=(message("user", "Where is the elephant?"),)).finished(usd=0.5),
        given(2, thread="th-2", messages=(message("user", "An \x1b[31m elephant"),), model="ours").finished("A giraffe.", usd=None),
        given(3, thread="th-3", messages=(message("user", "Hello"),)),
    )
    return store


@pytest.fixture
def anton(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Anton:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(app, "build_reader", lambda _: store.reader())
    monkeypatch.setattr(app, "build_store", lambda _: store)
    db = tmp_path / "traces.db"
    db.touch()
    return lambda *words: CliRunner().invoke(cli.anton, ["proxy", *words, "--db", str(db)])


def add_alias(folder: Path) -> None:
    (folder / "anton").mkdir()
    (folder / "anton" / "proxy.toml").write_text('[prices.aliases]\nours = "openai/gpt-5"\n')


def test_a_search_shows_the_line_under_each_call(anton: Anton) -> None:
    heading, second, hostile, first, prompt = anton("search", "elephant").stdout.splitlines()
    assert heading.split() == ["AGENT", "MODEL", "AGE", "COST", "CALL", "TRACE"]
    assert second.split()[-2] == given(2).call_id
    assert hostile == "   prompt: An \\e[31m elephant"
    assert "planner" in first
    assert prompt == "   prompt: Where is the elephant?"


def test_a_search_is_narrowed(anton: Anton) -> None:
    def found(*words: str) -> list[str]:
        return [item["call_id"] for item in json.loads(anton("search", *words, "--json").stdout)["items"]]

    assert found("eleph*") == [given(2).call_id, given(1).call_id]
    assert found("elephant", "giraffe") == [given(2).call_id]
    assert found("elephant", "--agent", "planner") == [given(1).call_id]
    assert found("elephant", "--model", "ours", "--status", "failed") == []
    assert found("elephant", "--cost", ">=0.5") == [given(1).call_id]
    assert found("elephant", "--cost", ">0.5") == []
    assert found("elephant", "--since", "1h") == []
    assert found("elephant", "--until", "1h") == [given(2).call_id, given(1).call_id]
    assert found("elephant", "--until", "2025-10-09T08:53:21.5Z") == [given(1).call_id]
    nothing = anton("search", "rhinoceros")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "Nothing found.\n")


def test_a_search_goes_on_until_there_are_enough(store: MemoryStore, anton: Anton) -> None:
    """The SQLite reader looks at a bounded number of calls at a time: pages may be empty and still go on."""
    whole = store.reader().calls(CallFilter(text="elephant"), None, 10)
    pages = {
        None: CallPage((), "a", 1),
        "a": CallPage(whole.items[:1], "b", 2, whole.snippets[:1]),
        "b": CallPage(whole.items[1:], "c", 3, whole.snippets[1:]),
    }
    reader = store.reader()
    reader.calls = lambda _where, cursor, _limit: pages[cursor]  # type: ignore[method-assign]
    page = find(reader, Question(ALL, None, 2))
    assert (page.items, page.snippets, page.next_cursor, page.seq) == (whole.items, whole.snippets, "c", 3)
    assert "--cursor" in anton("search", "elephant", "-n", "1").stderr


@pytest.mark.parametrize(("said", "least"), [("0.01", 0.01), (">=0.01", 0.01), ("$2", 2.0), ("> 1", 1.0000000000000002)])
def test_least_cost(said: str, least: float) -> None:
    assert float(least_cost(said)) == least


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search", "!?"), "There is no word in '!?'"),
        (("search", "x", "--cost", "<1"), "in quotes"),
        (("search", "x", "--cost", ">1.2.3"), "is not a least cost"),
        (("search", "x", "--since", "yesterday"), "is not a time"),
        (("stats", "--by", "week"), "model, agent, provider, day"),
        (("stats", "--since", "x"), "--since='x' is not a time"),
        (("gc", "--max-size", "5 apples"), "5GiB"),
        (("gc", "--older-than", "old"), "--older-than='old' is not a time"),
        (("reprice", "--since", "x"), "is not a time"),
    ],
)
def test_wrong_use_is_one_line(anton: Anton, words: tuple[str, ...], said: str) -> None:
    result = anton(*words)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert said in result.stderr


def test_statistics(anton: Anton) -> None:
    heading, dear, free, whole = anton("stats").stdout.splitlines()
    assert heading.split() == ["MODEL", "CALLS", "ERRORS", "IN", "CACHED", "OUT", "COST", "MEAN", "TIME", "TOKENS/S"]
    assert dear.split()[:7] == ["claude-sonnet-4-5", "1", "0", "100", "0", "20", "$0.5000"]
    assert free.split()[:7] == ["ours", "1", "0", "100", "0", "20", "?"]
    assert whole.split()[:7] == ["all", "2", "0", "200", "0", "40", "$0.5000+?"]
    assert anton("stats", "--by", "day").stdout.splitlines()[1].split()[:2] == ["2025-10-09", "2"]
    assert "(no agent)" in anton("stats", "--by", "agent").stdout
    told = json.loads(anton("stats", "--by", "provider", "--json").stdout)
    assert (told["by"], told["stats"]["total"]["calls"], told["sizes"]) == ("provider", 2, [])
    assert anton("stats", "--since", "1h").stderr == "No call has ended in this time.\n"


def test_a_price_is_explained(anton: Anton, tmp_path: Path) -> None:
    lines = anton("prices", "claude-sonnet-4-5").stdout.splitlines()
    assert lines[1].startswith("entry   anthropic/claude-sonnet-4-5 in genai-prices ")
    assert lines[2] == "why     claude-sonnet-4-5 at Anthropic"
    (row,) = [line.split() for line in lines if line.startswith("input ")]
    assert row == ["input", "$3.00", "million", "tokens", "$6.00", "if", "input", ">", "200k"]
    assert "tier    batch" in anton("prices", "gpt-5", "--tier", "batch").stdout
    assert "price   $0" in anton("prices", "qwen3", "--provider", "ollama").stdout
    unknown = anton("prices", "ours")
    assert (unknown.exit_code, unknown.stdout) == (4, "")
    assert '[prices.aliases] "ours" = "provider/model"' in unknown.stderr
    add_alias(tmp_path)
    assert json.loads(anton("prices", "ours", "--json").stdout)["entry"] == "openai/gpt-5"


def test_calls_are_priced_anew(anton: Anton, store: MemoryStore, tmp_path: Path) -> None:
    add_alias(tmp_path)
    dry = anton("reprice", "--dry-run").stdout.splitlines()
    assert [line.split()[:2] for line in dry[1:3]] == [["claude-sonnet-4-5", "1"], ["ours", "1"]]
    assert "1 had no price" in dry[2]
    assert dry[3] == "2 calls looked at: 2 would get another price."
    assert store.reader().stats(StatsQuery()).total.unpriced == 1, "nothing was written"
    assert anton("reprice", "--since", "1h").stdout == "0 calls looked at: 0 got another price.\n"


def test_priced_anew_twice_changes_nothing_more(store: MemoryStore) -> None:
    price = app.build_price({"ours": "openai/gpt-5"})
    first = price_anew(store.reader(), store, price, 0)
    assert sum(change.calls for change in first.by_model.values()) == 2
    assert store.reader().stats(StatsQuery()).total.unpriced == 0
    again = price_anew(store.reader(), store, price, 0)
    assert (again.looked_at, again.explained, again.by_model) == (2, 0, {})


@pytest.mark.parametrize("words", [("gc", "--older-than", "1h"), ("reprice",)])
def test_a_running_recorder_is_left_alone(anton: Anton, tmp_path: Path, words: tuple[str, ...]) -> None:
    journal = tmp_path / "traces.db.journal"
    journal.mkdir()
    held = hold_lock(journal / app.RECORDER_LOCK)
    assert held is not None
    result = anton(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "one writer at a time" in result.stderr
    assert "anton proxy stop" in result.stderr
    assert anton(*words, "--dry-run").exit_code == 0


def test_old_calls_go(anton: Anton, store: MemoryStore) -> None:
    assert anton("gc", "--older-than", "2025-10-09T08:53:22Z", "--dry-run").stdout == "1 of 3 calls are old enough to go.\n"
    assert anton("gc", "--older-than", "2025-10-09T08:53:22Z").stdout.startswith("1 of 3 calls deleted. ")
    assert [row.call_id for row in store.reader().calls(ALL, None, 5).items] == [given(3).call_id, given(2).call_id]


def test_what_the_settings_keep_is_the_measure(anton: Anton, monkeypatch: pytest.MonkeyPatch) -> None:
    assert anton("gc", "--dry-run").stdout.startswith("2 of 3 calls are old enough to go.\n0 B are in use, not more than 5.4 GB")
    monkeypatch.setenv("ANTON_KEEP_DAYS", "0")
    monkeypatch.setenv("ANTON_KEEP_BYTES", "0")
    assert anton("gc", "--dry-run").stdout == "There is no limit to what is kept: nothing would go.\n"


def test_what_a_size_costs_is_estimated() -> None:
    assert outlook(Room(100, 0, 3000), None, 1000) == "3.0 kB are in use, 2.0 kB too much: about the 67 oldest calls would go for that."


def test_what_became_of_the_file() -> None:
    assert shrunk(9_000_000, 2_000_000, 1_950_000) == "The database went from 9.0 MB to 2.0 MB."
    assert shrunk(9_000_000, 9_000_000, 2_000_000) == "The database has 9.0 MB, 7.0 MB of it free for new calls."


def test_no_price_is_not_a_price_of_nothing() -> None:
    assert (Change(2, 0.0, 1.5, newly_priced=2).before, Change(2, 1.0, 0.0, newly_unpriced=2).after) == (None, None)
    assert (Change(2, 1.0, 1.5, newly_priced=1).before, Change(2, 1.0, 0.0, newly_unpriced=1).after) == (1.0, 0.0)


@pytest.mark.parametrize(("said", "size"), [("5GB", 5_000_000_000), ("1.5 MiB", 1_572_864), ("10kb", 10_000), ("0B", 0)])
def test_sizes_are_read(said: str, size: int) -> None:
    assert read_size(said) == size


@pytest.mark.parametrize("said", ["5", "GB", "-1GB", "1e3MB", "\u0665GB"])
def test_what_is_no_size(said: str) -> None:
    with pytest.raises(UsageError):
        read_size(said)
