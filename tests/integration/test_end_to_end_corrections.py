"""A person corrects the graph of a running product, while calls come in: the recorder goes on from what was said, and pages hear of it."""

import http.client
import json
import subprocess
import sys
import threading
from typing import Any

import anthropic
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.repository import ROOT
from tests.support.script import Script

CALLS_MEANWHILE = 40


class Voice:
    """A conversation over the official SDK."""

    def __init__(self, product: Product) -> None:
        self._sdk = anthropic.Anthropic(base_url=product.url, api_key="sk-ant-dummy", max_retries=0)
        self._history: list[Any] = []

    def says(self, text: str, answer: str) -> None:
        self._history.append({"role": "user", "content": text})
        script = {"x-script": Script(text=answer).header()}
        told = self._sdk.messages.create(model="claude-opus-4-8", max_tokens=64, messages=self._history, extra_headers=script)
        self._history.append({"role": "assistant", "content": [block.model_dump() for block in told.content]})

    def close(self) -> None:
        self._sdk.close()


def change(product: Product, method: str, path: str, body: object = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", product.dashboard_port, timeout=30)
    headers = {"Authorization": f"Bearer {product.token}", "Content-Type": "application/json", "X-Anton": "1"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    said: dict[str, Any] = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, said
    return said


def test_what_a_person_says_holds_while_calls_come_in(provider: ProviderServer, product: Product) -> None:
    provider.reset()
    first, second = Voice(product), Voice(product)
    first.says("Correct me: plan the harbour festival.", "The plan stands in three parts.")
    second.says("Correct me: order the lanterns for it.", "Forty lanterns are ordered.")
    rows = product.wait_sql(
        "SELECT call_id, trace_id FROM llm_calls WHERE messages LIKE '%Correct me%' AND status <> 'running' ORDER BY created_at",
        lambda found: len(found) == 2,
    )
    lead, helper = (row["call_id"] for row in rows)
    assert rows[0]["trace_id"] != rows[1]["trace_id"]

    other = Voice(product)
    traffic = threading.Thread(target=lambda: [other.says(f"Something else {n}", "Yes.") for n in range(CALLS_MEANWHILE)])
    with product.follow() as socket:
        traffic.start()
        said = change(product, "POST", "/api/decisions", {"call_id": helper, "kind": "opened_by", "other": lead, "by": "ada"})
        heard: set[tuple[str, str]] = set()
        while ("edge", helper) not in heard or ("call", helper) not in heard:
            message = json.loads(socket.recv(timeout=20))
            heard |= {
                (event["kind"], event["row"].get("to_call_id", event["row"].get("call_id")))
                for event in message.get("items", ())
                if event["trace_id"] == rows[0]["trace_id"]
            }
    second.says("Correct me: and the music?", "The brass band comes.")
    traffic.join(60)
    assert not traffic.is_alive()
    found = product.wait_sql(
        "SELECT trace_id FROM llm_calls WHERE messages LIKE '%Correct me%' AND status <> 'running'", lambda found: len(found) == 3
    )
    assert {row["trace_id"] for row in found} == {rows[0]["trace_id"]}
    edge = {"from_call_id": lead, "edge_type": "delegation", "evidence": "by hand", "confidence": 1.0}
    asked = f"SELECT from_call_id, edge_type, evidence, confidence FROM call_graph WHERE to_call_id = '{helper}'"  # noqa: S608 - an id of ours
    assert product.sql(asked) == [edge]
    assert {row["call_id"] for row in product.wait_calls(CALLS_MEANWHILE + 3)} >= {lead, helper}, "and no call was lost over it"

    command = [sys.executable, "-m", "modular_agents.cli", "proxy", "correct", "--undo", said["decision_id"], "--db", str(product.db)]
    undone = subprocess.run(command, capture_output=True, check=False, timeout=60, cwd=ROOT, env={"PYTHONPATH": str(ROOT / "src")})
    assert undone.returncode == 0, undone.stderr
    assert product.sql(asked) == []
    for voice in (first, second, other):
        voice.close()
