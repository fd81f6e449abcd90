"""What each provider's prompt cache does, as data: how much a prompt must hold, how long it lies, how far back is looked, what breaks it.

Sources, read in November 2026: platform.claude.com/docs/en/build-with-claude/prompt-caching (lifetime counts from the start of
the request that wrote or read an entry; 20 positions are looked at, a run of tool uses or of tool results being one) and
…/agents-and-tools/tool-use/tool-use-with-prompt-caching (what a change breaks); developers.openai.com/api/docs/guides/prompt-caching
and …/prompt-caching/diagnostics; ai.google.dev/gemini-api/docs/caching.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from modular_agents.proxy.model.query import CallRow

TOOLS, SYSTEM, MESSAGES = "tools", "system", "messages"
PARTS = (TOOLS, SYSTEM, MESSAGES)
"""In the order of the cache: what breaks one breaks those after it."""
_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(frozen=True, slots=True)
class Rules:
    """One provider's cache.

    marked: only what a request marks is kept; else its whole beginning is. minimums: (beginning of a model's name, tokens), the
    longest that fits counts. step_tokens: beginnings are kept in multiples of it. lookback: blocks before a mark that are looked at.
    lifetime_s: how long an unmarked beginning lies at least. breaking: parameters, and the first part whose entries a change breaks.
    """

    name: str
    source: str
    marked: bool
    minimum_tokens: int = 0
    minimums: tuple[tuple[str, int], ...] = ()
    step_tokens: int = 1
    lookback: int | None = None
    lifetime_s: int | None = None
    breaking: Mapping[str, str] = field(default_factory=dict)

    def minimum(self, model: str | None) -> int:
        """Return the tokens below which nothing is kept."""
        name = (model or "").rpartition("/")[2]
        fitting = [(len(start), tokens) for start, tokens in self.minimums if name.startswith(start)]
        return max(fitting)[1] if fitting else self.minimum_tokens


ANTHROPIC = Rules(
    name="Anthropic",
    source="https://platform.claude.com/docs/en/build-with-claude/prompt-caching",
    marked=True,
    minimum_tokens=1024,
    minimums=(
        ("claude-opus-5", 512),
        ("claude-fable-5", 512),
        ("claude-mythos-5", 512),
        ("claude-opus-4-7", 2048),
        ("claude-3-5-haiku", 2048),
        ("claude-3-haiku", 2048),
        ("claude-opus-4-6", 4096),
        ("claude-opus-4-5", 4096),
        ("claude-haiku-4-5", 4096),
    ),
    lookback=20,
    breaking={
        "mcp_servers": TOOLS,
        "speed": SYSTEM,
        "tool_choice": MESSAGES,
        "thinking": MESSAGES,
        "output_config": MESSAGES,
    },
)
OPENAI = Rules(
    name="OpenAI",
    source="https://developers.openai.com/api/docs/guides/prompt-caching",
    marked=False,
    minimum_tokens=1024,
    step_tokens=128,
    lifetime_s=5 * _MINUTE_S,
    breaking={
        "text": TOOLS,
        "response_format": TOOLS,
        "reasoning": TOOLS,
        "reasoning_effort": TOOLS,
        "verbosity": TOOLS,
        "service_tier": TOOLS,
        "prompt_cache_key": TOOLS,
    },
)
OPENAI_LATER = Rules(
    name="OpenAI",
    source=OPENAI.source,
    marked=False,
    minimum_tokens=1024,
    lifetime_s=30 * _MINUTE_S,
    breaking=OPENAI.breaking,
)
"""GPT-5.6 and later: entries lie half an hour from their last use and end where they end."""
GEMINI = Rules(
    name="Gemini",
    source="https://ai.google.dev/gemini-api/docs/caching",
    marked=False,
    minimum_tokens=4096,
    minimums=(("gemini-2.5", 2048),),
    breaking={"cachedContent": TOOLS},
)
UNKNOWN = Rules(name="", source="", marked=False)
"""Most servers keep the beginning of a prompt for a while, and tell neither how much nor how long."""

_OPENAI_MODEL = re.compile(r"(?:.*/)?(?:gpt-(?P<major>\d+)(?:[.-](?P<minor>\d+))?|chatgpt|o\d|codex)")
_FIRST_LATER = (5, 6)
_OPENAI_FORMATS = frozenset({"openai.chat", "openai.responses"})


def rules_for(call: CallRow, *, marks: bool) -> Rules:
    """Return the rules of the cache that a call met. `marks`: it asks for places to be kept."""
    model = (call.model or "").lower()
    if call.format == "anthropic.messages" and (call.provider == "claude" or marks or "claude" in model):
        return ANTHROPIC
    if call.format in _OPENAI_FORMATS:
        if marks and "claude" in model:
            return ANTHROPIC
        found = _OPENAI_MODEL.match(model)
        if found is not None:
            version = (int(found["major"] or 0), int(found["minor"] or 0))
            return OPENAI_LATER if version >= _FIRST_LATER else OPENAI
    return GEMINI if call.format.startswith("gemini") else UNKNOWN
