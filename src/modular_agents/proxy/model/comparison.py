"""What tells two calls apart, and what that did to the prompt cache: the shapes that the CLI prints and the page shows.

Places are told in the order in which a provider reads a request: tools, system, messages. Indices count from 0.
"""

from dataclasses import dataclass

from modular_agents.proxy.model.query import CallRow


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of a text. `kind`: `same`, `removed` (only the earlier one has it) or `added`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a list (a tool, a system block, a message, a parameter), or a run of entries that are the same.

    kind: `same`, `added`, `removed`, `changed` or `moved`. name: a message's role, a tool's or a parameter's name; empty for a
    run. before_at, after_at: where it stands in the earlier and in the later call; None where it does not. count: entries of the run.
    edits: its text in pieces; nothing for a run. note: what a person may want to be told of it.
    """

    kind: str
    name: str
    before_at: int | None
    after_at: int | None
    count: int
    edits: tuple[Edit, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Place:
    """A block of a request. `part`: `tools`, `system`, `messages`; `at`: the entry; `block`: the block within a message."""

    part: str
    at: int
    block: int
    words: str
    """As a person says it: `tool 3 (search)`, `message 12, block 2 (user)`."""


@dataclass(frozen=True, slots=True)
class CacheMark:
    """A place up to which a request asks its provider to keep the prompt."""

    place: Place
    ttl_s: int | None
    """How long it asked for; None where the format names no time."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the cache could not be used as far as it reached.

    rule: a stable word (`model`, `tools`, `system`, `messages`, `parameter`, `marks`, `lookback`, `expired`, `parallel`,
    `minimum`, `key`, `provider` …). certain: False where it may be so.
    """

    rule: str
    words: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """What input costs, in USD per million tokens, each for a call of one size at one moment."""

    input: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float


@dataclass(frozen=True, slots=True)
class CacheView:
    """What the prompt cache made of the later call.

    verdict: `kept` (all that could be read was), `partly`, `lost` (nothing was), `nothing` (nothing lay there), `unknown`.
    Tokens: `reusable` lay in the cache after the earlier call; `read` were read by the later one, `missed` were not and had to be paid
    anew. `missed_usd` is what that cost beyond their price from the cache, `saved_usd` what the read ones cost less than uncached.
    None is unknown, or unpriced.
    """

    verdict: str
    words: str
    breaks_at: Place | None
    """The first block that differs; None when the later request begins with all of the earlier one."""
    reasons: tuple[Reason, ...]
    """The first one is the one that breaks it first. Filled in for what is to be expected, too, where the tokens are unknown."""
    reusable_tokens: int | None
    read_tokens: int | None
    missed_tokens: int | None
    before_break_tokens: int | None
    """Estimated: input tokens of the later call that stand before `breaks_at`."""
    missed_usd: float | None
    saved_usd: float | None
    marks_before: tuple[CacheMark, ...]
    marks_after: tuple[CacheMark, ...]
    source: str
    """The provider's page on its cache that these rules are from; empty for a provider we know none of."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two calls, entry by entry. `same`: nothing was added, removed, moved or changed."""

    before: CallRow
    after: CallRow
    same: bool
    params: tuple[Change, ...]
    """The model and every other parameter that differs."""
    tools: tuple[Change, ...]
    system: tuple[Change, ...]
    messages: tuple[Change, ...]
    cache: CacheView
