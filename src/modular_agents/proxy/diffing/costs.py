"""What the later call could have read from the cache, what it did read, and what the difference cost.

Anthropic tells what it wrote and read, so that what lies in the cache after a call is known to the token. Others keep the whole
beginning of a prompt: there it is the earlier call's input, down to the provider's step.
"""

from dataclasses import dataclass

from modular_agents.proxy.diffing.rules import Rules
from modular_agents.proxy.diffing.turns import Turn, members
from modular_agents.proxy.model.comparison import Rates

_MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """As `CacheView` says; None is unknown."""

    reusable: int | None
    read: int | None
    missed: int | None


def tokens(before: Turn, after: Turn, rules: Rules) -> Tokens:
    """Return what lay in the cache after one call, and what the next one read and missed of it."""
    reusable = _reusable(before, rules)
    call = after.detail.call
    if reusable is not None and call.tokens_input is not None:
        reusable = min(reusable, call.tokens_input)
    read = call.tokens_cache_read
    missed = None if reusable is None or read is None else max(reusable - read, 0)
    return Tokens(reusable, read, missed)


def _reusable(before: Turn, rules: Rules) -> int | None:
    call = before.detail.call
    if rules.marked:
        told = [count for count in (call.tokens_cache_read, call.tokens_cache_write) if count is not None]
        return sum(told) if told else None
    if call.tokens_input is None or call.tokens_input < rules.minimum(call.model):
        return None if call.tokens_input is None else 0
    return call.tokens_input - call.tokens_input % rules.step_tokens


def missed_usd(after: Turn, missed: int | None, rates: Rates | None) -> float | None:
    """Return what `missed` tokens cost beyond their price from the cache: they were written anew, or paid as any other input."""
    if missed is None or rates is None:
        return None
    call = after.detail.call
    written = min(missed, call.tokens_cache_write or 0)
    paid = written * _write_rate(after, rates) + (missed - written) * rates.input
    return (paid - missed * rates.cache_read) / _MTOK


def saved_usd(read: int | None, rates: Rates | None) -> float | None:
    """Return what `read` tokens would have cost more, had they not been in the cache."""
    return None if read is None or rates is None else read * (rates.input - rates.cache_read) / _MTOK


def _write_rate(after: Turn, rates: Rates) -> float:
    """Return the price of a token written to the cache: of those of five minutes and of an hour, as they were written."""
    split = members(after.detail.usage_raw or "").get("cache_creation")
    hour, short = (split.get(f"ephemeral_{name}_input_tokens") for name in ("1h", "5m")) if isinstance(split, dict) else (0, 0)
    hour, short = (count if isinstance(count, int) and count > 0 else 0 for count in (hour, short))
    if not hour + short:
        return rates.cache_write_5m
    return (hour * rates.cache_write_1h + short * rates.cache_write_5m) / (hour + short)
