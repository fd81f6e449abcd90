"""The official anthropic SDK, sync: what the program gets, what crossed below it and what the provider was told are the same both ways."""

from typing import Any

import anthropic
import pytest
from tests.support.both_ways import failure, same_both_ways
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch

MODEL = "claude-opus-4-8"
TOOL = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
USES = ({"name": "weather", "input": {"city": "Žilina", "note": "a\u2028b"}}, {"name": "weather", "input": {}})


def client(url: str, watch: Watch, **options: object) -> anthropic.Anthropic:
    settings: dict[str, Any] = {"max_retries": 0} | options
    return anthropic.Anthropic(base_url=url, api_key="sk-ant-dummy", http_client=watch.sync_client(), **settings)


def ask(script: Script, **more: object) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": f"hi {script.directive()}"}]} | more


def test_whole_answer_with_tools_and_thinking(provider: ProviderServer, relay: RelayThread) -> None:
    script = Script(text="Dobrý deň 🐎", thinking="Hm.", tools=USES, usage={"cache_read_input_tokens": 1200})

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            raw = sdk.messages.with_raw_response.create(
                **ask(script, tools=[TOOL], system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]),
                extra_headers={"anthropic-beta": "context-1m-2025-08-07,interleaved-thinking-2025-05-14"},
            )
            return (raw.request_id, raw.parse().model_dump())

    account = same_both_ways(provider, relay.url, scenario)
    assert account.seen[0][0] == 200


@pytest.mark.parametrize("chunks", [1, 7, 40])
def test_streamed_events(provider: ProviderServer, relay: RelayThread, chunks: int) -> None:
    script = Script(text="řádek\u2028druhý " * 5, thinking="Hm, hm.", tools=USES, chunks=chunks)

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            return [event.model_dump() for event in sdk.messages.create(**ask(script, tools=[TOOL]), stream=True)]

    events = same_both_ways(provider, relay.url, scenario).result
    assert isinstance(events, list)
    assert events[-1]["type"] == "message_stop"


def test_stream_helper_gathers_the_message(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk, sdk.messages.stream(**ask(Script(tools=USES), tools=[TOOL])) as stream:
            return ("".join(stream.text_stream), stream.get_final_message().model_dump())

    same_both_ways(provider, relay.url, scenario)


def test_a_conversation_on_one_connection(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        messages: list[dict[str, Any]] = []
        with client(url, watch) as sdk:
            for turn in range(5):
                messages.append({"role": "user", "content": f"turn {turn}"})
                answer = sdk.messages.create(model=MODEL, max_tokens=64, messages=messages)
                messages.append({"role": "assistant", "content": [block.model_dump() for block in answer.content]})
        return messages

    same_both_ways(provider, relay.url, scenario)
    assert len({request.connection.number for request in provider.requests}) == 1


def test_count_tokens_and_models(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            counted = sdk.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hi"}])
            return (counted.model_dump(), [model.id for model in sdk.models.list()])

    account = same_both_ways(provider, relay.url, scenario)
    assert [told.target for told in account.told] == ["/v1/messages/count_tokens", "/v1/models"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 529])
@pytest.mark.parametrize("stream", [False, True])
def test_errors_keep_their_wording(provider: ProviderServer, relay: RelayThread, status: int, *, stream: bool) -> None:
    script = Script(status=status, retry_after="7", message=f"Nope {status} žluť")

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk, pytest.raises(anthropic.APIStatusError) as caught:
            sdk.messages.create(**ask(script), stream=stream)
        return (*failure(caught.value), caught.value.request_id, caught.value.response.headers["retry-after"])

    account = same_both_ways(provider, relay.url, scenario)
    assert account.seen[0][0] == status
    assert len(account.told) == 1


def test_the_sdks_own_retries_are_new_calls(provider: ProviderServer, relay: RelayThread) -> None:
    script = Script(fail=(529, 429), retry_after="0.01", text="at last")

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch, max_retries=2) as sdk:
            return sdk.messages.create(**ask(script)).model_dump()

    account = same_both_ways(provider, relay.url, scenario)
    assert [seen[0] for seen in account.seen] == [529, 429, 200]
    assert [dict(told.headers)["x-stainless-retry-count"] for told in account.told] == ["0", "1", "2"]


def test_an_error_event_after_a_200(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        got = []
        with client(url, watch) as sdk, pytest.raises(anthropic.APIStatusError) as caught:
            got.extend(event.type for event in sdk.messages.create(**ask(Script(error_at=4)), stream=True))
        return (got, failure(caught.value))

    same_both_ways(provider, relay.url, scenario)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("stream", [False, True])
def test_coded_answers_pass_untouched(provider: ProviderServer, relay: RelayThread, encoding: str, *, stream: bool) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            answer = sdk.messages.create(**ask(Script(encoding=encoding, text="x" * 500)), stream=stream)
            return [event.model_dump() for event in answer] if stream else answer.model_dump()

    account = same_both_ways(provider, relay.url, scenario)
    assert (b"Content-Encoding", encoding.encode()) in account.seen[0][2]


def test_base_url_with_v1_is_mended(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk:
            return sdk.messages.create(**ask(Script())).model_dump()

    account = same_both_ways(provider, relay.url, lambda url, watch: scenario(f"{url}/v1", watch), direct=scenario)
    assert account.told[0].target == "/v1/messages"


def test_oauth_bearer_instead_of_a_key(provider: ProviderServer, relay: RelayThread) -> None:
    def scenario(url: str, watch: Watch) -> object:
        with anthropic.Anthropic(base_url=url, auth_token="sk-ant-oat01-dummy", http_client=watch.sync_client()) as sdk:
            return sdk.messages.create(**ask(Script())).model_dump()

    account = same_both_ways(provider, relay.url, scenario)
    assert dict(account.told[0].headers)["Authorization"] == "Bearer sk-ant-oat01-dummy"


def test_a_large_request_and_a_large_answer(provider: ProviderServer, relay: RelayThread) -> None:
    script = Script(fill_bytes=3_000_000, chunks=300)

    def scenario(url: str, watch: Watch) -> object:
        with client(url, watch) as sdk, sdk.messages.stream(**ask(script, system="s" * 4_000_000)) as stream:
            return stream.get_final_text()

    account = same_both_ways(provider, relay.url, scenario)
    assert len(str(account.result)) == 3_000_000
