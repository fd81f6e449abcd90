"""The price catalogue: genai-prices as it was installed. It is never updated over the network.

A provider we route to is looked up under the catalogue's name for it; an upstream the catalogue does not know (a company's
gateway, say) is priced as the maker of the model prices it, and the price says so.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from genai_prices import __version__
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider

VERSION = f"genai-prices {__version__}"
LOCAL = frozenset({"ollama", "lmstudio", "lm-studio", "vllm", "llamacpp", "llama-cpp", "llama.cpp", "localai", "local", "sglang", "mlx"})
"""Upstream names of servers that run on the user's own machines: free on purpose."""
_NAMES = {
    "claude": "anthropic",
    "gemini": "google",
    "vertex": "google",
    "vertexai": "google",
    "bedrock": "aws",
    "xai": "x-ai",
    "grok": "x-ai",
    "moonshot": "moonshotai",
    "kimi": "moonshotai",
    "codex": "openai",
    "z.ai": "zai",
    "copilot": "github-copilot",
}
"""Our providers and usual upstream names that the catalogue calls otherwise."""
_PREFIXES = ("models/", "publishers/google/models/", "publishers/anthropic/models/")
"""What Google's APIs put before a model's name."""


_MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Found:
    """A model of the catalogue, and whose price it is."""

    provider: Provider
    model: ModelInfo
    foreign: bool
    """The upstream is not in the catalogue: this is the price of the model's maker."""

    def price(self, at_s: int, tier: str | None) -> ModelPrice:
        """Return the prices at a moment (seconds of UTC since 1970), for a tier of service."""
        own = any(self.model is model for model in self.provider.models)
        return self.model.get_prices(datetime.fromtimestamp(at_s, UTC), context(tier) if own else None)

    def knows(self, tier: str) -> bool:
        """Whether the catalogue has prices of its own for a tier."""
        wanted = context(tier).items()
        return any(variant.when.items() <= wanted for variant in self.model.price_variants or ())


def context(tier: str | None) -> dict[str, str]:
    """Return the catalogue's words for a tier of service."""
    if tier is None or tier in {"standard", "default", "auto"}:
        return {}
    return {"service_tier": tier, "processing": tier, "speed": tier}


class Catalogue:
    """Finds models. Look-ups are remembered; a catalogue holds a few hundred providers and models, so does the memory."""

    def __init__(self, snapshot: DataSnapshot) -> None:
        self._snapshot = snapshot
        self._found: dict[tuple[str, str], Found | None] = {}
        self._prices: dict[tuple[str, str, str | None, int], ModelPrice] = {}

    def price(self, found: Found, at_ns: int, tier: str | None) -> ModelPrice:
        """Return the prices of a model at a moment, for a tier of service. Prices change on the minute at most."""
        minute = at_ns // _MINUTE_NS
        key = (found.provider.id, found.model.id, tier, minute)
        prices = self._prices.get(key)
        if prices is None:
            if len(self._prices) >= MAX_REMEMBERED:
                self._prices.clear()
            prices = self._prices[key] = found.price(minute * 60, tier)
        return prices

    def find(self, provider: str, model: str) -> Found | None:
        """Return a model's entry, or None."""
        key = (provider, model)
        if key not in self._found:
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            self._found[key] = self._look_up(provider, model)
        return self._found[key]

    def _look_up(self, provider: str, model: str) -> Found | None:
        for prefix in _PREFIXES:
            model = model.rpartition(prefix)[2] if prefix in model else model
        name = _NAMES.get(provider.lower(), provider.lower())
        try:
            self._snapshot.find_provider(None, name, None)
        except LookupError:
            return self._maker(model)
        try:
            return Found(*self._snapshot.find_provider_model(model, None, name, None), foreign=False)
        except LookupError:
            return None

    def _maker(self, model: str) -> Found | None:
        for name in (model, model.rpartition("/")[2]):
            try:
                return Found(*self._snapshot.find_provider_model(name, None, None, None), foreign=True)
            except LookupError:
                continue
        return None


MAX_REMEMBERED = 10_000
"""Names come from outside; beyond this many the memory starts anew."""


@cache
def installed() -> Catalogue:
    """Return the catalogue as installed. Loading it takes about half a second, once."""
    from genai_prices.data import providers  # noqa: PLC0415 - 1.6 MB of data, loaded when the first price is asked

    return Catalogue(DataSnapshot(providers=providers, from_auto_update=False))
