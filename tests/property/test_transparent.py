"""Law *transparent*: bytes out = bytes in. Random heads, bodies, framings and ways of cutting, compared at both ends of a real relay."""

import base64
import string
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient
from tests.support.relay_thread import RelayThread
from tests.support.script import Script

TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
OURS = {
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "expect"),
    *("http2-settings", "x-trace-id", "x-agent-name", "x-parent-call-id", "x-task-id", "x-replay-of", "set-cookie2"),
}
"""Hop-by-hop, framing, and what is said to us: RFC 9110 7.6.1 and docs/architecture.md."""
METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT", "M-SEARCH")
EXAMPLES = 200


@dataclass(frozen=True, slots=True)
class Message:
    """`lines` are header lines without their CRLF; `wire` is the body as framed; `framing_line` says how."""

    lines: tuple[bytes, ...]
    framing_line: bytes
    wire: bytes
    body: bytes
    chunks: tuple[bytes, ...]
    trailers: tuple[bytes, ...]

    def head(self, first: bytes) -> bytes:
        framed = (*self.lines, self.framing_line) if self.framing_line else self.lines
        return b"\r\n".join([first, *framed]) + b"\r\n\r\n"


names = st.text(TOKEN, min_size=1, max_size=24).filter(lambda n: n.lower() not in OURS and not n.lower().startswith("x-anton"))
inner = st.characters(min_codepoint=0x20, max_codepoint=0xFF, blacklist_characters="\x7f" + "".join(map(chr, range(0x80, 0xA1))))
values = st.text(inner, max_size=60).map(lambda v: v.strip(" "))
lines = st.builds(lambda n, v: f"{n}: {v}".encode("latin-1"), names, values)


@st.composite
def header_blocks(draw: st.DrawFn) -> tuple[bytes, ...]:
    some = draw(st.lists(lines, max_size=12))
    again = draw(st.lists(st.sampled_from(some), max_size=3)) if some else []
    return (*some, *again)


heads = header_blocks()
bodies = st.binary(max_size=3000) | st.binary(min_size=1, max_size=40).map(lambda b: b * 2000)
targets = st.text(string.ascii_letters + string.digits + "-._~:/?@!$&'()*+,;=%", max_size=60).map(lambda t: "/x/" + t)


@st.composite
def messages(draw: st.DrawFn, *, answer: bool) -> Message:
    head, body = draw(heads), draw(bodies)
    kind = draw(st.sampled_from(("length", "chunked", "close", "none") if answer else ("length", "chunked", "none")))
    if kind == "none" or (kind == "close" and not answer):
        return Message(head, b"Content-Length: 0" if answer else b"", b"", b"", (), ())
    if kind == "close":
        return Message(head, b"", body, body, (), ())
    if kind == "length":
        return Message(head, b"Content-Length: %d" % len(body), body, body, (), ())
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=6)))
    chunks = tuple(body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if b > a)
    trailers = draw(st.just(()) | st.lists(lines, max_size=2).map(tuple))
    extension = draw(st.sampled_from((b"", b";a=b", b';n="v"'))) if not answer else b""
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    wire += b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"
    return Message(head, b"Transfer-Encoding: chunked", wire, body, chunks, trailers)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(scope="module")
def relay(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayThread]:
    with RelayThread({"openai": provider.url}, tmp_path_factory.mktemp("relay")) as running:
        yield running


def header_lines(head: bytes) -> list[bytes]:
    """Return header lines, optional white space around values aside, without those that are the relay's own business."""
    kept = []
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name.decode("latin-1").lower() not in OURS:
            kept.append(name + b": " + value.strip(b" \t"))
    return kept


def trailer_lines(pairs: object) -> list[bytes]:
    assert isinstance(pairs, list | tuple)
    return [f"{name}: {value}".encode("latin-1") for name, value in pairs]


@given(
    asked=messages(answer=False),
    answered=messages(answer=True),
    method=st.sampled_from(METHODS),
    target=targets,
    status=st.integers(200, 599).filter(lambda s: s not in {204, 205, 304}),
    reason=st.text(inner, max_size=30).map(lambda r: r.strip(" ")),
    step=st.sampled_from((0, 1, 7, 1000)),
    drip=st.sampled_from((0, 1, 13, 4096)),
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_bytes_out_are_bytes_in(
    provider: ProviderServer,
    relay: RelayThread,
    asked: Message,
    answered: Message,
    method: str,
    target: str,
    status: int,
    reason: str,
    step: int,
    drip: int,
) -> None:
    provider.reset()
    raw = answered.head(f"HTTP/1.1 {status} {reason}".encode("latin-1")) + answered.wire
    ends_with_close = not answered.framing_line
    script = Script(raw_base64=base64.b64encode(raw).decode(), drip=drip if len(raw) < 20_000 else 0, close=ends_with_close)
    provider.on(script)
    with RawClient(relay.port) as client:
        head = asked.head(f"{method} {target} HTTP/1.1\r\nHost: anything".encode("latin-1"))
        client.send(head + asked.wire, step=step if len(head + asked.wire) < 5000 else 0)
        got = client.read_response()
    (request,) = provider.requests
    assert (request.method, request.target, request.version) == (method, target, "HTTP/1.1")
    assert header_lines(request.head) == header_lines(head)
    assert request.body == asked.body
    assert trailer_lines(request.trailers) == header_lines(b"\r\n".join([b"", *asked.trailers]))
    assert got.head.split(b"\r\n")[0] == raw.split(b"\r\n")[0]
    assert header_lines(got.head) == header_lines(raw.partition(b"\r\n\r\n")[0])
    assert (got.body, got.complete) == (answered.body, True)
    assert trailer_lines(got.trailers) == header_lines(b"\r\n".join([b"", *answered.trailers]))
