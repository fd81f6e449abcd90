"""What was said: a call to a model in one neutral shape, with nothing thrown away.

A `Call` is made from an `Exchange` by `wire` and never changes; a running call and its final form are two values with
the same id. Raw JSON is kept beside every neutral reading (`raw` fields: exact UTF-8 bytes as they stood in the body),
so that an unknown block survives. Unknown numbers are None, never 0.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from modular_agents.proxy.model.exchange import Headers, Hints
from modular_agents.proxy.model.quick import quick


class Status(StrEnum):
    """State of a call, as the contract's `llm_calls.status` shows it."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    """The provider answered with an error, cut the answer, or could not be reached."""
    CANCELLED = "cancelled"
    """The client went away."""
    INTERRUPTED = "interrupted"
    """One of our processes died in the middle."""


class UsageSource(StrEnum):
    """Where token counts come from."""

    REPORTED = "reported"
    PARTIAL = "partial"
    """Reported so far, then the stream ended early."""
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, normalised. `input_total` includes cache reads and writes; `reasoning` is part of `output_total`.

    `raw` is the provider's own usage object (JSON bytes), verbatim.
    Source: Anthropic "Messages" usage, OpenAI "Chat completion object" usage, Gemini `usageMetadata`.
    """

    source: UsageSource = UsageSource.UNKNOWN
    input_total: int | None = None
    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output_total: int | None = None
    reasoning: int | None = None
    raw: bytes | None = None


@quick
@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message.

    kind: `text`, `thinking`, `redacted_thinking`, `refusal`, `tool_use`, `tool_result`, `server_tool_use` and `server_tool_result`
    (run by the provider inside one answer), `image`, `audio`, `document`, or `other`. Pictures and documents inside a tool
    result follow it as parts of their own with the same `tool_id`.
    text: what a person reads (the text; a tool result flattened); empty when there is none.
    tool_id, name: of a tool use, or the tool use a result answers. arguments: a tool use's input as JSON text, as sent.
    is_error: a tool result that says so. raw: the block's JSON, exact; empty where a message's content is a plain string.
    """

    kind: str
    text: str = ""
    tool_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    is_error: bool | None = None
    raw: bytes = b""


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation as sent (or the answer). `raw` is its exact JSON; for a streamed answer, the folded message.

    `digest` is 16 bytes that are equal for two spellings of the same message: cache marks, white space and, for an
    assistant message, everything a client may drop or reorder when it sends an answer back are left out (see wire/content.py).
    It is empty for an entry that the next one speaks for: where an answer comes back split over several entries in a row
    (OpenAI Responses items, Gemini chunks), the last of the run carries the digest of them all, and `model.chain` skips the rest.
    An answer always has one.
    """

    role: str
    parts: tuple[Part, ...]
    raw: bytes
    digest: bytes


@quick
@dataclass(frozen=True, slots=True)
class CallError:
    """An error of the call. `whose`: `client`, `provider` or `proxy`; `kind`: the provider's own error type or our outcome."""

    whose: str
    kind: str
    message: str


@quick
@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a body could not be understood, in words for the person: the bytes are kept and shown raw."""

    where: str
    """`request` or `response`."""
    reason: str


@quick
@dataclass(frozen=True, slots=True)
class Call:
    """One call. `format` names the wire format (`anthropic.messages`, `openai.chat`, `raw`)."""

    call_id: str
    status: Status
    started_ns: int
    provider: str
    """`claude`, `openai`, `gemini`, `ollama`, or the configured upstream's name."""
    upstream: str
    format: str
    operation: str
    """`chat`, `completion`, `embeddings`, `count_tokens`, `models`, `batch`, `stored`, … or `other` (all names: wire/detect.py)."""
    method: str
    path: str
    """Request target as forwarded, secrets replaced."""
    client: str
    connection_id: str
    hints: Hints
    request_headers: Headers
    stream: bool = False
    model: str | None = None
    """As the request asked."""
    model_response: str | None = None
    """As the answer says."""
    system: tuple[Message, ...] = ()
    """System prompt blocks that stand outside the message list (role `system`)."""
    messages: tuple[Message, ...] = ()
    tools: tuple[bytes, ...] = ()
    """Tool definitions, exact JSON each."""
    params: bytes = b"{}"
    """JSON object: every other top-level field of the request body."""
    answers: tuple[Message, ...] = ()
    """The first is the answer; more only where several choices were asked for."""
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    error: CallError | None = None
    unreadable: Unreadable | None = None
    http_status: int | None = None
    request_id: str | None = None
    """The provider's, from its response headers."""
    response_id: str | None = None
    """The provider's, from the body (`msg_…`, `chatcmpl-…`, `resp_…`)."""
    previous_response_id: str | None = None
    service_tier: str | None = None
    """What decides the price beside the model: `batch`, `flex`, `priority`, `fast` …, as the answer says, else as asked."""
    ended_ns: int | None = None
    first_token_ns: int | None = None
    flags: frozenset[str] = field(default_factory=frozenset)
    process: str = ""
    """`Caller.process` of its connection: names the run of the program on this machine that made it; empty: not known."""

    @property
    def answer_text(self) -> str:
        """Text of the first answer, as the contract's `llm_calls.response` shows it."""
        return "".join(part.text for part in self.answers[0].parts if part.kind in {"text", "refusal"}) if self.answers else ""


@quick
@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a running answer. `part` counts the parts of the answer from 0; `kind` is the part's kind."""

    call_id: str
    at_ns: int
    part: int
    kind: str
    text: str
    name: str | None = None
    """Tool name, on the first piece of a tool use."""


@quick
@dataclass(frozen=True, slots=True)
class Cost:
    """Price of a call in USD with its provenance; `usd` None means unpriced, and `why` says why."""

    usd: float | None
    model: str | None = None
    catalogue: str | None = None
    """Price catalogue and version, for example `genai-prices 0.2.3`."""
    tier: str | None = None
    why: str = ""
