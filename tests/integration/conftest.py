"""A provider, a relay in front of it, or the whole product: once per module, for starting processes costs more than any test."""

from collections.abc import Iterator

import pytest
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(scope="module")
def relay(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    upstreams = dict.fromkeys(("anthropic", "openai", "gemini", "ollama"), provider.url)
    with RelayThread(upstreams, tmp_path_factory.mktemp("relay"), default="openai") as running:
        yield running


@pytest.fixture(scope="module")
def product(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("product"), provider.url) as running:
        yield running
