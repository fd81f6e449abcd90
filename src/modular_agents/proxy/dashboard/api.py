"""The JSON API: each route is a line in `ENDPOINTS`, from which the router, the OpenAPI document and the documentation test are made."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from modular_agents.proxy.dashboard.answers import error_response, json_response
from modular_agents.proxy.dashboard.asking import (
    AGAINST,
    CALL_STATUSES,
    FILTERS,
    FORMAT,
    PAGING,
    TEXT,
    TRACE,
    TRACE_STATUSES,
    BadQuestion,
    Parameter,
    make_question,
    read_query,
    read_question,
)
from modular_agents.proxy.dashboard.bodies import view_raw
from modular_agents.proxy.dashboard.deciding import CALL, Deciding
from modular_agents.proxy.dashboard.diffs import view_diff
from modular_agents.proxy.dashboard.exporting import Exports
from modular_agents.proxy.dashboard.graphs import view_graph, view_runs, view_tools
from modular_agents.proxy.dashboard.reading import Readers
from modular_agents.proxy.dashboard.shapes import DecisionAsked, ErrorBody, GraphView, RawView, StatusView, ToolRunsView, ToolsView
from modular_agents.proxy.errors import NotFound, ProxyError, StoreDamaged, StoreUnavailable, UsageError
from modular_agents.proxy.export.exporter import FORMATS
from modular_agents.proxy.export.source import Wanted
from modular_agents.proxy.model.comparison import Comparison
from modular_agents.proxy.model.decision import DecisionList, DecisionView
from modular_agents.proxy.model.query import CallDetail, CallPage, TraceDetail, TracePage
from modular_agents.proxy.model.status import ProxyStatus
from modular_agents.proxy.ports import Reader

MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Source:
    """What the handlers answer from."""

    readers: Readers
    status: Callable[[], ProxyStatus | None]
    version: str
    db: str
    exports: Exports
    deciding: Deciding
    now_s: Callable[[], float] = time.time


Handler = Callable[[Source, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route. `answer` None: bytes."""

    path: str
    about: str
    handler: Handler
    answer: type | None
    parameters: tuple[Parameter, ...] = ()
    method: str = "GET"
    body: type | None = None
    """What is sent."""


async def _answer(source: Source, question: Callable[[Reader], object], missing: str = "") -> Response:
    """Answer with the shape that `question` returns, encoded on the reading thread; None means `missing`."""

    def encoded(reader: Reader) -> bytes | None:
        shape = question(reader)
        return None if shape is None else msgspec.json.encode(shape)

    body = await source.readers.ask(encoded)
    if body is None:
        raise NotFound(missing)
    return json_response(body)


async def list_traces(source: Source, request: Request) -> Response:
    """Answer with a `TracePage`."""
    asked = read_question(_query(request), (*FILTERS, *PAGING), TRACE_STATUSES, source.now_s)
    return await _answer(source, lambda reader: reader.traces(asked.where, asked.cursor, asked.limit))


async def list_calls(source: Source, request: Request) -> Response:
    """Answer with a `CallPage`."""
    asked = read_question(_query(request), (*FILTERS, TRACE, *PAGING), CALL_STATUSES, source.now_s)
    return await _answer(source, lambda reader: reader.calls(asked.where, asked.cursor, asked.limit))


async def search(source: Source, request: Request) -> Response:
    """Answer with a `CallPage` of what a text is found in."""
    asked = read_question(_query(request), (TEXT, *PAGING), CALL_STATUSES, source.now_s)
    if asked.where.text is None:
        raise BadQuestion("There is nothing to search for.", "Add q=, for example q=timeout.")
    return await _answer(source, lambda reader: reader.calls(asked.where, asked.cursor, asked.limit))


async def get_trace(source: Source, request: Request) -> Response:
    """Answer with a `TraceDetail`."""
    trace_id = _asked_id(request)
    return await _answer(source, lambda reader: reader.trace(trace_id), f"There is no trace {trace_id!r}.")


