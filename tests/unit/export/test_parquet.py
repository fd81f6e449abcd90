"""Parquet as pyarrow reads it back; and a clear word where pyarrow is not installed."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pyarrow import parquet as pq
from tests.support.stored import MS, T0, given, message, put_all, tool_use

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export import parquet
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.store.memory import MemoryStore


def source(*, empty: bool = False) -> Source:
    store = MemoryStore()
    asked = (message("user", "☃ [1]"), message("assistant", "two"))
    calls = [given(1, agent="planner", messages=asked, system=(message("system", "Be"),), tools=(b'{"name":"a"}',))]
    ended = [calls[0].finished(tool_use("delegate", {"x": 1}), usd=0.25), given(2).finished(usd=None, tokens=(None, None))]
    put_all(store, *([] if empty else ended))
    return Source(store.reader(), Wanted())


def test_columns_have_types_and_nulls() -> None:
    table = pq.read_table(io.BytesIO(b"".join(parquet.write(source()))))
    assert table.column_names == [name for name, _, _ in parquet.COLUMNS]
    assert str(table.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("tokens_input").type) == "int64"
    first, second = table.to_pylist()
    assert first["created_at"] == datetime.fromtimestamp(0, UTC) + timedelta(microseconds=(T0 + 1000 * MS) // 1000)
    assert (first["cost_usd"], first["stream"], first["tool_names"]) == (0.25, True, ["delegate"])
    assert [entry["role"] for entry in json.loads(first["messages"])] == ["user", "assistant"]
    assert json.loads(first["system"])[0]["content"][0]["text"] == "Be"
    assert json.loads(first["tools"][0]) == {"name": "a"}
    assert (second["cost_usd"], second["tokens_input"], second["error"], second["flags"]) == (None, None, None, [])
    assert table.schema.metadata[b"anton_export"] == b"1"


def test_row_groups_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 1)
    pieces = list(parquet.write(source()))
    assert len([piece for piece in pieces if piece]) == 3
    assert pq.ParquetFile(io.BytesIO(b"".join(pieces))).num_row_groups == 2


def test_nothing_is_a_table_too() -> None:
    assert pq.read_table(io.BytesIO(b"".join(parquet.write(source(empty=True))))).num_rows == 0


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'modular-agents\[proxy,parquet\]'"):
        next(parquet.write(source()))
