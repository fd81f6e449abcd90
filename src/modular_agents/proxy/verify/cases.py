"""The table of awkward requests and streams: what is sent on each side, and what must then arrive on the other. Pure.

A case is a row of steps. Each step's bytes must have arrived before the next is sent, so a relay that holds back, joins or
waits for more is found out. What may differ is fixed here: `Host`, our path prefix and headers, hop-by-hop lines, and the
`Connection: close` that an answer ended by its connection gets. Nothing else.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

CRLF = b"\r\n"
_TEXT = '{"model":"none","messages":[{"role":"user","content":"grüß dich"}]}'.encode()
_SPELLED = (
    b'{ "model":"none",\n\t"messages" : [{"role":"user", "content":"gr\\u00fc\\u00df \xc3\x9f"},{"content":"a\\/b","role":"user"}],'
    b'"n":1.0e+0 }'
)
"""JSON that no program would write this way again: it is stored in parts, and must be rebuilt byte for byte."""
_SAID = (
    b'{"object":"chat.completion","model":"none",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
)
_GZIP = gzip.compress(_TEXT, mtime=0)
_ZSTD = bytes.fromhex("28b52ffd2045290200") + _TEXT
_BROTLI = bytes.fromhex(
    "1b440088ac0e6c977960d2352b56b87a321c5f8bec6d0d6f10913337f5c9db3a2c5d7deb4d2e45ca86c1212702b7b6240c44dbea91692544c8c1cef4cad29458"
    "1630d01f4f27be03"
)
"""`_TEXT`, compressed: a relay must not look inside."""
_STREAM = (b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked")
_EVENTS = (b"event: a\ndata: {}\n\n", b"da", b'ta: "\xc5', b'\xbe"\n', b"\n: a comment\r\n\r\n", b"data: [DONE]\n\n")
"""Cut in the middle of a word, of a letter of two bytes, between two line ends."""
_MASKED = bytes.fromhex("8185010203046967 6f686e".replace(" ", "")), bytes.fromhex("c1050a0b0c0d0e")
"""A client's text frame, masked; a provider's one with a bit set that only an extension (compression) explains."""


class Ending(StrEnum):
    """What becomes of the provider's connection after the last step."""

    KEPT = "kept"
    """It stays: the client's must still serve another request."""
    CLOSED = "closed"
    """It is closed: the client must see the end too, and nothing that looks whole."""
    RESET = "reset"
    """It is reset: likewise."""
    CLIENT = "client"
    """The client closes first: the end must reach the provider."""


