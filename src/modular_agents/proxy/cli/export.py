"""`anton proxy export`: what was recorded, for other tools, into a file or a pipe."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from modular_agents.proxy.cli.options import Config, Db, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.export.collector import Pushed
    from modular_agents.proxy.export.exporter import Format
    from modular_agents.proxy.export.source import Source, Wanted
    from modular_agents.proxy.ports import Reader

WHICH, WHERE_TO = "Which calls (all that have ended, when nothing is said)", "Where to"

EXAMPLES = """\
Examples:
  anton proxy export --format jsonl -o run.jsonl             everything, to bring back with import
  anton proxy export --format csv --since 7d > calls.csv
  anton proxy export --format jsonl --trace nightly-42 | jq -r .model | sort | uniq -c
  anton proxy export --format html --trace nightly-42 -o run.html
  anton proxy export --format csv --filter 'agent:api has:error cost:>0.10 timeout'
  anton proxy export --format otlp --push --endpoint http://127.0.0.1:4318

Exit codes: 0 done, 1 it could not be written or sent, 2 wrong use (also: the file is there already), 4 no call fits.
"""
PIPE = "-"


def export(
    form: Annotated[str, option("jsonl, csv, parquet, har, html or otlp.", None, "--format", value="FORMAT")],
    traces: Annotated[
        list[str] | None, option("Of this trace, or the trace of this call; repeat for more.", WHICH, "--trace", value="ID")
    ] = None,
    since: Annotated[str | None, option("Not older than: 15m, 2h, 7d, or a UTC time.", WHICH, value="TIME")] = None,
    until: Annotated[str | None, option("Older than; written as --since.", WHICH, value="TIME")] = None,
    narrowed: Annotated[
        str | None,
        option("As in search boxes: words, model: agent: provider: status: cost:>0.10 has:error.", WHICH, "--filter", value="TEXT"),
    ] = None,
    content: Annotated[
        bool, option("With otlp: what was said, too (also: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT).", WHICH, "--content")
    ] = False,
    output: Annotated[str, option("A file; - is standard output.", WHERE_TO, "--output", "-o", value="FILE", usual="-")] = PIPE,
    force: Annotated[bool, option("Replace the file when it is there.", WHERE_TO, "--force")] = False,
    as_json: Annotated[bool, option("Print what was written as JSON (with --output FILE).", WHERE_TO, "--json")] = False,
    push: Annotated[bool, option("With otlp: send to a collector instead.", WHERE_TO, "--push")] = False,
    endpoint: Annotated[
        str | None, option("The collector, for example http://127.0.0.1:4318.", WHERE_TO, value="URL", usual="OTEL_EXPORTER_OTLP_ENDPOINT")
    ] = None,
    db: Db = None,
    config: Config = None,
) -> None:
    """Write recorded calls to a file or a pipe, for other tools.

    Works beside a running proxy. Calls that have not ended are left out.
    """
    from modular_agents.proxy.errors import NotFound
    from modular_agents.proxy.export.source import Source

    chosen = _format(form)
    _check_otlp(chosen, content=content, push=push, endpoint=endpoint, output=output)
    if not push:
        _check_output(chosen, output, force=force, as_json=as_json)
    reader = reader_of(settings_from({"db": db}, config))
    told, size = None, 0
    try:
        wanted = which(reader, traces or [], since, until, narrowed)
        if Source(reader, wanted).is_empty():
            raise NotFound("No call that has ended fits: nothing is written.")
        with _progress(_expected(reader, wanted)) as on_call:
            source = Source(reader, wanted, on_call, with_content=content or _content_is_wanted(form))
            if push:
                told = _push(source, endpoint)
            else:
                with _opened(output) as out:
                    size = write(chosen, source, out)
    finally:
        reader.close()
    if told is not None:
        _say_pushed(told, source.count, as_json=as_json)
    else:
        _say(chosen, output, source.count, size, as_json=as_json)


def which(reader: "Reader", traces: list[str], since: str | None, until: str | None, narrowed: str | None) -> "Wanted":
    """Return which calls flags ask for. Raises `UsageError` or `NotFound`."""
    from modular_agents.proxy.cli.ls import find_trace
    from modular_agents.proxy.dashboard.asking import CALL_STATUSES, make_question
    from modular_agents.proxy.dashboard.searching import read_search
    from modular_agents.proxy.errors import UsageError
    from modular_agents.proxy.export.source import Wanted

    values = read_search(narrowed or "")
    if "trace" in values:
        traces = [*traces, values.pop("trace")]
    for name, value in (("since", since), ("until", until)):
        if value is not None and name in values:
            raise UsageError(f"--{name} and {name}: in --filter say the same thing. Say it once.")
        if value is not None:
            values[name] = value
    where = make_question(values, CALL_STATUSES, time.time).where
    return Wanted(where, tuple(dict.fromkeys(find_trace(reader, trace) for trace in traces)))


def write(form: "Format", source: "Source", out: BinaryIO) -> int:
    """Write an export; return its bytes."""
    from modular_agents.proxy.export.exporter import pieces

    size = 0
    for piece in pieces(form, source):
        out.write(piece)
        size += len(piece)
    out.flush()
    return size


def _check_otlp(form: "Format", *, content: bool, push: bool, endpoint: str | None, output: str) -> None:
    from modular_agents.proxy.errors import UsageError

    if form.name != "otlp" and (content or push or endpoint):
        raise UsageError("--content, --push and --endpoint belong to --format otlp.")
    if endpoint and not push:
        raise UsageError("--endpoint says where to push: add --push.")
    if push and output != PIPE:
        raise UsageError("--push sends to a collector, --output writes a file: choose one.")


def _content_is_wanted(form: str) -> bool:
    """Say whether OpenTelemetry's own variable asks for what was said."""
    if form != "otlp":
        return False
    from modular_agents.proxy.export.collector import content_is_wanted

    return content_is_wanted(os.environ)


