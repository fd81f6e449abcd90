"""Run programs through a real relay, read its journal with the product's own recorder, and look at the graph it made."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.linking.answer_key import HEADER, PROCESS, Score, Shown, ShownEdge, score
from tests.linking.answer_key import AnswerKey as Key
from tests.support.fake_clock import FakeClock
from tests.support.link_memory import LinkMemory

from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.linking import settle
from modular_agents.proxy.model.call import Call, Cost, Status
from modular_agents.proxy.model.link import Linked
from modular_agents.proxy.model.trace import Evidence, Placement
from modular_agents.proxy.recorder.pipeline import Pipeline, Rooms
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.wire.reader import CallReader


@dataclass
class Recording:
    """Versions of calls in the order in which the recorder linked them."""

    versions: list[Call] = field(default_factory=list)

    @property
    def finals(self) -> list[Call]:
        return [call for call in self.versions if call.status is not Status.RUNNING]

    def of(self, prefix: str) -> "Recording":
        """What one program did. Never nothing: a number that the recorder hides would let every test of it pass."""
        mine = Recording([call for call in self.versions if (key_of(call) or "").startswith(prefix)])
        assert mine.versions, f"no call of {prefix} was recorded with its number"
        return mine


def key_of(call: Call) -> str | None:
    return _header(call, HEADER)


def _header(call: Call, wanted: str) -> str | None:
    return next((value for name, value in call.request_headers if name.lower() == wanted), None)


def recorded(journal: Path) -> Recording:
    """Read a journal as the recorder does, and keep what it would link."""
    recording = Recording()
    store = MemoryStore()
    memory = LinkMemory()

    def link(call: Call, _find: object, _read: object) -> Linked:
        call = replace(call, process=_header(call, PROCESS) or "")
        recording.versions.append(call)
        return settle(call, memory.find)

    rooms = Rooms(CallReader, link, lambda _call: Cost(None), lambda *_: None)
    pipeline = Pipeline(JournalReader(journal, store.position()), store, store.position(), rooms, Redactor(b"dummy"), FakeClock())
    while pipeline.step():
        pass
    assert pipeline.tally.calls_ended == len(recording.finals), "every call is linked"
    return recording


ReadBefore = dict[tuple[str, Status], object]


def linked(versions: Iterable[Call], read_before: ReadBefore | None = None, *, keeps_live: bool = False) -> LinkMemory:
    """Link calls in this order. `read_before`: shared by those who link the same calls again, each version as it was."""
    memory = LinkMemory(keeps_live=keeps_live, read_before={} if read_before is None else read_before)
    for call in versions:
        memory.link(call)
    return memory


def graph(memory: LinkMemory, calls: Iterable[Call]) -> tuple[list[Shown], list[ShownEdge]]:
    """The graph in the answer key's words. The first attempt stands for a call that was tried again."""
    keys = {call.call_id: key_of(call) or "" for call in calls}
    shown, edges = [], []
    for call_id, row in memory.rows.items():
        at = row.placement
        shown.append(Shown(keys[call_id], at.trace_id, at.thread_id))
        for edge in at.edges:
            doubtful = edge.evidence.detail.startswith("ambiguous")
            edges.append(ShownEdge(keys[edge.from_call_id], keys[call_id], str(edge.edge_type), edge.evidence.rule, doubtful))
    return shown, edges


def scored(key: Key, memory: LinkMemory, recording: Recording) -> dict[str, Score]:
    return score(key.known, *graph(memory, recording.versions))


def stands(memory: LinkMemory) -> dict[str, Placement]:
    """Where every call stands. The order of its edges says nothing; how its trace was recognised belongs to the trace."""
    plain = Evidence("")
    return {
        call_id: replace(
            row.placement,
            edges=tuple(sorted(row.placement.edges, key=lambda edge: (edge.edge_type, edge.from_call_id))),
            trace_evidence=plain,
        )
        for call_id, row in memory.rows.items()
    }
