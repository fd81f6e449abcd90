"""Programs of several agents over the official SDKs, with their own answer key, through one shared proxy at once.

In each dialect and mode all programs run at the same time through one relay. The product's recorder reads the journal, and
the graph is compared with what the programs know of themselves: all together, each alone, and each in other orders of arrival.
"""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.linking.answer_key import AnswerKey, Score
from tests.linking.apps import App, Mode
from tests.linking.programs import PROGRAMS
from tests.linking.runs import ReadBefore, Recording, graph, linked, recorded, scored, stands
from tests.linking.toolwork import misled, misread, read_tools, unopened
from tests.support.link_store import placed, record
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.talks import in_disorder

from modular_agents.proxy.store.sqlite import SqliteStore

DIALECTS = ("anthropic", "chat", "responses", "gemini")
PRECISION, RECALL = 0.98, 0.95
"""With every header stripped; where ids are given, nothing may be wrong."""
ORDERS, SOAK_ORDERS = 4, 1000
RESTARTS = 25
"""Orders of all calls of a run, each with a restart somewhere in it."""
GRAPH = ("trace", "thread", "delegation")


@dataclass(frozen=True)
class Runs:
    mode: Mode
    keys: dict[str, AnswerKey]
    recording: Recording

    @property
    def key(self) -> AnswerKey:
        whole = AnswerKey()
        for key in self.keys.values():
            whole.known.update(key.known)
        return whole


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer(unique_ids=True) as running:
        yield running


@pytest.fixture(scope="module", params=[(dialect, mode) for dialect in DIALECTS for mode in Mode], ids="-".join)
def runs(request: pytest.FixtureRequest, provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    dialect, mode = request.param
    directory = tmp_path_factory.mktemp("runs")
    keys = {program.__name__: AnswerKey(f"{program.__name__}:") for program in PROGRAMS}
    failures: list[BaseException] = []
    with RelayThread(dict.fromkeys(("anthropic", "openai", "gemini"), provider.url), directory, default="openai") as relay:

        def run(program: object) -> None:
            name = program.__name__  # type: ignore[attr-defined]
            try:
                with App(relay.url, dialect, mode, keys[name], name) as app:
                    program(app)  # type: ignore[operator]
            except BaseException as error:  # noqa: BLE001 - handed to the test's thread
                failures.append(error)

        threads = [threading.Thread(target=run, args=(program,)) for program in PROGRAMS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return Runs(mode, keys, recorded(directory / "journal"))


def agrees(scores: dict[str, Score], mode: Mode, names: tuple[str, ...] = GRAPH) -> bool:
    if mode is not Mode.STRIPPED:
        return all(scores[name].precision == scores[name].recall == 1 for name in names)
    return all(scores[name].precision >= PRECISION and scores[name].recall >= RECALL for name in names)


def test_all_at_once_through_one_proxy(runs: Runs) -> None:
    memory = linked(runs.recording.versions)
    scores = scored(runs.key, memory, runs.recording)
    assert agrees(scores, runs.mode), scores
    assert agrees(scores, Mode.STRIPPED, ("request", "response")), scores


def test_nothing_is_silently_wrong(runs: Runs) -> None:
    known = runs.key.known
    _, edges = graph(linked(runs.recording.versions), runs.recording.versions)
    wrong = [edge for edge in edges if edge.type == "delegation" and known[edge.target].opened_by != edge.source and not edge.is_doubtful]
    assert wrong == []


def test_every_tool_has_its_own_result(runs: Runs) -> None:
    """Every program brings back whatever it asked for; two results are plain text, of tools asked for in plain text."""
    versions = runs.recording.versions
    details, spans = read_tools(versions)
    uses = sum(part.kind == "tool_use" for call in runs.recording.finals for one in call.answers[:1] for part in one.parts)
    assert len(spans) == uses + 2 > 70
    assert {span.state for span in spans} == {"returned"}
    assert sum(span.paired_by == "text" for span in spans) == 2
    assert misread(versions, spans) == []
    assert misled(versions, runs.key, details, spans) == []
    assert unopened(details, spans) == []


@pytest.mark.parametrize("program", [program.__name__ for program in PROGRAMS])
def test_each_alone_and_in_other_orders(runs: Runs, program: str) -> None:
    mine = runs.recording.of(runs.keys[program].prefix)
    memory = linked(mine.versions)
    scores = scored(runs.keys[program], memory, mine)
    assert agrees(scores, runs.mode), scores
    in_any_order(mine, program, ORDERS)


@pytest.mark.soak
@pytest.mark.parametrize("program", [program.__name__ for program in PROGRAMS])
def test_a_thousand_orders(runs: Runs, program: str) -> None:
    in_any_order(runs.recording.of(runs.keys[program].prefix), program, SOAK_ORDERS)


def in_any_order(mine: Recording, program: str, orders: int) -> None:
    wanted = stands(linked(mine.versions))
    read_before: ReadBefore = {}
    for number in range(orders):
        dice = random.Random(f"{program} {number}")
        memory = linked(in_disorder(mine.finals, dice), read_before, keeps_live=number % 2 == 1)
        assert stands(memory) == wanted, f"order {number}"


def in_any_order_through_a_file(whole: Recording, folder: Path, orders: int) -> None:
    """All programs of a run at once, in any order, a few calls in each batch; the recorder is started anew somewhere in the middle."""
    wanted = {
        call_id: (one.trace_id, one.thread_id, one.parent_id, one.agent_name) for call_id, one in stands(linked(whole.versions)).items()
    }
    for number in range(orders):
        dice = random.Random(f"restart {number}")
        versions = in_disorder(whole.finals, dice)
        middle = dice.randrange(len(versions))
        path = folder / f"traces-{number}.db"
        for part in (versions[:middle], versions[middle:]):
            store = SqliteStore(path)
            record(store, part, per_batch=dice.randint(1, 30))
            store.close()
        assert placed(path) == wanted, f"order {number}"
        path.unlink()


def test_a_restart_in_the_middle_changes_nothing(runs: Runs, tmp_path: Path) -> None:
    wanted = stands(linked(runs.recording.versions))
    versions = runs.recording.versions
    for part in (versions[: len(versions) // 2], versions[len(versions) // 2 :]):
        store = SqliteStore(tmp_path / "traces.db")
        record(store, part, per_batch=20)
        store.close()
    assert placed(tmp_path / "traces.db") == {
        call_id: (one.trace_id, one.thread_id, one.parent_id, one.agent_name) for call_id, one in wanted.items()
    }


@pytest.mark.soak
def test_restarts_in_any_order_change_nothing(runs: Runs, tmp_path: Path) -> None:
    in_any_order_through_a_file(runs.recording, tmp_path, RESTARTS)
