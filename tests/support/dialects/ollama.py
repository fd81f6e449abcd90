"""Ollama's own API: newline-delimited JSON. Source: github.com/ollama/ollama docs/api.md."""

from typing import Any

from tests.support.replies import DATE, Headers, Reply, answer_text, compact, count_tokens, last_user_text, split_text
from tests.support.script import Script

_CREATED_AT = "2026-11-22T07:44:52.123456789Z"


def headers(content_type: str) -> Headers:
    """Return a head like the real one."""
    return (("Content-Type", content_type), ("Date", DATE))


def error(status: int, script: Script, _seed: str) -> Reply:
    """Return an error as Ollama words it."""
    return Reply(status, headers("application/json; charset=utf-8"), (compact({"error": script.message or "model 'none' not found"}),))


def talk(request: dict[str, Any], script: Script, _seed: str, *, chat: bool) -> Reply:
    """Answer `/api/chat` (`chat`) or `/api/generate`; both stream unless told not to."""
    asked = last_user_text(request.get("messages")) if chat else str(request.get("prompt", ""))
    text = answer_text(script, asked)
    base = {"model": script.model or request.get("model"), "created_at": _CREATED_AT}
    tools = [{"function": {"name": tool["name"], "arguments": tool.get("input", {})}} for tool in script.tools]

    def line(piece: str, **more: object) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": piece}
        if tools and more:
            message["tool_calls"] = tools
        return base | ({"message": message} if chat else {"response": piece}) | {"done": False} | more

    ending: dict[str, Any] = {"done": True, "done_reason": "stop", "total_duration": 5_000_000, "load_duration": 1_000_000}
    if not script.no_usage:
        ending |= {"prompt_eval_count": count_tokens(asked), "eval_count": count_tokens(text)} | (script.usage or {})
    if request.get("stream") is False:
        return Reply(200, headers("application/json; charset=utf-8"), (compact(line(text, **ending)),))
    lines = [line(piece) for piece in split_text(text, script.chunks)] + [line("", **ending)]
    return Reply(200, headers("application/x-ndjson"), tuple(compact(document) + b"\n" for document in lines), stream=True)


def tags(_request: dict[str, Any], _script: Script, _seed: str) -> Reply:
    """Answer `GET /api/tags`."""
    return Reply(
        200, headers("application/json; charset=utf-8"), (compact({"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest"}]}),)
    )
