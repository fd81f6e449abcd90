"""How calls are cut into batches changes nothing of what is stored, though within a batch rows wait and parts are read ahead."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import stored
from tests.support.stored import Given, message

from modular_agents.proxy.model.call import Cost
from modular_agents.proxy.model.link import NO_PASSING, Indexed, LinkChanges, Lookup, ThreadMove
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.ports import Transaction
from modular_agents.proxy.store.sqlite import SqliteStore

TABLES = ("content", "piece", "chain", "call", "trace", "thread", "edge", "asked", "answer", "token", "standing", "passing", "hour")
"""Without the ring of events, which tells of each batch, and the search index, whose segments are batches."""
LONG = "a long answer that comes back word for word " * 20
LATER = 1 << 62
TEXTS = ("one", "two", "three", LONG, "four", "five")


@dataclass
class Step:
    """What is done in a batch, with the version that it puts, if any."""

    what: str
    number: int
    do: Callable[[Transaction], object] = field(repr=False)
    put: Given | None = field(default=None, repr=False)


Done = list[Step]


def found(batch: Transaction, call: Given) -> None:
    batch.find(Lookup(at_ns=LATER, calls=(call.call_id,)))
    batch.find(Lookup(at_ns=LATER, thread="th-1", members=("th-2",), roots=("tr-1",), ever=(1,)))


def a_few_calls(draw: st.DrawFn) -> list[Given]:
    """Calls that begin: some in one millisecond, some after others, with few different texts."""
    calls: list[Given] = []
    for number in range(draw(st.integers(2, 8))):
        parent = [None, *calls][draw(st.integers(0, number))]
        call = stored.given(
            number,
            at_ms=draw(st.integers(0, 3)),
            messages=[message("user", text) for text in draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3))],
            system=[message("system", draw(st.sampled_from(TEXTS)))],
            trace=draw(st.sampled_from(["tr-1", "tr-2"])),
            thread=draw(st.sampled_from(["th-1", "th-2"])),
            parent=parent,
            edge=draw(st.sampled_from([EdgeType.REQUEST, EdgeType.RESPONSE])),
        )
        calls.append(replace(call, indexed=Indexed(tokens=(1, 2 + number), facts=b"facts", passing=NO_PASSING)))
    return calls


@st.composite
def steps(draw: st.DrawFn) -> Done:
    """What a recorder does: calls begin, end, are looked for, moved, priced and, once they have ended, deleted."""
    calls = a_few_calls(draw)
    ended: set[str] = set()
    done: Done = []
    for _ in range(draw(st.integers(2, 20))):
        number = draw(st.integers(0, len(calls) - 1))
        call = calls[number]
        what = draw(st.sampled_from(["begin", "end", "end", "end", "find", "move", "price", "delete"]))
        if what in {"begin", "end"}:
            put = call if what == "begin" else call.finished(draw(st.sampled_from(TEXTS)))
            ended |= {call.call_id} if what == "end" else set()
            done.append(Step(what, number, put.put, put))
        elif what == "find":
            done.append(Step(what, number, partial(found, call=call)))
        elif what == "move":
            move = ThreadMove("th-2", "th-1", draw(st.sampled_from(["tr-1", "tr-2"])), call.call_id)
            done.append(Step(what, number, methodcaller("relink", LinkChanges(moves=(move,)))))
        elif what == "price":
            done.append(Step(what, number, methodcaller("set_cost", call.call_id, Cost(0.5, "m", "c"))))
        elif call.call_id in ended:
            done.append(Step(what, number, methodcaller("delete", call.call_id)))
    return done


def rows(path: Path) -> dict[str, list[tuple[tuple[str, object], ...]]]:
    """Return what the tables hold; everything by its name: how it is numbered says nothing."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        db.row_trace = lambda cursor, row: dict(zip([name for name, *_ in cursor.description], row, strict=True))
        tables: dict[str, list[dict[str, object]]] = {table: list(db.execute(f"SELECT * FROM {table}")) for table in TABLES}  # noqa: S608 - names of ours
    hashes = {row["id"]: row["hash"] for row in tables["content"]}
    nodes = {row["id"]: (row["parent"], hashes[row["content"]]) for row in tables["chain"]}

    def listed(node: object) -> tuple[object, ...]:
        parent, entry = nodes.get(node, (None, None))
        return () if entry is None else (*listed(parent), entry)

    names: dict[tuple[str, str], Callable[[object], object]] = {("content", "id"): hashes.get, ("chain", "id"): listed}
    names |= dict.fromkeys((("piece", "content"), ("piece", "piece"), ("chain", "content")), hashes.get)
    names |= dict.fromkeys((("chain", "parent"), ("asked", "recipe"), ("answer", "answers")), listed)
    names |= {("call", column): listed for column in ("messages", "system", "tools", "params")}
    calls = {row["id"]: row["call_id"] for row in tables["call"]}
    numbered = (("call", "id"), ("edge", "to_call"), ("edge", "from_call"))
    names |= dict.fromkeys((*numbered, *((table, "call") for table in ("asked", "answer", "token", "standing", "passing"))), calls.get)
    names |= dict.fromkeys((("trace", column) for column in ("oldest_call", "newest_call", "described_by")), calls.get)
    traces = {row["id"]: row["trace_id"] for row in tables["trace"]}
    names |= dict.fromkeys((("call", "trace"), ("thread", "trace"), ("trace", "id")), traces.get)
    return {
        table: sorted([tuple((name, names.get((table, name), same)(value)) for name, value in row.items()) for row in held], key=repr)
        for table, held in tables.items()
    }


def same(value: object) -> object:
    return value


def carried_out(batches: Iterator[Done], *, expects: bool) -> dict[str, list[tuple[tuple[str, object], ...]]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "traces.db"
        with closing(SqliteStore(path)) as store:
            for batch in batches:
                with store.batch() as transaction:
                    if expects:
                        transaction.expect([(step.put.call, step.put.exchange) for step in batch if step.put])
                    for step in batch:
                        step.do(transaction)
        return rows(path)


@settings(max_examples=80, deadline=None)
@given(steps(), st.integers(2, 6))
def test_one_batch_some_batches_and_a_batch_for_each_step_store_the_same(done: Done, size: int) -> None:
    alone = carried_out(iter([[step] for step in done]), expects=False)
    some = (done[start : start + size] for start in range(0, len(done), size))
    for batches, expects in ((some, True), (iter([done]), True), (iter([done]), False)):
        together = carried_out(batches, expects=expects)
        assert {table: held for table, held in together.items() if held != alone[table]} == {}
