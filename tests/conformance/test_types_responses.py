"""Every item, content block and event that the official OpenAI SDK has a type for in the Responses API: read, kept, folded like the whole.

A release of the SDK with a new type, or a new text in a type, fails here until it is said below what becomes of it.
"""

import json
from itertools import count
from typing import Any

import pytest
from openai.types import responses as sdk
from openai.types.responses import response_input_item_param as sdk_input
from tests.support.sdk_types import Json, Sampler, comparable, dumps, lost, members, tag
from tests.support.wire_corpus import exchange
from tests.support.wire_streams import sse

from modular_agents.proxy.model.call import Call, Message, Part
from modular_agents.proxy.model.exchange import Outcome
from modular_agents.proxy.wire.reader import read_call

KINDS = {
    "message": ("assistant", "text"),
    "reasoning": ("assistant", "thinking"),
    "function_call": ("assistant", "tool_use"),
    "custom_tool_call": ("assistant", "tool_use"),
    "computer_call": ("assistant", "tool_use"),
    "local_shell_call": ("assistant", "tool_use"),
    "shell_call": ("assistant", "tool_use"),
    "apply_patch_call": ("assistant", "tool_use"),
    "function_call_output": ("tool", "tool_result"),
    "custom_tool_call_output": ("tool", "tool_result"),
    "computer_call_output": ("tool", "tool_result"),
    "local_shell_call_output": ("tool", "tool_result"),
    "shell_call_output": ("tool", "tool_result"),
    "apply_patch_call_output": ("tool", "tool_result"),
    # Run by OpenAI inside the answer. A search for tools is the client's where it says `client` (a case of its own below).
    "file_search_call": ("assistant", "server_tool_use"),
    "web_search_call": ("assistant", "server_tool_use"),
    "image_generation_call": ("assistant", "server_tool_use"),
    "code_interpreter_call": ("assistant", "server_tool_use"),
    "mcp_call": ("assistant", "server_tool_use"),
    "tool_search_call": ("assistant", "server_tool_use"),
    "tool_search_output": ("assistant", "server_tool_result"),
    "program": ("assistant", "server_tool_use"),
    "program_output": ("assistant", "server_tool_result"),
    # Neither said nor done. Asking for leave and giving it is no use of the tool: that is an `mcp_call` of its own.
    "mcp_list_tools": ("assistant", "other"),
    "mcp_approval_request": ("assistant", "other"),
    "mcp_approval_response": ("user", "other"),
    # What only OpenAI can read, or what stands for an item that is not here.
    "compaction": ("assistant", "other"),
    "compaction_trigger": ("user", "other"),
    "item_reference": ("assistant", "other"),
    # Tools and settings that stand among the input: the tools count as the request's.
    "additional_tools": ("developer", "other"),
    "configuration_update": ("user", "other"),
}
"""Type of an item → the role it is read with, and the kind of its first part."""
UNREAD = frozenset(
    {
        # for machines: an item's id beside the id that results refer to, fingerprints, what only OpenAI can read, encoded media
        *("id", "fingerprint", "encrypted_content", "container_id", "result", "image_url", "file_data", "file_id", "file_url", "url"),
        # who made an item or called a tool, where a shell stood, a server's label beside the tool's name
        *("created_by", "caller", "environment", "namespace", "server_label", "approval_request_id"),
        # citations and probabilities stand beside a text; they stay in the block's raw JSON
        *("annotations", "logprobs"),
        # warnings beside a click, and their acknowledgement
        *("pending_safety_checks", "acknowledged_safety_checks"),
        # of tools, all but their names; of a file that was found, all but its name and text; of a picture, all but its prompt
        *("description", "input_schema", "attributes", "svg_usage", "image_generation_call.size", "additional_tools.tools"),
        # settings; and of a picture that was refused, all but code and message
        *("configuration_update.reasoning", "configuration_update.text", "param", "moderation_details"),
    }
)
NAMES = {
    "local_shell_call": "local_shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "computer_call": "computer",
}
TOOL = {"type": "function", "name": "name·0·", "parameters": {}, "strict": True}
SAMPLER = Sampler(
    {"ResponseToolSearchOutputItemParamParam.tools": [TOOL], "ResponseToolSearchOutputItem.tools": [TOOL], "AdditionalTools.tools": [TOOL]}
    | {"async": ..., "async_": ..., "execution": "server", "result": "AAAA", "role": ..., "index": 0, "end_index": 5, "start_index": 0}
    | {"ResponseComputerToolCall.action": ..., "ResponseComputerToolCallParam.action": ...}
    | {"ImageGenerationCallError.type": "image_generation_error"}
    | {"ItemReference.type": "item_reference", "AdditionalTools.role": "developer"}
    | {f"{kind}.role": "assistant" for kind in ("ResponseOutputMessage", "ResponseOutputMessageParam", "EasyInputMessageParam", "Message")}
)
SENT = members(sdk.ResponseInputItemParam)
ANSWERED = members(sdk.ResponseOutputItem)


