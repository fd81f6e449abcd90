"""OpenAI Chat Completions, embeddings and models as the provider speaks them. Source: OpenAI API reference; captures of 2026-11."""

import base64
import struct
from typing import Any

from tests.support.replies import (
    DATE,
    Headers,
    Reply,
    answer_text,
    compact,
    count_tokens,
    last_user_text,
    merged_usage,
    split_text,
    sse,
)
from tests.support.script import Script

CREATED = 1795333492
_ERRORS = {
    400: ("invalid_request_error", "invalid_value", "Invalid value: 'nobody'."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Country, region, or territory not supported"),
    404: ("invalid_request_error", "model_not_found", "The model `gpt-none` does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3, Requested 1."),
    500: ("server_error", None, "The server had an error while processing your request."),
}


def headers(seed: str, content_type: str) -> Headers:
    """Return a head like the real one."""
    return (
        ("Date", DATE),
        ("Content-Type", content_type),
        ("access-control-expose-headers", "X-Request-ID"),
        ("openai-organization", "org-stand-in"),
        ("openai-processing-ms", "137"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "200000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "199989"),
        ("x-ratelimit-reset-requests", "8.64s"),
        ("x-ratelimit-reset-tokens", "3ms"),
        ("x-request-id", f"req_{seed}"),
        ("X-Content-Type-Options", "nosniff"),
        ("Set-Cookie", f"__cf_bm={seed[:8]}; path=/; HttpOnly"),
        ("Set-Cookie", f"_cfuvid={seed[8:16]}; path=/; HttpOnly"),
        ("Server", "cloudflare"),
        ("CF-RAY", f"{seed[:16]}-PRG"),
    )


def error(status: int, script: Script, seed: str) -> Reply:
    """Return an error as OpenAI words it."""
    kind, code, message = _ERRORS.get(status, ("server_error", None, "The engine is currently overloaded, please try again later"))
    body = {"error": {"message": script.message or message, "type": kind, "param": None, "code": code}}
    extra: Headers = () if script.retry_after is None else (("retry-after", script.retry_after), ("retry-after-ms", "17"))
    return Reply(status, headers(seed, "application/json; charset=utf-8") + extra, (compact(body),))


def chat(request: dict[str, Any], script: Script, seed: str) -> Reply:
    """Answer `POST /v1/chat/completions`; `n` choices when asked."""
    text = answer_text(script, last_user_text(request.get("messages")))
    base = {"id": f"chatcmpl-{seed}", "created": CREATED, "model": script.model or request.get("model"), "service_tier": "default"}
    usage = _usage(request, script, text)
    if request.get("stream"):
        return Reply(
            200, headers(seed, "text/event-stream; charset=utf-8"), tuple(_events(request, script, base, text, usage)), stream=True
        )
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None, "annotations": []}
    if script.tools:
        message["tool_calls"] = [_tool(number, tool, base["id"]) for number, tool in enumerate(script.tools)]
    finish = "tool_calls" if script.tools else "stop"
    choices = [{"index": i, "message": message, "logprobs": None, "finish_reason": finish} for i in range(request.get("n") or 1)]
    body = base | {"object": "chat.completion", "choices": choices} | ({} if script.no_usage else {"usage": usage})
    return Reply(200, headers(seed, "application/json"), (compact(body),))


def embeddings(request: dict[str, Any], _script: Script, seed: str) -> Reply:
    """Answer `POST /v1/embeddings`."""
    given = request.get("input", "")
    inputs = given if isinstance(given, list) else [given]
    vector = [0.1, -0.25, 3.5e-7]
    shown: object = vector
    if request.get("encoding_format") == "base64":
        shown = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    tokens = sum(count_tokens(str(item)) for item in inputs)
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": shown} for index in range(len(inputs))],
        "model": request.get("model"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Reply(200, headers(seed, "application/json"), (compact(body),))


def models(_request: dict[str, Any], _script: Script, seed: str) -> Reply:
    """Answer `GET /v1/models`."""
    items = [{"id": name, "object": "model", "created": CREATED, "owned_by": "openai"} for name in ("gpt-4o-mini", "gpt-5")]
    return Reply(200, headers(seed, "application/json"), (compact({"object": "list", "data": items}),))


def _usage(request: dict[str, Any], script: Script, text: str) -> dict[str, Any]:
    asked, said = count_tokens(str(request.get("messages", ""))), count_tokens(text)
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return merged_usage(usage, script)


def _tool(number: int, tool: dict[str, Any], seed: str) -> dict[str, Any]:
    arguments = compact(tool.get("input", {})).decode()
    return {
        "id": tool.get("id", f"call_{seed[-20:]}{number:02d}"),
        "type": "function",
        "function": {"name": tool["name"], "arguments": arguments},
    }


def _events(request: dict[str, Any], script: Script, base: dict[str, Any], text: str, usage: dict[str, Any]) -> list[bytes]:
    wants_usage = bool((request.get("stream_options") or {}).get("include_usage")) and not script.no_usage
    base = base | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse(base | {"choices": [choice]} | ({"usage": None} if wants_usage else {}))

    out = [chunk({"role": "assistant", "content": "", "refusal": None})]
    out += [chunk({"content": piece}) for piece in split_text(text, script.chunks)]
    for index, tool in enumerate(script.tools):
        whole = _tool(index, tool, base["id"])
        arguments = whole["function"]["arguments"]
        opening = whole | {"index": index, "function": {"name": tool["name"], "arguments": ""}}
        out.append(chunk({"tool_calls": [opening]}))
        out += [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in split_text(arguments, script.chunks)
        ]
    out.append(chunk({}, "tool_calls" if script.tools else "stop"))
    if wants_usage:
        out.append(sse(base | {"choices": [], "usage": usage}))
    out.append(sse(b"[DONE]"))
    if script.error_at is not None:
        kind, code, message = _ERRORS[500]
        out[script.error_at :] = [sse({"error": {"message": script.message or message, "type": kind, "param": None, "code": code}})]
    return out
