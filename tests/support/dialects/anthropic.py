"""Anthropic Messages as the provider speaks it. Source: docs.anthropic.com "Messages", "Streaming"; captures of 2026-11."""

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

_ERRORS = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: claude-unknown"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def headers(seed: str, content_type: str) -> Headers:
    """Return a head like the real one: two cookies, odd case, a rate-limit family."""
    return (
        ("Date", DATE),
        ("Content-Type", content_type),
        ("Cache-Control", "no-cache") if "event-stream" in content_type else ("X-Robots-Tag", "none"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2026-11-22T07:44:53Z"),
        ("anthropic-ratelimit-tokens-limit", "50000"),
        ("anthropic-ratelimit-tokens-remaining", "50000"),
        ("request-id", f"req_{seed}"),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("set-cookie", f"__cf_bm={seed[:8]}; path=/; HttpOnly"),
        ("Set-Cookie", f"_cfuvid={seed[8:16]}; path=/; HttpOnly"),
        ("via", "1.1 google"),
        ("cf-cache-status", "DYNAMIC"),
        ("Server", "cloudflare"),
        ("CF-RAY", f"{seed[:16]}-PRG"),
    )


def error(status: int, script: Script, seed: str) -> Reply:
    """Return an error as Anthropic words it."""
    kind, message = _ERRORS.get(status, ("api_error", "Something went wrong"))
    body = {"type": "error", "error": {"type": kind, "message": script.message or message}, "request_id": f"req_{seed}"}
    extra: Headers = (("x-should-retry", "true" if status in {429, 500, 529} else "false"),)
    if script.retry_after is not None:
        extra += (("Retry-After", script.retry_after),)
    return Reply(status, headers(seed, "application/json") + extra, (compact(body),))


def messages(request: dict[str, Any], script: Script, seed: str) -> Reply:
    """Answer `POST /v1/messages`."""
    blocks = _blocks(script, answer_text(script, last_user_text(request.get("messages"))), seed)
    usage = _usage(request, script)
    message = {
        "id": f"msg_{seed}",
        "type": "message",
        "role": "assistant",
        "model": script.model or request.get("model"),
        "content": blocks,
        "stop_reason": "tool_use" if script.tools else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if script.no_usage:
        del message["usage"]
    if not request.get("stream"):
        return Reply(200, headers(seed, "application/json"), (compact(message),))
    return Reply(200, headers(seed, "text/event-stream; charset=utf-8"), tuple(_events(message, blocks, usage, script)), stream=True)


def count(request: dict[str, Any], _script: Script, seed: str) -> Reply:
    """Answer `POST /v1/messages/count_tokens`."""
    body = {"input_tokens": count_tokens(str(request.get("messages", "")))}
    return Reply(200, headers(seed, "application/json"), (compact(body),))


def models(_request: dict[str, Any], _script: Script, seed: str) -> Reply:
    """Answer `GET /v1/models` when it is asked in Anthropic's way."""
    items = [{"type": "model", "id": "claude-opus-4-8", "display_name": "Claude Opus 4.8", "created_at": "2025-09-29T00:00:00Z"}]
    body = {"data": items, "has_more": False, "first_id": items[0]["id"], "last_id": items[0]["id"]}
    return Reply(200, headers(seed, "application/json"), (compact(body),))


def _usage(request: dict[str, Any], script: Script) -> dict[str, Any]:
    asked = str(request.get("messages", "")) + str(request.get("system", ""))
    said = answer_text(script, last_user_text(request.get("messages"))) + script.thinking
    return merged_usage(
        {
            "input_tokens": count_tokens(asked),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": count_tokens(said),
            "service_tier": "standard",
        },
        script,
    )


def _blocks(script: Script, text: str, seed: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if script.thinking:
        blocks.append({"type": "thinking", "thinking": script.thinking, "signature": "c2lnbmF0dXJl"})
    if text:
        blocks.append({"type": "text", "text": text})
    for number, tool in enumerate(script.tools):
        tool_id = tool.get("id", f"toolu_{seed[:20]}{number:02d}")
        blocks.append({"type": "tool_use", "id": tool_id, "name": tool["name"], "input": tool.get("input", {})})
    return blocks


def _events(message: dict[str, Any], blocks: list[dict[str, Any]], usage: dict[str, Any], script: Script) -> list[bytes]:
    start = message | {"content": [], "stop_reason": None}
    if not script.no_usage:
        start["usage"] = usage | {"output_tokens": 1}
    out = [sse({"type": "message_start", "message": start}, "message_start")]
    for index, block in enumerate(blocks):
        out += _block_events(index, block, script.chunks)
        if index == 0:
            out.insert(2, sse({"type": "ping"}, "ping"))
    delta: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}}
    if not script.no_usage:
        delta["usage"] = {"output_tokens": usage["output_tokens"]}
    out += [sse(delta, "message_delta"), sse({"type": "message_stop"}, "message_stop")]
    if script.error_at is not None:
        kind, text = _ERRORS[529]
        out[script.error_at :] = [sse({"type": "error", "error": {"type": kind, "message": script.message or text}}, "error")]
    return out


def _block_events(index: int, block: dict[str, Any], chunks: int) -> list[bytes]:
    empty, deltas = {
        "thinking": lambda: (
            {"type": "thinking", "thinking": "", "signature": ""},
            [{"type": "thinking_delta", "thinking": piece} for piece in split_text(block["thinking"], chunks)]
            + [{"type": "signature_delta", "signature": block["signature"]}],
        ),
        "text": lambda: (
            {"type": "text", "text": ""},
            [{"type": "text_delta", "text": piece} for piece in split_text(block["text"], chunks)],
        ),
        "tool_use": lambda: (
            block | {"input": {}},
            [{"type": "input_json_delta", "partial_json": ""}]
            + [{"type": "input_json_delta", "partial_json": piece} for piece in split_text(compact(block["input"]).decode(), chunks)],
        ),
    }[block["type"]]()
    events = [sse({"type": "content_block_start", "index": index, "content_block": empty}, "content_block_start")]
    events += [sse({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta") for delta in deltas]
    events.append(sse({"type": "content_block_stop", "index": index}, "content_block_stop"))
    return events