def asked(item: Json) -> Message:
    call = read_call(exchange(dumps({"model": "m", "input": [item]}), None, target="/v1/responses", upstream="openai"))
    assert call.unreadable is None
    return call.messages[0]


def answered(*items: Json) -> Call:
    body = dumps({"id": "resp_1", "status": "completed", "model": "m", "output": items, "usage": None})
    return read_call(exchange("{}", body, target="/v1/responses", upstream="openai"))


def streamed(*events: Json, outcome: Outcome = Outcome.COMPLETE) -> Call:
    body = sse([(event["type"], event) for event in events])
    return read_call(exchange("{}", body, target="/v1/responses", upstream="openai", content_type="text/event-stream", outcome=outcome))


def first_kind(item: Json) -> str:
    if item["type"] == "message" and isinstance(item["content"], list):
        kind: str = item["content"][0]["type"]
        return {"input_image": "image", "input_file": "document", "refusal": "refusal"}.get(kind, "text")
    return KINDS[item["type"]][1]


def failed(item: Json) -> bool | None:
    return True if item.get("status") == "failed" or item.get("error") else None


def check(item: Json, parts: tuple[Part, ...], raw: bytes) -> None:
    first, results = parts[0], [part for part in parts if part.kind.endswith("tool_result")]
    assert first.kind == first_kind(item)
    assert raw == dumps(item)
    assert lost(item, [Message("", parts, raw, b"")], UNREAD) == []
    tool_id = item.get("call_id") or item.get("id")
    if "tool_use" in first.kind:
        assert (first.tool_id, first.name) == (tool_id, item.get("name") or NAMES.get(item["type"], item["type"]))
    if results:
        assert {part.tool_id for part in parts} == {tool_id}
        assert results[0].is_error == failed(item)
    if item.get("status") == "failed" and item["type"] in KINDS:
        assert results


@pytest.mark.parametrize("kind", SENT, ids=lambda kind: kind.__name__)
def test_every_item_of_a_request(kind: type) -> None:
    for item in SAMPLER.variants(kind):
        message = asked(item)
        assert message.role == KINDS[item["type"]][0]
        check(item, message.parts, message.raw)


@pytest.mark.parametrize("kind", ANSWERED, ids=lambda kind: kind.__name__)
def test_every_item_of_an_answer_whole_and_streamed(kind: type) -> None:
    for item in SAMPLER.variants(kind):
        whole = answered(item)
        assert whole.unreadable is None
        check(item, whole.answers[0].parts, whole.answers[0].raw[1:-1])
        begun = {key: value for key, value in item.items() if key not in {"content", "summary"}}
        added, done = (
            {"type": f"response.output_item.{what}", "output_index": 0, "item": one} for what, one in (("added", begun), ("done", item))
        )
        last = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "model": "m", "output": []}}
        stream = streamed(added, done, last)
        assert stream.unreadable is None
        assert list(map(comparable, stream.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))
        assert stream.answers[0].digest == whole.answers[0].digest


