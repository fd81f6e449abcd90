"""The async clients of both SDKs, many calls at once on kept-alive connections; the same both ways."""

import asyncio

import anthropic
import openai
from tests.support.both_ways import same_both_ways_async
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch


def test_anthropic_stream(provider: ProviderServer, relay: RelayThread) -> None:
    asked = {
        "model": "claude-opus-4-8",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": Script(chunks=9, thinking="Hm").directive()}],
    }

    async def scenario(url: str, watch: Watch) -> object:
        async with (
            anthropic.AsyncAnthropic(base_url=url, api_key="sk-ant-dummy", http_client=watch.async_client()) as sdk,
            sdk.messages.stream(**asked) as stream,
        ):
            return [event.type async for event in stream]

    same_both_ways_async(provider, relay.url, scenario)


def test_openai_stream_and_responses(provider: ProviderServer, relay: RelayThread) -> None:
    messages = [{"role": "user", "content": Script(chunks=9).directive()}]

    async def scenario(url: str, watch: Watch) -> object:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-dummy", http_client=watch.async_client()) as sdk:
            stream = await sdk.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True)
            chunks = [chunk.model_dump() async for chunk in stream]
            response = await sdk.responses.create(model="gpt-5", input="hi")
            return (chunks, response.model_dump())

    same_both_ways_async(provider, relay.url, scenario)


def test_thirty_at_once_get_their_own_answers(provider: ProviderServer, relay: RelayThread) -> None:
    async def one(sdk: anthropic.AsyncAnthropic, number: int) -> str:
        script = Script(text=f"answer {number}", first_ms=number % 5, gap_ms=1, chunks=5)
        async with sdk.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": script.directive()}]) as stream:
            return await stream.get_final_text()

    async def every() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=relay.url, api_key="sk-ant-dummy") as sdk:
            return await asyncio.gather(*(one(sdk, number) for number in range(30)))

    provider.reset()
    assert asyncio.run(every()) == [f"answer {number}" for number in range(30)]
    assert len(provider.requests) == 30
