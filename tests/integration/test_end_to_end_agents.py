"""Real agents' traffic, recorded: whose it is, what was asked and answered, what it took; and every body comes back byte for byte."""

import json
from typing import Any

import openai
import pytest
from tests.support import captured
from tests.support.captured import Captured
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient
from tests.support.script import Script

ANSWER = "Hi there from the mock upstream. Unicode: žluťoučký 🐎 中文 end."
AGENTS: dict[str, dict[str, Any]] = {
    "claude-code-turn": {
        "provider": "claude",
        "model": "claude-opus-4-8",
        "trace_id": "b57de2c9-bbb9-4bd1-82a6-30f0ae646ea7",
        "kind": "turn",
    },
    "codex-turn": {"provider": "openai", "model": "gpt-5-codex", "trace_id": "01a20238-932c-7243-a18f-3ddfef1ff4ca", "kind": "turn"},
    "opencode-turn": {
        "provider": "claude",
        "model": "claude-haiku-4-5-20251001",
        "trace_id": "ses_dfdc75754ffeS8da4Eckg3lefo",
        "kind": "title",
    },
}
CLOSING = {"306 characters in the capture]": "</system-reminder>", "393 characters in the capture]": "</environment_context>"}
"""The corpus holds agents' long texts shortened; a tag that was cut off is closed again."""


def restored(capture: Captured) -> Captured:
    for mark, tag in CLOSING.items():
        capture = capture.with_text(mark, mark + tag)
    return capture


def play(provider: ProviderServer, product: Product, capture: Captured) -> None:
    provider.reset()
    provider.on(Script(raw=capture.answer.decode("latin-1"), close=not capture.whole))
    with RawClient(product.port) as client:
        client.send(capture.request_head + capture.request_body)
        client.read_response()


@pytest.mark.parametrize("name", AGENTS)
def test_an_agents_turn_is_understood(provider: ProviderServer, product: Product, name: str) -> None:
    play(provider, product, restored(captured.load(name)))
    expected = AGENTS[name]
    query = f"SELECT * FROM llm_calls WHERE trace_id = '{expected['trace_id']}'"  # noqa: S608 - from the corpus
    (row,) = product.wait_sql(query, lambda rows: rows and rows[0]["status"] != "running")
    assert {key: row[key] for key in expected} == expected
    assert (row["status"], row["response"], row["stream"]) == ("completed", ANSWER, 1)
    assert (row["tokens_input"], row["tokens_output"], row["usage_source"]) == (11, 7, "reported")
    assert row["cost_usd"] > 0
    (trace,) = product.sql(f"SELECT * FROM traces WHERE trace_id = '{expected['trace_id']}'")  # noqa: S608 - from the corpus
    assert trace["source"].startswith("header.")
    if expected["kind"] == "turn":
        assert trace["task_description"] == "HELLO_CAPTURE"


def test_every_capture_comes_back_byte_for_byte(provider: ProviderServer, product: Product) -> None:
    after = len(product.sql("SELECT 1 FROM llm_calls"))
    captures = [captured.load(name) for name in captured.names()]
    for capture in captures:
        play(provider, product, capture)
    rows = product.wait_calls(after + len(captures))[after:]
    for capture, row in zip(captures, rows, strict=True):
        assert product.get_bytes(f"/api/calls/{row['call_id']}/raw/request") == capture.request_body
        raw = product.get(f"/api/calls/{row['call_id']}/raw")
        sent = [line.partition(": ") for line in capture.request_head.decode().split("\r\n")[1:] if line]
        assert [name for name, _ in raw["request_headers"]] == [name for name, _, _ in sent]
        assert json.loads(row["messages"]) or row["operation"] == "embeddings"
        shown = json.dumps(raw["request_headers"])
        assert not any(secret in shown for secret in ("sk-dummy", "sk-ant-dummy", "Bearer k"))


@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")  # the SDK's own use of websockets
def test_each_turn_on_a_websocket_is_a_call(provider: ProviderServer, product: Product) -> None:
    provider.reset()
    provider.on(Script(text="Dobrý deň", ws_deflate=True), path="/v1/responses")
    earlier: dict[str, str] = {}
    with openai.OpenAI(base_url=f"{product.url}/t/socket/v1", api_key="sk-dummy") as sdk, sdk.responses.connect() as connection:
        for turn in range(3):
            connection.response.create(model="gpt-5", input=f"turn {turn}", **earlier)
            last = next(event for event in connection if event.type == "response.completed")
            earlier = {"previous_response_id": last.response.id}
    query = "SELECT * FROM llm_calls WHERE trace_id = 'socket' AND operation = 'chat' ORDER BY created_at, call_id"
    rows = product.wait_sql(query, lambda rows: len(rows) == 3 and all(row["status"] != "running" for row in rows))
    assert [json.loads(row["messages"]) for row in rows] == [["turn 0"], ["turn 1"], ["turn 2"]]
    assert {(row["status"], row["response"], row["model"]) for row in rows} == {("completed", "Dobrý deň", "gpt-5")}
    assert [row["parent_id"] for row in rows] == [None, rows[0]["call_id"], rows[1]["call_id"]]
    assert len({row["thread_id"] for row in rows}) == 1
