"""Which format and which operation a request is, told by the shape of its path.

The tail of the path decides, so that prefixes of all kinds do not matter: `/v1`, `/api/v1` (OpenRouter), `/openai/v1` (Groq),
`/openai/deployments/NAME` (Azure), `/anthropic` (many). Where one tail has two readings, headers and the method decide.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

PROVIDERS = {"anthropic": "claude", "codex": "openai"}
"""Names of upstreams whose provider is called otherwise in `llm_calls.provider`; any other goes by its upstream's name."""
MAX_REMEMBERED = 1024
"""Paths whose route is remembered: an app uses a few dozen."""


@dataclass(frozen=True, slots=True)
class Route:
    """The format that reads the bodies (`raw`: none does), and what the call is for."""

    format: str
    operation: str


_TAILS: dict[tuple[str, ...], Route] = {
    ("messages",): Route("anthropic.messages", "chat"),
    ("messages", "count_tokens"): Route("anthropic.messages", "count_tokens"),
    ("messages", "batches"): Route("raw", "batch"),
    ("chat", "completions"): Route("openai.chat", "chat"),
    ("responses",): Route("openai.responses", "chat"),
    ("responses", "compact"): Route("openai.responses", "compact"),
    ("responses", "input_tokens"): Route("openai.responses", "count_tokens"),
    ("completions",): Route("raw", "completion"),
    ("complete",): Route("raw", "completion"),
    ("embeddings",): Route("raw", "embeddings"),
    ("models",): Route("raw", "models"),
    ("batches",): Route("raw", "batch"),
    ("files",): Route("raw", "files"),
    ("images", "generations"): Route("raw", "images"),
    ("images", "edits"): Route("raw", "images"),
    ("images", "variations"): Route("raw", "images"),
    ("audio", "speech"): Route("raw", "audio"),
    ("audio", "transcriptions"): Route("raw", "audio"),
    ("audio", "translations"): Route("raw", "audio"),
    ("moderations",): Route("raw", "moderations"),
}
_CREATES = {"chat", "count_tokens", "embeddings", "completion"}
"""Operations that are asked by POST only; another method on their path manages what was stored."""


@lru_cache(maxsize=MAX_REMEMBERED)
def detect(method: str, path: str) -> Route:
    """Return the route of a request, by its method and its path without the query; `other` when nothing is known about it."""
    segments = [unquote(segment) for segment in path.split("/") if segment]
    for size in (2, 1):
        route = _TAILS.get(tuple(segments[-size:]))
        if route is not None:
            return route if method == "POST" or route.operation not in _CREATES else Route("raw", route.operation)
    for segment in segments[:-1]:
        route = _TAILS.get((segment,))
        if route is not None and route.format == "raw":
            return Route("raw", route.operation)  # /v1/models/NAME, /v1/files/ID/content, /v1/messages/batches/ID/results
    return Route("raw", "other")


def provider_of(upstream: str) -> str:
    """Return the provider's name for an upstream's."""
    return PROVIDERS.get(upstream, upstream)
