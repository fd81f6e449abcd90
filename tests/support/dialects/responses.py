"""OpenAI Responses: as SSE, as one document, as WebSocket messages. Source: OpenAI API reference "Responses"; captures of 2026-11."""

from typing import Any

from tests.support.dialects.openai import CREATED, headers
from tests.support.replies import Reply, answer_text, compact, count_tokens, last_user_text, merged_usage, split_text, sse
from tests.support.script import Script


def create(request: dict[str, Any], script: Script, seed: str) -> Reply:
    """Answer `POST /v1/responses`."""
    if not request.get("stream"):
        whole = _response(request, script, seed)
        return Reply(200, headers(seed, "application/json"), (compact(whole | {"status": "completed"}),))
    pieces = [sse(event, event["type"]) for event in events(request, script, seed)]
    if script.error_at is not None:
        failed = {"type": "error", "code": "server_error", "message": script.message or "The server had an error", "param": None}
        pieces[script.error_at :] = [sse(failed, "error")]
    return Reply(200, headers(seed, "text/event-stream; charset=utf-8"), tuple(pieces), stream=True)


def events(request: dict[str, Any], script: Script, seed: str) -> list[dict[str, Any]]:
    """Return the typed events of a streamed response, the same over SSE and over a WebSocket."""
    whole = _response(request, script, seed)
    early = {key: whole[key] for key in ("id", "object", "created_at", "model", "previous_response_id")}
    early |= {"status": "in_progress", "output": []}
    out: list[dict[str, Any]] = [{"type": "response.created", "response": early}, {"type": "response.in_progress", "response": early}]
    for index, item in enumerate(whole["output"]):
        out += _item_events(index, item, script.chunks)
    out.append({"type": "response.completed", "response": whole | {"status": "completed"}})
    return [event | {"sequence_number": number} for number, event in enumerate(out)]


def _response(request: dict[str, Any], script: Script, seed: str) -> dict[str, Any]:
    text = answer_text(script, last_user_text(request.get("input")))
    asked, said = count_tokens(str(request.get("input", ""))), count_tokens(text)
    usage = {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + said,
    }
    return {
        "id": f"resp_{seed}",
        "object": "response",
        "created_at": CREATED,
        "model": script.model or request.get("model"),
        "status": "in_progress",
        "output": _items(script, text, seed),
        "previous_response_id": request.get("previous_response_id"),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": request.get("tools", []),
        "usage": None if script.no_usage else merged_usage(usage, script),
    }


def _items(script: Script, text: str, seed: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if script.thinking:
        items.append({"type": "reasoning", "id": f"rs_{seed}", "summary": [{"type": "summary_text", "text": script.thinking}]})
    if text:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        items.append({"type": "message", "id": f"msg_{seed}", "status": "completed", "role": "assistant", "content": content})
    for number, tool in enumerate(script.tools):
        items.append(_tool(tool, f"{seed[:20]}{number:02d}"))
    return items


def _tool(tool: dict[str, Any], seed: str) -> dict[str, Any]:
    """Return a call of a function, or of a custom tool where the input is a text; `namespace` as Codex groups its tools."""
    given = tool.get("input", {})
    shape = {"call_id": tool.get("id", f"call_{seed}"), "name": tool["name"], "status": "completed"}
    shape |= {"namespace": tool["namespace"]} if "namespace" in tool else {}
    if isinstance(given, str):
        return {"type": "custom_tool_call", "id": f"ctc_{seed}"} | shape | {"input": given}
    return {"type": "function_call", "id": f"fc_{seed}"} | shape | {"arguments": compact(given).decode()}


def _item_events(index: int, item: dict[str, Any], chunks: int) -> list[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index}
    empties = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
        "custom_tool_call": {"input": ""},
        "reasoning": {"summary": []},
    }
    empty = empties[item["type"]]
    out: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": index, "item": item | empty | {"status": "in_progress"}}
    ]
    if item["type"] == "message":
        part = item["content"][0]
        spot = where | {"content_index": 0}
        out.append({"type": "response.content_part.added"} | spot | {"part": part | {"text": ""}})
        out += [
            {"type": "response.output_text.delta"} | spot | {"delta": piece, "logprobs": []} for piece in split_text(part["text"], chunks)
        ]
        out.append({"type": "response.output_text.done"} | spot | {"text": part["text"], "logprobs": []})
        out.append({"type": "response.content_part.done"} | spot | {"part": part})
    elif item["type"] == "function_call":
        arguments = item["arguments"]
        out += [{"type": "response.function_call_arguments.delta"} | where | {"delta": piece} for piece in split_text(arguments, chunks)]
        out.append({"type": "response.function_call_arguments.done"} | where | {"name": item["name"], "arguments": arguments})
    elif item["type"] == "custom_tool_call":
        out += [{"type": "response.custom_tool_call_input.delta"} | where | {"delta": piece} for piece in split_text(item["input"], chunks)]
        out.append({"type": "response.custom_tool_call_input.done"} | where | {"input": item["input"]})
    else:
        spot = where | {"summary_index": 0}
        text = item["summary"][0]["text"]
        out += [{"type": "response.reasoning_summary_text.delta"} | spot | {"delta": piece} for piece in split_text(text, chunks)]
        out.append({"type": "response.reasoning_summary_text.done"} | spot | {"text": text})
    out.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return out