def _push(source: "Source", endpoint: str | None) -> "Pushed":
    """Send an export to the collector, batch after batch."""
    from modular_agents.proxy.export.collector import Collector, Pushed, deliver, target_of, usual_dice
    from modular_agents.proxy.export.otlp import batches

    told = Pushed()
    collector = Collector(target_of(endpoint, os.environ))
    try:
        for batch in batches(source):
            deliver(collector, batch, told, time.sleep, usual_dice)
            if told.failed:
                break  # it was tried long enough: the rest would fail as slowly
    finally:
        collector.close()
    return told


def _say_pushed(told: "Pushed", calls: int, *, as_json: bool) -> None:
    """Say what came of a push; exit with 1 when anything was lost."""
    from modular_agents.proxy.cli.terminal import print_json, safe

    if as_json:
        print_json({"calls": calls, "sent": told.sent, "rejected": told.rejected, "failed": told.failed, "said": told.said})
    else:
        lost = f", {told.rejected:,} rejected" if told.rejected else ""
        lost += f", {told.failed:,} not taken, and nothing was sent after them" if told.failed else ""
        why = f" ({told.said})" if told.said else ""
        typer.echo(safe(f"{calls:,} calls as {told.sent:,} spans sent{lost}{why}."), err=True)
    if told.rejected or told.failed:
        raise typer.Exit(1)


def _format(name: str) -> "Format":
    from modular_agents.proxy.errors import UsageError
    from modular_agents.proxy.export.exporter import FORMATS

    if name not in FORMATS:
        raise UsageError(f"There is no format {name!r}. There are {', '.join(FORMATS)}.")
    return FORMATS[name]


def _check_output(form: "Format", output: str, *, force: bool, as_json: bool) -> None:
    from modular_agents.proxy.errors import UsageError

    if output == PIPE:
        if as_json:
            raise UsageError("--json says what was written to a file: give --output FILE.")
        if sys.stdout.isatty():
            raise UsageError(f"An export is for a file or a pipe: give --output FILE, for example --output calls.{form.suffix}.")
        return
    path = Path(output)
    if path.is_dir():
        raise UsageError(f"{output} is a folder: name a file in it.")
    if path.exists() and not force:
        raise UsageError(f"{output} is there already. --force replaces it.")


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """Open the output. A file appears under its name when it is whole, readable by its owner only."""
    from modular_agents.proxy.errors import ProxyError

    if output == PIPE:
        yield sys.stdout.buffer
        return
    path, part = Path(output), Path(f"{output}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as out:
                yield out
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)  # gone already when it was renamed
    except OSError as error:
        raise ProxyError(f"{output} cannot be written: {error.strerror}.") from error


@contextmanager
def _progress(expected: int | None) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far it is; a pipe hears nothing."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("calls"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("calls", total=expected)
        yield lambda: bar.advance(task)


def _expected(reader: "Reader", wanted: "Wanted") -> int | None:
    """Return how many calls there will be at most, where that is quickly said."""
    from modular_agents.proxy.model.query import CallFilter

    if not sys.stderr.isatty() or wanted.where != CallFilter():
        return None
    if not wanted.traces:
        return reader.room(0).calls
    rows = [row for trace in wanted.traces for row in reader.traces(CallFilter(trace_id=trace), None, 1).items]
    return sum(row.call_count - row.running_count for row in rows)


def _say(form: "Format", output: str, calls: int, size: int, *, as_json: bool) -> None:
    from modular_agents.proxy.cli.terminal import print_json
    from modular_agents.proxy.cli.words import size as in_words

    if as_json:
        print_json({"format": form.name, "output": output, "calls": calls, "bytes": size})
    elif output != PIPE:
        typer.echo(f"{calls:,} call{'' if calls == 1 else 's'} written to {output} ({in_words(size)}).", err=True)
