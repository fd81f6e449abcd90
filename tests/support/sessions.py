"""Whole sessions of real clients (tests/corpus/sessions): what they sent and got, with prompts in short words, and the graph it is.

A session is a JSON object: `client`, `tasks` (one for each trace), `calls` as they began (times in ms from the
session's start; calls that share a `connection` name it), and `expected`: for each call its kind, agent, thread and incoming edges.
Codex's agents have paths for names; here they stand without the first slash, so that they look like no folder of a machine.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.link_memory import LinkMemory
from tests.support.wire_corpus import START_NS, exchange

from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.wire.reader import read_call

FOLDER = Path(__file__).parents[1] / "corpus" / "sessions"
MS = 1_000_000


@dataclass(frozen=True)
class Session:
    name: str
    tasks: tuple[str, ...]
    calls: tuple[Call, ...]
    expected: dict[str, dict[str, Any]]

    def renamed(self, tag: str) -> "Session":
        """The same with other call ids and connections, for two clients at once."""
        calls = tuple(replace(call, call_id=f"{call.call_id}{tag}", connection_id=f"{call.connection_id}{tag}") for call in self.calls)
        return Session(f"{self.name}{tag}", self.tasks, calls, self.expected)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str, *, headers: bool = True) -> Session:
    """Read a session. Without `headers` nothing but bodies says who speaks."""
    told = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    calls = tuple(_call(name, number, call, headers=headers) for number, call in enumerate(told["calls"]))
    return Session(name, tuple(told["tasks"]), calls, told["expected"])


def _call(session: str, number: int, told: dict[str, Any], *, headers: bool) -> Call:
    made = exchange(
        json.dumps(told["request"], ensure_ascii=False) if "request" in told else "",
        told["answer"],
        target=told["target"],
        method=told["method"],
        status=told["status"],
        upstream=told["upstream"],
        content_type=told["content_type"],
        request_headers=tuple((name, value) for name, value in told["headers"] if headers),
    )
    started, ended = (START_NS + round(told[key] * MS) for key in ("start_ms", "end_ms"))
    connection = told.get("connection", str(number))
    made = replace(
        made,
        call_id=f"{session}-{told['name']}",
        connection_id=f"{session}-{connection}",
        started_ns=started,
        ended_ns=max(ended, started + 1),
    )
    return read_call(made)


def in_time(calls: Iterable[Call]) -> Iterator[Call]:
    """Yield versions of calls as a recorder sees them: each when it begins and when it ends."""
    moments = [(call.started_ns, 0, replace(call, status=Status.RUNNING, answers=(), response_id=None, ended_ns=None)) for call in calls]
    moments += [(call.ended_ns or call.started_ns, 1, call) for call in calls]
    for _, _, call in sorted(moments, key=lambda moment: (*moment[:2], moment[2].call_id)):
        yield call


def linked(*sessions: Session) -> LinkMemory:
    """Link sessions that began at the same moment."""
    memory = LinkMemory()
    for call in in_time([call for session in sessions for call in session.calls]):
        memory.link(call)
    return memory


def shown(session: Session, memory: LinkMemory) -> dict[str, dict[str, Any]]:
    """What was made of a session, as its `expected` says it."""
    threads: dict[str, str] = {}
    made: dict[str, dict[str, Any]] = {}
    plain = {call.call_id: name for call, name in zip(session.calls, session.expected, strict=True)}
    for call_id, name in plain.items():
        at = memory.rows[call_id].placement
        edges = [[edge.edge_type.value, plain.get(edge.from_call_id, edge.from_call_id), edge.evidence.rule] for edge in at.edges]
        thread = threads.setdefault(at.thread_id, f"t{len(threads) + 1}")
        made[name] = {"kind": at.kind, "agent": at.agent_name, "thread": thread, "edges": sorted(edges)}
    return made


def traces(session: Session, memory: LinkMemory) -> set[str]:
    return {memory.rows[call.call_id].placement.trace_id for call in session.calls}
