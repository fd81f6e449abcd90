"""Laws of the lossless export: what a store gives out it can take in, on every engine; a file that came back goes out the same."""

import io
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import wire_corpus

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export import jsonl
from modular_agents.proxy.export import restore as restoring
from modular_agents.proxy.export.restore import NotUnderstood, Restored, restore
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.model.call import Call, Cost, Status
from modular_agents.proxy.model.caller import Caller
from modular_agents.proxy.model.exchange import Chunk, Exchange, Hints, Outcome, TunnelFrame
from modular_agents.proxy.model.ids import make_call_id
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.query import CallFilter, Kept
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence, Placement
from modular_agents.proxy.ports import Reader, Store
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.wire.reader import read_call

T0_MS = 1_795_000_000_000
TEXT = st.text(max_size=20) | st.sampled_from(["", "\x00", "naïve ☃ \U0001f600", "\u2028", "=1+1"])
CORPUS = [wire_corpus.load(name) for name in wire_corpus.names() if "websocket" not in name]
NUMBERS = count(1)
LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
Opened = tuple[Store, Reader]


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """A capture of a real client, or garbage in its place; chunks anywhere, ended somehow."""
    number = next(NUMBERS)
    started_ns = (T0_MS + number * draw(st.sampled_from([1, 1, 1000]))) * 1_000_000 + draw(st.integers(0, 999_999))
    one = draw(st.sampled_from(CORPUS))
    garbage = draw(st.none() | st.binary(max_size=60))
    request = replace(
        one.request,
        body=one.request.body if garbage is None else garbage,
        body_size=draw(st.integers(0, 1 << 40)),
        body_sha256=draw(st.none() | st.just("ab" * 32)),
        chunks=(Chunk(started_ns + draw(st.integers(0, 10**6)) * 1000, 5),),
        complete_ns=draw(st.none() | st.just(started_ns + 77)),
    )
    response = one.response
    if response is not None and draw(st.booleans()):
        body = draw(st.binary(max_size=40))
        response = replace(response, body=body, body_size=len(body), chunks=(Chunk(started_ns + 3_000, len(body)),))
    ended_ns = started_ns + draw(st.integers(0, 10**10))
    return replace(
        one,
        call_id=make_call_id(started_ns // 1_000_000, 5, number),
        connection_id=draw(TEXT),
        hints=Hints(draw(st.none() | TEXT), draw(st.none() | TEXT), None, draw(st.none() | TEXT)),
        started_ns=started_ns,
        request=request,
        response=None if draw(st.integers(0, 5)) == 0 else response,
        informational=((started_ns + 5, "HTTP/1.1 103 Early Hints"),) if draw(st.booleans()) else (),
        tunnel=(TunnelFrame(started_ns + 9, up=True, data=draw(st.binary(max_size=9))),) if draw(st.booleans()) else (),
        outcome=draw(st.sampled_from(Outcome)),
        outcome_detail=draw(TEXT),
        ended_ns=ended_ns,
        flags=draw(st.sampled_from([frozenset(), frozenset({"redacted"}), frozenset({"truncated", "gap"})])),
    )


@st.composite
def families(draw: st.DrawFn) -> list[Kept]:
    """A few calls of a few traces, with edges between them in any direction."""
    made: list[Kept] = []
    for exchange in sorted(draw(st.lists(exchanges(), min_size=1, max_size=5)), key=lambda one: one.started_ns):
        call = read_call(exchange)
        if call.status is Status.RUNNING:
            call = replace(call, status=Status.INTERRUPTED, ended_ns=exchange.ended_ns)
        trace = draw(st.sampled_from(["t-1", "t-2"]))
        before = [kept.call.call_id for kept in made]
        edges = [
            Edge(start, call.call_id, draw(st.sampled_from(EdgeType)), Evidence(draw(TEXT), draw(TEXT), draw(st.floats(0, 1))))
            for start in (draw(st.lists(st.sampled_from(before), unique=True)) if before else [])
        ]
        parent = draw(st.none() | st.sampled_from(before)) if before else None
        place = Placement(
            trace,
            draw(st.sampled_from(["th-1", "th-2"])),
            Evidence("said.trace", "detail", 0.5),
            agent_name=draw(st.none() | TEXT),
            parent_id=parent,
            edges=tuple(edges),
            trace_name="named",
            task_description=draw(st.none() | TEXT),
            kind=draw(st.sampled_from(["turn", "title"])),
            root_id=call.call_id,
            opener_id=parent,
            agent_given=draw(st.booleans()),
        )
        cost = Cost(draw(st.none() | st.floats(0, 100)), draw(st.none() | TEXT), None, None, draw(TEXT))
        tokens = tuple(draw(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), unique=True, max_size=4)))
        whose = Caller(
            call.connection_id, call.started_ns, draw(st.integers(1, 1 << 22)), draw(st.none() | st.just(call.started_ns)), "a", "b", "c"
        )
        caller = draw(st.sampled_from([None, whose]))
        made.append(Kept(call, exchange, place, cost, Indexed(tokens, draw(st.binary(max_size=20))), caller))
    return made


def sqlite(folder: Path, name: str) -> Opened:
    path = folder / f"{name}.db"
    return SqliteStore(path), SqliteReader(path)