@pytest.mark.parametrize("kind", [sdk_input.ToolSearchCall, sdk_input.ResponseToolSearchOutputItemParamParam], ids=["call", "output"])
def test_a_search_for_tools_that_the_client_runs(kind: type) -> None:
    message = asked(SAMPLER.sample(kind, execution="client"))
    found = (message.role, message.parts[0].kind, message.parts[0].name)
    assert found in {("assistant", "tool_use", "tool_search"), ("tool", "tool_result", None)}


def test_a_click_alone_and_clicks_in_a_list_are_what_a_computer_is_asked() -> None:
    click = {"type": "click", "button": "left", "x": 1, "y": 2}
    for action in ({"action": click}, {"actions": [click]}, {"action": None, "actions": [click]}):
        part = asked({"type": "computer_call", "call_id": "c", "id": "i"} | action).parts[0]
        assert json.loads(part.arguments or "") in (click, [click])


def test_an_item_that_only_has_an_id_stands_for_another() -> None:
    message = asked({"id": "msg_1"})
    assert (message.role, [(part.kind, part.name, part.raw) for part in message.parts]) == (
        "assistant",
        [("other", "item_reference", b'{"id":"msg_1"}')],
    )


def test_leave_that_a_client_gives_is_not_the_assistants() -> None:
    """As the assistant's it would be taken for a piece of the answer before it, which then would look like another."""
    given = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False, "reason": "too dear"}
    message = asked(given)
    assert (message.role, message.parts[0].text, message.parts[0].tool_id) == ("user", "not approved\ntoo dear", "mcpr_1")
    assert asked(given | {"approve": True, "reason": None}).parts[0].text == "approved"


# What becomes of each event. `SHOWN`: it adds to the item it belongs to, as the streams below show. `REPEATED`: it says again, or ends,
# what others brought. `STEP`: how far a tool of OpenAI's is, which the item says at its end. `UNREAD_EVENT`: kept in the bytes only.
SHOWN, REPEATED, STEP, UNREAD_EVENT = "shown", "repeated", "step", "unread"
EVENTS = {
    "response.created": SHOWN,
    "response.queued": SHOWN,
    "response.in_progress": SHOWN,
    "response.completed": SHOWN,
    "response.failed": SHOWN,
    "response.incomplete": SHOWN,
    "error": SHOWN,
    "response.output_item.added": SHOWN,
    "response.output_item.done": SHOWN,
    "response.content_part.added": SHOWN,
    "response.content_part.done": REPEATED,
    "response.output_text.delta": SHOWN,
    "response.output_text.done": REPEATED,
    "response.output_text.annotation.added": SHOWN,
    "response.refusal.delta": SHOWN,
    "response.refusal.done": REPEATED,
    "response.reasoning_text.delta": SHOWN,
    "response.reasoning_text.done": REPEATED,
    "response.reasoning_summary_part.added": REPEATED,
    "response.reasoning_summary_part.done": REPEATED,
    "response.reasoning_summary_text.delta": SHOWN,
    "response.reasoning_summary_text.done": REPEATED,
    "response.function_call_arguments.delta": SHOWN,
    "response.function_call_arguments.done": REPEATED,
    "response.custom_tool_call_input.delta": SHOWN,
    "response.custom_tool_call_input.done": REPEATED,
    "response.mcp_call_arguments.delta": SHOWN,
    "response.mcp_call_arguments.done": REPEATED,
    "response.code_interpreter_call_code.delta": SHOWN,
    "response.code_interpreter_call_code.done": REPEATED,
    "response.shell_call_command.added": SHOWN,
    "response.shell_call_command.delta": SHOWN,
    "response.shell_call_command.done": SHOWN,
    "response.shell_call_output_content.delta": SHOWN,
    "response.shell_call_output_content.done": SHOWN,
    "response.audio.delta": SHOWN,
    "response.audio.done": REPEATED,
    "response.audio.transcript.delta": SHOWN,
    "response.audio.transcript.done": REPEATED,
    "response.code_interpreter_call.in_progress": STEP,
    "response.code_interpreter_call.interpreting": STEP,
    "response.code_interpreter_call.completed": STEP,
    "response.compaction.compacting": STEP,
    "response.file_search_call.in_progress": STEP,
    "response.file_search_call.searching": STEP,
    "response.file_search_call.completed": STEP,
    "response.web_search_call.in_progress": STEP,
    "response.web_search_call.searching": STEP,
    "response.web_search_call.completed": STEP,
    "response.image_generation_call.in_progress": STEP,
    "response.image_generation_call.generating": STEP,
    "response.image_generation_call.completed": STEP,
    "response.mcp_call.in_progress": STEP,
    "response.mcp_call.completed": STEP,
    "response.mcp_call.failed": STEP,
    "response.mcp_list_tools.in_progress": STEP,
    "response.mcp_list_tools.completed": STEP,
    "response.mcp_list_tools.failed": STEP,
    # A sketch of a picture, replaced by the next one and by the picture.
    "response.image_generation_call.partial_image": UNREAD_EVENT,
}
EVENT_SAMPLER = Sampler({"output_index": 0, "content_index": 0, "summary_index": 0, "command_index": 0})


