"""What would a model cost? The catalogue's entry in words, for a person who wonders about a price."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from genai_prices.types import TieredPrices

from modular_agents.proxy.model.call import Usage, UsageSource
from modular_agents.proxy.pricing.bill import Bill
from modular_agents.proxy.pricing.catalogue import VERSION, Catalogue, installed
from modular_agents.proxy.pricing.price import find, price_bill

_UNITS = {"mtok": "million tokens", "kcount": "thousand", "hours": "hour", "mchars": "million characters", "kpages": "thousand pages"}
_TIERS = ("batch", "flex", "priority", "fast")


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """One line of a price list. `above`: (input tokens, USD) for calls whose input passes that many."""

    what: str
    usd: float
    per: str
    above: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """A price list, or why there is none."""

    model: str
    entry: str | None
    """`provider/model` of the catalogue; None when it has none."""
    catalogue: str
    why: str
    prices: tuple[UnitPrice, ...] = ()
    tiers: tuple[str, ...] = ()
    """Tiers of service with prices of their own."""
    sources: tuple[str, ...] = ()
    """The provider's own price pages, as the catalogue names them."""


def explain(
    model: str,
    provider: str,
    at_ns: int,
    tier: str | None = None,
    aliases: Mapping[str, str] | None = None,
    catalogue: Catalogue | None = None,
) -> Explained:
    """Return what a model costs at a provider (`Call.provider`) at a moment, for a tier of service."""
    catalogue = installed() if catalogue is None else catalogue
    bill = Bill(provider, (model,), Usage(UsageSource.REPORTED, 0, output_total=0), at_ns, tier)
    cost = price_bill(bill, aliases or {}, catalogue)
    found, _ = find(bill, aliases or {}, catalogue)
    if found is None or cost.usd is None or cost.catalogue is None:
        return Explained(model, None, VERSION, cost.why)
    units = catalogue.price(found, at_ns, tier).__dict__
    prices = tuple(_line(key, value) for key, value in units.items() if value is not None)
    tiers = tuple(name for name in _TIERS if found.knows(name))
    return Explained(model, cost.model, VERSION, cost.why, prices, tiers, tuple(found.provider.pricing_urls or ()))


def _line(key: str, value: Decimal | TieredPrices) -> UnitPrice:
    what, _, unit = key.rpartition("_")
    per = _UNITS.get(unit, unit)
    if isinstance(value, TieredPrices):
        above = tuple((tier.start, float(tier.price)) for tier in value.tiers)
        return UnitPrice(what.replace("_", " "), float(value.base), per, above)
    return UnitPrice(what.replace("_", " "), float(value), per)
