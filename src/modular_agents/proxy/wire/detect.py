"""Which format and which operation a request is, told by the shape of its path.

The tail of the path decides, so that prefixes of all kinds do not matter: `/v1`, `/api/v1` (OpenRouter), `/openai/v1` (Groq),
`/openai/deployments/NAME` (Azure), `/anthropic` (many). What is only asked by POST is not that operation with another method.
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
    ("completions",): Route("openai.completions", "completion"),
    ("complete",): Route("raw", "completion"),
    ("embeddings",): Route("openai.embeddings", "embeddings"),
    ("api", "chat"): Route("ollama", "chat"),
    ("api", "generate"): Route("ollama", "chat"),
    ("api", "embed"): Route("ollama", "embeddings"),
    ("api", "embeddings"): Route("ollama", "embeddings"),
    ("api", "tags"): Route("raw", "models"),
    ("api", "show"): Route("raw", "models"),
    ("api", "ps"): Route("raw", "models"),
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
    ("rerank",): Route("raw", "rerank"),
    ("realtime",): Route("raw", "realtime"),
}
_ASKING = frozenset({"POST", "WEBSOCKET"})
"""Methods that ask a model; the second is a turn's (see `tunnel`)."""
_ASKED_BY_POST = frozenset({"chat", "count_tokens", "embeddings", "completion", "compact"})
"""On their paths another method manages what is stored."""
_VERBS: dict[str, Route] = {
    "generateContent": Route("gemini.generate", "chat"),
    "streamGenerateContent": Route("gemini.generate", "chat"),
    "countTokens": Route("gemini.generate", "count_tokens"),
    "embedContent": Route("raw", "embeddings"),
    "batchEmbedContents": Route("raw", "embeddings"),
    "batchGenerateContent": Route("raw", "batch"),
    "BidiGenerateContent": Route("raw", "realtime"),
    "predict": Route("raw", "predict"),
    "predictLongRunning": Route("raw", "predict"),
    "rawPredict": Route("anthropic.messages", "chat"),
    "streamRawPredict": Route("anthropic.messages", "chat"),
}
"""What stands behind the colon in Google's paths."""
_BEDROCK: dict[str, Route] = {
    "converse": Route("bedrock.converse", "chat"),
    "converse-stream": Route("bedrock.converse", "chat"),
    "invoke": Route("bedrock.invoke", "chat"),
    "invoke-with-response-stream": Route("bedrock.invoke", "chat"),
    "count-tokens": Route("raw", "count_tokens"),
}
"""What stands behind the model in Bedrock's paths."""
_CLAUDE_ON_BEDROCK = Route("anthropic.messages", "chat")
_EMBEDDING_ON_BEDROCK = Route("bedrock.invoke", "embeddings")
_PICTURE_ON_BEDROCK = Route("raw", "images")
_PICTURES = ("stability.", "image", "canvas", "reel")
"""In names of models that make pictures and films."""
_POLLED = Route("openai.responses", "stored")
"""A stored response: one made in the background is fetched so."""
_OTHER = Route("raw", "other")


@lru_cache(maxsize=MAX_REMEMBERED)
def detect(method: str, path: str) -> Route:
    """Return the route of a request, by its method and its path without the query; `other` when nothing is known about it."""
    segments = tuple(unquote(segment) for segment in path.split("/") if segment)
    if not segments:
        return _OTHER
    route = _of_google(segments) or _of_bedrock(segments) or _TAILS.get(segments[-2:]) or _TAILS.get(segments[-1:])
    if route is not None:
        return route if method in _ASKING or route.operation not in _ASKED_BY_POST else Route("raw", "stored")
    if method == "GET" and segments[-2:-1] == ("responses",):
        return _POLLED
    return next((Route("raw", found) for segment in reversed(segments[:-1]) if (found := _collection(segment)) is not None), _OTHER)


def _of_google(segments: tuple[str, ...]) -> Route | None:
    name, colon, verb = segments[-1].rpartition(":")
    if segments[0] == "ws" and (socket := _VERBS.get(segments[-1].rpartition(".")[2])):
        return socket
    if not colon or not name:
        return None
    return _VERBS["predict"] if verb.endswith("awPredict") and "anthropic" not in segments else _VERBS.get(verb)


def _of_bedrock(segments: tuple[str, ...]) -> Route | None:
    if segments[-3:-2] != ("model",):
        return None
    route, model = _BEDROCK.get(segments[-1]), segments[-2]
    if route is None or route.format != "bedrock.invoke":
        return route
    if "anthropic." in model:
        return _CLAUDE_ON_BEDROCK
    if "embed" in model:
        return _EMBEDDING_ON_BEDROCK
    return _PICTURE_ON_BEDROCK if any(word in model for word in _PICTURES) else route


def told_by_body(route: Route, written_in: str) -> Route:
    """Return the route of a request that its path leaves open, when the format of its body is known (see `bedrock.format_of`)."""
    return route if route.format == written_in or route.operation != "chat" else Route(written_in, "chat")


def _collection(segment: str) -> str | None:
    """Return the operation of a path below a collection: `/v1/models/NAME`, `/v1/files/ID/content`, `/v1/responses/ID`."""
    route = _TAILS.get((segment,))
    if route is None:
        return None
    return "stored" if route.operation in _ASKED_BY_POST else route.operation


def provider_of(upstream: str) -> str:
    """Return the provider's name for an upstream's."""
    return PROVIDERS.get(upstream, upstream)
