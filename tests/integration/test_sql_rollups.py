"""What threads and delegations came to: the public views, the tree and a recount by hand agree, whatever happened to the calls."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support import sessions
from tests.support.link_store import record
from tests.support.sqlite_cli import run, select
from tests.support.stored import given, put_all

from modular_agents.proxy.cli.relink import link_anew
from modular_agents.proxy.linking.outline import outline, walk
from modular_agents.proxy.model.call import Call, Cost
from modular_agents.proxy.model.link import LinkChanges, ThreadMove
from modular_agents.proxy.model.query import CallFilter, CallRow, TraceDetail
from modular_agents.proxy.model.trace import HELPERS, EdgeType
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore

NAMES = ("claude-code", "claude-code-retry", "codex-sse", "gemini-cli", "openai-agents", "opencode")
MS = 1_000_000
Sums = dict[str, float | None]


class Desk:
    """A database with a writer and a reader, and the recount of everything in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store, self.reader = SqliteStore(path), SqliteReader(path)

    def details(self) -> list[TraceDetail]:
        found = [self.reader.trace(row.trace_id) for row in self.reader.traces(CallFilter(), None, 200).items]
        return [detail for detail in found if detail is not None]

    def price(self, calls: Iterable[Call]) -> None:
        """Give every call another price, one in seven none."""
        with self.store.batch() as batch:
            for number, call in enumerate(calls):
                batch.set_cost(
                    call.call_id, Cost(None, why="unknown") if number % 7 == 3 else Cost(0.01 * (number + 1), "m", "test prices")
                )

    def purge(self, before_ns: int) -> None:
        while self.store.purge(before_ns, None):
            pass

    def check(self) -> int:
        """Compare all that is summed with a recount of the rows; return how many delegations there were."""
        traces = {row["trace_id"]: row for row in select(self.path, "SELECT * FROM traces")}
        threads = {(row["trace_id"], row["thread_id"]): row for row in select(self.path, "SELECT * FROM threads")}
        delegations = {(row["trace_id"], row["thread_id"]): row for row in select(self.path, "SELECT * FROM delegations")}
        details = self.details()
        assert traces.keys() == {detail.trace.trace_id for detail in details}
        for detail in details:
            trace_id = detail.trace.trace_id
            whole = recount(detail.calls)
            assert shown(traces[trace_id], *whole.keys() - {"duration_ms"}) == approx(without(whole, "duration_ms"))
            by_thread: dict[str, list[CallRow]] = {}
            for call in detail.calls:
                if call.kind not in HELPERS:
                    by_thread.setdefault(call.thread_id, []).append(call)
            mine = {thread for trace, thread in threads if trace == trace_id}
            assert mine == by_thread.keys()
            drawn = {branch.thread_id: branch for branch, _ in walk(outline(detail))}
            for thread, calls in by_thread.items():
                wanted = recount(calls)
                assert shown(threads[trace_id, thread], *wanted) == approx(wanted)
                own = drawn[thread].own
                assert (own.calls, own.cost_usd) == (wanted["call_count"], near(wanted["cost_usd"]))
            parents = opened(detail)
            assert {thread for trace, thread in delegations if trace == trace_id} == parents.keys()
            for thread, (opener, _) in parents.items():
                row = delegations.pop((trace_id, thread))
                wanted = recount(call for one in below(thread, parents) for call in by_thread[one])
                assert shown(row, *wanted) == approx(wanted)
                assert (row["from_call_id"], row["thread_count"]) == (opener, len(below(thread, parents)))
                tree = drawn[thread].whole
                assert (tree.calls, tree.cost_usd) == (wanted["call_count"], near(wanted["cost_usd"]))
        assert delegations == {}
        return sum(len(opened(detail)) for detail in details)


def recount(calls: Iterable[CallRow]) -> Sums:
    rows = list(calls)
    ends = [call.ended_at for call in rows if call.ended_at is not None]

    def total(name: str) -> float | None:
        known = [value for call in rows if (value := getattr(call, name)) is not None]
        return sum(known) if known else None

    unpriced = [call for call in rows if call.cost_usd is None and call.status != "running"]
    return {
        "call_count": len(rows),
        "running_count": sum(call.status == "running" for call in rows),
        "error_count": sum(call.error is not None and call.status != "cancelled" for call in rows),
        "tokens_input": total("tokens_input"),
        "tokens_output": total("tokens_output"),
        "cost_usd": total("cost_usd"),
        "unpriced_count": sum(call.tokens_input is not None or call.tokens_output is not None for call in unpriced),
        "duration_ms": ms(max(ends)) - ms(min(call.created_at for call in rows)) if ends else None,
    }


def ms(moment: str) -> float:
    hours, minutes, seconds = moment[11:-1].split(":")
    return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000


