"""`/-/metrics` as Prometheus reads it, with the counters of all workers added up and what the recorder says of itself."""

import json
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy, wait_for

from modular_agents.proxy.recorder.report import Report, numbers_of
from modular_agents.proxy.relay.counters import GAUGES, HELP, NAMES, RECORDER, SEEN

CHAT = request_bytes("POST", "/v1/chat/completions", b'{"model":"gpt-x","messages":[{"role":"user","content":"hello"}]}')
CALLS = 12
KEY = "sk-" + "a1" * 20
"""Looks like a key."""


def metrics(port: int) -> dict[str, float]:
    """Return every sample, as Prometheus' own parser reads it; each must have a help text and its right type."""
    with RawClient(port) as client:
        client.send(request_bytes("GET", "/-/metrics"))
        answer = client.read_response()
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.documentation, family.name
        (sample,) = family.samples
        assert family.type == ("counter" if sample.name.endswith("_total") else "gauge"), sample.name
        assert sample.name not in found
        found[sample.name] = sample.value
    return found


def test_names_say_what_they_are() -> None:
    assert {name for name in NAMES if not name.endswith("_total")} == set(GAUGES)
    assert set(HELP) == set(NAMES)
    assert not set(SEEN) & set(HELP)
    assert {f"recorder_{name}" for name in numbers_of(Report(*[0] * 13))} == set(RECORDER)


def test_two_workers_are_added_up_and_logs_are_json_without_secrets(tmp_path: Path, provider: ProviderServer) -> None:
    upstreams = {"openai": provider.url, KEY: "http://127.0.0.1:9"}
    with RunningProxy(tmp_path, upstreams, workers=2, log_format="json", log_level="debug") as proxy:
        for number in range(CALLS):
            with RawClient(proxy.port) as client:
                client.send(CHAT if number else CHAT.replace(b"/v1/", f"/{KEY}/v1/".encode()))
                assert client.read_response().status == 200
        proxy.wait_for(lambda: metrics(proxy.port).get("anton_recorder_calls_total") == CALLS)
        proxy.wait_for(lambda: metrics(proxy.port)["anton_requests_total"] == CALLS)  # each worker tells its own four times a second
        proxy.wait_for(lambda: metrics(proxy.port)["anton_requests_open"] == 0)
        seen = metrics(proxy.port)
        expected = {f"anton_{name}" for name in (*SEEN, *HELP, *RECORDER)}
        assert set(seen) == expected
        assert (seen["anton_workers"], seen["anton_requests_total"], seen["anton_requests_open"]) == (2, CALLS, 0)
        assert (seen["anton_troubles"], seen["anton_recorder_store_away"], seen["anton_journal_dropped_frames_total"]) == (0, 0, 0)
        assert seen["anton_request_bytes_total"] == CALLS * len(CHAT.partition(b"\r\n\r\n")[2])
        worker = proxy.runtime.worker_pids[0]
        proxy.kill(worker)
        wait_for(lambda: len(proxy.runtime.worker_pids) == 2 and worker not in proxy.runtime.worker_pids)
        proxy.wait_for(lambda: metrics(proxy.port)["anton_workers"] == 2)
        assert metrics(proxy.port)["anton_requests_total"] == CALLS, "what a dead worker did still counts"
    lines = [json.loads(line) for line in proxy.log.read_text().splitlines()]
    ended = [line for line in lines if "is started again" in line["message"]]
    assert [(line["process"], line["level"], line["logger"]) for line in ended] == [("supervisor", "warning", "anton.supervisor")]
    assert all(set(line) >= {"at", "level", "process", "pid", "logger", "message"} for line in lines)
    assert KEY not in proxy.log.read_text()
