"""Which process makes a call: a whole proxy, a client that stays until it was found, and one that nobody asks after."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy

from modular_agents.proxy.app import build_reader
from modular_agents.proxy.model.query import CallDetail

CLIENT = """
import http.client, json, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]})
connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
connection.getresponse().read()
sys.stdin.read()
"""


def called(proxy: RunningProxy, folder: Path, *, is_found: bool) -> tuple[int, CallDetail]:
    """Make a call from a process of its own; return its pid and what is known of the call."""
    command = [sys.executable, "-c", CLIENT, str(proxy.port), "--api-key", "canary-in-argv"]
    client = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE)
    (row,) = proxy.wait_for_calls("completed")
    found: list[CallDetail] = []

    def look() -> bool:
        reader = build_reader(proxy.db)
        try:
            detail = reader.call(row.call_id)
        finally:
            reader.close()
        found[:] = [detail] if detail is not None else []
        return bool(found) and (not is_found or found[0].caller is not None)

    try:
        proxy.wait_for(look)
    finally:
        client.communicate(timeout=30)
    return client.pid, found[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the made-up commands of macOS are tested by unit")
def test_the_program_that_calls_is_found(provider: ProviderServer, tmp_path: Path) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}) as proxy:
        pid, detail = called(proxy, tmp_path, is_found=True)
    assert detail.caller is not None
    assert (detail.caller.pid, detail.caller.directory) == (pid, str(tmp_path))
    assert detail.caller.started_at is not None
    assert "http.client" in detail.caller.command
    assert "canary" not in detail.caller.command


def test_nobody_asks_when_told_not_to(provider: ProviderServer, tmp_path: Path) -> None:
    with RunningProxy(tmp_path, {"openai": provider.url}, client_identity=False) as proxy:
        _pid, detail = called(proxy, tmp_path, is_found=False)
    assert detail.caller is None
