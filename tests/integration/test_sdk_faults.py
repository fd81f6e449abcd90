"""When the provider cuts, or the program goes away: the SDK's behaviour is the same both ways, and the provider learns of it at once."""

import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from tests.support.both_ways import same_both_ways
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import Watch

GONE_WITHIN_S = 10.0
"""D4 promises 1 s, which the soak measures; here a loaded machine may take longer, a relay that does not notice never ends."""


def anthropic_stream(url: str, watch: Watch, script: Script) -> list[Any]:
    got: list[Any] = []
    with anthropic.Anthropic(base_url=url, api_key="sk-ant-dummy", max_retries=0, http_client=watch.sync_client()) as sdk:
        asked = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": [{"role": "user", "content": script.directive()}]}
        try:
            got.extend(event.model_dump() for event in sdk.messages.create(**asked, stream=True))
        except Exception as error:  # noqa: BLE001 - which one is what is compared
            got.append(type(error).__name__)
    return got


def openai_stream(url: str, watch: Watch, script: Script) -> list[Any]:
    got: list[Any] = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-dummy", max_retries=0, http_client=watch.sync_client()) as sdk:
        try:
            stream = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": script.directive()}], stream=True)
            got.extend(chunk.model_dump() for chunk in stream)
        except Exception as error:  # noqa: BLE001 - which one is what is compared
            got.append(type(error).__name__)
    return got


STREAMS: dict[str, Callable[[str, Watch, Script], list[Any]]] = {"anthropic": anthropic_stream, "openai": openai_stream}
CUTS = {
    "after the head": Script(cut_pieces=0),
    "after two events": Script(cut_pieces=2, gap_ms=5),
    "inside an event": Script(cut_bytes=1300),
    "before the last chunk": Script(cut_pieces=99),
    "length promised": Script(framing="length", cut_pieces=3, gap_ms=5),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("sdk", STREAMS)
def test_a_cut_stream_is_a_cut_stream(provider: ProviderServer, relay: RelayThread, sdk: str, cut: str) -> None:
    account = same_both_ways(provider, relay.url, lambda url, watch: STREAMS[sdk](url, watch, CUTS[cut]))
    if (sdk, cut) != ("openai", "before the last chunk"):  # that SDK hangs up itself once it has read [DONE]
        assert account.seen[0][-1] == "RemoteProtocolError", "a truncation is never a clean end"


def test_a_body_that_ends_with_the_connection_ends_cleanly(provider: ProviderServer, relay: RelayThread) -> None:
    account = same_both_ways(provider, relay.url, lambda url, watch: anthropic_stream(url, watch, Script(framing="close")))
    assert account.seen[0][-1] == "whole"


@pytest.mark.parametrize("sdk", STREAMS)
def test_a_reset_breaks_the_body(provider: ProviderServer, relay: RelayThread, sdk: str) -> None:
    provider.reset()
    watch = Watch()
    got = STREAMS[sdk](relay.url, watch, Script(cut_pieces=2, gap_ms=20, rst=True))
    assert watch.seen[0].ending in {"RemoteProtocolError", "ReadError"}
    assert isinstance(got[-1], str)


@pytest.mark.parametrize("sdk", STREAMS)
def test_no_answer_at_all_is_our_502(provider: ProviderServer, relay: RelayThread, sdk: str) -> None:
    provider.reset()
    watch = Watch()
    got = STREAMS[sdk](relay.url, watch, Script(raw="", close=True))
    assert (watch.seen[0].status, got) == (502, ["InternalServerError"])
    assert len(provider.requests) == 1, "a POST is never sent twice"


@pytest.mark.parametrize("stall", [-1, 0, 2])
def test_a_program_that_cancels_is_seen_by_the_provider(provider: ProviderServer, relay: RelayThread, stall: int) -> None:
    provider.reset()
    script = Script(stall_at=stall)
    with anthropic.Anthropic(base_url=relay.url, api_key="sk-ant-dummy", max_retries=0, timeout=3 if stall < 1 else 30) as sdk:
        asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": script.directive()}]}
        if stall < 1:
            with pytest.raises((anthropic.APITimeoutError, httpx2.ReadTimeout)):
                list(sdk.messages.create(**asked, stream=True))
        else:
            stream = sdk.messages.create(**asked, stream=True)
            next(iter(stream))
            stream.close()
        left_at = time.monotonic()
        (request,) = provider.requests
        provider.wait_for(lambda: request.connection.gone_at is not None, GONE_WITHIN_S + 2)
        assert (request.connection.gone_at or 0) - left_at < GONE_WITHIN_S


def test_the_first_event_passes_before_the_second_exists(provider: ProviderServer, relay: RelayThread) -> None:
    provider.reset()
    with openai.OpenAI(base_url=f"{relay.url}/v1", api_key="sk-dummy", max_retries=0) as sdk:
        asked = [{"role": "user", "content": Script(stall_at=1).directive()}]
        stream = iter(sdk.chat.completions.create(model="m", messages=asked, stream=True))
        first = next(stream)
        assert first.choices[0].delta.role == "assistant"
        assert len(provider.requests[0].pieces) == 1
        provider.release()
        assert len(list(stream)) > 2


def test_every_event_passes_as_it_comes(provider: ProviderServer, relay: RelayThread) -> None:
    """Each event is held back until the one before has been read by the program: a proxy that waits for two would stand still."""
    provider.reset()
    script = Script(chunks=3, text="abc", stall_at=2, stall="a")
    with anthropic.Anthropic(base_url=relay.url, api_key="sk-ant-dummy", max_retries=0) as sdk:
        stream = iter(sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": script.directive()}], stream=True))
        assert [next(stream).type for _ in range(2)] == ["message_start", "content_block_start"]
        assert len(provider.requests[0].pieces) == 2
        provider.release("a")
        assert [event.type for event in stream][-1] == "message_stop"
