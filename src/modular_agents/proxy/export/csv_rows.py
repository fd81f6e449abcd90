"""One row per call for spreadsheets and data frames (RFC 4180). The columns and their order are a contract: new ones come at the end.

A cell that a spreadsheet would take for a formula begins with an apostrophe, for what a model said is not to be run. An unknown number
is an empty cell. Lists are JSON.
"""

import csv
import io
from collections.abc import Iterator

import msgspec

from modular_agents.proxy.export.source import Source
from modular_agents.proxy.model.query import CallDetail

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes LibreOffice, Excel and Google Sheets calculate a cell (OWASP, "CSV Injection")."""
CELL_CHARS = 32_767
"""As much as one cell of a spreadsheet holds; the rest is in the other formats. A cut cell ends in `…`."""
COLUMNS = (
    "call_id",
    "trace_id",
    "thread_id",
    "parent_id",
    "created_at",
    "ended_at",
    "status",
    "kind",
    "provider",
    "operation",
    "model",
    "model_response",
    "agent_name",
    "stream",
    "duration_ms",
    "ttft_ms",
    "tokens_input",
    "tokens_output",
    "tokens_cache_read",
    "tokens_cache_write",
    "tokens_reasoning",
    "usage_source",
    "cost_usd",
    "cost_why",
    "finish_reason",
    "http_status",
    "error",
    "error_whose",
    "error_kind",
    "prompt",
    "response",
    "tool_names",
    "request_id",
    "upstream",
    "format",
    "method",
    "path",
    "replay_of",
    "flags",
)

Cell = str | int | float


def write(source: Source) -> Iterator[bytes]:
    """Yield the table: a head, then a row for each call."""
    yield _line(COLUMNS)
    for detail in source.details():
        yield _line([_cell(value) for value in values(detail)])


def values(detail: CallDetail) -> list[str | int | float | bool | tuple[str, ...] | None]:
    """Return what the columns hold for a call, before it is spelled for a table."""
    call = detail.call
    return [
        call.call_id,
        call.trace_id,
        call.thread_id,
        call.parent_id,
        call.created_at,
        call.ended_at,
        call.status,
        call.kind,
        call.provider,
        call.operation,
        call.model,
        detail.model_response,
        call.agent_name,
        call.stream,
        call.duration_ms,
        call.ttft_ms,
        call.tokens_input,
        call.tokens_output,
        call.tokens_cache_read,
        call.tokens_cache_write,
        call.tokens_reasoning,
        call.usage_source,
        call.cost_usd,
        detail.cost.why,
        call.finish_reason,
        call.http_status,
        call.error,
        detail.error_whose,
        detail.error_kind,
        prompt_of(detail),
        answer_of(detail),
        call.tool_names,
        detail.request_id,
        call.upstream,
        call.format,
        call.method,
        call.path,
        call.replay_of,
        call.flags,
    ]


def prompt_of(detail: CallDetail) -> str:
    """Return the last user text that has words."""
    for message in reversed(detail.messages):
        if message.role == "user" and (text := "\n".join(part.text for part in message.parts if part.kind == "text" and part.text)):
            return text
    return ""


def answer_of(detail: CallDetail) -> str:
    """Return the text of the first answer, as the contract's `llm_calls.response` shows it."""
    return "".join(part.text for part in detail.answers[0].parts if part.kind in {"text", "refusal"}) if detail.answers else ""


def _cell(value: object) -> Cell:
    match value:
        case None:
            return ""
        case bool():
            return int(value)
        case int() | float():
            return value
        case tuple():
            return safe(msgspec.json.encode(value).decode()) if value else ""
        case _:
            return safe(str(value))


def safe(text: str) -> str:
    """Return a text that no spreadsheet calculates, in one cell's length. NUL, which no table can hold, becomes U+FFFD."""
    text = text.replace("\0", "\ufffd")
    if text.startswith(FORMULA_STARTS):
        text = "'" + text
    return text if len(text) <= CELL_CHARS else text[: CELL_CHARS - 1] + "…"


def _line(cells: tuple[str, ...] | list[Cell]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode("utf-8", "replace")
