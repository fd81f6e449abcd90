"""Flags > environment > file > defaults, and every misunderstanding is named."""

import re
from pathlib import Path

import msgspec
import pytest

from modular_agents.proxy.cli.settings import DEFAULT_DB, OPTIONS, BadValue, check, is_loopback, load, parse_upstream
from modular_agents.proxy.config import Limits, RecorderSettings, Settings
from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.supervisor.keys import Keys
from modular_agents.proxy.supervisor.plan import recorder_role

TOKEN = "dummy-token-of-20-chars"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "proxy.toml"


@pytest.fixture(autouse=True)
def no_settings_of_this_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def upstream_urls(settings: Settings) -> dict[str, str]:
    return {upstream.name: upstream.url for upstream in settings.upstreams}


def test_defaults() -> None:
    settings = load({}, {})
    assert settings == Settings(db=DEFAULT_DB.expanduser(), upstreams=settings.upstreams)
    assert upstream_urls(settings) == {
        "anthropic": "https://api.anthropic.com",
        "openai": "https://api.openai.com",
        "gemini": "https://generativelanguage.googleapis.com",
        "ollama": "http://127.0.0.1:11434",
    }


def test_what_is_nearer_wins(file: Path) -> None:
    file.write_text(
        'port = 1\nworkers = 1\nlog_level = "debug"\n[upstreams]\na = "http://f.example"\nb = "http://f.example"\nc = "http://f.example"\n'
    )
    environment = {"ANTON_PORT": "2", "ANTON_WORKERS": "2", "ANTON_UPSTREAM_A": "http://e.example", "ANTON_UPSTREAM_B": "http://e.example"}
    settings = load({"port": 3, "upstreams": {"a": "http://a.example"}}, environment, file)
    assert (settings.port, settings.workers, settings.log_level) == (3, 2, "debug")
    urls = upstream_urls(settings)
    assert (urls["a"], urls["b"], urls["c"]) == ("http://a.example", "http://e.example", "http://f.example")
    assert "anthropic" in urls


def test_flags_not_given_change_nothing() -> None:
    settings = load({"port": None, "dashboard": None}, {"ANTON_PORT": "2", "ANTON_DASHBOARD": "yes"})
    assert (settings.port, settings.dashboard) == (2, True)


def test_every_option_is_a_field_and_a_variable() -> None:
    assert {option.name for option in OPTIONS} <= set(Settings.__dataclass_fields__)
    assert all(re.fullmatch("ANTON_[A-Z_]+", option.variable) for option in OPTIONS)


def test_the_usual_file_is_read_when_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "anton"
    folder.mkdir(parents=True)
    (folder / "proxy.toml").write_text("port = 77\n")
    assert load({}, {}).port == 77


def test_a_file_named_by_a_variable(file: Path) -> None:
    file.write_text("port = 78\n")
    assert load({}, {"ANTON_CONFIG": str(file)}).port == 78


def test_a_database_in_the_file_lies_beside_it(file: Path) -> None:
    file.write_text('db = "traces.db"\n')
    assert load({}, {}, file).db == file.parent / "traces.db"
    assert load({}, {"ANTON_DB": "x.db"}, file).db == Path.cwd() / "x.db"
    assert load({}, {"ANTON_DB": "~/x.db"}, file).db == Path.home() / "x.db"


def test_price_aliases_reach_the_recorder(file: Path) -> None:
    file.write_text('[prices.aliases]\n"our-4.1" = "openai/gpt-4.1"\n')
    settings = load({}, {}, file)
    assert settings.price_aliases == {"our-4.1": "openai/gpt-4.1"}
    told = msgspec.json.decode(recorder_role(settings, Keys("aa", "dummy")).settings, type=RecorderSettings)
    assert told.price_aliases == settings.price_aliases
    assert load({}, {}).price_aliases == {}


