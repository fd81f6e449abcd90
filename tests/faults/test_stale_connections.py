"""D8: a provider that closes kept connections just when they are used again: no POST is ever sent twice, and few fail."""

import http.client
import json
import random
import threading
import time
from pathlib import Path

import pytest
from tests.support.fickle import Fickle
from tests.support.relay_thread import RelayThread

CLIENTS = 4


class Caller(threading.Thread):
    """Makes calls with pauses about as long as the provider keeps a connection; remembers what came of each."""

    def __init__(self, port: int, client: int, calls: int, longest_ms: float) -> None:
        super().__init__(daemon=True)
        self._port, self._client, self._calls, self._longest_s = port, client, calls, longest_ms / 1000
        self.answers: dict[str, str] = {}

    def run(self) -> None:
        dice, connection = random.Random(self._client), http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        for number in range(self._calls):
            name = f"call-{number}-of-{self._client}"
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": name}]})
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json", "x-call-name": name})
            answer = connection.getresponse()
            answer.read()
            self.answers[name] = f"{answer.status} {answer.getheader('x-anton-code', '')}".strip()
            time.sleep(dice.uniform(0, self._longest_s))
        connection.close()


def call_on(directory: Path, calls: int, longest_ms: float) -> dict[str, float]:
    """Make calls through a provider that closes at random; check that none came twice; return the figures."""
    with Fickle(longest_ms) as fickle, RelayThread({"openai": fickle.url}, directory) as relay:
        callers = [Caller(relay.port, client, calls // CLIENTS, longest_ms) for client in range(CLIENTS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        answers = {name: answer for caller in callers for name, answer in caller.answers.items()}
        assert len(answers) == calls
        assert max(fickle.seen.values()) == 1, [name for name, times in fickle.seen.items() if times > 1]
        assert {answer for answer in answers.values() if answer != "200"} <= {"502 stale_connection", "502 upstream_cut"}
        assert {name for name, answer in answers.items() if answer == "200"} <= set(fickle.seen)
        failed = sum(answer != "200" for answer in answers.values())
        reused = relay.worker.counters.upstream_reused_total
        assert reused, "or nothing was tested"
        return {
            "calls": calls,
            "reused": reused,
            "closed_idle": fickle.closed_idle,
            "failed": failed,
            "failed_percent": 100 * failed / calls,
        }


@pytest.mark.slow
def test_a_provider_that_closes_at_reuse_never_gets_a_call_twice(tmp_path: Path) -> None:
    call_on(tmp_path, 200, 30)


@pytest.mark.soak
def test_a_provider_that_closes_at_reuse_fails_few_of_many_calls(tmp_path: Path) -> None:
    figures = call_on(tmp_path, 2_000, 200)
    print(figures)  # noqa: T201 - the figures are the result
    assert figures["failed_percent"] <= 1
