"""The official openai SDK, sync: Chat Completions, Responses, embeddings, models; the same both ways."""

from typing import Any

import openai
import pytest
from tests.support.both_ways import failure, same_both_ways
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch

MODEL = "gpt-4o-mini"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
USES = ({"name": "weather", "input": {"city": "Žilina"}}, {"name": "weather", "input": {"city": "Košice"}})


def client(url: str, watch: Watch, **options: object) -> openai.OpenAI:
    settings: dict[str, Any] = {"base_url": f"{url}/v1", "max_retries": 0} | options
    return openai.OpenAI(api_key="sk-dummy", http_client=watch.sync_client(), **settings)


def ask(script: Script, **more: object) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": f"hi {script.directive()}"}]} | more


def test_whole_answer_with_tools(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch, organization="org-x", project="proj-y") as sdk:
            raw = sdk.chat.completions.with_raw_response.create(**ask(Script(tools=USES), tools=[TOOL], n=2, seed=1))
            return (raw.request_id, raw.parse().model_dump())

    same_both_ways(provider, relay.url, scenario)


@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("chunks", [1, 30])
def test_streamed_chunks(provider: ProviderServer, relay: RelayThread, chunks: int, *, usage: bool) -> None:
    script = Script(text="a\u2028b \x0b\x0c\x1c c" * 6, tools=USES, chunks=chunks)
    more = {"stream_options": {"include_usage": True}} if usage else {}

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            return [chunk.model_dump() for chunk in sdk.chat.completions.create(**ask(script, tools=[TOOL], stream=True, **more))]

    account = same_both_ways(provider, relay.url, scenario)
    assert isinstance(account.result, list)
    assert (account.result[-1]["usage"] is not None) == usage, "usage is never asked for by the proxy"


def test_stream_helper_gathers_the_message(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk, sdk.chat.completions.stream(**ask(Script(tools=USES))) as stream:
            return stream.get_final_completion().model_dump()

    same_both_ways(provider, relay.url, scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_responses(provider: ProviderServer, relay: RelayThread, *, stream: bool) -> None:
    script = Script(text="Dobrý deň", thinking="Hm.", tools=USES)

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            first = sdk.responses.create(model="gpt-5", input=f"hi {script.directive()}", stream=stream)
            if stream:
                return [event.model_dump() for event in first]
            second = sdk.responses.create(model="gpt-5", input="and?", previous_response_id=first.id)
            return (first.model_dump(), second.model_dump())

    same_both_ways(provider, relay.url, scenario)


def test_embeddings_and_models(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            vectors = sdk.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
            return (vectors.model_dump(), [model.id for model in sdk.models.list()])

    same_both_ways(provider, relay.url, scenario)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
def test_errors_keep_their_wording(provider: ProviderServer, relay: RelayThread, status: int, *, stream: bool) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk, pytest.raises(openai.APIStatusError) as caught:
            sdk.chat.completions.create(**ask(Script(status=status, retry_after="7")), stream=stream)
        return (*failure(caught.value), caught.value.request_id, caught.value.response.headers["retry-after"])

    account = same_both_ways(provider, relay.url, scenario)
    assert account.seen[0][0] == status
    assert len(account.told) == 1


def test_the_sdks_own_retries_are_new_calls(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch, max_retries=2) as sdk:
            return sdk.chat.completions.create(**ask(Script(fail=(429, 500), retry_after="0.01"))).model_dump()

    account = same_both_ways(provider, relay.url, scenario)
    assert [seen[0] for seen in account.seen] == [429, 500, 200]
    assert [dict(told.headers)["x-stainless-retry-count"] for told in account.told] == ["0", "1", "2"]


def test_an_error_event_after_a_200(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        got = []
        with client(url, watch) as sdk, pytest.raises(openai.APIError) as caught:
            got.extend(chunk.model_dump() for chunk in sdk.chat.completions.create(**ask(Script(error_at=3)), stream=True))
        return (got, failure(caught.value))

    same_both_ways(provider, relay.url, scenario)


def test_base_url_without_v1_is_mended(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(base: str, watch: Watch) -> object:
        with client("", watch, base_url=base) as sdk:
            chat = sdk.chat.completions.create(**ask(Script())).model_dump()
            return (
                chat,
                sdk.responses.create(model="gpt-5", input="hi").model_dump(),
                sdk.embeddings.create(model="e", input="x").model_dump(),
            )

    account = same_both_ways(provider, relay.url, scenario, direct=lambda url, watch: scenario(f"{url}/v1", watch))
    assert [told.target for told in account.told] == ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"]


def test_v1_twice_is_mended(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(base: str, watch: Watch) -> object:
        with client("", watch, base_url=base) as sdk:
            return sdk.chat.completions.create(**ask(Script())).model_dump()

    spelled = {"direct": lambda url, watch: scenario(f"{url}/v1", watch)}
    account = same_both_ways(provider, relay.url, lambda url, watch: scenario(f"{url}/v1/v1", watch), **spelled)
    assert account.told[0].target == "/v1/chat/completions"