def opened(detail: TraceDetail) -> dict[str, tuple[str, str]]:
    """By thread that was opened, the oldest call that opened it, and that one's thread."""
    calls = {call.call_id: call for call in detail.calls}
    order = {call_id: at for at, call_id in enumerate(calls)}
    found: dict[str, tuple[str, str]] = {}
    for edge in sorted(detail.edges, key=lambda one: order.get(one.from_call_id, -1)):
        source, target = calls.get(edge.from_call_id), calls.get(edge.to_call_id)
        if edge.edge_type == "delegation" and source and target:
            found.setdefault(target.thread_id, (source.call_id, source.thread_id))
    return found


def below(thread: str, parents: dict[str, tuple[str, str]]) -> list[str]:
    return [thread, *(inner for one, (_, parent) in parents.items() if parent == thread for inner in below(one, parents))]


def shown(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def without(sums: Sums, name: str) -> Sums:
    return {key: value for key, value in sums.items() if key != name}


def near(value: float | None) -> Any:  # noqa: ANN401 - pytest's approx, or None
    return None if value is None else pytest.approx(value, abs=1e-6)


def approx(sums: Sums) -> dict[str, Any]:
    return {name: near(value) if name != "duration_ms" or value is None else pytest.approx(value, abs=0.01) for name, value in sums.items()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "proxy_traces.db")
    yield desk
    desk.reader.close()
    desk.store.close()


def everything() -> list[Call]:
    return [call for name in NAMES for call in sessions.load(name, headers=False).calls]


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_a_recount(desk: Desk, tmp_path: Path, seed: int) -> None:
    """Calls come in any order, running and ended; prices change; traces merge; the oldest go; all is placed anew."""
    dice = Random(seed)
    calls = everything()
    versions = dice.sample(list(sessions.in_time(calls)), 2 * len(calls))
    last = {call.call_id: at for at, call in enumerate(versions) if call.ended_ns is not None}
    told = [call for at, call in enumerate(versions) if at <= last[call.call_id]]  # nothing begins after it has ended
    half = len(told) // 2
    record(desk.store, told[:half])
    desk.check()
    record(desk.store, told[half:])
    assert desk.check() >= 6
    desk.price(calls)
    assert desk.check() >= 6

    first, second = (detail for detail in desk.details()[:2])
    moved = second.calls[0]
    with desk.store.batch() as batch:  # as late evidence does
        move = ThreadMove(moved.thread_id, moved.thread_id, first.trace.trace_id, moved.call_id, first.calls[0].call_id, "hand")
        batch.relink(LinkChanges(moves=(move,)))
    desk.check()

    starts = sorted(call.started_ns for call in calls)
    desk.purge(starts[len(starts) // 3])
    desk.check()

    shadow = SqliteStore(tmp_path / "shadow.db")
    link_anew(desk.reader, desk.store, shadow)
    shadow.close()
    desk.check()
    desk.purge(starts[-1] + 1)
    assert desk.check() == 0
    assert select(desk.path, "SELECT count(*) AS n FROM threads") == [{"n": 0}]


def test_delegations_three_deep(desk: Desk) -> None:
    lead = given(1, agent="lead", task="Build").finished(tokens=(1000, 10), usd=1.0)
    hand = given(2, thread="th-2", agent="hand", parent=lead, edge=EdgeType.DELEGATION, task="Walls").finished(tokens=(200, 20), usd=0.5)
    tool = given(3, thread="th-3", agent="finger", parent=hand, edge=EdgeType.DELEGATION).finished(tokens=(30, 3), usd=None)
    back = given(4, thread="th-2", agent="hand", parent=tool, edge=EdgeType.RESPONSE).finished(tokens=(300, 30), usd=0.25)
    last = given(9, agent="lead", parent=back, edge=EdgeType.RESPONSE).finished(tokens=(2000, 40), usd=2.0)
    put_all(desk.store, lead, hand, tool, back, last)
    rows = select(desk.path, "SELECT * FROM delegations ORDER BY thread_id")
    names = ("agent_name", "thread_count", "call_count", "tokens_input", "cost_usd", "unpriced_count", "tokens_handed_back")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("hand", 2, 3, 530, 0.75, 1, 30),
        ("finger", 1, 1, 30, None, 1, 3),
    ]
    assert desk.check() == 2


@pytest.mark.parametrize(("view", "column"), [("threads", "trace_id"), ("delegations", "trace_id"), ("delegations", "thread_id")])
def test_one_trace_is_summed_without_reading_the_others(desk: Desk, view: str, column: str) -> None:
    plan = run(desk.path, f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE {column} = 'x';")  # noqa: S608 - our own names
    scanned = [line.partition("SCAN ")[2].split()[0] for line in plan.splitlines() if "SCAN " in line]
    assert scanned
    assert not set(scanned) & {"a", "b", "c", "e", "f", "g", "h", "k", "l", "r", "t", "call", "edge", "thread", "trace"}


def test_the_views_know_what_is_a_helper() -> None:
    text = (Path(__file__).parents[2] / "src/modular_agents/proxy/store/sqlite/views.sql").read_text("utf-8")
    wanted = ", ".join(f"'{kind}'" for kind in HELPERS)
    assert text.count(f"kind NOT IN ({wanted})") == text.count("NOT IN (") == 3
