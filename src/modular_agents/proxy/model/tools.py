"""Tools that ran between calls: an answer asks for one, a later request brings what it said.

The proxy never sees a tool run. What it sees is the answer that asked and the request that brought the result, so a run lasts from the
end of the one to the beginning of the other.
"""

from dataclasses import dataclass

from modular_agents.proxy.model.query import PartView
from modular_agents.proxy.model.quick import quick

RUNNING = "running"
"""Its result may still come."""
RETURNED = "returned"
FAILED = "failed"
"""Its result says that it is an error."""
UNSEEN = "unseen"
"""No request brought a result."""


@quick
@dataclass(frozen=True, slots=True)
class ToolUse:
    """What an answer asks of a tool, without its arguments."""

    tool_id: str | None
    name: str


@quick
@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a request brings of a tool, without what it says. `message`, `part`: where it stands in the request.

    is_new: it stands after the request's last answer. is_error: None where the format cannot say.
    """

    tool_id: str | None
    name: str | None
    is_error: bool | None
    message: int
    part: int
    is_new: bool


@quick
@dataclass(frozen=True, slots=True)
class UserText:
    """What a user says in a request, after its last answer, where frameworks put results of tools as plain text."""

    text: str
    message: int
    part: int


@quick
@dataclass(frozen=True, slots=True)
class ToolTurn:
    """What one call says of tools.

    uses: of its (first) answer. results: of its request. texts: of its request, where it follows an answer that asked for tools and
    brings no result as such. facts: of a call that another one opened, linking's own (`Indexed.facts`); empty of all others.
    """

    call_id: str
    uses: tuple[ToolUse, ...] = ()
    results: tuple[ToolResult, ...] = ()
    texts: tuple[UserText, ...] = ()
    facts: bytes = b""


@quick
@dataclass(frozen=True, slots=True)
class ToolSpan:
    """One run of a tool. Times are ISO 8601 UTC; `span_id` is `<call_id>.<number>`, the number counts an answer's tool uses from 0."""

    span_id: str
    call_id: str
    """Whose answer asked for it."""
    number: int
    thread_id: str
    name: str
    tool_id: str | None
    state: str
    """`running`, `returned`, `failed` (its result says so), `unseen` (no result was seen)."""
    started_at: str
    """The end of the answer that asked for it."""
    ended_at: str | None
    """The beginning of the request that brought its result."""
    duration_ms: float | None
    result_call_id: str | None
    result_message: int | None
    """Which message of that request holds the result, from 0."""
    result_part: int | None
    paired_by: str
    """`id`, `name` (with the order in which results come), `text` (a user text names the tool); empty without a result."""
    opened: tuple[str, ...]
    """Threads that it opened: it delegated."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A run with what was asked and what came back."""

    span: ToolSpan
    arguments: str
    """JSON, as the model wrote it; some tools take plain text."""
    result: tuple[PartView, ...]
    """The result, then the pictures and documents that came with it; nothing when none was seen."""


@dataclass(frozen=True, slots=True)
class ToolSums:
    """All runs of one tool in a thread. `duration_ms`: of those whose result was seen, together; runs side by side count each."""

    name: str
    runs: int
    failed: int
    unseen: int
    running: int
    duration_ms: float
