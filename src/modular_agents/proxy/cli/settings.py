"""Settings come from flags > environment > file > defaults, and whatever is not understood is an error that says where it stands.

Each setting is one line of `OPTIONS`: its name is the key in the file, and `ANTON_` + its name in capitals the variable.
Upstreams are merged by name, so a flag replaces one and leaves the others.
"""

import difflib
import ipaddress
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from modular_agents.proxy.config import DEFAULT_UPSTREAMS, SELF_TEST, Limits, Settings, Upstream
from modular_agents.proxy.errors import UsageError

Value = TypeVar("Value")

DEFAULT_DB = Path("~/.modular-agents/proxy_traces.db")
MAX_WORKERS = 64
"""More worker processes than any machine this runs on has use for."""
MIN_TOKEN_CHARS = 16
LIKENESS = 0.75
"""From this likeness on (difflib), an unknown `ANTON_` variable is taken for a misspelt one of ours."""
_PREFIX = "ANTON_"
_UPSTREAM_PREFIX = "ANTON_UPSTREAM_"
_UPSTREAM_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,251}[a-z0-9.])?", re.ASCII)


class BadValue(ValueError):
    """A value that is none; the text says why and what would be one."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting. `read` takes what a file or a variable says, and returns the value or raises `BadValue`."""

    name: str
    read: Callable[[object], object]
    about: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return _PREFIX + self.name.upper()


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise BadValue(f"{value!r} is not one line of text")
    return value.strip()


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _host(value: object) -> str:
    text = _text(value).strip("[]").lower()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if _HOST_NAME.fullmatch(text) is None:
            raise BadValue(f"{value!r} is neither an IP address nor a host name") from None
        return text


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 20:  # noqa: PLR2004 - digits of 2^63
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadValue(f"{value!r} is not a whole number from {least:,} to {most:,}")
        return value

    return read


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise BadValue(f"{value!r} is not a number above 0")
    return float(value)


def _flag(value: object) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    if not isinstance(value, bool):
        raise BadValue(f"{value!r} is neither true nor false")
    return value


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise BadValue(f"{value!r} is not one of {', '.join(words)}")
        return value

    return read


def _token(value: object) -> str:
    text = _text(value)
    if len(text) < MIN_TOKEN_CHARS or not text.isascii() or " " in text:
        raise BadValue(f"it must be at least {MIN_TOKEN_CHARS} ASCII characters without spaces")
    return text


def _names(value: object) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list):
        raise BadValue(f"{value!r} is not a list of names")
    return tuple(_text(word).lower() for word in words)


