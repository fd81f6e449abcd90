"""What a token of input costs: uncached, read from the cache, written to it. For a call that has a price, by the entry it was priced by."""

from decimal import Decimal

from modular_agents.proxy.model.comparison import Rates
from modular_agents.proxy.pricing.catalogue import Catalogue, installed
from modular_agents.proxy.pricing.price import unit_price


def rates_of(entry: str | None, tier: str | None, at_ns: int, input_tokens: int, catalogue: Catalogue | None = None) -> Rates | None:
    """Return the rates of a catalogue entry (`Cost.model`: `provider/model`) for a call of so many input tokens; None: not known.

    What runs on the user's own machine costs nothing.
    """
    if tier == "local":
        return Rates(0.0, 0.0, 0.0, 0.0)
    provider, _, model = (entry or "").partition("/")
    if not model:
        return None
    catalogue = installed() if catalogue is None else catalogue
    found = catalogue.find(provider, model)
    if found is None:
        return None
    units = catalogue.price(found, at_ns, tier).__dict__
    if units.get("input_mtok") is None:
        return None
    sent = unit_price(units.get("input_mtok"), input_tokens)
    written = unit_price(units.get("cache_write_mtok"), input_tokens, sent)

    def rate(name: str, parent: Decimal) -> float:
        return float(unit_price(units.get(name), input_tokens, parent))

    return Rates(float(sent), rate("cache_read_mtok", sent), rate("cache_write_5m_mtok", written), rate("cache_write_1h_mtok", written))
