"""How calls are cut into batches changes nothing of what is stored, though within a batch rows wait and parts are read ahead."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from itertools import cycle
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import stored
from tests.support.stored import Given, message

from modular_agents.proxy.errors import NotFound
from modular_agents.proxy.model.call import Cost
from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.model.link import NO_PASSING, Indexed, LinkChanges, Lookup, Replaced, ThreadMove
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.ports import Transaction
from modular_agents.proxy.store.sqlite import SqliteStore

TABLES = (
    "content",
    "piece",
    "chain",
    "call",
    "trace",
    "thread",
    "edge",
    "asked",
    "answer",
    "token",
    "standing",
    "passing",
    "hour",
    "decision",
)
"""Without the ring of events, which tells of each batch, and the search index, whose segments are batches; of it, which calls it has."""
LONG = "a long answer that comes back word for word " * 20
LATER = 1 << 62
TEXTS = ("one", "two", "three", LONG, "four", "five")


class Step(NamedTuple):
    """What is done in a batch, with the version that it puts, if any."""

    what: str
    number: int
    do: Callable[[Transaction], object]
    put: Given | None = None

    def __repr__(self) -> str:
        """Without the calls themselves: hypothesis prints steps by the hundred."""
        return f"{self.what} {self.number}"


Done = list[Step]
Tables = dict[str, list[tuple[tuple[str, object], ...]]]


class RolledBackError(Exception):
    """A batch that fails at its end."""


def found(batch: Transaction, call: Given) -> None:
    batch.find(Lookup(at_ns=LATER, calls=(call.call_id,)))
    batch.find(Lookup(at_ns=LATER, thread="th-1", members=("th-2",), roots=("tr-1",), ever=(1,)))


def decided(batch: Transaction, call: Given) -> None:
    with suppress(NotFound):
        batch.put_decision(Decision(call.call_id, DecisionKind.APART, made_by="ada", made_ns=call.call.started_ns))


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
def elsewhere(draw: st.DrawFn, call: Given) -> Replaced:
    """The same call in another light: without its edges, or with others, or in another trace."""
    was = call.placement
    edges = draw(st.sampled_from([(), was.edges, tuple(replace(edge, edge_type=EdgeType.RESPONSE) for edge in was.edges)]))
    return Replaced(call.call_id, replace(was, edges=edges, trace_id=draw(st.sampled_from(["tr-1", "tr-2"]))), call.indexed)


@st.composite
def steps(draw: st.DrawFn) -> Done:
    """What a recorder does: calls begin, end, are looked for, moved, priced and, once they have ended, deleted."""
    calls = a_few_calls(draw)
    ended: set[str] = set()
    done: Done = []
    for _ in range(draw(st.integers(2, 20))):
        number = draw(st.integers(0, len(calls) - 1))
        call = calls[number]
        what = draw(st.sampled_from(["begin", "end", "end", "end", "find", "move", "replace", "price", "decide", "delete"]))
        if what in {"begin", "end"}:
            # 0.25 USD: sums of it are exact in whatever order
            put = call if what == "begin" else call.finished(draw(st.sampled_from(TEXTS)), usd=0.25)
            ended |= {call.call_id} if what == "end" else set()
            done.append(Step(what, number, put.put, put))
        elif what == "find":
            done.append(Step(what, number, partial(found, call=call)))
        elif what == "decide":
            done.append(Step(what, number, partial(decided, call=call)))
        elif what == "move":
            move = ThreadMove("th-2", "th-1", draw(st.sampled_from(["tr-1", "tr-2"])), call.call_id)
            done.append(Step(what, number, methodcaller("relink", LinkChanges(moves=(move,)))))
        elif what == "replace":
            done.append(Step(what, number, methodcaller("relink", LinkChanges(replaced=(draw(elsewhere(call)),)))))
        elif what == "price":
            done.append(Step(what, number, methodcaller("set_cost", call.call_id, Cost(0.5, "m", "c"))))
        elif call.call_id in ended:
            ended.discard(call.call_id)
            done.append(Step(what, number, methodcaller("delete", call.call_id)))
    return done


def rows(path: Path) -> Tables:
    """Return what the tables hold; everything by its name: how it is numbered says nothing."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        db.row_trace = lambda cursor, row: dict(zip([name for name, *_ in cursor.description], row, strict=True))
        tables: dict[str, list[dict[str, object]]] = {table: list(db.execute(f"SELECT * FROM {table}")) for table in TABLES}  # noqa: S608 - names of ours
        tables["findable"] = list(db.execute("SELECT rowid AS call FROM search_1 UNION SELECT call FROM unsearched"))
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
    names |= dict.fromkeys(
        (*numbered, *((table, "call") for table in ("asked", "answer", "token", "standing", "passing", "decision", "findable"))), calls.get
    )
    names |= dict.fromkeys((("trace", column) for column in ("oldest_call", "newest_call", "described_by")), calls.get)
    traces = {row["id"]: row["trace_id"] for row in tables["trace"]}
    names |= dict.fromkeys((("call", "trace"), ("thread", "trace"), ("trace", "id")), traces.get)
    return {
        table: sorted([tuple((name, names.get((table, name), same)(value)) for name, value in row.items()) for row in held], key=repr)
        for table, held in tables.items()
    }


