"""What is billed of a call: quantities, the model's names, and what else decides the price. Read from a `Call`, or from stored columns.

Token kinds do not overlap here: input is what was neither read from nor written to a cache. Fees that are not per token
(web searches) and kinds that few models price apart (audio, pictures) are read from the provider's own usage object.
Sources: platform.claude.com/docs/en/about-claude/pricing, platform.openai.com/docs/pricing, ai.google.dev/gemini-api/docs/pricing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from modular_agents.proxy.model.call import Call, Status, Usage, UsageSource
from modular_agents.proxy.model.quick import quick

_SEARCH_TOOLS = {"web_search_call": "web_searches", "file_search_call": "storage_searches"}
"""OpenAI's own tools that cost a fee each time, by the name of the answer's item."""


@quick
@dataclass(frozen=True, slots=True)
class Bill:
    """Everything a price depends on."""

    provider: str
    """As `Call.provider`."""
    models: tuple[str, ...]
    """Names to look up, the first that has a price counts: the answer's, then the request's."""
    usage: Usage
    at_ns: int
    """When the call began: prices change."""
    tier: str | None = None
    """As `Call.service_tier`."""
    free: str | None = None
    """Why the call costs nothing at all, when it does."""
    extras: Mapping[str, int] = field(default_factory=dict)
    """Quantities beyond plain tokens, by the catalogue's names (`web_searches`, `input_audio_tokens` …)."""


_BEDROCK = "anthropic."
"""In Bedrock's names of Claude. They say where it is served (`global.`, `us.`), on which the price depends; the answer's name does not."""
_FREE_OPERATIONS = {"models", "count_tokens", "moderations"}
_ASKING = {"POST", "WEBSOCKET"}
"""Methods that ask a model; the second is a turn's on a WebSocket."""
_FIRST_ERROR = 400


def bill_of(call: Call) -> Bill:
    """Return what is billed of a call."""
    answered, asked = call.model_response or call.model or "", call.model
    models = (answered, asked) if asked and asked != answered else (answered,) if answered else ()
    if asked and _BEDROCK in asked:
        models = models[::-1]
    raw = call.usage.raw
    extras = _extras(raw) if raw is not None and _may_name_extras(raw) else {}
    for answer in call.answers:
        for part in answer.parts:
            if part.kind == "server_tool_use" and part.name in _SEARCH_TOOLS:
                extras[_SEARCH_TOOLS[part.name]] = extras.get(_SEARCH_TOOLS[part.name], 0) + 1
    return Bill(call.provider, models, call.usage, call.started_ns, call.service_tier, _free(call), extras)


def _may_name_extras(raw: bytes) -> bool:
    """Return whether a usage object may tell of extras: it needs one of two words (`…details`, in either case) or an escape to hide one."""
    return b"etails" in raw or b"server_tool_use" in raw or b"\\" in raw


def _free(call: Call) -> str | None:
    """Return why a call costs nothing, if that is known."""
    if call.usage.source is not UsageSource.UNKNOWN:
        return None
    if call.operation in _FREE_OPERATIONS:
        return f"{call.operation} costs nothing"
    if call.operation == "stored":
        return "a stored answer was paid for when it was made"
    if call.status is Status.FAILED and call.http_status is not None and call.http_status >= _FIRST_ERROR:
        return f"answered with HTTP {call.http_status}: not billed"
    if call.method not in _ASKING and not call.answers:
        return f"{call.method} asks no model"
    return None


def _extras(raw: bytes) -> dict[str, int]:
    try:
        usage = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    found: dict[str, int] = {}
    if not isinstance(usage, dict):
        return found
    _add(found, "web_searches", _at(usage, "server_tool_use", "web_search_requests"))
    for details, side in (("prompt_tokens_details", "input"), ("input_tokens_details", "input"), ("completion_tokens_details", "output")):
        _add(found, f"{side}_audio_tokens", _at(usage, details, "audio_tokens"))
        _add(found, f"{side}_image_tokens", _at(usage, details, "image_tokens"))
    for details, name in (
        ("promptTokensDetails", "input_{}_tokens"),
        ("candidatesTokensDetails", "output_{}_tokens"),
        ("cacheTokensDetails", "cache_{}_read_tokens"),
    ):
        listed = usage.get(details)
        for item in listed if isinstance(listed, list) else ():
            modality = item.get("modality") if isinstance(item, dict) else None
            if modality in {"AUDIO", "IMAGE", "VIDEO"}:
                _add(found, name.format(modality.lower()), item.get("tokenCount"))
    return found


def _at(usage: dict[str, object], outer: str, inner: str) -> object:
    value = usage.get(outer)
    return value.get(inner) if isinstance(value, dict) else None


def _add(found: dict[str, int], name: str, value: object) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        found[name] = found.get(name, 0) + value
