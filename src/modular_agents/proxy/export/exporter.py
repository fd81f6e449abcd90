"""One exporter: a format is a name, a suffix and a function from calls to bytes. Nothing of an export waits in memory but one piece."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modular_agents.proxy.export import csv_rows, har, html_page, jsonl, parquet
from modular_agents.proxy.export.source import Source


@dataclass(frozen=True, slots=True)
class Format:
    """A format. `write` yields the file piece by piece. `is_text`: a person may read it in an editor."""

    name: str
    suffix: str
    media_type: str
    about: str
    write: Callable[[Source], Iterator[bytes]]
    is_text: bool = True


def _otlp(source: Source) -> Iterator[bytes]:
    from modular_agents.proxy.export import otlp  # noqa: PLC0415 - protobuf is loaded by whoever wants it

    return otlp.write(source)


PIECE_BYTES = 64 * 1024
"""Small pieces are gathered to this size before they are handed on."""

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("jsonl", "jsonl", "application/x-ndjson", "every byte and every column; `anton proxy import` reads it", jsonl.write),
        Format("csv", "csv", "text/csv; charset=utf-8", "one row per call, for spreadsheets", csv_rows.write),
        Format("parquet", "parquet", "application/vnd.apache.parquet", "typed columns for analysis", parquet.write, is_text=False),
        Format("har", "har", "application/json", "what crossed the wire, for browsers and HTTP tools", har.write),
        Format("html", "html", "text/html; charset=utf-8", "one page to read and to send, without a server", html_page.write),
        Format("otlp", "otlp", "application/x-protobuf", "spans for OpenTelemetry, with GenAI attributes", _otlp, is_text=False),
    )
}


def pieces(form: Format, source: Source) -> Iterator[bytes]:
    """Yield an export in pieces worth writing."""
    waiting: list[bytes] = []
    size = 0
    for piece in form.write(source):
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