async def get_graph(source: Source, request: Request) -> Response:
    """Answer with a `GraphView`."""
    trace_id = _asked_id(request)
    return await _answer(source, lambda reader: view_graph(reader, trace_id), f"There is no trace {trace_id!r}.")


async def get_tools(source: Source, request: Request) -> Response:
    """Answer with a `ToolsView`."""
    trace_id = _asked_id(request)
    return await _answer(source, lambda reader: view_tools(reader, trace_id), f"There is no trace {trace_id!r}.")


async def get_runs(source: Source, request: Request) -> Response:
    """Answer with a `ToolRunsView`."""
    call_id = _asked_id(request)
    return await _answer(source, lambda reader: view_runs(reader, call_id), f"There is no call {call_id!r}.")


async def get_call(source: Source, request: Request) -> Response:
    """Answer with a `CallDetail`."""
    call_id = _asked_id(request)
    return await _answer(source, lambda reader: reader.call(call_id), f"There is no call {call_id!r}.")


async def get_raw(source: Source, request: Request) -> Response:
    """Answer with a `RawView`."""
    call_id = _asked_id(request)

    def question(reader: Reader) -> RawView | None:
        raw = reader.raw(call_id)
        return None if raw is None else view_raw(raw)

    return await _answer(source, question, f"There is no call {call_id!r}.")


async def get_diff(source: Source, request: Request) -> Response:
    """Answer with a `Comparison`."""
    call_id = _asked_id(request)
    against = read_query(_query(request), (AGAINST,)).get(AGAINST.name)
    return await _answer(source, lambda reader: view_diff(reader, call_id, against))


async def download(source: Source, request: Request) -> Response:
    """Answer with the exact bytes of a request or response body, as a file to save: never shown as a page of this site."""
    call_id, side = _asked_id(request), request.path_params["side"]
    if side not in {"request", "response"}:
        raise NotFound("A call has a request and a response to download.")
    raw = await source.readers.ask(lambda reader: reader.raw(call_id))
    if raw is None:
        raise NotFound(f"There is no call {call_id!r}.")
    body = raw.request_body if side == "request" else raw.response_body
    name = "".join(letter for letter in raw.call_id if letter.isascii() and letter.isalnum())
    headers = {"content-disposition": f'attachment; filename="{name}-{side}.bin"'}
    return Response(body, headers=headers, media_type="application/octet-stream")


async def export(source: Source, request: Request) -> Response:
    """Answer with a file to save, written while it is downloaded."""
    values = read_query(_query(request), (*FILTERS, TRACE, FORMAT))
    name = values.pop("format", "")
    if name not in FORMATS:
        raise BadQuestion(f"There is no format {name[:40]!r}.", f"format= one of {', '.join(FORMATS)}.")
    where = make_question(values, CALL_STATUSES, source.now_s).where
    form = FORMATS[name]
    if where.trace_id is not None and await source.readers.ask(lambda reader: reader.trace(where.trace_id or "")) is None:
        raise NotFound(f"There is no trace {where.trace_id!r}.")
    named = "".join(letter for letter in where.trace_id or "calls" if letter.isascii() and (letter.isalnum() or letter in "-_"))[:80]
    headers = {"content-disposition": f'attachment; filename="anton-{named}.{form.suffix}"'}
    kind = form.media_type if name != "html" else "application/octet-stream"  # never shown as a page of this site
    if request.method == "HEAD":
        return Response(headers=headers, media_type=kind)
    return StreamingResponse(await source.exports.begin(form, Wanted(where)), headers=headers, media_type=kind)


async def list_decisions(source: Source, request: Request) -> Response:
    """Answer with a `DecisionList`."""
    return await source.deciding.list(request)


async def say_decision(source: Source, request: Request) -> Response:
    """Answer with a `DecisionView`."""
    return await source.deciding.say(request)


async def take_back_decision(source: Source, request: Request) -> Response:
    """Answer with a `DecisionView`."""
    return await source.deciding.take_back(request)


