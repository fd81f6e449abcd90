"""Gemini `generateContent` as the provider speaks it. Source: ai.google.dev API reference; captures of 2026-11."""

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

_STATES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def headers(content_type: str) -> Headers:
    """Return a head like the real one: `Vary` three times."""
    return (
        ("Content-Type", content_type),
        ("Vary", "Origin"),
        ("Vary", "X-Origin"),
        ("Vary", "Referer"),
        ("Date", DATE),
        ("Server", "scaffolding on HTTPServer2"),
        ("X-XSS-Protection", "0"),
        ("X-Content-Type-Options", "nosniff"),
        ("Server-Timing", "gfet4t7; dur=411"),
    )


def error(status: int, script: Script, _seed: str) -> Reply:
    """Return an error as Google words it."""
    body = {"error": {"code": status, "message": script.message or "Refused by the stand-in.", "status": _STATES.get(status, "INTERNAL")}}
    extra: Headers = () if script.retry_after is None else (("Retry-After", script.retry_after),)
    return Reply(status, headers("application/json; charset=UTF-8") + extra, (compact(body),))


def generate(request: dict[str, Any], script: Script, seed: str, *, stream: str = "") -> Reply:
    """Answer `:generateContent`; with `stream` `sse` or `array`, `:streamGenerateContent`."""
    text = answer_text(script, last_user_text(request.get("contents")))
    usage = merged_usage(
        {
            "promptTokenCount": count_tokens(str(request.get("contents", ""))),
            "candidatesTokenCount": count_tokens(text),
            "totalTokenCount": count_tokens(str(request.get("contents", ""))) + count_tokens(text),
        },
        script,
    )
    calls = [{"functionCall": {"name": tool["name"], "args": tool.get("input", {})}} for tool in script.tools]
    model = {"modelVersion": script.model or "gemini-2.5-flash", "responseId": seed}
    ending = {} if script.no_usage else {"usageMetadata": usage}
    thought = [{"text": script.thinking, "thought": True}] if script.thinking else []
    if not stream:
        parts = [*thought, *([{"text": text}] if text else []), *calls]
        return Reply(
            200, headers("application/json; charset=UTF-8"), (compact({"candidates": [_candidate(parts, "STOP")]} | ending | model),)
        )
    runs = [[part] for part in thought] + [[{"text": piece}] for piece in split_text(text, script.chunks)] + ([calls] if calls else [])
    documents: list[dict[str, Any]] = [{"candidates": [_candidate(parts, None)]} | model for parts in runs]
    documents.append({"candidates": [_candidate([{"text": ""}], "STOP")]} | ending | model)
    if stream == "sse":
        return Reply(200, headers("text/event-stream"), tuple(sse(document) for document in documents), stream=True)
    pieces = [(b"[" if number == 0 else b",\r\n") + compact(document) for number, document in enumerate(documents)] + [b"]"]
    return Reply(200, headers("application/json; charset=UTF-8"), tuple(pieces), stream=True)


def _candidate(parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": parts}, "index": 0} | ({"finishReason": finish} if finish else {})