def test_limits(file: Path) -> None:
    file.write_text("[limits]\nfirst_byte_s = 20\nbody_bytes = 1_000\n")
    assert load({}, {}, file).limits == Limits(first_byte_s=20.0, body_bytes=1000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "unknown key 'prot'. Did you mean port"),
        ("zzz = 1", "Known are db,"),
        ("port = 'abc'", "port in .*proxy.toml: 'abc' is not a whole number from 0 to 65,535"),
        ("port = 70000", "not a whole number"),
        ("port = true", "not a whole number"),
        ("port = -1", "not a whole number"),
        ("workers = 0", "from 1 to 64"),
        ("dashboard = 1", "neither true nor false"),
        ("db = ''", "not one line of text"),
        ("db = 7", "not one line of text"),
        ('db = "a\\u0000b"', "not one line of text"),
        ("host = 'a b'", "neither an IP address nor a host name"),
        ("token = 'short'", "at least 16"),
        ("durability = 'most'", "group, full, none"),
        ("port 1", "is not TOML"),
        ("limits = 1", "not a table"),
        ("[prices]\nalias = 1", "unknown key 'alias'. Did you mean aliases"),
        ("[prices]\naliases = 1", r"\[prices.aliases\] in .* is not a table"),
        ("[prices.aliases]\ngpt-4.1 = 'x'", "a name with dots in it stands in quotes"),
        ("[prices.aliases]\nx = ''", "prices.aliases.x in"),
        ("upstreams = 'x'", "not a table"),
        ("[limits]\nbody_size = 1", "unknown key 'body_size'. Did you mean body_bytes"),
        ("[limits]\nbody_bytes = 1.5", "limits.body_bytes in"),
        ("[limits]\nconnect_s = nan", "not a number above 0"),
        ("[limits]\nconnect_s = -1", "not a number above 0"),
        ("[upstreams]\nx = 'ftp://x'", "upstreams.x in .*must begin with http"),
        ("[upstreams]\nx = 1", "not one line of text"),
    ],
)
def test_a_bad_file_is_named(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        load({}, {}, file)


def test_a_missing_or_binary_file_is_named(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load({}, {}, file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load({}, {}, file)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ANTON_PORT", "http", "ANTON_PORT: 'http' is not a whole number"),
        ("ANTON_PRT", "1", "no variable ANTON_PRT. Did you mean ANTON_PORT"),
        ("ANTON_UPSTREAM_X", "x", "ANTON_UPSTREAM_X: 'x' must begin with http"),
        ("ANTON_UPSTREAM_", "http://x", "is no name"),
        ("ANTON_DASHBOARD", "maybe", "neither true nor false"),
    ],
)
def test_a_bad_variable_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load({}, {variable: value})


def test_foreign_variables_are_left_alone() -> None:
    assert load({}, {"ANTON_MODEL_PROVIDER": "x", "ANTON_PORT": ""}).port == 8000


def test_a_bad_flag_is_named() -> None:
    with pytest.raises(UsageError, match="--dashboard-port: 70000 is not"):
        load({"dashboard_port": 70000}, {})


@pytest.mark.parametrize(
    ("url", "written", "mend"),
    [
        ("https://api.openai.com", "https://api.openai.com", True),
        ("https://api.openai.com/", "https://api.openai.com", True),
        ("https://api.openai.com/v1", "https://api.openai.com", True),
        ("https://api.openai.com/v1/", "https://api.openai.com", True),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api", True),
        ("http://host/anthropic", "http://host/anthropic", False),
        ("http://host/v1/x", "http://host/v1/x", False),
        ("HTTP://HOST:80/", "http://host", True),
        ("http://[::1]:8080/v1", "http://[::1]:8080", True),
        ("https://chatgpt.com/backend-api/codex", "https://chatgpt.com/backend-api/codex", False),
        ("http://host/a%2Fb", "http://host/a%2Fb", False),
    ],
)
def test_upstream_urls(url: str, written: str, *, mend: bool) -> None:
    upstream = parse_upstream("x", url)
    assert (upstream.url, upstream.mend) == (written, mend)


BAD_URLS = [
    "",
    "host",
    "host:80",
    "//host",
    "ftp://host",
    "http://",
    "http://:80",
    "http://u:dummy@host",
    "http://host?x=1",
    "http://host/#",
    "http://host?",
    "http://h:99999",
    "http://h:0",
    "http://h:x",
    "http://ho st",
    "http://h/a b",
    "http://[::1",
    "http://höst",
    "http://h/a\nb",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_upstream_urls(url: str) -> None:
    with pytest.raises(BadValue):
        parse_upstream("x", url)


def test_a_secret_in_a_url_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        load({"upstreams": {"x": "https://user:dummy-secret@host"}}, {})
    assert "dummy-secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a" * 41, "é"])
def test_bad_upstream_names(name: str) -> None:
    with pytest.raises(BadValue, match="is no name"):
        parse_upstream(name, "http://host")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "traces.example"])  # noqa: S104 - refused here
def test_wider_than_this_machine_needs_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="Set a token"):
        load({"host": host}, {})
    with pytest.raises(UsageError, match="dashboard would listen"):
        load({"dashboard_host": host, "dashboard": True}, {})
    assert load({"dashboard_host": host}, {}).dashboard_host
    assert load({"host": host}, {"ANTON_TOKEN": TOKEN}).token == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8", "[::1]"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(load({"host": host}, {}).host)


def test_an_upstream_that_is_ourselves() -> None:
    with pytest.raises(UsageError, match="this proxy itself"):
        load({"upstreams": {"x": "http://localhost:8000"}}, {})
    assert load({"upstreams": {"x": "http://localhost:8000"}, "port": 8001}, {}).port == 8001


def test_the_name_of_the_self_test_is_kept() -> None:
    with pytest.raises(UsageError, match="kept for `anton proxy verify`"):
        load({"upstreams": {"anton-verify": "http://h"}}, {})


def test_the_default_upstream_must_exist() -> None:
    with pytest.raises(UsageError, match=r"'opnai' is not configured\. Did you mean openai"):
        load({"default_upstream": "opnai"}, {})
    check(load({"default_upstream": "mine", "upstreams": {"mine": "http://h"}}, {}))
