"""Columns with types for analysis: Apache Parquet, a row group at a time. pyarrow is large and optional: `pip install '.[parquet]'`.

Times are UTC microseconds, lists are lists, an unknown number is null. Columns and their order are a contract: new ones come at the end.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modular_agents import __version__
from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.export.source import Source
from modular_agents.proxy.model.call import Message
from modular_agents.proxy.model.query import CallRow, Kept

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 2000
GROUP_CHARS = 16 * 1024 * 1024
"""A row group ends at either: memory is bounded by a few times this."""

Value = Any
TEXT, INT, FLOAT, BOOL, TIME, TEXTS = "string", "int64", "double", "bool", "timestamp", "list<string>"
COLUMNS: tuple[tuple[str, str, Callable[[CallRow, Kept], Value]], ...] = (
    ("call_id", TEXT, lambda row, _: row.call_id),
    ("trace_id", TEXT, lambda row, _: row.trace_id),
    ("thread_id", TEXT, lambda row, _: row.thread_id),
    ("parent_id", TEXT, lambda row, _: row.parent_id),
    ("created_at", TIME, lambda row, _: _time(row.created_at)),
    ("ended_at", TIME, lambda row, _: _time(row.ended_at)),
    ("status", TEXT, lambda row, _: row.status),
    ("kind", TEXT, lambda row, _: row.kind),
    ("provider", TEXT, lambda row, _: row.provider),
    ("operation", TEXT, lambda row, _: row.operation),
    ("model", TEXT, lambda row, _: row.model),
    ("model_response", TEXT, lambda _, kept: kept.call.model_response),
    ("agent_name", TEXT, lambda row, _: row.agent_name),
    ("stream", BOOL, lambda row, _: row.stream),
    ("duration_ms", FLOAT, lambda row, _: row.duration_ms),
    ("ttft_ms", FLOAT, lambda row, _: row.ttft_ms),
    ("tokens_input", INT, lambda row, _: row.tokens_input),
    ("tokens_output", INT, lambda row, _: row.tokens_output),
    ("tokens_cache_read", INT, lambda row, _: row.tokens_cache_read),
    ("tokens_cache_write", INT, lambda row, _: row.tokens_cache_write),
    ("tokens_reasoning", INT, lambda row, _: row.tokens_reasoning),
    ("usage_source", TEXT, lambda row, _: row.usage_source),
    ("cost_usd", FLOAT, lambda row, _: row.cost_usd),
    ("cost_why", TEXT, lambda _, kept: kept.cost.why),
    ("finish_reason", TEXT, lambda row, _: row.finish_reason),
    ("http_status", INT, lambda row, _: row.http_status),
    ("error", TEXT, lambda row, _: row.error),
    ("error_whose", TEXT, lambda _, kept: kept.call.error.whose if kept.call.error else None),
    ("error_kind", TEXT, lambda _, kept: kept.call.error.kind if kept.call.error else None),
    ("system", TEXT, lambda _, kept: _list(kept.call.system)),
    ("messages", TEXT, lambda _, kept: _list(kept.call.messages)),
    ("params", TEXT, lambda _, kept: kept.call.params.decode()),
    ("tools", TEXTS, lambda _, kept: [tool.decode() for tool in kept.call.tools]),
    ("response", TEXT, lambda _, kept: kept.call.answer_text),
    ("answers", TEXT, lambda _, kept: _list(kept.call.answers)),
    ("tool_names", TEXTS, lambda row, _: list(row.tool_names)),
    ("usage", TEXT, lambda _, kept: kept.call.usage.raw and kept.call.usage.raw.decode()),
    ("request_id", TEXT, lambda _, kept: kept.call.request_id),
    ("response_id", TEXT, lambda _, kept: kept.call.response_id),
    ("upstream", TEXT, lambda row, _: row.upstream),
    ("format", TEXT, lambda row, _: row.format),
    ("method", TEXT, lambda row, _: row.method),
    ("path", TEXT, lambda row, _: row.path),
    ("replay_of", TEXT, lambda row, _: row.replay_of),
    ("flags", TEXTS, lambda row, _: list(row.flags)),
)


class _Gathered:
    """A file that is taken away as it grows."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """What was gathered stays until it is taken."""

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


def write(source: Source) -> Iterator[bytes]:
    """Yield the file. Raises `UsageError` where pyarrow is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional, and 50 MB
        from pyarrow import parquet  # noqa: PLC0415 - likewise
    except ImportError:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install 'modular-agents[proxy,parquet]'.") from None
    schema = _schema(pa)
    gathered = _Gathered()
    with parquet.ParquetWriter(pa.PythonFile(gathered, mode="w"), schema, compression="zstd") as writer:
        for group in _groups(source):
            writer.write_batch(pa.record_batch(group, schema=schema))
            yield gathered.take()
    yield gathered.take()


def _groups(source: Source) -> Iterator[list[list[Value]]]:
    """Yield columns of a bounded number of calls; at least once."""
    columns: list[list[Value]] = [[] for _ in COLUMNS]
    chars, is_first = 0, True
    for row, kept in source.kept():
        for column, (_, _, read) in zip(columns, COLUMNS, strict=True):
            value = read(row, kept)
            column.append(value)
            chars += len(value) if isinstance(value, str) else 0
        if len(columns[0]) >= GROUP_ROWS or chars >= GROUP_CHARS:
            yield columns
            columns, chars, is_first = [[] for _ in COLUMNS], 0, False
    if columns[0] or is_first:
        yield columns


def _schema(pa: Any) -> "pa.Schema":  # noqa: ANN401 - a module without types
    types = {
        TEXT: pa.string(),
        INT: pa.int64(),
        FLOAT: pa.float64(),
        BOOL: pa.bool_(),
        TIME: pa.timestamp("us", tz="UTC"),
        TEXTS: pa.list_(pa.string()),
    }
    return pa.schema([(name, types[kind]) for name, kind, _ in COLUMNS], metadata={"anton_proxy": __version__, "anton_export": "1"})


def _time(moment: str | None) -> datetime | None:
    return None if moment is None else datetime.fromisoformat(moment)


def _list(messages: tuple[Message, ...]) -> str:
    """Return messages as the JSON list they were sent as."""
    return f"[{','.join(message.raw.decode() for message in messages)}]"
