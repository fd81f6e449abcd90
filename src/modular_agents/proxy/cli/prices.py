"""`anton proxy prices`: what a model costs, by which entry of the catalogue, and where that stands."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import HOW, WHAT, Config, Db, option, settings_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modular_agents.proxy.pricing.explain import Explained, UnitPrice

EXAMPLES = """\
Examples:
  anton proxy prices claude-sonnet-4-5
  anton proxy prices gpt-5 --tier batch
  anton proxy prices anthropic/claude-sonnet-4.5 --provider openrouter
  anton proxy prices our-model              what an alias of the settings file leads to

Exit codes: 0 done, 2 wrong use, 4 the model has no price.
"""


def prices(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model, as calls name it.")],
    provider: Annotated[str | None, option("Where it is called; an upstream's name.", WHAT, value="NAME", usual="its maker")] = None,
    tier: Annotated[str | None, option("batch, flex, priority or fast.", WHAT, value="NAME")] = None,
    as_json: Annotated[bool, option("Print JSON.", HOW, "--json")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Explain the price of a model: what each kind of token costs now, and why.

    Prices are those of the installed catalogue; nothing is fetched.
    """
    from modular_agents.proxy.cli.terminal import print_json
    from modular_agents.proxy.errors import NotFound

    aliases = settings_from({"db": db}, config).price_aliases
    found = explained(model, provider, tier, aliases, time.time_ns())
    if as_json:
        print_json(found)
    elif found.why.startswith("unpriced"):
        raise NotFound(
            f"{model} is {found.why}. If it is a known model by another name, say so in the settings file: "
            f'[prices.aliases] "{model}" = "provider/model".'
        )
    else:
        _show(found, tier)


def explained(model: str, provider: str | None, tier: str | None, aliases: "Mapping[str, str]", at_ns: int) -> "Explained":
    """Return a model's prices at a provider; None: at its maker, or where the alias leads."""
    from modular_agents.proxy.pricing.explain import explain

    found = explain(model, provider or "any provider", at_ns, tier, aliases)
    if provider is None and found.entry is not None and model not in aliases:
        return explain(model, found.entry.partition("/")[0], at_ns, tier, aliases)
    return found


def _show(found: "Explained", tier: str | None) -> None:
    from modular_agents.proxy.cli.table import Cell, Column, print_table
    from modular_agents.proxy.cli.terminal import console, safe

    facts = [("model", found.model)]
    facts += [("entry", f"{found.entry} in {found.catalogue}")] if found.entry else []
    facts += [("why", found.why)]
    facts += [("tier", tier)] if tier and found.entry else []
    facts += [] if found.prices else [("price", "$0")]
    facts += [("tiers", f"other prices for {', '.join(found.tiers)} (--tier)")] if found.tiers else []
    facts += [("source" if not at else "", url) for at, url in enumerate(found.sources)]
    for name, text in facts:
        typer.echo(safe(f"{name:<8}{text}"))
    if found.prices:
        typer.echo("")
        rows = [[Cell(text) for text in _words(line)] for line in found.prices]
        print_table(console(), [Column("WHAT", least=12), Column("USD", right=True), Column("PER"), Column("")], rows)


def _words(line: "UnitPrice") -> tuple[str, str, str, str]:
    """Return what, price, per how much, and what it is for calls with more input."""
    from modular_agents.proxy.cli.words import count, price

    above = ", ".join(f"{price(usd)} if input > {count(tokens)}" for tokens, usd in line.above)
    return line.what, price(line.usd), line.per, above
