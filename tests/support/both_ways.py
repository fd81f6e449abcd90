"""The same scenario twice, once straight to the provider and once through the proxy: whatever differs is the proxy's doing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.support.provider_records import Received
from tests.support.provider_server import ProviderServer
from tests.support.watching import HOP_BY_HOP, Watch

Scenario = Callable[[str, Watch], object]
"""Takes a base URL without path and a watch to put below its client; returns what the program got: values or `failure(error)`."""
AsyncScenario = Callable[[str, Watch], Awaitable[object]]

_OWN_HEADERS = {"host", *(name.decode() for name in HOP_BY_HOP)}


@dataclass(frozen=True, slots=True)
class Told:
    """One request as the provider was told it. `Host` names the way taken, so it is left out."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    trailers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: Received) -> "Told":
        """Make it from the provider's record."""
        headers = tuple((name, value) for name, value in request.headers if name.lower() not in _OWN_HEADERS)
        return cls(request.method, request.target, headers, request.body, request.trailers)


@dataclass(frozen=True, slots=True)
class Account:
    """What happened one way: the program's result, what its HTTP library saw, what the provider was told."""

    result: object
    seen: list[tuple[object, ...]]
    told: list[Told]


def same_both_ways(provider: ProviderServer, proxied_url: str, scenario: Scenario, *, direct: Scenario | None = None) -> Account:
    """Run `scenario` both ways and assert that nothing differs; return the account of the proxied run.

    `direct` replaces the scenario on the direct way: for spellings of the base URL that only the proxy mends.
    """
    accounts = [_account(provider, url, run) for url, run in ((provider.url, direct or scenario), (proxied_url, scenario))]
    return _compared(*accounts)


def same_both_ways_async(provider: ProviderServer, proxied_url: str, scenario: AsyncScenario) -> Account:
    """Do the same for a coroutine."""
    return same_both_ways(provider, proxied_url, lambda url, watch: asyncio.run(_awaited(scenario, url, watch)))


async def _awaited(scenario: AsyncScenario, url: str, watch: Watch) -> object:
    return await scenario(url, watch)


def failure(error: Exception) -> tuple[str, str, object]:
    """Return an exception in a form that can be compared."""
    return (type(error).__name__, str(error), getattr(error, "body", None))


def _account(provider: ProviderServer, url: str, scenario: Scenario) -> Account:
    provider.reset()
    watch = Watch()
    result = scenario(url, watch)
    told = [Told.of(request) for request in provider.requests]
    return Account(result, [seen.facts() for seen in watch.seen], told)


def _compared(direct: Account, proxied: Account) -> Account:
    assert direct.told, "the scenario asked nothing"
    assert proxied.told == direct.told
    assert proxied.seen == direct.seen
    assert proxied.result == direct.result
    return proxied
