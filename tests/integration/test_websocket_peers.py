"""Real WebSocket servers and clients on either side of the relay: what either says, however it says it, is the same both ways."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import openai
import pytest
from tests.support.relay_thread import RelayThread, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

pytestmark = pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")  # the SDK's own use of websockets
DEADLINE_S = 30.0
LONG = "Dobrý deň " * 200_000


@dataclass
class WebSocketOrigin:
    """A server of the `websockets` library that echoes; `said` has what came, by target."""

    said: dict[str, list[str | bytes]] = field(default_factory=dict)
    closed: dict[str, tuple[int | None, str | None]] = field(default_factory=dict)
    extensions: dict[str, list[str]] = field(default_factory=dict)
    url: str = ""

    def handle(self, connection: ServerConnection) -> None:
        target = connection.request.path if connection.request else ""
        self.extensions[target] = [extension.name for extension in connection.protocol.extensions]
        try:
            for message in connection:
                self.said.setdefault(target, []).append(message)
                if message == "hang up":
                    connection.close(4001, "as you wish")
                elif message == "in pieces":
                    connection.send(iter(["in ", "", "pie", "ces"]))
                elif message == "are you there?":
                    connection.ping().wait(DEADLINE_S)
                    connection.send("yes, and so are you")
                else:
                    connection.send(message)
        finally:
            self.closed[target] = (connection.close_code, connection.close_reason)

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if not request.path.startswith("/v1/refused"):
            return None
        response = connection.respond(HTTPStatus(int(request.path[-3:])), '{"error":{"message":"no WebSocket here"}}')
        response.headers["Retry-After"] = "7"
        return response


def choose(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((name for name in offered if name in {"realtime", "other"}), None)


@pytest.fixture(scope="module")
def origin() -> Iterator[WebSocketOrigin]:
    state = WebSocketOrigin()
    with serve(state.handle, "127.0.0.1", 0, process_request=state.refuse, select_subprotocol=choose, max_size=None) as server:
        state.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join(DEADLINE_S)


@pytest.fixture(scope="module")
def relay(origin: WebSocketOrigin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    with RelayThread({"openai": origin.url}, tmp_path_factory.mktemp("relay")) as thread:
        yield thread


def both(origin: WebSocketOrigin, relay: RelayThread, scenario: Callable[[str], object], *, connections: int = 1) -> object:
    """Run a scenario with the base URL of either way; assert that it gave the same; return that. `connections`: those not refused."""
    results = []
    for url in (origin.url, relay.url):
        origin.said.clear()
        origin.closed.clear()
        origin.extensions.clear()
        result = scenario(url.replace("http", "ws"))
        until(lambda: len(origin.closed) == connections, DEADLINE_S)
        results.append((result, dict(origin.said), dict(origin.closed), dict(origin.extensions)))
    assert results[0] == results[1]
    return results[1][0]


def opened(url: str, path: str, **options: Any) -> ClientConnection:  # noqa: ANN401 - as `connect` has them
    return connect(url + path, proxy=None, max_size=None, open_timeout=DEADLINE_S, close_timeout=DEADLINE_S, **options)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_every_kind(origin: WebSocketOrigin, relay: RelayThread, compression: str | None) -> None:
    def scenario(url: str) -> object:
        got: list[object] = []
        with opened(url, "/v1/realtime?model=m", compression=compression) as socket:
            for message in ("", "x", LONG, bytes(range(256)) * 300, LONG, ["a", "", "b" * 70_000], "in pieces", "are you there?"):
                socket.send(message)
                got.append(socket.recv(timeout=DEADLINE_S))
            got += [socket.ping("beat").wait(DEADLINE_S), socket.response and socket.response.headers.get("Sec-WebSocket-Extensions")]
        return (got, socket.close_code)

    result = both(origin, relay, scenario)
    assert isinstance(result, tuple)
    assert result[1] == 1000
    assert ("permessage-deflate" in str(result[0][-1])) == (compression == "deflate")


@pytest.mark.parametrize("wanted", [["realtime"], ["unknown", "other"], None])
def test_subprotocols_are_agreed_end_to_end(origin: WebSocketOrigin, relay: RelayThread, wanted: list[str] | None) -> None:
    def scenario(url: str) -> object:
        with opened(url, "/v1/realtime", subprotocols=wanted) as socket:
            return socket.subprotocol

    assert both(origin, relay, scenario) == (wanted[-1] if wanted else None)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_close_carries_its_code_and_reason(origin: WebSocketOrigin, relay: RelayThread, who: str) -> None:
    def scenario(url: str) -> object:
        with opened(url, "/v1/realtime") as socket:
            if who == "server":
                socket.send("hang up")
                with pytest.raises(ConnectionClosed):
                    socket.recv(timeout=DEADLINE_S)
            else:
                socket.close(4002, "žluť")
        return (socket.close_code, socket.close_reason)

    assert both(origin, relay, scenario) == ((4001, "as you wish") if who == "server" else (4002, "žluť"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_refusal_keeps_its_words(origin: WebSocketOrigin, relay: RelayThread, status: int) -> None:
    def scenario(url: str) -> object:
        with pytest.raises(InvalidStatus) as caught:
            opened(url, f"/v1/refused/{status}")
        response = caught.value.response
        return (response.status_code, response.reason_phrase, response.headers["Retry-After"], response.body)

    result = both(origin, relay, scenario, connections=0)
    assert isinstance(result, tuple)
    assert (result[0], result[2]) == (status, "7")


def test_twenty_tunnels_keep_apart(origin: WebSocketOrigin, relay: RelayThread) -> None:
    def talk(number: int) -> bool:
        with opened(relay.url.replace("http", "ws"), f"/v1/realtime?n={number}") as socket:
            for turn in range(10):
                message = f"{number}-{turn} " * (1 + 500 * (turn % 3))
                socket.send(message)
                if socket.recv(timeout=DEADLINE_S) != message:
                    return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(talk, range(20)))
    until(lambda: relay.worker.counters.tunnels_open == 0, DEADLINE_S)


def test_the_sdks_realtime_connection(origin: WebSocketOrigin, relay: RelayThread) -> None:
    events: list[dict[str, Any]] = [
        {"type": "session.update", "session": {"type": "realtime", "instructions": "be brief"}},
        {"type": "input_audio_buffer.append", "audio": "AAAA" * 20_000},
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "žluť"}]},
        },
        {"type": "response.create"},
    ]

    def scenario(url: str) -> object:
        base = f"{url.replace('ws', 'http')}/v1"
        with openai.OpenAI(base_url=base, api_key="sk-dummy") as sdk, sdk.realtime.connect(model="gpt-realtime") as connection:
            got = []
            for event in events:
                connection.send(event)  # type: ignore[arg-type]
                got.append(connection.recv_bytes())
            return got

    result = both(origin, relay, scenario)
    assert isinstance(result, list)
    assert len(result) == len(events)


def test_the_sdk_is_refused_alike(origin: WebSocketOrigin, relay: RelayThread) -> None:
    def scenario(url: str) -> object:
        base = f"{url.replace('ws', 'http')}/v1/refused/403?x="
        with openai.OpenAI(base_url=base, api_key="sk-dummy") as sdk, pytest.raises(InvalidStatus) as caught:
            sdk.realtime.connect(model="m", websocket_connection_options={"proxy": None}, extra_query={"z": "403"}).enter()
        return (caught.value.response.status_code, caught.value.response.body)

    both(origin, relay, scenario, connections=0)