def _collector(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise BadValue("it is no URL as http://127.0.0.1:4318 (keys go into OTEL_EXPORTER_OTLP_HEADERS)")
    return text


_BYTES_MOST = 2**50
OPTIONS: tuple[Option, ...] = (
    Option("db", _path, "Where everything is recorded: one SQLite file."),
    Option("host", _host, "Address the proxy listens on; wider than this machine only with a token."),
    Option("port", _whole(0, 65535), "Port of the proxy; 0 takes any free one."),
    Option("workers", _whole(1, MAX_WORKERS), "Relay processes that share the port."),
    Option("dashboard", _flag, "Start the dashboard with the proxy."),
    Option("dashboard_host", _host, "Address the dashboard listens on."),
    Option("dashboard_port", _whole(0, 65535), "Port of the dashboard; 0 takes any free one."),
    Option("dashboard_names", _names, "Further host names the dashboard answers to, each with its port."),
    Option("token", _token, "What clients send as X-Anton-Token when the proxy listens wider than this machine."),
    Option("default_upstream", _text, "Upstream of requests that show no other sign."),
    Option(
        "durability",
        _one_of("group", "full", "none"),
        "When the journal is forced to disk: every 200 ms, before each answer, or when the kernel likes.",
    ),
    Option(
        "journal_cap_bytes",
        _whole(2**20, _BYTES_MOST),
        "Largest journal while the database cannot be written; beyond it records are dropped and counted.",
    ),
    Option("keep_days", _whole(0, 36_500), "Calls older than this are deleted; 0 keeps them for ever."),
    Option("keep_bytes", _whole(0, _BYTES_MOST), "Largest database: beyond it the oldest calls are deleted; 0 sets no limit."),
    Option("client_identity", _flag, "Ask this machine which of its processes makes each connection."),
    Option("otlp_endpoint", _collector, "OpenTelemetry collector that gets every call when it has ended, as http://127.0.0.1:4318."),
    Option("log_level", _one_of("debug", "info", "warning", "error"), "How much the proxy says of itself on stderr."),
    Option("log_format", _one_of("text", "json"), "How it says that: lines for people, or a JSON object per line."),
)
_BY_NAME = {option.name: option for option in OPTIONS}
_TABLES = ("upstreams", "limits", "prices")


def parse_upstream(name: str, url: str) -> Upstream:
    """Return the upstream that a URL describes. Raises `BadValue`.

    A path is a prefix of every request's; a `/v1` at its end is how people write base URLs and is not doubled. A path
    without it is taken as complete: nothing is added to what clients ask for.
    """
    if _UPSTREAM_NAME.fullmatch(name) is None:
        raise BadValue(f"{name!r} is no name: small letters, digits, '-', '_' and '.', at most 40")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise BadValue(f"{url!r} is no URL") from None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in {"http", "https"}:
        raise BadValue(f"{url!r} must begin with http:// or https://")
    if "@" in parts.netloc:
        raise BadValue("the URL holds a user name or a key; leave it out, clients send their own")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise BadValue(f"{url!r} must end with its path: no '?' or '#'")
    if port == 0 or not url.isascii() or any(letter.isspace() or not letter.isprintable() for letter in url.strip()):
        raise BadValue(f"{url!r} is no URL")
    path = re.sub(r"(?i)/v1$", "", parts.path.rstrip("/"))
    complete = bool(parts.path.strip("/")) and path == parts.path.rstrip("/")
    return Upstream(name, scheme, _host(host), port or {"http": 80, "https": 443}[scheme], path.rstrip("/"), mend=not complete)


def load(flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None, *, use_file: bool = True) -> Settings:
    """Return the settings. `flags` holds what was given on the command line: names of `OPTIONS`, and `upstreams` as name → URL.

    `file` None means `anton/proxy.toml` in the person's configuration folder, when it is there and `use_file`. Raises `UsageError`.
    """
    values: dict[str, object] = {"db": DEFAULT_DB.expanduser()}
    upstreams = {name: parse_upstream(name, url) for name, url in DEFAULT_UPSTREAMS.items()}
    limits, aliases = Limits(), dict[str, str]()
    chosen = file if file is not None else _from(environment.get("ANTON_CONFIG"))
    path = chosen if chosen is not None else usual_file()
    if use_file and (chosen is not None or path.exists()):
        document = _read_file(path)
        _take(values, ((name, value, f"{name} in {path}") for name, value in document.items() if name not in _TABLES))
        if isinstance(values["db"], Path) and "db" in document:
            values["db"] = path.parent.absolute() / values["db"]
        upstreams |= _upstreams((name, url, f"upstreams.{name} in {path}") for name, url in _table(document, "upstreams", path))
        limits = _limits(_table(document, "limits", path), path)
        aliases = _aliases(_table(document, "prices", path), path)
    _take(values, _variables(environment))
    upstreams |= _upstreams(
        (name.removeprefix(_UPSTREAM_PREFIX).lower(), url, name) for name, url in environment.items() if name.startswith(_UPSTREAM_PREFIX)
    )
    _take(values, ((name, value, _flag_name(name)) for name, value in flags.items() if name != "upstreams" and value is not None))
    given = cast("Mapping[str, object]", flags.get("upstreams") or {})
    upstreams |= _upstreams((name, url, f"upstream {name}") for name, url in given.items())
    values["db"] = cast("Path", values["db"]).absolute()
    settings = Settings(**cast("Any", values), upstreams=tuple(upstreams.values()), limits=limits, price_aliases=aliases)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Raise `UsageError` for settings that contradict each other."""
    names = [upstream.name for upstream in settings.upstreams]
    if settings.default_upstream not in names:
        raise UsageError(
            f"The default upstream {settings.default_upstream!r} is not configured.{_nearest(settings.default_upstream, names)}"
        )
    if SELF_TEST in names:
        raise UsageError(f"The upstream name {SELF_TEST} is kept for `anton proxy verify`. Choose another.")
    for what, host in (("proxy", settings.host), ("dashboard", settings.dashboard_host)):
        if not is_loopback(host) and settings.token is None and (what == "proxy" or settings.dashboard):
            raise UsageError(
                f"The {what} would listen on {host}, where others can reach it, read your prompts and spend on your keys' behalf. "
                "Set a token (ANTON_TOKEN, at least 16 characters) that clients send as X-Anton-Token, or listen on 127.0.0.1."
            )
    for upstream in settings.upstreams:
        if is_loopback(upstream.host) and upstream.port == settings.port != 0:
            raise UsageError(f"The upstream {upstream.name} ({upstream.url}) is this proxy itself. Choose another --port, or mend its URL.")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def usual_file() -> Path:
    """Return where the settings file is looked for when nobody names one."""
    from platformdirs import user_config_path

    return user_config_path("anton", appauthor=False) / "proxy.toml"


def _from(value: str | None) -> Path | None:
    return Path(value).expanduser() if value else None


def _read_file(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The settings file {path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}."
        ) from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The settings file {path} is not TOML: {error}.") from None
    for name in document:
        if name not in _BY_NAME and name not in _TABLES:
            raise UsageError(f"The settings file {path} has an unknown key {name!r}.{_nearest(name, [*_BY_NAME, *_TABLES])}")
    return document


def _table(document: Mapping[str, object], name: str, path: Path) -> Iterable[tuple[str, object]]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"[{name}] in {path} is not a table.")
    return cast("dict[str, object]", table).items()


def _limits(entries: Iterable[tuple[str, object]], path: Path) -> Limits:
    kinds = {field.name: field.type for field in fields(Limits)}
    values: dict[str, object] = {}
    for name, value in entries:
        if name not in kinds:
            raise UsageError(f"[limits] in {path} has an unknown key {name!r}.{_nearest(name, list(kinds))}")
        read = _amount if kinds[name] is float else _whole(1, _BYTES_MOST)
        values[name] = _said(read, value, f"limits.{name} in {path}")
    return Limits(**cast("Any", values))


def _aliases(entries: Iterable[tuple[str, object]], path: Path) -> dict[str, str]:
    """Return the names of models by which prices are looked up, from the table `[prices]`."""
    found: dict[str, str] = {}
    for name, table in entries:
        if name != "aliases":
            raise UsageError(f"[prices] in {path} has an unknown key {name!r}.{_nearest(name, ['aliases'])}")
        if not isinstance(table, dict):
            raise UsageError(f"[prices.aliases] in {path} is not a table.")
        found |= {model: _said(_alias, value, f"prices.aliases.{model} in {path}") for model, value in table.items()}
    return found


def _alias(value: object) -> str:
    if isinstance(value, dict):
        raise BadValue("a name with dots in it stands in quotes")
    return _text(value)


def _variables(environment: Mapping[str, str]) -> Iterable[tuple[str, object, str]]:
    """Yield settings from variables; raises `UsageError` for one that looks like a misspelt one of ours."""
    known = {option.variable: option.name for option in OPTIONS}
    for variable, value in environment.items():
        if variable in known and value:
            yield known[variable], value, variable
        elif variable.startswith(_PREFIX) and not variable.startswith(_UPSTREAM_PREFIX) and variable not in {*known, "ANTON_CONFIG"}:
            near = difflib.get_close_matches(variable, known, 1, LIKENESS)
            if near:
                raise UsageError(f"There is no variable {variable}. Did you mean {near[0]}?")


def _take(values: dict[str, object], entries: Iterable[tuple[str, object, str]]) -> None:
    for name, value, where in entries:
        values[name] = value if isinstance(value, Path) else _said(_BY_NAME[name].read, value, where)


def _upstreams(entries: Iterable[tuple[str, object, str]]) -> dict[str, Upstream]:
    found = {}
    for name, url, where in entries:
        found[name] = _said(partial(_upstream, name), url, where)
    return found


def _upstream(name: str, url: object) -> Upstream:
    return parse_upstream(name, _text(url))


def _said(read: Callable[[object], Value], value: object, where: str) -> Value:
    try:
        return read(value)
    except BadValue as error:
        raise UsageError(f"{where}: {error}.") from None


def _flag_name(name: str) -> str:
    return "--" + name.replace("_", "-")


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    return f" Did you mean {near[0]}?" if near else f" Known are {', '.join(names)}."
