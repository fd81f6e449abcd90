"""What a token of input costs, by the entry that a call was priced by."""

from datetime import UTC, datetime

import pytest

from modular_agents.proxy.model.call import Call, Status, Usage, UsageSource
from modular_agents.proxy.model.comparison import Rates
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.pricing.price import price
from modular_agents.proxy.pricing.rates import rates_of

NOW_NS = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 10**9


def test_rates_of_an_entry() -> None:
    assert rates_of("anthropic/claude-opus-4-8", "standard", NOW_NS, 1000) == Rates(5.0, 0.5, 6.25, 10.0)
    assert rates_of("anthropic/claude-sonnet-4-5", None, NOW_NS, 200_001) == Rates(6.0, 0.6, 7.5, 12.0)


def test_a_kind_without_a_price_of_its_own_costs_what_its_parent_costs() -> None:
    assert rates_of("openai/gpt-4o-mini", "standard", NOW_NS, 1000) == Rates(0.15, 0.075, 0.15, 0.15)


def test_what_is_not_known_and_what_is_free() -> None:
    assert rates_of("llama", "local", NOW_NS, 1) == Rates(0.0, 0.0, 0.0, 0.0)
    assert [rates_of(entry, None, NOW_NS, 1) for entry in (None, "", "smollm2", "openai/nothing-like-it")] == [None] * 4


@pytest.mark.parametrize("tokens", [(1000, 0, 0, 0), (10_000, 9_000, 500, 200), (300_000, 100_000, 50_000, 50_000)])
def test_rates_and_prices_agree(tokens: tuple[int, int, int, int]) -> None:
    total, read, short, long = tokens
    usage = Usage(UsageSource.REPORTED, total, None, read, short, long, 0)
    fields = (
        "01J",
        Status.COMPLETED,
        NOW_NS,
        "claude",
        "anthropic",
        "anthropic.messages",
        "chat",
        "POST",
        "/v1/messages",
        "",
        "",
        Hints(),
        (),
    )
    call = Call(*fields, model="claude-sonnet-4-5", usage=usage)
    cost = price(call)
    rates = rates_of(cost.model, cost.tier, NOW_NS, total)
    assert rates is not None
    paid = (total - read - short - long) * rates.input + read * rates.cache_read
    paid += short * rates.cache_write_5m + long * rates.cache_write_1h
    assert cost.usd == pytest.approx(paid / 1e6)
