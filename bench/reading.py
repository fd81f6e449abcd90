"""What it costs to open one large trace: its calls, the tools that ran in it, its tree of agents, what the page is sent, what SQL sums.

    python -m bench.reading                              2,000 calls of 40 agents, a tool between any two
    python -m bench.reading --calls 2000 --agents 200

CPU time of this process, the median of some runs; the SQL views are asked in a process of their own (`sqlite3`), wall time.
"""

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import msgspec
from tests.support.stored import Given, given, message, put_all, tool_use

from modular_agents.proxy.dashboard.graphs import view_graph, view_runs, view_tools
from modular_agents.proxy.linking.outline import outline
from modular_agents.proxy.linking.toolspans import tool_spans
from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore

RUNS = 15
FILE = "line of a file\n" * 60
"""What each tool returns, about 900 bytes."""


def brings(tool_id: str) -> Message:
    """A user's message with one result."""
    block = json.dumps({"type": "tool_result", "tool_use_id": tool_id, "content": FILE})
    raw = f'{{"role":"user","content":[{block}]}}'.encode()
    return Message("user", (Part("tool_result", FILE, tool_id, raw=block.encode()),), raw, blake2b(raw, digest_size=16).digest())


def fill(store: SqliteStore, agents: int, turns: int) -> str:
    """Put one trace: a lead whose first call opens all other agents, each of which asks for a tool in every turn. Return a call's id."""
    lead: Given | None = None
    number = 0
    for agent in range(agents):
        history = (message("user", f"task {agent} " + "x" * 500),)
        before, batch = None, []
        for turn in range(turns):
            number += 1
            tool_id = f"toolu_{agent}_{turn}"
            answer = tool_use("read_file", {"path": f"/src/{agent}/{turn}.py"}, tool_id)
            edge = EdgeType.REQUEST if before else EdgeType.DELEGATION
            call = given(number, messages=history, thread=f"th-{agent}", agent=f"agent {agent}", parent=before or lead, edge=edge)
            before = call.finished(answer)
            lead = lead or before
            batch.append(before)
            history = (*history, answer, brings(tool_id))
        put_all(store, *batch)
    return lead.call_id if lead else ""


def timed(what: str, ask: Callable[[], object]) -> None:
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        ask()
        took.append((time.process_time() - began) * 1000)
    print(f"  {what:44} p50 {statistics.median(took):7.1f} ms   max {max(took):7.1f} ms")


def in_sql(db: Path, view: str) -> None:
    """Ask a view of the contract for the trace."""
    query = f".timer on\nSELECT count(*), sum(call_count) FROM {view} WHERE trace_id = 'tr-1';\n" * RUNS
    said = subprocess.run(["sqlite3", "-readonly", str(db)], input=query, capture_output=True, text=True, check=True).stdout
    took = sorted(float(found) * 1000 for found in re.findall(r"real (\S+)", said))
    print(f"  {f'SQL: {view} of the trace':44} p50 {statistics.median(took):7.1f} ms   max {took[-1]:7.1f} ms")


def main() -> None:
    """Fill a database, then open its trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--agents", type=int, default=40)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "bench.db"
        store = SqliteStore(db)
        first = fill(store, flags.agents, flags.calls // flags.agents)
        store.close()
        reader = SqliteReader(db)
        detail, turns = reader.trace("tr-1"), reader.tool_turns("tr-1")
        if detail is None:
            parser.error("there is nothing to open: --calls must be at least --agents")
        spans = tool_spans(detail, turns)
        print(f"{len(detail.calls)} calls of {flags.agents} agents, {len(spans)} runs of tools")
        timed("read the trace's rows", lambda: reader.trace("tr-1"))
        timed("read what its calls say of tools", lambda: reader.tool_turns("tr-1"))
        timed("pair uses with results", lambda: tool_spans(detail, turns))
        timed("its tree with all sums", lambda: outline(detail, spans))
        timed("/api/traces/{id}, encoded", lambda: msgspec.json.encode(reader.trace("tr-1")))
        timed("/api/traces/{id}/tools, encoded", lambda: msgspec.json.encode(view_tools(reader, "tr-1")))
        timed("/api/traces/{id}/graph, encoded", lambda: msgspec.json.encode(view_graph(reader, "tr-1")))
        timed("/api/calls/{id}/tools of one call, encoded", lambda: msgspec.json.encode(view_runs(reader, first)))
        reader.close()
        in_sql(db, "threads")
        in_sql(db, "delegations")


if __name__ == "__main__":
    main()
