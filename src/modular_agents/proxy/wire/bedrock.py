"""What Bedrock adds to other formats' bodies: whose format a body is, and counts beside it, in the last event or in the head.

`POST /model/MODEL/invoke` takes whatever body the model's maker defined. Names of models do not tell (an ARN hides them), the
body does. Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html.
"""

from collections.abc import Mapping
from urllib.parse import unquote

from modular_agents.proxy.model.call import Usage, UsageSource
from modular_agents.proxy.model.exchange import Headers
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.reading import NO_USAGE

METRICS = "amazon-bedrock-invocationMetrics"
"""A member of a stream's last event, whatever the model."""
_NAMES = ("input-token-count", "output-token-count", "cache-read-input-token-count", "cache-write-input-token-count")
_COUNTS = {f"x-amzn-bedrock-{name}": at for at, name in enumerate(_NAMES)}
_CONVERSE = ("schemaVersion", "inferenceConfig", "toolConfig")
"""Members of Nova's requests, which are those of Converse."""


def format_of(body: bytes) -> str:
    """Return the name of the format that an invoked model's request body is written in."""
    try:
        top = js.members(body)
    except ValueError:
        return "bedrock.invoke"
    if "anthropic_version" in top:
        return "anthropic.messages"
    if "messages" not in top:
        return "bedrock.invoke"
    return "bedrock.converse" if any(name in top for name in _CONVERSE) or _has_bare_blocks(top["messages"]) else "openai.chat"


def _has_bare_blocks(messages: bytes) -> bool:
    """Return whether the first message has blocks as Converse has them: without a `type`."""
    try:
        first = js.obj(next(iter(js.arr(js.parse(messages))), None))
    except ValueError:
        return False
    blocks = js.arr(first.get("content"))
    return bool(blocks) and "type" not in js.obj(blocks[0])


def model_in_path(path: str) -> str | None:
    """Return the model of `/model/MODEL/VERB`, which is percent-encoded when it is an ARN."""
    return unquote(path.rpartition("/model/")[2].rpartition("/")[0]) or None if "/model/" in path else None


def metrics_usage(metrics: Mapping[str, object], source: UsageSource) -> Usage:
    """Return what a stream's metrics count; the input leaves the cache out, as in Converse."""
    names = ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
    return _usage([js.count(metrics.get(name)) for name in names], source, js.compact(metrics))


def head_usage(headers: Headers) -> Usage:
    """Return what the head of a whole answer counts."""
    counts: list[int | None] = [None] * len(_COUNTS)
    said: js.Json = {}
    for name, value in headers:
        at = _COUNTS.get(name.lower())
        if at is not None and value.isascii() and value.isdigit():
            counts[at] = js.count(js.parse(value))
            said[name.lower()] = counts[at]
    return _usage(counts, UsageSource.REPORTED, js.compact(said))


def _usage(counts: list[int | None], source: UsageSource, raw: bytes) -> Usage:
    uncached, output, read, written = counts
    if uncached is None and output is None:
        return NO_USAGE
    return Usage(
        source=source,
        input_total=None if uncached is None else uncached + (read or 0) + (written or 0),
        input_uncached=uncached,
        cache_read=read,
        cache_write_5m=written,
        output_total=output,
        raw=raw,
    )
