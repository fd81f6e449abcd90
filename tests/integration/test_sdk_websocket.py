"""WebSocket upgrades through the relay: the openai SDK's Responses connection and the `websockets` client behave as direct."""

from typing import Any

import openai
import pytest
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")  # the SDK's own use of websockets
TURNS = 3


def turns(url: str) -> list[dict[str, Any]]:
    """Return the events of a few turns on one socket, as the SDK gives them."""
    events = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-dummy") as sdk, sdk.responses.connect() as connection:
        for turn in range(TURNS):
            connection.response.create(model="gpt-5", input=f"turn {turn} žluť")
            for event in connection:
                events.append(event.model_dump())
                if event.type == "response.completed":
                    break
    return events


@pytest.mark.parametrize("deflate", [False, True])
def test_responses_turns_are_the_same_both_ways(provider: ProviderServer, relay: RelayThread, *, deflate: bool) -> None:
    got, told = [], []
    for url in (provider.url, relay.url):
        provider.reset()
        provider.on(Script(text="Dobrý deň " * 20, ws_deflate=deflate), path="/v1/responses")
        got.append(turns(url))
        (request,) = provider.requests
        told.append((request.target, [h for h in request.headers if h[0].lower() not in {"host", "sec-websocket-key"}], request.messages))
    assert got[0] == got[1]
    assert told[0] == told[1]
    assert [event["type"] for event in got[1]].count("response.completed") == TURNS


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_an_echo_of_every_size(provider: ProviderServer, relay: RelayThread, compression: str | None) -> None:
    provider.reset()
    provider.on(Script(ws_deflate=compression is not None), path="/v1/realtime")
    messages = ["", "x", "ř" * 200, "y" * 70_000, "z" * 1_500_000]
    with connect(f"{relay.url.replace('http', 'ws')}/v1/realtime?model=m", compression=compression, max_size=None) as socket:
        for message in messages:
            socket.send(message)
            assert socket.recv(timeout=10) == message
    (request,) = provider.requests
    assert [m if isinstance(m, str) else m.decode() for m in request.messages] == messages
    assert request.target == "/v1/realtime?model=m"
    provider.wait_for(lambda: request.connection.gone_at is not None)


@pytest.mark.parametrize("status", [401, 404, 426])
def test_a_refused_upgrade_is_refused_alike(provider: ProviderServer, relay: RelayThread, status: int) -> None:
    answers = []
    for url in (provider.url, relay.url):
        provider.reset()
        provider.on(Script(ws_refuse=status, body="no"), path="/v1/responses")
        with pytest.raises(InvalidStatus) as caught:
            connect(f"{url.replace('http', 'ws')}/v1/responses", proxy=None).__enter__()
        response = caught.value.response
        answers.append((response.status_code, response.reason_phrase, response.body))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("rst", [False, True])
def test_a_provider_that_vanishes_takes_the_client_with_it(provider: ProviderServer, relay: RelayThread, *, rst: bool) -> None:
    provider.reset()
    provider.on(Script(ws_vanish_at=2, rst=rst), path="/v1/responses")
    with connect(f"{relay.url.replace('http', 'ws')}/v1/responses") as socket:
        socket.send('{"type":"response.create","model":"m","input":"hi"}')
        for _ in range(2):
            socket.recv(timeout=10)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=10)
    assert caught.value.rcvd is None, "no close frame is made up"


def test_a_client_that_vanishes_takes_the_provider_connection_with_it(provider: ProviderServer, relay: RelayThread) -> None:
    provider.reset()
    headers = (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Sec-WebSocket-Version", "13"),
    )
    with RawClient(relay.port) as client:
        client.send(request_bytes("GET", "/v1/responses", headers=headers))
        assert client.read_response().status == 101
        client.abort()
    provider.wait_for(lambda: provider.requests[0].connection.gone_at is not None, 3)