def test_every_event_is_known() -> None:
    assert {tag(kind) for kind in members(sdk.ResponseStreamEvent)} == EVENTS.keys()


@pytest.mark.parametrize("kind", members(sdk.ResponseStreamEvent), ids=tag)
def test_every_event_is_read_wherever_it_comes(kind: type) -> None:
    """Alone, after another, and with members that are not what they should be: a call each time, and nothing unreadable."""
    by_hand = {"response": {"id": "resp_1", "status": "in_progress", "output": []}, "item": {"type": "message", "content": []}}
    event = EVENT_SAMPLER.sample(kind, **{name: value for name, value in by_hand.items() if name in kind.model_fields})
    odd = {name: [value] for name, value in event.items() if name not in {"type", "response", "item"}}
    bare = {name: value for name, value in event.items() if name in {"type", "response"}}
    for events in ([event], [event, event], [event | odd], [bare]):
        assert streamed(*events, outcome=Outcome.UPSTREAM_CUT).unreadable is None


Step = tuple[str, dict[str, Any]]
TEXT = {"type": "output_text", "text": "", "annotations": []}
NOTE = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
STREAMS: dict[str, tuple[Json, Json, list[Step]]] = {
    "text": (
        {"type": "message", "role": "assistant", "content": []},
        {"content": [{"type": "output_text", "text": "Hello", "annotations": [NOTE]}]},
        [
            ("content_part.added", {"part": TEXT}), ("output_text.delta", {"delta": "Hel"}), ("output_text.delta", {"delta": "lo"}),
            ("output_text.annotation.added", {"annotation": NOTE, "annotation_index": 0}), ("output_text.done", {"text": "Hello"}),
        ],
    ),
    "refusal": (
        {"type": "message", "role": "assistant", "content": []},
        {"content": [{"type": "refusal", "refusal": "No."}]},
        [("content_part.added", {"part": {"type": "refusal", "refusal": ""}}), ("refusal.delta", {"delta": "No."})],
    ),
    "thinking": (
        {"type": "reasoning", "summary": []},
        {"content": [{"type": "reasoning_text", "text": "Hm."}]},
        [("content_part.added", {"part": {"type": "reasoning_text", "text": ""}}), ("reasoning_text.delta", {"delta": "Hm."})],
    ),
    "summary": (
        {"type": "reasoning", "summary": []},
        {"summary": [{"type": "summary_text", "text": "Hm."}]},
        [("reasoning_summary_part.added", {"part": {"type": "summary_text"}}), ("reasoning_summary_text.delta", {"delta": "Hm."})],
    ),
    "function": (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
        {"arguments": '{"a":1}'},
        [("function_call_arguments.delta", {"delta": '{"a'}), ("function_call_arguments.delta", {"delta": '":1}'})],
    ),
    "custom": (
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": ""},
        {"input": "free text"},
        [("custom_tool_call_input.delta", {"delta": "free text"})],
    ),
    "mcp": (
        {"type": "mcp_call", "id": "m", "name": "f", "server_label": "s", "arguments": ""},
        {"arguments": "{}"},
        [("mcp_call_arguments.delta", {"delta": "{}"})],
    ),
    "code": (
        {"type": "code_interpreter_call", "id": "i", "code": "", "container_id": "c"},
        {"code": "print(1)"},
        [("code_interpreter_call_code.delta", {"delta": "print"}), ("code_interpreter_call_code.delta", {"delta": "(1)"})],
    ),
    "shell": (
        {"type": "shell_call", "call_id": "c", "action": {"commands": [], "timeout_ms": 9}},
        {"action": {"commands": ["ls -l", "pwd"], "timeout_ms": 9}},
        [
            ("shell_call_command.added", {"command": ""}), ("shell_call_command.delta", {"delta": "ls"}),
            ("shell_call_command.delta", {"delta": " -l"}), ("shell_call_command.added", {"command_index": 1, "command": "pwd"}),
            ("shell_call_command.done", {"command": "ls -l"}),
        ],
    ),
    "shell's output in pieces": (
        {"type": "shell_call_output", "call_id": "c", "output": []},
        {"output": [{"stdout": "ab", "stderr": "c"}]},
        [
            ("shell_call_output_content.delta", {"delta": {"stdout": "a"}}),
            ("shell_call_output_content.delta", {"delta": {"stdout": "b", "stderr": "c"}}),
        ],
    ),
    "shell's output": (
        {"type": "shell_call_output", "call_id": "c", "output": []},
        {"output": [{"stdout": "ab", "stderr": "c", "outcome": {"type": "exit", "exit_code": 0}}]},
        [
            ("shell_call_output_content.delta", {"delta": {"stdout": "a"}}),
            ("shell_call_output_content.done", {"output": [{"stdout": "ab", "stderr": "c", "outcome": {"type": "exit", "exit_code": 0}}]}),
        ],
    ),
}  # fmt: skip
"""An item as it begins, what its events make of it, and those events (without `response.` and places)."""
ALONE = {"response.audio.delta", "response.audio.transcript.delta"}
"""Sound belongs to no item."""


