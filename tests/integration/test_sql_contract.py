"""The public SQL contract, asked from a SQL client that is not ours: names, columns, values, while the proxy writes and afterwards."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.sqlite_cli import select
from tests.support.stored import Given, given, message, put_all, tool_use

from modular_agents.proxy.model.call import CallError, Message, Part, Status
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.store.sqlite import SqliteStore

NAMES = {
    "traces": """
        trace_id created_at task_description status
        name ended_at call_count agent_count tokens_input tokens_output cost_usd error_count source
    """,
    "llm_calls": """
        call_id trace_id parent_id created_at provider model messages response finish_reason duration_ms
        tokens_input tokens_output cost_usd agent_name error
        status thread_id operation stream ttft_ms system tools params tool_calls tokens_cache_read tokens_cache_write
        tokens_reasoning usage_source http_status request_id path upstream replay_of
    """,
    "call_graph": """
        edge_id trace_id from_call_id to_call_id edge_type
        evidence confidence
    """,
    "threads": """
        trace_id thread_id agent_name task_description status created_at ended_at duration_ms
        call_count running_count error_count tokens_input tokens_output cost_usd unpriced_count
    """,
    "delegations": """
        edge_id trace_id from_call_id to_call_id from_thread_id thread_id agent_name evidence confidence
        thread_count call_count running_count error_count tokens_input tokens_output cost_usd unpriced_count duration_ms tokens_handed_back
    """,
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proxy_traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_public_names_have_their_columns(path: Path, store: SqliteStore, name: str) -> None:
    columns = NAMES[name].split()
    found = [row["name"] for row in select(path, f"PRAGMA table_info({name})")]
    assert [column for column in columns if column not in found] == []
    assert select(path, f"SELECT {', '.join(columns)} FROM {name}") == []  # noqa: S608 - our own names


def test_a_call_as_a_user_sees_it(path: Path, store: SqliteStore) -> None:
    history = (message("user", 'Say "hi" — ☃'), message("assistant", "hi\nthere"), message("user", "again", cached=True))
    root = given(
        1, messages=history, system=(message("system", "Be brief."),), tools=(b'{"name":"bash"}', b'{"name": "edit"}'), agent="planner"
    )
    put_all(store, root.finished(tool_use("bash", {"command": "ls"})))
    (row,) = select(path, "SELECT * FROM llm_calls")
    assert row["messages"] == "[" + ",".join(entry.raw.decode() for entry in history) + "]"
    assert [entry["role"] for entry in json.loads(row["messages"])] == ["user", "assistant", "user"]
    assert json.loads(row["system"]) == [json.loads(message("system", "Be brief.").raw)]
    assert json.loads(row["tools"]) == [{"name": "bash"}, {"name": "edit"}]
    assert json.loads(row["params"]) == {"max_tokens": 1024}
    assert json.loads(row["tool_calls"]) == [{"id": "toolu_1", "name": "bash", "arguments": '{"command": "ls"}'}]
    assert (row["call_id"], row["trace_id"], row["agent_name"], row["provider"]) == (root.call_id, "tr-1", "planner", "claude")
    assert (row["duration_ms"], row["ttft_ms"], row["stream"], row["status"]) == (250.0, 50.0, 1, "completed")
    assert (row["tokens_input"], row["tokens_output"], row["cost_usd"]) == (100, 20, 0.01)
    assert (row["tokens_cache_read"], row["tokens_reasoning"], row["error"]) == (None, None, None)
    assert row["created_at"] == "2025-10-09T08:53:21.000000Z"
    assert row["ended_at"] == "2025-10-09T08:53:21.250000Z"


def test_a_running_call_and_a_failed_one(path: Path, store: SqliteStore) -> None:
    running, failed = given(1), given(2, parent=given(1))
    put_all(
        store, running, failed.finished("", status=Status.FAILED, usd=None, error=CallError("provider", "overloaded_error", "Overloaded"))
    )
    first, second = select(path, "SELECT * FROM llm_calls ORDER BY created_at")
    assert (first["status"], first["response"], first["duration_ms"], first["cost_usd"]) == ("running", None, None, None)
    assert (second["status"], second["response"], second["error"], second["parent_id"]) == ("failed", "", "Overloaded", running.call_id)
    assert second["system"] is None
    assert second["tools"] is None


def test_a_call_without_messages_has_an_empty_list(path: Path, store: SqliteStore) -> None:
    call = given(1).finished("ok")
    put_all(store, replace(call, call=replace(call.call, messages=())))
    (row,) = select(path, "SELECT messages, response FROM llm_calls")
    assert row == {"messages": "[]", "response": "ok"}


def test_traces_and_their_graph(path: Path, store: SqliteStore) -> None:
    root = given(1, agent="planner", task="Build it").finished(tool_use("task", {}))
    child = given(2, thread="th-2", agent="worker", parent=root, edge=EdgeType.DELEGATION).finished(usd=None, tokens=(None, None))
    put_all(store, root, child, given(3, trace="tr-2", thread="th-3"))
    one, two = select(path, "SELECT * FROM traces ORDER BY created_at")
    assert (one["trace_id"], one["task_description"], one["call_count"], one["agent_count"]) == ("tr-1", "Build it", 2, 2)
    assert (one["status"], one["tokens_input"], one["cost_usd"], one["error_count"]) == ("completed", 100, 0.01, 0)
    assert (two["status"], two["ended_at"], two["tokens_input"], two["cost_usd"]) == ("running", None, None, None)
    assert one["source"] == "said.trace"
    for row in (one, two):
        assert TIME.fullmatch(row["created_at"])
    (edge,) = select(path, "SELECT * FROM call_graph")
    assert (edge["from_call_id"], edge["to_call_id"], edge["edge_type"]) == (root.call_id, child.call_id, "delegation")
    assert (edge["trace_id"], edge["evidence"], edge["confidence"]) == ("tr-1", "continuation", 0.75)


def test_long_strings_are_put_back_together(path: Path, store: SqliteStore) -> None:
    picture = "iVBORw0KGgo" * 3000
    raw = json.dumps({"role": "user", "content": [{"type": "image", "data": picture}, {"type": "text", "text": "é" * 3000}]}).encode()
    call = given(1, messages=(Message("user", (Part("image", raw=raw),), raw, b"d" * 16), message("user", "short")))
    put_all(store, call)
    (row,) = select(path, "SELECT messages FROM llm_calls")
    assert row["messages"] == f"[{raw.decode()},{message('user', 'short').raw.decode()}]"


def test_a_long_history_is_read_in_order(path: Path, store: SqliteStore) -> None:
    history = tuple(message("user" if number % 2 == 0 else "assistant", f"message {number}") for number in range(399))
    put_all(store, given(1, messages=history))
    (row,) = select(path, "SELECT messages, length(messages) AS size FROM llm_calls")
    assert [entry["content"][0]["text"] for entry in json.loads(row["messages"])] == [f"message {number}" for number in range(399)]


def test_the_file_can_be_read_while_a_batch_is_open_and_after_it_was_closed(path: Path, store: SqliteStore) -> None:
    first, second = given(1).finished(), given(2).finished()
    put_all(store, first)
    with store.batch() as batch:
        second.put(batch)
        assert len(select(path, "SELECT call_id FROM llm_calls")) == 1
    assert len(select(path, "SELECT call_id FROM llm_calls")) == 2
    store.close()
    assert not path.with_name(path.name + "-wal").exists()
    assert len(select(path, "SELECT call_id FROM llm_calls WHERE status = 'completed'")) == 2


def test_analysis_as_in_the_handbook(path: Path, store: SqliteStore) -> None:
    calls: list[Given] = [given(number, thread=f"th-{number % 3}", agent=f"a{number % 3}").finished(usd=0.5) for number in range(9)]
    put_all(store, *calls)
    rows = select(path, "SELECT agent_name, sum(cost_usd) AS usd, count(*) AS n FROM llm_calls GROUP BY agent_name ORDER BY agent_name")
    assert rows == [{"agent_name": f"a{number}", "usd": 1.5, "n": 3} for number in range(3)]
    assert select(path, "SELECT count(*) AS n FROM llm_calls WHERE created_at >= '2025-10-09T08:53:25'") == [{"n": 4}]


def test_other_programs_find_the_database_sound(path: Path, store: SqliteStore) -> None:
    put_all(store, *(given(number).finished() for number in range(30)))
    store.tidy()
    assert select(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
