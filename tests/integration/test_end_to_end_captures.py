"""Traffic as real clients and servers made it (Claude Code, Codex, opencode, two SDKs, llama.cpp), byte for byte through the proxy."""

import pytest
from tests.support import captured
from tests.support.captured import Captured
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.watching import HOP_BY_HOP

OWN = HOP_BY_HOP | {b"host"}


@pytest.fixture(params=captured.names())
def capture(request: pytest.FixtureRequest) -> Captured:
    return captured.load(request.param)


def kept(head: bytes) -> list[bytes]:
    """Return the lines of a head that no intermediary may touch."""
    return [line for line in head.split(b"\r\n") if line.split(b":")[0].lower() not in OWN]


def test_what_was_asked_and_answered_is_untouched(provider: ProviderServer, relay: RelayThread, capture: Captured) -> None:
    provider.reset()
    provider.on(Script(raw=capture.answer.decode("latin-1"), close=not capture.whole))
    with RawClient(relay.port) as client:
        client.send(capture.request_head + capture.request_body)
        response = client.read_response()
    (asked,) = provider.requests
    answer_head, _, answer_body = capture.answer.partition(b"\r\n\r\n")
    assert kept(asked.head) == kept(capture.request_head)
    assert asked.wire_body == capture.request_body
    assert kept(response.head) == kept(answer_head + b"\r\n\r\n")
    assert response.complete == capture.whole
    is_chunked = b"transfer-encoding: chunked" in answer_head.lower()
    assert response.body == (dechunked(answer_body) if is_chunked else answer_body)


def dechunked(wire: bytes) -> bytes:
    """Return the bytes inside chunks, up to where they end or were cut."""
    out, at = b"", 0
    while (end := wire.find(b"\r\n", at)) >= 0:
        size = int(wire[at:end], 16)
        out += wire[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return out
