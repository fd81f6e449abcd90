"""Query strings become values or a sentence that says what is wrong with them; nothing is guessed, clipped or ignored."""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.model.call import Status
from modular_agents.proxy.model.query import CallFilter

DEFAULT_PAGE = 100
MAX_PAGE = 500
"""Rows a page: about 0.5 MB of JSON."""
MAX_TEXT_CHARS = 1000
"""A search of more words than this is a paste gone wrong."""
MAX_NAME_CHARS = 200
"""As long as the longest id or name that is ever stored."""
MAX_CURSOR_CHARS = 512
MAX_COST_USD = 1e9
MAX_SEQ = 2**53 - 1
"""The largest number that survives JavaScript."""
MAX_YEARS = 100
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)

TRACE_STATUSES = ("running", "completed", "failed")
CALL_STATUSES = tuple(status.value for status in Status)


class BadQuestion(UsageError):
    """The caller's: a parameter that is no value. `hint` says what would be."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, as it is read and as the documents describe it."""

    name: str
    about: str


TEXT = Parameter("q", "Full-text search over prompts and answers, at most 1,000 characters.")
FILTERS: tuple[Parameter, ...] = (
    TEXT,
    Parameter("model", "Calls of this model, as requested or as answered; traces that have one."),
    Parameter("agent", "Calls of this agent; traces that have one."),
    Parameter("provider", "`claude`, `openai`, `gemini`, `ollama`, or the name of a configured upstream."),
    Parameter("status", "Traces: `running`, `completed`, `failed`. Calls: also `cancelled`, `interrupted`."),
    Parameter("error", "`1`: only with an error; `0`: only without."),
    Parameter("since", "Not older than: a UTC time (`2026-11-22T09:30:00Z`, `2026-11-22`) or an age (`90s`, `15m`, `2h`, `7d`, `4w`)."),
    Parameter("until", "Older than; written as `since`."),
    Parameter("min_cost", "Costs at least this many USD; unpriced calls are left out."),
)
PAGING: tuple[Parameter, ...] = (
    Parameter("cursor", "`next_cursor` of the page before."),
    Parameter("limit", "Rows of a page, 1 to 500; 100 when not given."),
)
TRACE = Parameter("trace", "Calls of this trace.")
AGAINST = Parameter("against", "The earlier call, by its id; the turn that the call continues when not given.")
FORMAT = Parameter("format", "Of an export: `jsonl`, `csv`, `parquet`, `har`, `otlp`, `html`.")


@dataclass(frozen=True, slots=True)
class Question:
    """What a list is asked for."""

    where: CallFilter
    cursor: str | None
    limit: int


def read_query(query: bytes, known: tuple[Parameter, ...]) -> dict[str, str]:
    """Return the parameters of a query string; raises `BadQuestion` for one that is unknown or given twice. Empty values are left out."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise BadQuestion("The query is not UTF-8 text, percent-encoded.", "Encode it as a browser does.") from None
    names = [parameter.name for parameter in known]
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(names) or 'none'}."
            raise BadQuestion(f"There is no parameter {name[:40]!r} here.", hint)
        if name in values:
            raise BadQuestion(f"The parameter {name!r} is given twice.", "Give it once.")
        if "\0" in value:
            raise BadQuestion(f"The parameter {name!r} holds a NUL character.", "Leave it out.")
        values[name] = value
    return {name: value for name, value in values.items() if value}


def read_question(query: bytes, known: tuple[Parameter, ...], statuses: tuple[str, ...], now_s: Callable[[], float]) -> Question:
    """Return what a list of traces or calls is asked for by a query string; raises `BadQuestion`."""
    return make_question(read_query(query, known), statuses, now_s)


def make_question(values: Mapping[str, str], statuses: tuple[str, ...], now_s: Callable[[], float]) -> Question:
    """Return what a list of traces or calls is asked for by parameters; raises `BadQuestion`."""

    def text(name: str, most: int = MAX_NAME_CHARS) -> str | None:
        return _bounded(name, values[name], most) if name in values else None

    status = text("status")
    if status is not None and status not in statuses:
        raise BadQuestion(f"There is no status {status[:40]!r}.", f"One of {', '.join(statuses)}.")
    where = CallFilter(
        trace_id=text("trace"),
        model=text("model"),
        agent=text("agent"),
        provider=text("provider"),
        status=status,
        has_error=_flag("error", values["error"]) if "error" in values else None,
        since_ns=moment_ns("since", values["since"], now_s) if "since" in values else None,
        until_ns=moment_ns("until", values["until"], now_s) if "until" in values else None,
        min_cost_usd=_money("min_cost", values["min_cost"]) if "min_cost" in values else None,
        text=text("q", MAX_TEXT_CHARS),
    )
    limit = _whole("limit", values["limit"], 1, MAX_PAGE) if "limit" in values else DEFAULT_PAGE
    return Question(where, text("cursor", MAX_CURSOR_CHARS), limit)


def read_after(query: bytes) -> int | None:
    """Return the sequence number a WebSocket resumes after; None means from now on."""
    values = read_query(query, (Parameter("after", ""),))
    return _whole("after", values["after"], 0, MAX_SEQ) if "after" in values else None


def _bounded(name: str, value: str, most: int) -> str:
    if len(value) > most:
        raise BadQuestion(f"The parameter {name!r} is too long ({len(value):,} characters).", f"At most {most:,}.")
    return value


def _flag(name: str, value: str) -> bool:
    if value not in {"0", "1", "true", "false"}:
        raise BadQuestion(f"{name}={value[:40]!r} is neither yes nor no.", f"{name}=1 or {name}=0.")
    return value in {"1", "true"}


def _whole(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 16 and least <= int(value) <= most):  # noqa: PLR2004 - digits of MAX_SEQ
        raise BadQuestion(f"{name}={value[:40]!r} is not a whole number from {least} to {most}.", f"For example {name}={min(most, 50)}.")
    return int(value)


def _money(name: str, value: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MAX_COST_USD:
        raise BadQuestion(f"{name}={value[:40]!r} is not an amount of USD.", f"For example {name}=0.05.")
    return amount


def moment_ns(name: str, value: str, now_s: Callable[[], float]) -> int:
    """Return the UTC nanoseconds that a time or an age means; raises `BadQuestion`, which calls the parameter `name`."""
    ago = _AGO.fullmatch(value)
    if ago is not None:
        seconds = int(ago[1]) * _SECONDS[ago[2]]
        if seconds <= MAX_YEARS * 366 * 86400:
            return int((now_s() - seconds) * 1e9)
    else:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and 1970 <= moment.year < 2200:  # noqa: PLR2004 - years whose nanoseconds fit 63 bits
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return max(0, int(aware.timestamp()) * 1_000_000_000 + aware.microsecond * 1000)
    raise BadQuestion(f"{name}={value[:40]!r} is not a time.", "A UTC time as 2026-11-22T09:30:00Z, a day, or an age as 15m, 2h, 7d.")