@pytest.mark.parametrize("name", STREAMS)
def test_an_item_from_its_pieces_alone(name: str) -> None:
    """As where a stream is cut before the item's end: what came is the item as far as it goes, and reads as the whole."""
    begun, grown, steps = STREAMS[name]
    events: list[Json] = [{"type": "response.output_item.added", "output_index": 0, "item": begun}]
    events += [
        {"type": f"response.{kind}", "output_index": 0, "content_index": 0, "summary_index": 0, "command_index": 0} | more
        for kind, more in steps
    ]
    call, whole = streamed(*events, outcome=Outcome.UPSTREAM_CUT), answered(begun | grown)
    assert json.loads(call.answers[0].raw) == [begun | grown]
    assert list(map(comparable, call.answers[0].parts)) == list(map(comparable, whole.answers[0].parts))


def test_the_streams_above_have_every_piece() -> None:
    sent = {f"response.{kind}" for _, _, steps in STREAMS.values() for kind, _ in steps}
    assert {
        kind for kind, fate in EVENTS.items() if fate == SHOWN and (".delta" in kind or "command" in kind or "annotation" in kind)
    } <= sent | ALONE


def test_sound_that_stands_in_no_item_is_a_part() -> None:
    number = count()
    events = [
        {"type": kind, "delta": delta, "sequence_number": next(number)}
        for kind, delta in (
            ("response.audio.delta", "AAAA"),
            ("response.audio.transcript.delta", "Hel"),
            ("response.audio.transcript.delta", "lo"),
        )
    ]
    last = {"type": "response.completed", "response": {"status": "completed", "output": []}}
    (part,) = streamed(*events, last).answers[0].parts
    assert (part.kind, part.text) == ("audio", "Hello")
    assert json.loads(part.raw) == {"type": "output_audio", "data": "AAAA", "transcript": "Hello"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    both = streamed({"type": "response.output_item.added", "output_index": 0, "item": said}, *events, last)
    assert [part.kind for part in both.answers[0].parts] == ["text", "audio"]
