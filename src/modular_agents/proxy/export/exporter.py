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


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("jsonl", "jsonl", "application/x-ndjson", "every byte and every column; `anton proxy import` reads it", jsonl.write),
        Format("csv", "csv", "text/csv; charset=utf-8", "one row per call, for spreadsheets", csv_rows.write),
        Format("parquet", "parquet", "application/vnd.apache.parquet", "typed columns for analysis", parquet.write, is_text=False),
        Format("har", "har", "application/json", "what crossed the wire, for browsers and HTTP tools", har.write),
        Format("html", "html", "text/html; charset=utf-8", "one page to read and to send, without a server", html_page.write),
    )
}
