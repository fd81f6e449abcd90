"""Credentials of a connection never reach the disk: by name, by shape, in headers, targets and trailers."""

import re
import time

import pytest
from tests.support.relay_in_memory import MemoryRelay

from modular_agents.proxy.relay.redaction import Redactor, is_secret_name

R = Redactor(b"key")
CANARY = "CANARY0123456789abcdef"


SECRET_NAMES = """authorization proxy-authorization x-api-key api-key x-goog-api-key x-amz-security-token x-amz-signature cookie set-cookie
    helicone-auth x-portkey-api-key ocp-apim-subscription-key x-my-token x_secret db-password x-credential x-auth-token private-key
    cf-access-client-secret aws-access-key-id x-forwarded-authorization x-anton-token
    x-functions-key x-api-keys x-auth authentication x-passcode set-cookie2 x-master-key x-user-jwt"""
HARMLESS_NAMES = """anthropic-ratelimit-tokens-remaining x-ratelimit-limit-token max-tokens x-max-token content-type idempotency-key
    sec-websocket-key x-cache-key surrogate-key author x-authored-by keyboard
    x-tokenizer secretary x-token-count anthropic-version x-amz-date etag keep-alive"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_that_hold_credentials(name: str) -> None:
    assert is_secret_name(name.encode())


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name.encode())


def test_fingerprints_tell_keys_apart_and_schemes_stay() -> None:
    one, two = R.value(b"authorization", b"Bearer one"), R.value(b"authorization", b"Bearer two")
    assert one != two
    assert one.startswith(b"Bearer [redacted:")
    assert len(one) == len(b"Bearer [redacted:12345678]")
    assert R.value(b"x-api-key", b"one") == one.removeprefix(b"Bearer ")
    assert Redactor(b"other").value(b"authorization", b"Bearer one") != one
    assert R.value(b"authorization", b"sesame open").startswith(b"[redacted:"), "an unknown first word may be the secret"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/v1beta/m:g?alt=sse&key=CANARY", b"/v1beta/m:g?alt=sse&key=*"),
        (b"/x?KEY=CANARY", b"/x?KEY=*"),
        (b"/x?%6bey=CANARY", b"/x?%6bey=*"),
        (b"/x?api_key=CANARY;token=CANARY", b"/x?api_key=*;token=*"),
        (b"/x?access_token=CANARY&sig=CANARY&page=2", b"/x?access_token=*&sig=*&page=2"),
        (b"/x?X-Amz-Signature=CANARY&X-Amz-Date=CANARY", b"/x?X-Amz-Signature=*&X-Amz-Date=*"),
        (b"/x?max_tokens=5&monkey=1&keyboard=2&key=", b"/x?max_tokens=5&monkey=1&keyboard=2&key="),
        (b"/x?client_secret=CANARY&a=b=c", b"/x?client_secret=*&a=b=c"),
        (b"/u/x/sk-ant-CANARY000/y?z=sk-proj-CANARY00", b"/u/x/*/y?z=*"),
        (b"/x?X-Goog-Signature=CANARY&Signature=CANARY&code=CANARY", b"/x?X-Goog-Signature=*&Signature=*&code=*"),
        (b"/x?key[]=CANARY&[token]=CANARY&a%5Bsecret%5D=CANARY", b"/x?key[]=*&[token]=*&a%5Bsecret%5D=*"),
        (b"/x?next=/a?token=CANARY&b#token=CANARY", b"/x?next=/a?token=*&b#token=*"),
        (b"/x?next=https%3A%2F%2Fx%2F%3Fpage%3D2%26token%3DCANARY&a=%3D", b"/x?next=*&a=%3D"),
        (b"/x#token=CANARY", b"/x#token=*"),
        (b"/plain", b"/plain"),
        (b"/?", b"/?"),
    ],
)
def test_targets(target: bytes, shown: bytes) -> None:
    assert re.sub(rb"\[redacted:[0-9a-f]{8}\]", b"*", R.target(target)) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("location", "https://b.example/f?page=2&X-Amz-Signature=CANARY&a=1", "https://b.example/f?page=2&X-Amz-Signature=*&a=1"),
        ("content-location", "/a?token=CANARY#x", "/a?token=*#x"),
        (
            "link",
            '<https://x/?token=CANARY>; rel="next", </b?key=CANARY>; rel="last"',
            '<https://x/?token=*>; rel="next", </b?key=*>; rel="last"',
        ),
        ("refresh", "0; url=/x?token=CANARY", "0; url=/x?token=*"),
        ("referer", "https://user:CANARY@x/y?z=1", "https://*@x/y?z=1"),
        ("origin", "http://CANARY@x", "http://*@x"),
        ("x-original-url", "/a?b=1&access_token=CANARY", "/a?b=1&access_token=*"),
        ("operation-location", "https://x/?api-key=CANARY", "https://x/?api-key=*"),
        ("report-to", '{"url":"https://x/?token=CANARY"}', '{"url":"https://x/?token=*"}'),
        ("sec-websocket-protocol", "realtime, openai-insecure-api-key.CANARY, beta.v1", "realtime, openai-insecure-api-key.*, beta.v1"),
        ("content-type", "multipart/form-data; boundary=----abc=1", "multipart/form-data; boundary=----abc=1"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains", "max-age=31536000; includeSubDomains"),
        ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits=15", "permessage-deflate; client_max_window_bits=15"),
        ("nel", '{"success_fraction":0.01,"report_to":"a=b"}', '{"success_fraction":0.01,"report_to":"a=b"}'),
    ],
)
def test_parameters_in_the_value_of_a_header(name: str, value: str, shown: str) -> None:
    assert re.sub(rb"\[redacted:[0-9a-f]{8}\]", b"*", R.value(name.encode(), value.encode())) == shown.encode()


def test_every_value_of_an_oauth_query_goes() -> None:
    assert b"CANARY" not in R.target(b"/oauth/token?state=CANARY&client_id=CANARY;x=CANARY", private=True)
    assert R.target(b"/oauth/token", private=True) == b"/oauth/token"


def test_what_a_refusal_repeats_of_the_path_is_redacted() -> None:
    relay = MemoryRelay()
    relay.send(b"GET /u/sk-CANARY08CANARY08/v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
    (taken,) = relay.journal.exchanges()
    assert b"sk-CANARY08CANARY08" in relay.received, "the client is told what it wrote"
    assert b"CANARY" not in b"".join(relay.journal.appends)
    assert taken.end is not None
    assert taken.end.detail.startswith("no upstream is called '[redacted:")


SHAPES = """sk-ant-oat01-* sk-proj-* sk-or-v1-* AIza* ya29.* AKIA^ ASIA^ gsk_* xai-* hf_* ghp_* xoxb-* eyJhbGciOiJI.*.* github_pat_*
    -----BEGIN_RSA_PRIVATE_KEY-----*"""


@pytest.mark.parametrize("shape", SHAPES.split())
def test_values_that_look_like_keys_wherever_they_stand(shape: str) -> None:
    secret = shape.replace("_RSA_PRIVATE_", " RSA PRIVATE ").replace("*", CANARY).replace("^", CANARY.upper()[:16])
    for text in (secret, f"a {secret}", f'{{"k":"{secret}"}}'):
        shown = R.value(b"x-harmless", text.encode())
        assert CANARY[:16].encode() not in shown.replace(CANARY.upper()[:16].encode(), CANARY[:16].encode())
        assert b"[redacted:" in shown


def test_ordinary_words_are_left_alone() -> None:
    for text in (
        b"task-force-one-two-three",
        b"risk-assessment-2026",
        b"desk-lamp-brilliant",
        b"whatever.eyJx",
        b"application/json",
        b"MAXAIza",
    ):
        assert R.text(text) == text


def test_redaction_is_linear() -> None:
    for pattern in (
        b"sk-",
        b"eyJa",
        b"-eyJ",
        b"a=",
        b"-----BEGIN ",
        b"&key",
        b"AKIA",
        b"eyJaaaaaaaaa.",
        b"a.",
        b"://",
        b"%3D",
        b"a=1 ",
        b"?a=",
        b"[a",
        b"api-key.",
    ):
        short, long = (min(cost(pattern * (size // len(pattern))) for _ in range(3)) for size in (20_000, 160_000))
        assert long < 40 * short + 0.05, pattern


def cost(text: bytes) -> float:
    """Return the CPU seconds of this thread alone: what else the machine does is no matter."""
    began = time.thread_time()
    R.target(b"/x?" + text)
    R.text(text)
    R.value(b"sec-websocket-protocol", text)
    R.value(b"link", b"=" + text)
    return time.thread_time() - began


@pytest.mark.parametrize("outcome", ["complete", "refused-route", "refused-framing", "cut", "unreachable"])
def test_canaries_in_heads_never_reach_the_journal(outcome: str) -> None:
    relay = MemoryRelay()
    host = b"" if outcome == "refused-framing" else b"Host: x\r\n"
    prefix = b"/u/none" if outcome == "refused-route" else b"/t/x"
    relay.send(
        b"POST " + prefix + b"/v1/responses?key=CANARY01&token=CANARY02 HTTP/1.1\r\n" + host + b"Authorization: Bearer CANARY03\r\n"
        b"x-API-key: CANARY04\r\nCookie: a=CANARY05\r\nCookie: a=CANARY05\r\nX-Amz-Security-Token:CANARY06\r\nX-My-Secret:   CANARY07\t\r\n"
        b"X-Odd: sk-CANARY08CANARY08\r\nX-Trace-ID: sk-CANARY09CANARY09\r\nX-Agent-Name: sk-CANARY10CANARY10\r\nX-Anton-Token: CANARY11\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Token: CANARY12\r\n\r\n"
    )
    if relay.pool.made:
        assert relay.forwarded.count(b"CANARY") == 11, "the bytes forwarded stay exact: all but what is ours"
        relay.provide(b"HTTP/1.1 103 Early\r\nSet-Cookie: CANARY13\r\n\r\n")
        if outcome == "complete":
            relay.provide(b"HTTP/1.1 200 OK\r\nSet-Cookie: CANARY14\r\nset-cookie: CANARY15\r\nX-Odd: sk-CANARY16CANARY16\r\n")
            relay.provide(b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Secret: CANARY17\r\n\r\n")
            assert relay.received.count(b"CANARY") == 6
        elif outcome == "cut":
            relay.provide(b"HTTP/1.1 200 OK\r\nSet-Cookie: CANARY14\r\nContent-Length: 5\r\n\r\n")
            relay.provider_closes()
        else:
            relay.provider_closes(ConnectionResetError())
    (taken,) = relay.journal.exchanges()
    assert taken.end is not None
    assert b"CANARY" not in b"".join(relay.journal.appends)
