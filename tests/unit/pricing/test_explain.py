from datetime import UTC, datetime

from modular_agents.proxy.pricing.explain import UnitPrice, explain

NOW_NS = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 10**9


def test_a_price_list() -> None:
    told = explain("claude-sonnet-4-5-20250929", "claude", NOW_NS)
    assert told.entry == "anthropic/claude-sonnet-4-5"
    assert UnitPrice("input", 3.0, "million tokens", ((200_000, 6.0),)) in told.prices
    assert UnitPrice("cache read", 0.3, "million tokens", ((200_000, 0.6),)) in told.prices
    assert UnitPrice("web searches", 10.0, "thousand") in told.prices
    assert told.tiers == ("batch",)
    assert told.sources
    assert explain("claude-sonnet-4-5", "claude", NOW_NS, "batch").prices[0].usd == 1.5


def test_why_there_is_none() -> None:
    assert explain("smollm2", "openai", NOW_NS).why.startswith("unpriced: ")
    local = explain("qwen3:8b", "ollama", NOW_NS)
    assert (local.entry, local.prices, "own machine" in local.why) == (None, (), True)
    assert explain("ours", "gateway", NOW_NS, aliases={"ours": "openai/gpt-5"}).entry == "openai/gpt-5"
