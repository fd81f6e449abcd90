"""What the provider itself says of its cache, where the app asked it to: Anthropic's `diagnostics`, OpenAI's `prompt_cache_diagnostics`.

Sources: platform.claude.com/docs/en/build-with-claude/cache-diagnostics, developers.openai.com/api/docs/guides/prompt-caching/diagnostics.
"""

import json

from modular_agents.proxy.model.comparison import Reason
from modular_agents.proxy.model.query import RawExchange
from modular_agents.proxy.wire.encodings import decode_body

_NAMES = ('"cache_miss_reason":', '"prompt_cache_diagnostics":')
"""Inside a model's words a quote has a backslash before it: what is found is the provider's own."""
_UNTOLD = frozenset({"unavailable", "previous_message_not_found", "comparison_response_not_found", "cache_hit"})
_DECODER = json.JSONDecoder()


def said_by_provider(raw: RawExchange | None) -> list[Reason]:
    """Return the provider's own reason for a miss; nothing when it gave none."""
    if raw is None or not raw.response_body:
        return []
    body, _failure = decode_body(raw.response_body, raw.response_headers)
    text = body.decode("utf-8", "replace")
    for name in _NAMES:
        at = text.rfind(name)
        if at < 0:
            continue
        try:
            told, _end = _DECODER.raw_decode(text, at + len(name) + (text[at + len(name) :][:1] == " "))
        except (ValueError, RecursionError):
            continue
        kind = (told.get("reason") or told.get("type")) if isinstance(told, dict) else None
        if isinstance(kind, str) and kind not in _UNTOLD:
            return [Reason("provider", f"the provider says: {kind.replace('_', ' ')}{_tokens(told)}", certain=True)]
    return []


def _tokens(told: dict[str, object]) -> str:
    count = next((told[name] for name in ("cache_missed_input_tokens", "cache_missed_tokens") if isinstance(told.get(name), int)), None)
    return "" if count is None else f" ({count:,} tokens)"