@dataclass(frozen=True, slots=True)
class Step:
    """Bytes that one side sends, and what must arrive at the other. `up`: from client to provider."""

    up: bool
    sent: bytes
    arrives: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. `asked`, `answered`: the bodies that must be recorded, None where no body says it all."""

    name: str
    steps: tuple[Step, ...]
    ending: Ending = Ending.KEPT
    asked: bytes | None = b""
    answered: bytes | None = b""

    @property
    def target(self) -> bytes:
        """The target as the provider must see it: no two cases have the same."""
        return self.steps[0].arrives.split(b" ", 2)[1]


@dataclass(frozen=True, slots=True)
class Way:
    """How requests reach the echo through the relay: before the target, as `Host` on either side, and lines that are ours."""

    prefix: bytes
    host: bytes
    echo_host: bytes
    own: tuple[bytes, ...] = ()

    def ask(
        self,
        target: bytes,
        lines: Sequence[bytes] = (),
        body: bytes = b"",
        *,
        method: bytes = b"POST",
        host_name: bytes = b"Host",
        host_at: int = 0,
        ends_here: Sequence[bytes] = (),
    ) -> Step:
        """Return a request. `ends_here`: those of `lines` that go no further."""
        onward = [line for line in lines if line not in ends_here]
        sent, arrives = [*lines], [*onward]
        sent.insert(host_at, host_name + b": " + self.host)
        arrives.insert(host_at, host_name + b": " + self.echo_host)
        return Step(
            up=True,
            sent=CRLF.join([b"%b %b%b HTTP/1.1" % (method, self.prefix, target), *sent, *self.own]) + CRLF * 2 + body,
            arrives=CRLF.join([b"%b %b HTTP/1.1" % (method, target), *arrives]) + CRLF * 2 + body,
        )


def answer(status: bytes, lines: Sequence[bytes] = (), body: bytes = b"", *, ends_with_close: bool = False) -> Step:
    """Return an answer; the client of one that ends with its connection is told so."""
    head = CRLF.join([b"HTTP/1.1 " + status, *lines]) + CRLF
    told = b"Connection: close" + CRLF if ends_with_close else b""
    return Step(up=False, sent=head + CRLF + body, arrives=head + told + CRLF + body)


def sized(body: bytes) -> bytes:
    """Return the line that says how long a body is."""
    return b"Content-Length: %d" % len(body)


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """Return one chunk; of no data: the last one, without what follows it."""
    return b"%x%b\r\n%b" % (len(data), extension, data + CRLF if data else b"")


def same(data: bytes, *, up: bool) -> Step:
    """Return a step that must arrive as it was sent."""
    return Step(up, data, data)


def table(way: Way) -> tuple[Case, ...]:
    """Return every case, in the order in which they are run."""
    return (*_heads(way), *_bodies(way), *_answers(way), *_streams(way), *_upgrades(way))


def _heads(way: Way) -> list[Case]:
    ok = answer(b"200 OK", [sized(b"ok")], b"ok")
    odd = [b"uSER-aGENT: x/1", b"X-Twice: b", b"x-first: \xe4\xf6", b"X-Twice: a", b"X-Empty:", b"X-Spaces:  a  b\t", b"Content-Length: 0"]
    targets = (b"/1/a%2Fb", b"/2//double///", b"/3/..%2f../up", b"/4/;v=1;w", b"/5?", b"/6?=&a&b==&&c=%", b"/7/%7Euser/|^`{}")
    cases = [
        Case("header case, order, duplicates", (way.ask(b"/head", odd, host_name=b"hOST", host_at=2), ok), answered=b"ok"),
        Case(
            "hop-by-hop lines end here",
            (
                way.ask(
                    b"/hop",
                    [b"Connection: keep-alive, X-Hop", b"X-Hop: 1", b"X-Stays: 2", b"Keep-Alive: timeout=5", b"TE: trailers", sized(b"")],
                    ends_here=(b"Connection: keep-alive, X-Hop", b"X-Hop: 1", b"Keep-Alive: timeout=5"),
                ),
                ok,
            ),
            answered=b"ok",
        ),
        Case("unusual method", (way.ask(b"/method", method=b"M-SEARCH"), ok), answered=b"ok"),
    ]
    return cases + [Case(f"target {target.decode()}", (way.ask(target, method=b"GET"), ok), answered=b"ok") for target in targets]


def _bodies(way: Way) -> list[Case]:
    ok = answer(b"200 OK", [sized(b"ok")], b"ok")
    coded = [
        Case(
            f"{name} body, both ways",
            (
                way.ask(b"/coding/" + name.encode(), [b"Content-Encoding: " + name.encode(), sized(data)], data),
                answer(b"200 OK", [b"Content-Encoding: " + name.encode(), sized(data)], data),
            ),
            asked=data,
            answered=data,
        )
        for name, data in (("gzip", _GZIP), ("br", _BROTLI), ("zstd", _ZSTD))
    ]
    first, second = _TEXT[:20], _TEXT[20:]
    chunks = (same(chunk(first, b";a=b"), up=True), same(chunk(second), up=True), same(chunk(b"") + CRLF, up=True))
    trailed = chunk(_TEXT) + chunk(b"") + b"X-Sum: 1\r\nx-sum: 2\r\n\r\n"
    every = bytes(range(256)) * 256
    return [
        *coded,
        Case("chunked request", (way.ask(b"/chunked", [b"Transfer-Encoding: chunked"]), *chunks, ok), asked=_TEXT, answered=b"ok"),
        Case(
            "request with trailers",
            (way.ask(b"/trailers", [b"Trailer: X-Sum", b"transfer-encoding: chunked"], trailed), ok),
            asked=_TEXT,
            answered=b"ok",
        ),
        Case(
            "every byte value, 64 KiB both ways",
            (way.ask(b"/every", [sized(every)], every), answer(b"200 OK", [sized(every)], every)),
            asked=None,
            answered=None,
        ),
        Case(
            "JSON in a spelling of its own",
            (
                way.ask(b"/v1/chat/completions", [b"content-type: application/json", sized(_SPELLED)], _SPELLED),
                answer(b"200 OK", [b"Content-Type: application/json", sized(_SAID)], _SAID),
            ),
            asked=_SPELLED,
            answered=_SAID,
        ),
        Case("body in single bytes", _dripped(way), asked=b"drip", answered=b"ok"),
    ]


def _dripped(way: Way) -> tuple[Step, ...]:
    drops = [same(bytes([letter]), up=True) for letter in b"drip"]
    return (way.ask(b"/drip", [sized(b"drip")]), *drops, answer(b"200 OK", [sized(b"ok")], b"ok"))


def _answers(way: Way) -> list[Case]:
    busy = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    lines = [b"retry-After: 7", b"X-Should-Retry: true", b"Set-Cookie: a=1", b"set-cookie: b=2", sized(busy)]
    expecting = way.ask(b"/expect", [b"Expect: 100-continue", sized(_TEXT)])
    go_on = same(b"HTTP/1.1 100 Continue\r\n\r\n", up=False)
    hints = same(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n", up=False)
    ok = answer(b"200 OK", [sized(b"ok")], b"ok")
    return [
        Case("529 with Retry-After", (way.ask(b"/busy", [sized(_TEXT)], _TEXT), answer(b"529 ", lines, busy)), asked=_TEXT, answered=busy),
        Case(
            "reason phrase of its own", (way.ask(b"/reason", method=b"GET"), answer(b"299 Fine \xe4, (really)", [sized(b"")])), answered=b""
        ),
        Case(
            "redirect is not followed",
            (way.ask(b"/redirect", method=b"GET"), answer(b"307 Temporary Redirect", [b"Location: http://127.0.0.1:9/", sized(b"")])),
        ),
        Case("204 without a body", (way.ask(b"/204", method=b"DELETE"), answer(b"204 No Content"))),
        Case("304 with a length", (way.ask(b"/304", method=b"GET"), answer(b"304 Not Modified", [b"Content-Length: 5", b'ETag: "x"']))),
        Case("HEAD with a length", (way.ask(b"/bare", method=b"HEAD"), answer(b"200 OK", [b"Content-Length: 12345"]))),
        Case("103 before the answer", (way.ask(b"/103", method=b"GET"), hints, ok), answered=b"ok"),
        Case("100-continue is the provider's", (expecting, go_on, same(_TEXT, up=True), ok), asked=_TEXT, answered=b"ok"),
        Case(
            "answer ended by its connection",
            (way.ask(b"/until-close", method=b"GET"), answer(b"200 OK", (), b"to the ", ends_with_close=True), same(b"end", up=False)),
            Ending.CLOSED,
            answered=b"to the end",
        ),
    ]


def _streams(way: Way) -> list[Case]:
    events = [same(chunk(event), up=False) for event in _EVENTS]
    last, head = same(chunk(b"") + CRLF, up=False), answer(b"200 OK", _STREAM)
    trailers = same(chunk(b"", b";x=y") + b"X-Sum: 1\r\nServer-Timing: a;dur=1\r\n\r\n", up=False)
    whole, some = b"".join(_EVENTS), b"".join(_EVENTS[:3])
    sent = way.ask(b"/cut-length", method=b"GET"), answer(b"200 OK", [b"Content-Length: 100"], b"only this")
    return [
        Case("event stream, piece by piece", (way.ask(b"/events", method=b"GET"), head, *events, last), answered=whole),
        Case(
            "stream with trailers",
            (way.ask(b"/stream-trailers", method=b"GET"), answer(b"200 OK", (*_STREAM, b"Trailer: X-Sum")), *events, trailers),
            answered=whole,
        ),
        Case("stream closed in the middle", (way.ask(b"/cut", method=b"GET"), head, *events[:3]), Ending.CLOSED, answered=some),
        Case("stream reset in the middle", (way.ask(b"/reset", method=b"GET"), head, *events[:3]), Ending.RESET, answered=some),
        Case("sized body cut short", sent, Ending.CLOSED, answered=b"only this"),
    ]


def _upgrades(way: Way) -> list[Case]:
    offer = [
        *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ]
    lines = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    up, down = _MASKED
    frames = (same(up, up=True), same(down, up=False), same(up * 3, up=True), same(down[:1], up=False), same(down[1:], up=False))
    refused = answer(b"426 Upgrade Required", [sized(b"no")], b"no")
    return [
        Case(
            "WebSocket frames, both ways",
            (way.ask(b"/socket", offer, method=b"GET"), answer(b"101 Switching Protocols", lines), *frames),
            Ending.CLIENT,
            asked=None,
            answered=None,
        ),
        Case("WebSocket refused", (way.ask(b"/no-socket", offer, method=b"GET"), refused), answered=b"no"),
    ]
