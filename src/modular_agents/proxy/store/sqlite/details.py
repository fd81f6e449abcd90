"""One call, put together from where its parts are stored: lists of contents, recipe, records, pieces of a running answer."""

from typing import Any

import apsw
import msgspec

from modular_agents.proxy.model.call import Call, Cost, Message, Part, Status
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.event import DeltaRow
from modular_agents.proxy.model.exchange import Exchange, Hints
from modular_agents.proxy.model.query import CallDetail, CallerView, CostView, MessageView, Priced, Snippet
from modular_agents.proxy.store import crossing, kept, partial, reading, recipe, snippets, zstd
from modular_agents.proxy.store.rows import SEARCH_CHARS, CallRecord, caller_view, searched
from modular_agents.proxy.store.sqlite.contents import NO_NODE
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.terms import Term

ID_PART_CHARS = 6
"""Shorter beginnings and ends of an id name nothing: they would rarely be unique."""
_DELTA = msgspec.json.Decoder(DeltaRow)

Row = tuple[Any, ...]
"""A row of `stored_call`: number, trace, messages, message_count, new_from, system, tools, params, then the record."""
Entry = tuple[int, str, str | None]
"""number, text, reading"""


def resolve(db: apsw.Connection, call_id: str) -> Row | None:
    """Return the stored call that an id, or a unique beginning or end of one, names."""
    sql = statements()
    wanted = call_id.encode("utf-8", "replace").decode()
    row: Row | None = db.execute(sql["stored_call"], (wanted,)).get
    if row is not None or len(wanted) < ID_PART_CHARS:
        return row
    for part in dict.fromkeys((wanted, wanted.upper())):
        for statement, values in (("ids_beginning", (part, part + "\U0010ffff")), ("ids_ending", (-len(part), part))):
            found = db.execute(sql[statement], values).fetchall()
            if row is None and len(found) == 1:
                row = db.execute(sql["stored_call"], found[0]).get
    return row


def detail(db: apsw.Connection, row: Row) -> CallDetail:
    """Return everything understood about a call."""
    sql = statements()
    number, trace, said, _count, new_from, system, tools, params, *values = row
    answers, usage_raw, _ = db.execute(sql["answer"], (number,)).get or (NO_NODE, None, None)
    record = CallRecord(*values)
    return CallDetail(
        call=record.row(db.execute(sql["trace_name"], (trace,)).get),
        system=messages(db, system),
        messages=messages(db, said),
        tools=tuple(body for _, body, _ in entries(db, tools)),
        params="".join(body for _, body, _ in entries(db, params)),
        answers=messages(db, answers),
        usage_raw=usage_raw,
        cost=CostView(record.cost_usd, record.cost_model, record.cost_catalogue, record.cost_tier, record.cost_why),
        error_whose=record.error_whose,
        error_kind=record.error_kind,
        unreadable_where=record.unreadable_where,
        unreadable_reason=record.unreadable_reason,
        request_id=record.request_id,
        response_id=record.response_id,
        model_response=record.model_response,
        client=record.client,
        connection_id=record.connection_id,
        partial=partial.assemble(_deltas(db, number)) if record.is_running else (),
        seq=db.execute(sql["last_seq"]).get,
        new_from=new_from,
        caller=_caller(db, record.connection_id),
    )


def _caller(db: apsw.Connection, connection_id: str) -> CallerView | None:
    row = db.execute(statements()["caller"], (connection_id,)).get
    return None if row is None else caller_view(Caller(*row))


def exchange(db: apsw.Connection, row: Row) -> tuple[Exchange, bool]:
    """Return the exchange of a call, and whether its request body was rebuilt from a recipe."""
    sql = statements()
    number, _trace, said, _count, _new, system, tools, _params, call_id, *_ = row
    how, body, asked = db.execute(sql["asked"], (number,)).get
    ended = db.execute(sql["answer"], (number,)).get
    sent = b""
    if how != NO_NODE:
        groups = {recipe.MESSAGES: said, recipe.SYSTEM: system, recipe.TOOLS: tools}
        raws = {group: [text.encode() for _, text, _ in entries(db, tip)] for group, tip in groups.items()}
        sent = recipe.rebuild("".join(text for _, text, _ in entries(db, how)), raws)
    elif body:
        sent = zstd.unpack(db.execute(sql["body"], (body,)).get)
    return crossing.decode(call_id, asked, ended[2] if ended else None, sent), how != NO_NODE


def snippet(db: apsw.Connection, number: int, terms: tuple[Term, ...]) -> Snippet | None:
    """Return where a call that was found holds the words."""
    said, new_from, system, answers, _ = db.execute(statements()["words_of_call"], (number,)).get
    return snippets.make(
        terms,
        (
            ("prompt", searched(messages(db, said, new_from), SEARCH_CHARS)),
            ("answer", searched(messages(db, answers), SEARCH_CHARS)),
            ("prompt", searched(messages(db, system), SEARCH_CHARS)),
        ),
    )


def told(db: apsw.Connection, number: int) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Return the system prompt and the messages of a call, roles and parts alone."""
    system, said = db.execute(statements()["told_of_call"], (number,)).get or (NO_NODE, NO_NODE)
    return tuple(map(_message, messages(db, system))), tuple(map(_message, messages(db, said)))


def said(db: apsw.Connection, number: int) -> tuple[str, str] | None:
    """Return the prompt and the answer of a call as search knows them; None while it runs."""
    row = db.execute(statements()["words_of_call"], (number,)).get
    if row is None:
        return None
    said, new_from, system, answers, system_is_own = row
    prompt = (*(messages(db, system) if system_is_own else ()), *messages(db, said, new_from))
    return searched(prompt, SEARCH_CHARS), searched(messages(db, answers), SEARCH_CHARS)


def priced(db: apsw.Connection, number: int, record: CallRecord) -> Priced:
    """Return what the price of a call depends on, and its price."""
    answers, usage_raw, _ = db.execute(statements()["answer"], (number,)).get
    call = Call(
        record.call_id,
        Status(record.status),
        record.started_ns,
        record.provider,
        record.upstream,
        record.format,
        record.operation,
        record.method,
        record.path,
        record.client,
        record.connection_id,
        Hints(),
        (),
        model=record.model,
        model_response=record.model_response,
        answers=tuple(_message(view) for view in messages(db, answers)),
        usage=kept.usage(record, usage_raw),
        http_status=record.http_status,
        service_tier=record.service_tier,
        ended_ns=record.ended_ns,
    )
    return Priced(call, Cost(record.cost_usd, record.cost_model, record.cost_catalogue, record.cost_tier, record.cost_why))


def entries(db: apsw.Connection, tip: int, first: int = 0) -> list[Entry]:
    """Return the contents of a list, from entry `first` on."""
    if tip == NO_NODE:
        return []
    rows: Any = db.execute(statements()["last_entries"], (tip, first)).fetchall()
    return list(rows)


def messages(db: apsw.Connection, tip: int, first: int = 0) -> tuple[MessageView, ...]:
    """Return a list of messages for showing, from entry `first` on."""
    return tuple(reading.decode(body.encode(), read, str(number)) for number, body, read in entries(db, tip, first) if read is not None)


def _deltas(db: apsw.Connection, number: int) -> list[DeltaRow]:
    return [_DELTA.decode(str(body)) for (body,) in db.execute(statements()["deltas"], (number,))]


def _message(view: MessageView) -> Message:
    parts = (Part(part.kind, part.text, part.tool_id, part.name, part.arguments, part.is_error, part.raw.encode()) for part in view.parts)
    return Message(view.role, tuple(parts), b"", b"")