def memory(_: Path, __: str) -> Opened:
    store = MemoryStore()
    return store, store.reader()


def put(store: Store, calls: list[Kept]) -> None:
    with store.batch() as transaction:
        for kept in calls:
            transaction.put_callers((kept.caller,) if kept.caller else ())
            transaction.put_call(kept.call, kept.exchange, kept.placement, kept.cost, kept.indexed)


def exported(reader: Reader, *traces: str) -> bytes:
    return b"".join(jsonl.write(Source(reader, Wanted(CallFilter(), traces))))


def imported(data: bytes, store: Store) -> Restored:
    def stop(error: NotUnderstood) -> None:
        raise error

    return restore(io.BytesIO(data), store, stop, lambda _: None)


@pytest.mark.parametrize("make", [sqlite, memory])
@LAWS
@given(families())
def test_what_is_kept_is_kept_by_another_store(make: Callable[[Path, str], Opened], calls: list[Kept]) -> None:
    with TemporaryDirectory() as folder:
        (one, reader), (other, other_reader) = (make(Path(folder), name) for name in ("one", "other"))
        put(one, calls)
        kept = [reader.kept(each.call.call_id) for each in calls]
        put(other, [each for each in kept if each is not None])
        assert [other_reader.kept(each.call.call_id) for each in calls] == kept
        assert None not in kept
        for opened in (reader, other_reader, one, other):
            opened.close()


@LAWS
@given(families())
def test_both_engines_keep_the_same(calls: list[Kept]) -> None:
    with TemporaryDirectory() as folder:
        given_out = []
        for make in (sqlite, memory):
            store, reader = make(Path(folder), "one")
            put(store, calls)
            given_out.append(exported(reader))
            reader.close()
            store.close()
        assert given_out[0] == given_out[1]


@LAWS
@given(families(), st.booleans())
def test_a_round_trip_is_byte_identical(calls: list[Kept], backwards: bool) -> None:
    with TemporaryDirectory() as folder:
        (one, reader), (other, other_reader) = (sqlite(Path(folder), name) for name in ("one", "other"))
        put(one, calls)
        data = exported(reader)
        lines = data.splitlines(keepends=True)
        told = imported(b"".join([lines[0], *reversed(lines[1:-1]), lines[-1]]) if backwards else data, other)
        assert (told.calls, told.already, told.refused, told.edges_left_out, told.read_anew) == (len(calls), 0, 0, 0, 0)
        assert told.is_whole
        assert exported(other_reader) == data
        again = imported(data, other)
        assert (again.calls, again.already) == (0, len(calls))
        assert exported(other_reader) == data
        for opened in (reader, other_reader, one, other):
            opened.close()


@LAWS
@given(families(), st.data())
def test_a_damaged_line_is_refused_and_the_others_come(calls: list[Kept], data: st.DataObject) -> None:
    store = MemoryStore()
    put(store, calls)
    lines = exported(store.reader()).splitlines(keepends=True)
    which = data.draw(st.integers(1, len(lines) - 2))
    place = data.draw(st.integers(0, len(lines[which]) - 2))
    lines[which] = lines[which][:place] + data.draw(st.binary(max_size=3)).replace(b"\n", b"") + lines[which][place + 1 :]
    refused: list[NotUnderstood] = []
    other = MemoryStore()
    told = restore(iter(lines), other, refused.append, lambda _: None)
    assert told.refused == len(refused) <= 1
    assert told.calls == len(calls) - told.refused
    assert all(one.line == which + 1 for one in refused)


@LAWS
@given(st.lists(st.binary(max_size=60)))
def test_no_file_breaks_an_import(lines: list[bytes]) -> None:
    for start in (b"", b'{"anton_export":"calls","version":1}\n'):
        try:
            restore([start, *lines], MemoryStore(), lambda _: None, lambda _: None)
        except UsageError as error:
            assert str(error)  # noqa: PT017 - either end is fine, a crash is not


def test_a_line_without_end_is_refused_and_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "MAX_LINE_BYTES", 64)
    file = io.BytesIO(b'{"anton_export":"calls","version":1}\n' + b"x" * 1000 + b"\n{}\n")
    refused: list[NotUnderstood] = []
    restore(restoring.lines_of(file), MemoryStore(), refused.append, lambda _: None)
    assert [one.line for one in refused] == [2, 3]


def test_words_find_the_calls_of_an_export() -> None:
    with TemporaryDirectory() as folder:
        store, reader = sqlite(Path(folder), "one")
        calls = [_call(number, f"needle {number}" if number % 2 else "hay") for number in range(1, 6)]
        put(store, calls)
        found = list(Source(reader, Wanted(CallFilter(text="needle"))).rows())
        assert [row.call_id for row in found] == [kept.call.call_id for kept in calls if b"needle" in kept.exchange.request.body]
        reader.close()
        store.close()


def _call(number: int, text: str) -> Kept:
    exchange = wire_corpus.exchange(f'{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}', "{}")
    started_ns = (T0_MS + number) * 1_000_000
    exchange = replace(exchange, call_id=make_call_id(T0_MS, 5, number), started_ns=started_ns, ended_ns=started_ns + 5)
    call: Call = read_call(exchange)
    return Kept(call, exchange, Placement("t", "th", Evidence("said.trace")), Cost(None), Indexed())
