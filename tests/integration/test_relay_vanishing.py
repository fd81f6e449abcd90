"""Peers whose network goes away without a FIN or RST while bytes are on their way to them, and those that only take their time."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.support.deaf import deafen
from tests.support.fountain import Fountain
from tests.support.raw_client import RawClient, request_bytes
from tests.support.relay_thread import RelayThread, until

from modular_agents.proxy.config import Limits

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a socket cannot be made deaf elsewhere")
VANISHED_S = 0.8
LIMITS = Limits(vanished_s=VANISHED_S)
HEAD_OF_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
CHAT = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","stream":true}')
UPGRADE = request_bytes("GET", "/v1/responses", headers=(("Upgrade", "websocket"), ("Connection", "Upgrade")))


class OnePeer:
    """A provider of one connection, driven by the test: `ask` reads a head, then `play` gets the socket."""

    def __init__(self, play: Callable[[socket.socket], None]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._play = play
        self.played = False
        self.ended_s = 0.0
        """When the relay closed the connection, on the monotonic clock; 0 while it has not."""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        sock, _ = self._listening.accept()
        with sock:
            came = b""
            while b"\r\n\r\n" not in came:
                came += sock.recv(65536)
            with contextlib.suppress(OSError):  # the relay closed it
                self._play(sock)
                self.played = True
                sock.settimeout(20)
                while sock.recv(65536):
                    pass
            self.ended_s = time.monotonic()


def speak(sock: socket.socket, head: bytes, event: bytes) -> None:
    """Begin to answer, then send an event ten times a second until that fails."""
    sock.sendall(head)
    while True:
        sock.sendall(event)
        time.sleep(0.1)


@pytest.fixture
def streaming() -> Iterator[OnePeer]:
    with OnePeer(lambda sock: speak(sock, HEAD_OF_STREAM, b"6\r\ndata: \r\n")) as peer:
        yield peer


def test_a_client_that_vanishes_in_a_stream_closes_the_provider_connection(streaming: OnePeer, tmp_path: Path) -> None:
    with RelayThread({"openai": streaming.url}, tmp_path, limits=LIMITS) as relay, RawClient(relay.port) as client:
        client.send(CHAT)
        client.read_until(b"data: ")
        began = time.monotonic()
        deafen(client.sock)
        (taken,) = relay.ended()
        until(lambda: streaming.ended_s)
        assert taken.end is not None
        assert (taken.end.outcome, taken.end.detail) == (
            "client_gone",
            f"the client vanished: for {VANISHED_S:g} s nothing that was sent to it has been acknowledged",
        )
        assert taken.response_body.startswith(b"data: "), "what arrived is kept"
        assert streaming.ended_s - began >= VANISHED_S
        assert relay.worker.counters.client_gone_total == 1
        until(lambda: relay.worker.counters.connections_open == 0)


def test_a_client_that_vanishes_behind_a_tunnel_closes_it(tmp_path: Path) -> None:
    with (
        OnePeer(lambda sock: speak(sock, SWITCHING, b"\x81\x02hi")) as peer,
        RelayThread({"openai": peer.url}, tmp_path, limits=LIMITS) as relay,
        RawClient(relay.port) as client,
    ):
        client.send(UPGRADE)
        client.read_until(b"hi")
        deafen(client.sock)
        (taken,) = relay.ended()
        until(lambda: peer.ended_s)
        assert taken.end is not None
        assert taken.end.outcome == "client_gone"
        assert taken.end.detail.startswith("the client vanished")
        until(lambda: relay.worker.counters.tunnels_open == 0 and relay.worker.counters.connections_open == 0)


def test_a_provider_that_vanishes_with_the_request_is_named(tmp_path: Path) -> None:
    with (
        OnePeer(deafen) as peer,
        RelayThread({"openai": peer.url}, tmp_path, limits=LIMITS) as relay,
        RawClient(relay.port) as client,
    ):
        body = b'{"model":"gpt-x","input":"' + b"x" * 100_000 + b'"}'
        asked = request_bytes("POST", "/v1/embeddings", body)
        client.send(asked[:-50_000])
        until(lambda: peer.played)
        client.send(asked[-50_000:])
        answer = client.read_response()
        assert (answer.status, answer.header("x-anton-error"), answer.header("x-anton-code")) == (504, "upstream", "upstream_vanished")
        assert b"the provider openai vanished" in answer.body
        (taken,) = relay.ended()
        assert taken.end is not None
        assert taken.end.outcome == "upstream_timeout"


def test_a_provider_that_vanishes_behind_a_tunnel_closes_it(tmp_path: Path) -> None:
    def switch(sock: socket.socket) -> None:
        sock.sendall(SWITCHING + b"\x81\x02hi")
        deafen(sock)

    with OnePeer(switch) as peer, RelayThread({"openai": peer.url}, tmp_path, limits=LIMITS) as relay, RawClient(relay.port) as client:
        client.send(UPGRADE)
        client.read_until(b"hi")
        until(lambda: peer.played)
        client.send(b"\x81\x82\0\0\0\0hi")
        client.read_to_end()
        (taken,) = relay.ended()
        assert taken.end is not None
        assert taken.end.outcome == "upstream_timeout"
        assert taken.end.detail.startswith("the provider openai vanished")


def test_a_client_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    size = 20_000_000
    with (
        Fountain(size) as fountain,
        RelayThread({"openai": fountain.url}, tmp_path, limits=LIMITS) as relay,
        RawClient(relay.port) as client,
    ):
        client.send(CHAT)
        until(lambda: fountain.sent_bytes)
        fountain.wait_until_still(0.3)
        time.sleep(4 * VANISHED_S)  # longer than the limit that must not pass
        answer = client.read_response()
        assert (answer.complete, len(answer.body)) == (True, size)
        assert relay.worker.counters.client_gone_total == 0
