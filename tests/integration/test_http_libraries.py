"""HTTP libraries that programs use without an SDK, and the other transports of SDKs: the same both ways."""

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from google import genai
from google.genai import types
from tests.support.both_ways import same_both_ways, same_both_ways_async
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch

BODY = b'{"model":"m","messages":[{"role":"user","content":"gr\xc3\xbc\xc3\x9f dich"}],"stream":true}'
SAID = Script(text="Dobrý deň " * 30, chunks=12, gap_ms=1, encoding="gzip", trailers=(("X-Sum", "1"),))


def test_aiohttp(provider: ProviderServer, relay: RelayThread) -> None:
    async def scenario(url: str, _watch: Watch) -> object:
        provider.on(SAID, path="/v1/chat")
        got: list[object] = []
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.post(f"{url}/v1/chat/completions", data=BODY) as answer:
                    got.append((answer.status, [line async for line in answer.content], answer.raw_headers))
            async with session.post(f"{url}/v1/files", data=(piece async for piece in pieces())) as answer:
                got.append(await answer.read())
        return got

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            yield b"%d" % number * 1000
            await asyncio.sleep(0)

    same_both_ways_async(provider, relay.url, scenario)
    assert len({request.connection.number for request in provider.requests}) == 1


def by_urllib(url: str) -> object:
    request = urllib.request.Request(f"{url}/v1/chat/completions", BODY, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise
        return (answer.status, answer.reason, answer.read(), answer.headers.items())


def by_http_client(url: str) -> object:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    got = []
    for _ in range(2):
        connection.request("POST", "/v1/chat/completions", iter([BODY[:10], BODY[10:]]), {"X-Twice": "1"}, encode_chunked=True)
        answer = connection.getresponse()
        got.append((answer.status, answer.version, answer.getheaders(), answer.read()))
    connection.close()
    return got


@pytest.mark.parametrize("ask", [by_urllib, by_http_client])
@pytest.mark.parametrize("script", [SAID, Script(framing="close", text="x" * 500), Script(framing="length"), Script(status=204, body="")])
def test_the_standard_library(provider: ProviderServer, relay: RelayThread, ask: Callable[[str], object], script: Script) -> None:
    def scenario(url: str, _watch: Watch) -> object:
        provider.on(script, path="/v1/chat")
        return ask(url)

    same_both_ways(provider, relay.url, scenario)


@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # the SDK's own use of aiohttp
def test_google_over_its_own_transport(provider: ProviderServer, relay: RelayThread) -> None:
    """With aiohttp installed, google-genai's async client uses that, not httpx."""

    async def scenario(url: str, _watch: Watch) -> object:
        async with genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=url)).aio as sdk:
            whole = await sdk.models.generate_content(model="g", contents="hi")
            stream = await sdk.models.generate_content_stream(model="g", contents="hi")
            return (whole.text, [piece.text async for piece in stream])

    same_both_ways_async(provider, relay.url, scenario)