def same(value: object) -> object:
    return value


def told(path: Path) -> list[tuple[str, str]]:
    """Return what readers heard of edges: each that came or went, in order."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        heard = db.execute("SELECT kind, body FROM event WHERE kind IN ('edge', 'removed') ORDER BY seq").fetchall()
    return [(kind, body) for kind, body in heard if json.loads(body)["edge_id"]]


def carried_out(batches: Iterable[Done], *, expects: bool = False, fails: bool = False, writers: int = 1) -> Tables:
    """Carry out batches: by turns by some processes, if there are more writers, and, if it fails, each for the second time."""
    with TemporaryDirectory() as folder, ExitStack() as open_stores:
        path = Path(folder) / "traces.db"
        stores = cycle([open_stores.enter_context(closing(SqliteStore(path))) for _ in range(writers)])
        for batch, store in zip(batches, stores, strict=False):
            if fails:
                with suppress(RolledBackError), store.batch() as transaction:
                    carry_out(batch, transaction, expects=expects)
                    raise RolledBackError
            with store.batch() as transaction:
                carry_out(batch, transaction, expects=expects)
        held = rows(path)
        return held | {"told": [(("event", event),) for event in told(path)]}


def carry_out(batch: Done, transaction: Transaction, *, expects: bool) -> None:
    if expects:
        transaction.expect([(step.put.call, step.put.exchange) for step in batch if step.put])
    for step in batch:
        step.do(transaction)


@settings(max_examples=80, deadline=None)
@given(steps(), st.integers(2, 6))
def test_one_batch_some_batches_and_a_batch_for_each_step_store_the_same(done: Done, size: int) -> None:
    alone = carried_out([[step] for step in done])
    some = [done[start : start + size] for start in range(0, len(done), size)]
    for batches, expects in ((some, True), ([done], True), ([done], False)):
        assert differing(carried_out(batches, expects=expects), alone) == {}


@settings(max_examples=40, deadline=None)
@given(steps(), st.integers(2, 6), st.integers(1, 2))
def test_batches_that_failed_before_and_other_processes_that_write_between_change_nothing(done: Done, size: int, writers: int) -> None:
    """What passes is left out: a call older than all that were read again after a failure is not among the latest."""
    done = [*in_order(done)]
    some = [done[start : start + size] for start in range(0, len(done), size)]
    differ = differing(carried_out(some, expects=True, fails=True, writers=writers), carried_out([[step] for step in done]))
    assert differ.keys() <= {"passing"}


def in_order(done: Done) -> Iterator[Step]:
    """Yield the steps without calls that come before the one they continue, or once more when they are gone.

    An edge that was left out for it is drawn with the next version if the first has been forgotten, and else is not.
    """
    begun: set[str] = set()
    gone: set[int] = set()
    for step in done:
        if step.what == "delete":
            gone.add(step.number)
        elif step.put is not None:
            if step.number in gone or step.put.placement.parent_id not in {None, *begun}:
                continue
            begun.add(step.put.call_id)
        yield step


def differing(some: Tables, others: Tables) -> Tables:
    return {table: held for table, held in some.items() if held != others[table]}
