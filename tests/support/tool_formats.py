"""A question, two uses of tools, their results and a last answer, as clients and providers of each format write them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support.wire_corpus import START_NS, exchange

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.wire.reader import read_call

SECOND = 1_000_000_000
Json = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """How a format writes a question, an answer with two tool uses (read a.py, run ls), their results, and a last answer."""

    target: str
    upstream: str
    asks: Sequence[Json]
    answer: Json
    echo: Sequence[Json]
    """The answer as it is sent back."""
    results: Sequence[Json]
    last: Json
    body: Json
    list_name: str = "messages"
    pairing: str = "id"
    error: bool | None = None
    """Whether the second result says that it failed, where the format can say so."""
    tools: tuple[str, str] = ("read_file", "bash")
    arguments: tuple[object, object] = ({"path": "a.py"}, {"command": "ls"})
    is_named: bool = False
    """The client names the conversation: what it sends back is not what was answered."""


def _use(name: str, arguments: Json, tool_id: str) -> Json:
    return {"type": "tool_use", "id": tool_id, "name": name, "input": arguments}


READ, LS = {"path": "a.py"}, {"command": "ls"}
ANTHROPIC = [_use("read_file", READ, "toolu_1"), _use("bash", LS, "toolu_2")]
USAGE = {"input_tokens": 10, "output_tokens": 5}
CHAT = [
    {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
    for n, name, given in ((1, "read_file", READ), (2, "bash", LS))
]
FUNCTION = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read_file", "arguments": json.dumps(READ)}
CUSTOM = {"type": "custom_tool_call", "id": "ctc_2", "call_id": "call_2", "name": "bash", "input": "ls"}
OUTPUTS = [
    {"type": "function_call_output", "call_id": "call_1", "output": "print('a')"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": "no such file"},
]
GEMINI = [{"functionCall": {"name": "read_file", "args": READ}}, {"functionCall": {"name": "bash", "args": LS}}]
GEMINI_RESULTS = [
    {"functionResponse": {"name": "read_file", "response": {"output": "print('a')"}}},
    {"functionResponse": {"name": "bash", "response": {"error": "no such file"}}},
]
OLLAMA = [{"function": {"name": "read_file", "arguments": READ}}, {"function": {"name": "bash", "arguments": LS}}]
CONVERSE = [
    {"toolUse": {"toolUseId": "tooluse_1", "name": "read_file", "input": READ}},
    {"toolUse": {"toolUseId": "tooluse_2", "name": "bash", "input": LS}},
]


def chat(message: Json, reason: str) -> Json:
    whole = {"role": "assistant", "content": None} | message
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, "message": whole, "finish_reason": reason}]}


def _responses(number: int, *items: Json) -> Json:
    return {"id": f"resp_{number}", "object": "response", "status": "completed", "output": list(items)}


def _gemini(*parts: Json) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}]}


SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It prints a."}]}
FORMATS = {
    "anthropic": Format(
        "/v1/messages",
        "anthropic",
        [{"role": "user", "content": "Look at a.py"}],
        {"id": "msg_1", "type": "message", "role": "assistant", "content": ANTHROPIC, "stop_reason": "tool_use", "usage": USAGE},
        [{"role": "assistant", "content": ANTHROPIC}],
        [
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "print('a')"}]},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True},
                ],
            }
        ],
        {"id": "msg_2", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Done"}], "stop_reason": "end_turn"},
        {"model": "claude-sonnet-4-5", "max_tokens": 100},
        error=True,
    ),
    "chat": Format(
        "/v1/chat/completions",
        "openai",
        [{"role": "user", "content": "Look at a.py"}],
        chat({"tool_calls": CHAT}, "tool_calls"),
        [{"role": "assistant", "content": None, "tool_calls": CHAT}],
        [
            {"role": "tool", "tool_call_id": "call_1", "content": "print('a')"},
            {"role": "tool", "tool_call_id": "call_2", "content": "no such file"},
        ],
        chat({"content": "Done"}, "stop"),
        {"model": "gpt-5.1"},
    ),
    "responses": Format(
        "/v1/responses",
        "openai",
        [{"role": "user", "content": "Look at a.py"}],
        _responses(1, FUNCTION, CUSTOM),
        [FUNCTION, CUSTOM],
        OUTPUTS,
        _responses(2, SAID),
        {"model": "gpt-5.1", "store": False},
        "input",
        arguments=(READ, "ls"),
    ),
    "responses, each result after its use": Format(
        "/v1/responses",
        "openai",
        [{"role": "user", "content": "Look at a.py"}],
        _responses(1, FUNCTION, CUSTOM),
        [FUNCTION, OUTPUTS[0], CUSTOM],
        [OUTPUTS[1]],
        _responses(2, SAID),
        {"model": "gpt-5.1", "store": False},
        "input",
        arguments=(READ, "ls"),
        is_named=True,
    ),
    "gemini": Format(
        "/v1beta/models/gemini-3-pro:generateContent",
        "gemini",
        [{"role": "user", "parts": [{"text": "Look at a.py"}]}],
        _gemini(*GEMINI),
        [{"role": "model", "parts": GEMINI}],
        [{"role": "user", "parts": GEMINI_RESULTS}],
        _gemini({"text": "Done"}),
        {},
        "contents",
        pairing="name",
        error=True,
    ),
    "ollama": Format(
        "/api/chat",
        "ollama",
        [{"role": "user", "content": "Look at a.py"}],
        {"model": "llama3.3", "message": {"role": "assistant", "content": "", "tool_calls": OLLAMA}, "done": True, "done_reason": "stop"},
        [{"role": "assistant", "content": "", "tool_calls": OLLAMA}],
        [
            {"role": "tool", "tool_name": "read_file", "content": "print('a')"},
            {"role": "tool", "tool_name": "bash", "content": "no such file"},
        ],
        {"model": "llama3.3", "message": {"role": "assistant", "content": "Done"}, "done": True, "done_reason": "stop"},
        {"model": "llama3.3", "stream": False},
        pairing="name",
    ),
    "ollama without names": Format(
        "/api/chat",
        "ollama",
        [{"role": "user", "content": "Look at a.py"}],
        {"model": "llama3.3", "message": {"role": "assistant", "content": "", "tool_calls": OLLAMA}, "done": True, "done_reason": "stop"},
        [{"role": "assistant", "content": "", "tool_calls": OLLAMA}],
        [{"role": "tool", "content": "print('a')"}, {"role": "tool", "content": "no such file"}],
        {"model": "llama3.3", "message": {"role": "assistant", "content": "Done"}, "done": True, "done_reason": "stop"},
        {"model": "llama3.3", "stream": False},
        pairing="name",
    ),
    "converse": Format(
        "/model/claude/converse",
        "bedrock",
        [{"role": "user", "content": [{"text": "Look at a.py"}]}],
        {"output": {"message": {"role": "assistant", "content": CONVERSE}}, "stopReason": "tool_use"},
        [{"role": "assistant", "content": CONVERSE}],
        [
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "print('a')"}], "status": "success"}},
                    {"toolResult": {"toolUseId": "tooluse_2", "content": [{"text": "no such file"}], "status": "error"}},
                ],
            }
        ],
        {"output": {"message": {"role": "assistant", "content": [{"text": "Done"}]}}, "stopReason": "end_turn"},
        {},
        error=True,
    ),
    "tool uses, results as a user's text": Format(
        "/v1/chat/completions",
        "openai",
        [{"role": "user", "content": "Look at a.py"}],
        chat({"tool_calls": CHAT}, "tool_calls"),
        [{"role": "assistant", "content": "I look."}],
        [{"role": "user", "content": "Tool result from read_file: print('a')\n\nTool result from bash: no such file"}],
        chat({"content": "Done"}, "stop"),
        {"model": "gpt-5.1"},
        pairing="text",
        is_named=True,
    ),
    "all in plain text": Format(
        "/v1/chat/completions",
        "openai",
        [{"role": "user", "content": "Look at a.py"}],
        chat(
            {"content": f"I look. {json.dumps({'tool': 'read_file', 'input': READ})} and {json.dumps({'tool': 'bash', 'input': LS})}"},
            "stop",
        ),
        [
            {
                "role": "assistant",
                "content": f"I look. {json.dumps({'tool': 'read_file', 'input': READ})} and {json.dumps({'tool': 'bash', 'input': LS})}",
            }
        ],
        [
            {"role": "user", "content": "Tool result from read_file: print('a')"},
            {"role": "user", "content": "Tool result from bash: no such file"},
        ],
        chat({"content": "Done"}, "stop"),
        {"model": "gpt-5.1"},
        pairing="text",
        arguments=({"tool": "read_file", "input": READ}, {"tool": "bash", "input": LS}),
    ),
}


def call_of(form: Format, name: str, sent: Sequence[Json], answer: Json, at_s: float, *, status: int = 200, **more: object) -> Call:
    """A call that takes a second, read from its bytes."""
    made = exchange(
        json.dumps(form.body | {form.list_name: list(sent)} | more),
        json.dumps(answer),
        target=form.target,
        upstream=form.upstream,
        status=status,
        request_headers=(("thread-id", "t1"), ("session-id", "s1")) if form.is_named else (),
    )
    start = START_NS + round(at_s * SECOND)
    return read_call(replace(made, call_id=f"01JTOOLS0000000000000{name:0>5}", started_ns=start, ended_ns=start + SECOND))