async def get_status(source: Source, request: Request) -> Response:
    """Answer with a `StatusView`."""
    read_query(_query(request), ())

    def question(reader: Reader) -> StatusView:
        proxy = source.status()
        floor, seq = reader.seq()
        lag = proxy.journal_lag_bytes if proxy else None
        return StatusView(source.version, source.db, proxy, lag, proxy.records_dropped if proxy else 0, floor, seq)

    return await _answer(source, question)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("/api/traces", "Traces, newest first.", list_traces, TracePage, (*FILTERS, *PAGING)),
    Endpoint("/api/traces/{id}", "One trace with its calls, oldest first, and its edges.", get_trace, TraceDetail),
    Endpoint("/api/traces/{id}/graph", "One trace as a graph: calls, tools, edges, and what each agent came to.", get_graph, GraphView),
    Endpoint("/api/traces/{id}/tools", "The tools that ran in a trace: when, how long, and whether they failed.", get_tools, ToolsView),
    Endpoint("/api/calls", "Calls, newest first.", list_calls, CallPage, (*FILTERS, TRACE, *PAGING)),
    Endpoint("/api/calls/{id}", "Everything understood about a call.", get_call, CallDetail),
    Endpoint("/api/calls/{id}/tools", "The tools that a call's answer set off, with arguments and results.", get_runs, ToolRunsView),
    Endpoint("/api/calls/{id}/raw", "The exchange as it crossed the wire, secrets in heads replaced.", get_raw, RawView),
    Endpoint("/api/calls/{id}/raw/{side}", "The exact bytes of the `request` or `response` body, as a file.", download, None),
    Endpoint(
        "/api/calls/{id}/diff",
        "What tells a call from the turn before it, and why the prompt cache broke.",
        get_diff,
        Comparison,
        (AGAINST,),
    ),
    Endpoint("/api/search", "Calls whose prompt or answer holds a text.", search, CallPage, (TEXT, *PAGING)),
    Endpoint("/api/export", "Calls that have ended as a file, oldest first.", export, None, (FORMAT, *FILTERS, TRACE)),
    Endpoint("/api/decisions", "What people said of the graph, newest first.", list_decisions, DecisionList, (CALL,)),
    Endpoint(
        "/api/decisions",
        "Say who opened a thread, where it belongs, or that an edge is wrong.",
        say_decision,
        DecisionView,
        method="POST",
        body=DecisionAsked,
    ),
    Endpoint("/api/decisions/{id}", "Take back what was said.", take_back_decision, DecisionView, method="DELETE"),
    Endpoint("/api/status", "The dashboard and the proxy beside it.", get_status, StatusView),
)


def _query(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return query


def _asked_id(request: Request) -> str:
    """Return the id a path names. Paths are matched as written, so this is the only place where percent-encoding is undone."""
    try:
        text = unquote(request.path_params["id"], errors="strict")
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > MAX_ID_CHARS or not text.isprintable():
        raise BadQuestion("That is no id.", f"Ids are printable text of at most {MAX_ID_CHARS} characters, percent-encoded.")
    return text


def answer_error(error: ProxyError) -> Response:
    """Return an error of ours in words, with the status that says whose it is."""
    message = str(error)
    match error:
        case BadQuestion():
            return error_response(400, ErrorBody("caller", message, error.hint))
        case NotFound():
            return error_response(
                404, ErrorBody("caller", message, "It may have been removed by retention, or belong to another database.")
            )
        case UsageError():
            return error_response(400, ErrorBody("caller", message, "See docs/api.md."))
        case StoreUnavailable():
            hint = "Nothing is lost: the proxy keeps recording into its journal. Try again."
            return error_response(503, ErrorBody("store", message, hint))
        case StoreDamaged():
            return error_response(500, ErrorBody("store", message, "The damaged file is kept; the recorder starts a new one."))
        case _:
            return error_response(500, ErrorBody("dashboard", message, "This is a fault of the dashboard; its log says more."))
