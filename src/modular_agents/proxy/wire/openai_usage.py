"""OpenAI's usage objects, and what others put in their place.

`cached_tokens` is part of the input, `reasoning_tokens` part of the output. Exceptions, told by the numbers themselves:
xAI counts reasoning beside the completion (the total says so); DeepSeek splits the prompt into cache hits and misses;
llama.cpp gives `timings` instead, Bedrock its metrics. Source: platform.openai.com/docs/api-reference, docs/formats/openai-chat.md.
"""

from modular_agents.proxy.model.call import Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.bedrock import METRICS, metrics_usage
from modular_agents.proxy.wire.reading import NO_USAGE


def chat_usage(usage: object, raw: bytes | None, top: js.Json, *, ended: bool) -> Usage:
    """Normalise the usage of a chat completion, an embedding or a legacy completion; unknown when there is none."""
    source = UsageSource.REPORTED if ended else UsageSource.PARTIAL
    fields = js.obj(usage)
    sent, got = js.count(fields.get("prompt_tokens")), js.count(fields.get("completion_tokens"))
    if sent is None and got is None:
        return _timings(js.obj(top.get("timings")), source) if METRICS not in top else metrics_usage(js.obj(top[METRICS]), source)
    sent_details, got_details = js.obj(fields.get("prompt_tokens_details")), js.obj(fields.get("completion_tokens_details"))
    read = js.count(sent_details.get("cached_tokens"))
    if read is None:
        read = js.count(fields.get("prompt_cache_hit_tokens"))
    written = js.count(sent_details.get("cache_write_tokens"))
    thought = js.count(got_details.get("reasoning_tokens"))
    if thought and js.count(fields.get("total_tokens")) == (sent or 0) + (got or 0) + thought:
        got = (got or 0) + thought
    return _usage(source, sent, got, read, written, thought, raw or js.compact(usage))


def responses_usage(usage: object, raw: bytes | None, *, ended: bool) -> Usage:
    """Normalise the usage of the Responses API; unknown when there is none."""
    fields = js.obj(usage)
    sent, got = js.count(fields.get("input_tokens")), js.count(fields.get("output_tokens"))
    if sent is None and got is None:
        return NO_USAGE
    sent_details = js.obj(fields.get("input_tokens_details"))
    return _usage(
        UsageSource.REPORTED if ended else UsageSource.PARTIAL,
        sent,
        got,
        js.count(sent_details.get("cached_tokens")),
        js.count(sent_details.get("cache_write_tokens")),
        js.count(js.obj(fields.get("output_tokens_details")).get("reasoning_tokens")),
        raw or js.compact(usage),
    )


def _usage(
    source: UsageSource, sent: int | None, got: int | None, read: int | None, written: int | None, thought: int | None, raw: bytes
) -> Usage:
    uncached = None if sent is None else max(sent - (read or 0) - (written or 0), 0)
    return Usage(
        source=source,
        input_total=sent,
        input_uncached=uncached,
        cache_read=read,
        cache_write_5m=written,
        output_total=got,
        reasoning=thought,
        raw=raw,
    )


def _timings(timings: js.Json, source: UsageSource) -> Usage:
    """Read llama.cpp's timings: tokens of the prompt that were computed, that were cached, and tokens of the answer."""
    computed, got = js.count(timings.get("prompt_n")), js.count(timings.get("predicted_n"))
    if computed is None or got is None:
        return NO_USAGE
    cached = js.count(timings.get("cache_n"))
    return _usage(source, computed + (cached or 0), got, cached, None, None, js.compact(timings))
