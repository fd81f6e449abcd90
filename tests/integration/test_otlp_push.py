"""Pushing to a collector that takes, takes in part, refuses, asks to wait, hangs, closes, redirects: every span is accounted for."""

import json
from pathlib import Path

import pytest
from tests.support.anton_process import anton
from tests.support.collector import Reply, RunningCollector
from tests.support.stored import given, put_all

from modular_agents.proxy.export.collector import TRIES, Collector, Pushed, deliver, target_of
from modular_agents.proxy.export.otlp import Batch, batches
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.sqlite import SqliteStore

CALLS = 3
SPANS = CALLS + 2


def batch() -> Batch:
    store = MemoryStore()
    put_all(store, *(given(number).finished() for number in range(CALLS)))
    (one,) = batches(Source(store.reader(), Wanted()))
    return one


def pushed(collector: RunningCollector, times: int = 1, **environ: str) -> tuple[Pushed, list[float]]:
    told, waits = Pushed(), list[float]()
    sender = Collector(target_of(collector.url, {"OTEL_EXPORTER_OTLP_TIMEOUT": "30000", **environ}))
    for _ in range(times):
        deliver(sender, batch(), told, waits.append, lambda: 1.0)
    sender.close()
    return told, waits


def test_a_batch_arrives_whole() -> None:
    with RunningCollector() as collector:
        told, waits = pushed(collector, times=2, OTEL_EXPORTER_OTLP_HEADERS="api-key=dummy")
        assert (told.sent, told.rejected, told.failed, waits) == (2 * SPANS, 0, 0, [])
        assert len(collector.spans) == SPANS
        one = collector.asked[0]
        assert (one.path, one.headers["content-type"], one.headers["content-encoding"]) == ("/v1/traces", "application/x-protobuf", "gzip")
        assert one.headers["api-key"] == "dummy"
    with RunningCollector() as collector:
        pushed(collector, OTEL_EXPORTER_OTLP_COMPRESSION="none")
        assert "content-encoding" not in collector.asked[0].headers


def test_what_is_rejected_is_counted() -> None:
    with RunningCollector([Reply(rejected=2, said="too old"), Reply(body=b"\xff<html>")]) as collector:
        told, _ = pushed(collector, times=2)
        assert (told.sent, told.rejected, told.said) == (2 * SPANS - 2, 2, "too old")


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 301, 307])
def test_what_is_refused_is_not_sent_again(status: int) -> None:
    with RunningCollector([Reply(status)]) as collector:
        told, waits = pushed(collector)
        assert (told.sent, told.rejected, told.failed, waits) == (0, SPANS, 0, [])
        assert str(status) in told.said
        assert len(collector.asked) == 1


def test_what_is_to_come_later_comes_later() -> None:
    replies = [Reply(closes=True), Reply(429, retry_after="7"), Reply(503), Reply(502), Reply(504)]
    with RunningCollector(replies) as collector:
        told, waits = pushed(collector)
        assert (told.sent, told.failed) == (SPANS, 0)
        assert waits == [1, 7, 4, 8, 16]
        assert len(collector.spans) == SPANS


def test_a_kept_connection_that_is_gone_costs_no_pause() -> None:
    with RunningCollector([Reply(), Reply(closes=True)]) as collector:
        told, waits = pushed(collector, times=2)
        assert (told.sent, waits, len(collector.asked)) == (2 * SPANS, [], 3)


def test_who_never_answers_is_given_up() -> None:
    with RunningCollector([Reply(hangs_s=30)] * TRIES) as collector:
        told, waits = pushed(collector, OTEL_EXPORTER_OTLP_TIMEOUT="100")
        assert (told.sent, told.failed, len(waits)) == (0, SPANS, TRIES - 1)
        assert told.said.endswith("no answer in time")
    told, _ = pushed(collector)
    assert (told.failed, collector.url in told.said) == (SPANS, True)


def test_the_command_pushes_and_says_what_came_of_it(tmp_path: Path) -> None:
    db = tmp_path / "traces.db"
    store = SqliteStore(db)
    put_all(store, *(given(number).finished() for number in range(CALLS)))
    store.close()
    words = ("proxy", "export", "--format", "otlp", "--push", "--db", str(db))
    with RunningCollector([Reply(), Reply(rejected=1, said="one \x1b[31m too many")]) as collector:
        done = anton(tmp_path, *words, "--json", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert (done.returncode, json.loads(done.stdout)["sent"]) == (0, SPANS)
        done = anton(tmp_path, *words, "--endpoint", collector.url, "--content")
        assert done.returncode == 1
        assert f"{CALLS} calls as {SPANS - 1} spans sent, 1 rejected (one \\e[31m too many)." in done.stderr
        known = {one.key for span in collector.spans.values() for one in span.attributes}
        assert "gen_ai.input.messages" in known
    done = anton(tmp_path, *words)
    assert (done.returncode, "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stderr) == (2, True)
