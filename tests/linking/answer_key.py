"""What a program itself knows of who called whom, and how well the product's graph agrees with it.

Every call carries its number in a header `x-number` that linking does not read. A program writes down, as it goes, to which task and
agent each call belongs, which call opened the agent, and whose results it brings back.
"""

import itertools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HEADER = "x-number"
PROCESS = "x-process"
"""Names the process that a program stands for. Linking does not read it either: it is told as the operating system would tell it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the program knows of one call; calls are named by their keys."""

    key: str
    task: str
    agent: str
    before: str | None
    """The agent's call before this one."""
    opened_by: str | None
    """For an agent's first call."""
    brings: tuple[str, ...]
    """Last calls of the agents whose results it brings."""


@dataclass
class AnswerKey:
    """Thread-safe: agents run in parallel."""

    prefix: str = ""
    known: dict[str, Known] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._serial = itertools.count(1)
        self._last: dict[str, str] = {}
        self._failed: set[str] = set()

    def call(self, task: str, agent: str, *, opened_by: str | None, brings: Iterable[str]) -> str:
        """Write down a call that is about to be made; return its key."""
        with self._lock:
            key = f"{self.prefix}{next(self._serial)}"
            before = self._last.get(agent)
            self._last[agent] = key
            self.known[key] = Known(key, task, agent, before, None if before else opened_by, tuple(brings))
            return key

    def failed(self, key: str) -> None:
        """Say that a call failed: what is tried next hangs on the first attempt."""
        with self._lock:
            self._failed.add(key)
            one = self.known[key]
            if one.before in self._failed:
                self._last[one.agent] = one.before


@dataclass(frozen=True, slots=True)
class Score:
    """How well two sets agree."""

    right: int = 0
    claimed: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0

    def __add__(self, other: "Score") -> "Score":
        return Score(self.right + other.right, self.claimed + other.claimed, self.true + other.true)

    def __str__(self) -> str:
        return f"{self.precision:.3f}/{self.recall:.3f} of {self.true}"


@dataclass(frozen=True, slots=True)
class Shown:
    """One call as the product shows it."""

    key: str
    trace: str
    thread: str


@dataclass(frozen=True, slots=True)
class ShownEdge:
    """One edge, between keys."""

    source: str
    target: str
    type: str
    rule: str
    is_doubtful: bool


def score(known: Mapping[str, Known], calls: Iterable[Shown], edges: Iterable[ShownEdge]) -> dict[str, Score]:
    """Compare: pairs of calls in one trace and in one thread, and edges of each type."""
    shown = list(calls)
    truth = {
        "request": {(one.before, one.key) for one in known.values() if one.before},
        "delegation": {(one.opened_by, one.key) for one in known.values() if one.opened_by},
        "response": {(brought, one.key) for one in known.values() for brought in one.brings},
    }
    claimed = {name: {(edge.source, edge.target) for edge in edges if edge.type == name and edge.source != edge.target} for name in truth}
    scores = {name: Score(len(truth[name] & claimed[name]), len(claimed[name]), len(truth[name])) for name in truth}
    scores["trace"] = _pairs(shown, {one.key: known[one.key].task for one in shown}, {one.key: one.trace for one in shown})
    scores["thread"] = _pairs(shown, {one.key: known[one.key].agent for one in shown}, {one.key: one.thread for one in shown})
    return scores


def _pairs(shown: Iterable[Shown], true: Mapping[str, str], claimed: Mapping[str, str]) -> Score:
    keys = sorted({one.key for one in shown})
    right = said = real = 0
    for one, other in itertools.combinations(keys, 2):
        is_true, is_said = true[one] == true[other], claimed[one] == claimed[other]
        right += is_true and is_said
        said += is_said
        real += is_true
    return Score(right, said, real)
