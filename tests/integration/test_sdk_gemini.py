"""google-genai, sync and async: whole, streamed, refused; the same both ways."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google import genai
from google.genai import errors, types
from tests.support.both_ways import same_both_ways, same_both_ways_async
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch

MODEL = "gemini-2.5-flash"
USES = ({"name": "weather", "input": {"city": "Žilina"}},)


@contextmanager
def client(url: str, watch: Watch) -> Iterator[genai.Client]:
    with watch.sync_client() as http:
        yield genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=url, httpx_client=http))


def test_whole_and_streamed(provider: ProviderServer, relay: RelayThread) -> None:
    asked = f"hi {Script(text='Dobrý deň', thinking='Hm.', tools=USES).directive()}"

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            whole = sdk.models.generate_content(model=MODEL, contents=asked)
            pieces = list(sdk.models.generate_content_stream(model=MODEL, contents=asked))
            return [(r.candidates, r.usage_metadata) for r in (whole, *pieces)]

    account = same_both_ways(provider, relay.url, scenario)
    assert [told.target.rsplit(":", 1)[1] for told in account.told] == ["generateContent", "streamGenerateContent?alt=sse"]


def test_async(provider: ProviderServer, relay: RelayThread) -> None:
    async def scenario(url: str, watch: Watch) -> object:
        async with watch.async_client() as http:
            options = types.HttpOptions(base_url=url, httpx_async_client=http)
            sdk = genai.Client(api_key="dummy", http_options=options).aio
            whole = await sdk.models.generate_content(model=MODEL, contents="hi")
            pieces = [piece.text async for piece in await sdk.models.generate_content_stream(model=MODEL, contents="hi")]
            return (whole.text, pieces)

    same_both_ways_async(provider, relay.url, scenario)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 503])
def test_errors(provider: ProviderServer, relay: RelayThread, status: int) -> None:
    asked = f"hi {Script(status=status, message='no').directive()}"

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk, pytest.raises(errors.APIError) as caught:
            sdk.models.generate_content(model=MODEL, contents=asked)
        return (str(caught.value), caught.value.code, caught.value.details)

    same_both_ways(provider, relay.url, scenario)
