"""Peers that are no SDK: curl, HTTP/1.0, the other address family, providers whose name, certificate or protocol is wrong."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.origins import Aiohttp
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, RawResponse, request_bytes
from tests.support.relay_thread import RelayThread
from tests.support.script import Script
from tests.support.tls import ThrowawayCa

from modular_agents.proxy.config import Limits
from modular_agents.proxy.relay.worker import client_tls

CHAT = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","messages":[]}')
DEADLINE_S = 30.0


@pytest.fixture(autouse=True)
def clean(provider: ProviderServer) -> None:
    provider.reset()


def curl(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (`make test` installs it where it can)")
    command = ["curl", "-q", "-sS", "--max-time", str(DEADLINE_S), "--noproxy", "", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=2 * DEADLINE_S)


def ask(relay: RelayThread, raw: bytes = CHAT) -> RawResponse:
    with RawClient(relay.port, timeout_s=DEADLINE_S) as client:
        client.send(raw)
        return client.read_response()


# ── curl ──


@pytest.mark.parametrize("expect", ["continue", "ignore"])
def test_curl_waits_for_100_continue(provider: ProviderServer, relay: RelayThread, expect: str) -> None:
    body = b"x" * 3_000_000
    provider.on(Script(expect=expect))
    done = curl(
        "-H", "Expect: 100-continue", "--data-binary", "@-", "-w", "%{http_code}", "-o", "-", f"{relay.url}/v1/responses", given=body
    )
    assert done.stdout.endswith(b"200"), done
    assert provider.wait_requests(1, DEADLINE_S)[0].body == body
    assert provider.requests[0].header("expect") == "100-continue"


def test_curl_hears_a_final_answer_instead_of_100(provider: ProviderServer, relay: RelayThread) -> None:
    provider.on(Script(expect="final", status=413, body="too large"))
    given = b"x" * 3_000_000
    done = curl("-H", "Expect: 100-continue", "--data-binary", "@-", "-w", " %{http_code}", f"{relay.url}/v1/responses", given=given)
    assert done.stdout == b"too large 413", done


def test_curl_uploads_in_chunks_and_takes_what_is_compressed(provider: ProviderServer, relay: RelayThread) -> None:
    provider.on(Script(encoding="gzip", body="said " * 1000))
    done = curl("--compressed", "-T", "-", "-X", "POST", f"{relay.url}/v1/responses", given=b"y" * 500_000)
    assert done.stdout == b"said " * 1000, done
    (request,) = provider.wait_requests(1, DEADLINE_S)
    assert (request.header("transfer-encoding"), request.body) == ("chunked", b"y" * 500_000)


def test_curl_asks_for_a_head_only(provider: ProviderServer, relay: RelayThread) -> None:
    direct, relayed = (curl("-I", f"{url}/v1/models").stdout for url in (provider.url, relay.url))
    assert direct == relayed
    assert relayed.startswith(b"HTTP/1.1 200 OK\r\n")


def test_curl_over_http_1_0(provider: ProviderServer, relay: RelayThread) -> None:
    provider.on(Script(framing="chunked", body="in chunks"))
    done = curl("--http1.0", "-i", f"{relay.url}/v1/models")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert body == b"in chunks", done
    assert b"transfer-encoding" not in head.lower()
    assert provider.requests[0].version == "HTTP/1.1"


def test_curl_with_several_requests_uses_one_connection(provider: ProviderServer, relay: RelayThread) -> None:
    url = f"{relay.url}/v1/models"
    done = curl("-o", "-", url, "-o", "-", url, "-o", "-", url, "-w", "%{num_connects} ")
    assert done.stdout.count(b"1 ") == 1, done.stdout
    assert done.stdout.count(b"0 ") == 2
    assert len(provider.requests) == 3


@pytest.mark.parametrize("target", ["http://api.example/v1/models", "https://api.example/v1/models"])
def test_curl_that_takes_us_for_a_forward_proxy_is_told_so(provider: ProviderServer, relay: RelayThread, target: str) -> None:
    done = curl("-i", "-x", relay.url, target)
    said = done.stdout + done.stderr
    assert b"400" in said, done
    if target.startswith("http:"):
        assert b"base URL" in said
    assert not provider.requests


def test_curl_with_http_2_is_told_so(provider: ProviderServer, relay: RelayThread) -> None:
    done = curl("--http2-prior-knowledge", f"{relay.url}/v1/models")
    assert done.returncode != 0
    assert curl("--http2", f"{relay.url}/v1/models").returncode == 0, "an upgrade that is only offered is not taken"
    assert len(provider.requests) == 1


# ── HTTP/1.0 as load generators speak it ──


def test_http_1_0_with_keep_alive_gets_each_answer_and_an_end(provider: ProviderServer, relay: RelayThread) -> None:
    for number in range(10):
        with RawClient(relay.port, timeout_s=DEADLINE_S) as client:
            client.send(b"GET /v1/models/%d HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: x\r\nAccept: */*\r\n\r\n" % number)
            answer = client.read_response()
            assert (answer.status, answer.complete, answer.header("connection")) == (200, True, "close")
            assert client.read_to_end() == b""
    assert [request.target for request in provider.requests] == [f"/v1/models/{number}" for number in range(10)]


def test_http_1_0_posts(provider: ProviderServer, relay: RelayThread) -> None:
    provider.on(Script(text="streamed " * 20, chunks=10))
    body = b'{"model":"m","stream":true,"messages":[]}'
    answer = ask(relay, b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.header("transfer-encoding") is None
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert provider.requests[0].body == body


# ── addresses and names ──


def test_both_sides_on_ipv6(tmp_path: Path) -> None:
    with ProviderServer(host="::1") as provider, RelayThread({"ollama": f"http://[::1]:{provider.port}"}, tmp_path, host="::1") as relay:
        with RawClient(relay.port, "::1", timeout_s=DEADLINE_S) as client:
            client.send(request_bytes("GET", "/api/tags", host=f"[::1]:{relay.port}"))
            assert client.read_response().status == 200
        assert provider.requests[0].header("host") == f"[::1]:{provider.port}"
        (taken,) = relay.ended()
        assert taken.request.client.startswith("[::1]:")


def test_a_name_with_two_addresses_of_which_one_refuses(tmp_path: Path) -> None:
    """`localhost` is ::1 first on many machines; a provider there may listen on 127.0.0.1 only."""
    with ProviderServer() as provider, RelayThread({"ollama": f"http://localhost:{provider.port}"}, tmp_path) as relay:
        assert ask(relay, request_bytes("GET", "/api/tags")).status == 200
        assert provider.requests[0].header("host") == f"localhost:{provider.port}"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".example"])
def test_a_name_that_does_not_resolve(host: str, tmp_path: Path) -> None:
    with RelayThread({"openai": f"http://{host}"}, tmp_path, limits=Limits(connect_s=5)) as relay:
        answer = ask(relay)
        assert (answer.status, answer.header("x-anton-error"), answer.header("x-anton-code")) in {
            (502, "upstream", "upstream_unreachable"),
            (504, "upstream", "connect_timeout"),  # where names are asked of a server that does not answer
        }
        assert host.encode() in answer.body, "it says which upstream is meant"
        (taken,) = relay.ended()
    assert taken.end is not None
    assert taken.end.outcome in {"upstream_unreachable", "upstream_timeout"}


def test_proxies_of_the_environment_are_not_asked(tmp_path: Path, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with RelayThread({"openai": provider.url}, tmp_path) as relay:
        assert ask(relay).status == 200
    assert len(provider.requests) == 1


# ── TLS that is not right: said clearly, and nothing sent ──


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThrowawayCa]:
    return ThrowawayCa(tmp_path_factory.mktemp("ca"))


def trusting(authority: ThrowawayCa) -> ssl.SSLContext:
    context = client_tls()
    context.load_verify_locations(authority.ca_file)
    return context


def refusal(answer: RawResponse) -> tuple[int, str | None, str | None]:
    return answer.status, answer.header("x-anton-error"), answer.header("x-anton-code")


def test_an_expired_certificate(authority: ThrowawayCa, tmp_path: Path) -> None:
    server = authority.server_context(expired=True)
    with (
        ProviderServer(tls=server) as https,
        RelayThread({"openai": f"https://localhost:{https.port}"}, tmp_path, tls=trusting(authority)) as relay,
    ):
        answer = ask(relay)
        assert refusal(answer) == (502, "upstream", "upstream_unreachable")
        assert b"certificate is not trusted (certificate has expired)" in answer.body
        assert not https.requests


def test_an_address_instead_of_a_name(authority: ThrowawayCa, tmp_path: Path) -> None:
    server = authority.server_context(("127.0.0.1",))
    with (
        ProviderServer(tls=server) as https,
        RelayThread({"openai": f"https://127.0.0.1:{https.port}"}, tmp_path, tls=trusting(authority)) as relay,
    ):
        assert ask(relay).status == 200
    with (
        ProviderServer(tls=server) as https,
        RelayThread({"openai": f"https://localhost:{https.port}"}, tmp_path / "2", tls=trusting(authority)) as relay,
    ):
        assert b"certificate is not trusted" in ask(relay).body


def test_plain_http_where_tls_was_expected(tmp_path: Path) -> None:
    with Aiohttp() as origin, RelayThread({"openai": f"https://localhost:{origin.port}"}, tmp_path) as relay:
        answer = ask(relay)
    assert refusal(answer) == (502, "upstream", "upstream_unreachable")
    assert b"TLS failed" in answer.body


def test_tls_where_plain_http_was_expected(authority: ThrowawayCa, tmp_path: Path) -> None:
    with (
        ProviderServer(tls=authority.server_context()) as https,
        RelayThread({"openai": f"http://localhost:{https.port}"}, tmp_path) as relay,
    ):
        answer = ask(relay)
        assert answer.status == 502
        assert answer.header("x-anton-error") == "upstream"
        assert not https.requests


def test_tls_spoken_to_us(relay: RelayThread) -> None:
    with pytest.raises(ssl.SSLError):
        RawClient(relay.port, tls=ssl.create_default_context(), timeout_s=DEADLINE_S)
