"""Answers of the Responses API.

`response.completed` (or `incomplete`, `failed`) carries the whole response and is believed; what came before it is put together
for a stream that ends early, and where a server leaves the output of its last event empty. The answer is one message whose
raw JSON is the list of output items; clients send the items back one by one. Sound stands in no item: it comes in events only.
"""

import msgspec

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.formats.responses.items import read_item
from modular_agents.proxy.wire.growing import Growing
from modular_agents.proxy.wire.openai_usage import responses_usage
from modular_agents.proxy.wire.reading import Answered, Asked, Fault, Piece

MAX_PLACES = 10_000
"""More items, or blocks of an item, than any answer has; bounds what an index in a hostile stream may make us keep."""
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"})


class _Event(msgspec.Struct, gc=False):
    """A piece of text, as it should be. Anything else is read member by member."""

    delta: str
    type: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0


_QUICK = msgspec.json.Decoder(_Event)
_IN_BLOCK = {
    "response.output_text.delta": ("text", "content", "text"),
    "response.refusal.delta": ("refusal", "content", "refusal"),
    "response.reasoning_text.delta": ("thinking", "content", "text"),
    "response.reasoning_summary_text.delta": ("thinking", "summary", "text"),
}
"""Event → kind of part, list of the item, member of the block that grows."""
_IN_ITEM = {
    "response.function_call_arguments.delta": ("tool_use", "arguments"),
    "response.custom_tool_call_input.delta": ("tool_use", "input"),
    "response.mcp_call_arguments.delta": ("server_tool_use", "arguments"),
    "response.code_interpreter_call_code.delta": ("server_tool_use", "code"),
}
"""Event → kind of part, member of the item that grows."""
_HEARD = {"response.audio.delta": "data", "response.audio.transcript.delta": "transcript"}
"""Event → member of the block that sound makes."""
_COMMANDS, _OUTPUTS = "response.shell_call_command.", "response.shell_call_output_content."
_BLOCK_TYPES = {"content": "output_text", "summary": "summary_text"}


class _Item:
    """An output item while its events come."""

    def __init__(self, fields: js.Json) -> None:
        self.own = Growing(fields)
        self.lists: dict[str, dict[int, Growing]] = {}
        self.commands: dict[int, Growing] = {}
        self.outputs: dict[int, Growing | list[object]] = {}
        self.done: js.Json | None = None

    def block(self, key: str, index: int, start: js.Json | None = None) -> Growing | None:
        blocks = self.lists.setdefault(key, {})
        if index not in blocks:
            if index >= MAX_PLACES:
                return None
            blocks[index] = Growing(start if start is not None else {"type": _BLOCK_TYPES[key]})
        return blocks[index]

    def value(self) -> js.Json:
        if self.done is not None:
            return self.done
        grown = {key: [block.value() for _, block in sorted(blocks.items())] for key, blocks in self.lists.items()}
        whole = {**self.own.value(), **grown}
        if self.commands:
            commands = [command.value()["command"] for _, command in sorted(self.commands.items())]
            whole["action"] = {**js.obj(whole.get("action")), "commands": commands}
        if self.outputs:
            written = [output for _, output in sorted(self.outputs.items())]
            whole["output"] = [piece for output in written for piece in ([output.value()] if isinstance(output, Growing) else output)]
        return whole

    def shell(self, kind: str, event: js.Json) -> None:
        """Take a command of a shell, or what it wrote: whole at first or at the end, in pieces between."""
        at = js.count(event.get("command_index")) or 0
        if at >= MAX_PLACES:
            return
        if kind.startswith(_COMMANDS):
            if isinstance(event.get("command"), str):
                self.commands[at] = Growing({"command": event["command"]})
            else:
                self.commands.setdefault(at, Growing({"command": ""})).append("command", js.fragment(event.get("delta")))
        elif "output" in event:
            self.outputs[at] = js.arr(event["output"])
        else:
            written, piece = self.outputs.get(at), js.obj(event.get("delta"))
            if not isinstance(written, Growing):
                written = self.outputs[at] = Growing({"stdout": "", "stderr": ""})
            for key in ("stdout", "stderr"):
                written.append(key, js.fragment(piece.get(key)))


class ResponsesFold:
    """One answer of the Responses API."""

    def __init__(self, _asked: Asked) -> None:
        self._items: dict[int, _Item] = {}
        self._places: dict[tuple[int, str, int], int] = {}
        self._output: list[bytes] = []
        self._sound = Growing({})
        self._top: js.Json = {}
        self._usage_raw: bytes | None = None
        self._fault: Fault | None = None
        self._ended = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one event; its name is repeated in the data, which is believed."""
        try:
            quick = _QUICK.decode(data)
        except (ValueError, RecursionError):
            return self._event(name, data)
        item = self._items.get(quick.output_index)
        if item is None:
            return self._event(name, data)
        if quick.type in _IN_BLOCK:
            kind, key, member = _IN_BLOCK[quick.type]
            index = quick.content_index if key == "content" else quick.summary_index
            block = item.block(key, index)
            if block is not None:
                block.append(member, quick.delta)
            return [Piece(self._place(quick.output_index, key, index), kind, quick.delta)] if block and quick.delta else []
        if quick.type in _IN_ITEM:
            kind, member = _IN_ITEM[quick.type]
            item.own.append(member, quick.delta)
            return [Piece(self._place(quick.output_index, member, 0), kind, quick.delta)] if quick.delta else []
        return self._event(name, data)

    def whole(self, body: bytes) -> None:
        """Take a whole response object, or an error object."""
        self._response(body)
        self._ended = self._unreadable is None

    def answered(self) -> Answered:
        """Return what has come together."""
        raws = self._output or [js.compact(item.value()) for _, item in sorted(self._items.items())]
        if sound := self._sound.value():
            raws = [*raws, js.compact({"type": "message", "role": "assistant", "content": [{"type": "output_audio", **sound}]})]
        answers = (self._answer(raws),) if raws else ()
        usage = responses_usage(self._top.get("usage"), self._usage_raw, ended=self._ended)
        model, answer_id, tier = (js.string(self._top.get(key)) for key in ("model", "id", "service_tier"))
        is_late = self._top.get("background") is True
        return Answered(answers, model, answer_id, self._finish(), usage, self._fault, tier, self._ended, self._unreadable, is_late)

    def _event(self, name: str, data: bytes) -> list[Piece]:
        """Take an event that is no plain piece of text."""
        try:
            slices = js.members(data)
            kind = js.text(slices.get("type")) or name
            if kind in _LAST or kind in {"response.created", "response.in_progress", "response.queued"}:
                self._response(slices.get("response", b"null"))
                self._ended = self._ended or kind in _LAST
                return []
            event = js.obj(js.parse(data))
        except ValueError as error:
            self._unreadable = self._unreadable or f"event {name or 'without name'}: {error}"
            return []
        if kind == "error":
            self._fault, self._ended = _fault(js.obj(event.get("error")) or event), True
            return []
        return self._part(kind, event)

    def _part(self, kind: str, event: js.Json) -> list[Piece]:
        """Take the beginning or the end of an item or a block, or a piece for an item that never began."""
        index = js.count(event.get("output_index")) or 0
        if index >= MAX_PLACES:
            return []
        fields = js.obj(event.get("item"))
        if kind == "response.output_item.added":
            self._items[index] = item = _Item(fields)
            return self._begin(index, item, fields)
        if kind == "response.output_item.done" and fields:
            self._items.setdefault(index, _Item(fields)).done = fields
        elif kind == "response.content_part.added":
            self._items.setdefault(index, _Item({"type": "message", "role": "assistant"})).block(
                "content", js.count(event.get("content_index")) or 0, js.obj(event.get("part"))
            )
        elif kind == "response.output_text.annotation.added" and index in self._items:
            block = self._items[index].block("content", js.count(event.get("content_index")) or 0)
            if block is not None:
                block.extend("annotations", [event.get("annotation")])
        elif kind.startswith((_COMMANDS, _OUTPUTS)):
            self._items.setdefault(index, _Item({"type": "shell_call" if kind.startswith(_COMMANDS) else "shell_call_output"})).shell(
                kind, event
            )
        elif kind in _HEARD:
            self._sound.append(_HEARD[kind], js.fragment(event.get("delta")))
        elif kind in _IN_BLOCK or kind in _IN_ITEM:
            return self._piece(kind, index, event)
        return []

    def _piece(self, kind: str, index: int, event: js.Json) -> list[Piece]:
        """Take a piece that has an unusual member, or belongs to an item that never began: again, as it should be."""
        if index not in self._items:
            self._items[index] = _Item({"type": "reasoning"} if "reasoning" in kind else {"type": "message", "role": "assistant"})
        places = {name: min(js.count(event.get(name)) or 0, MAX_PLACES) for name in ("content_index", "summary_index")}
        plain = {"type": kind, "delta": js.mend(js.fragment(event.get("delta"))), "output_index": index, **places}
        return self.event("", js.compact(plain))

    def _begin(self, index: int, item: _Item, fields: js.Json) -> list[Piece]:
        """Announce a tool use; take over the blocks an item begins with."""
        for key in ("content", "summary"):
            for at, block in enumerate(js.arr(fields.get(key))[:MAX_PLACES]):
                item.block(key, at, js.obj(block))
        kind = js.string(fields.get("type"))
        member = {"function_call": "arguments", "custom_tool_call": "input"}.get(kind or "")
        return [Piece(self._place(index, member, 0), "tool_use", "", js.string(fields.get("name")))] if member else []

    def _place(self, index: int, member: str, at: int) -> int:
        return self._places.setdefault((index, member, at), len(self._places))

    def _response(self, raw: bytes) -> None:
        """Take a response object: the last one said counts, member by member."""
        try:
            slices = js.members(raw)
            fields = {key: js.parse(value) for key, value in slices.items() if key in _READ}
            output = js.list_of(slices.get("output"))
        except ValueError as error:
            self._unreadable = self._unreadable or str(error)
            return
        self._top.update({key: value for key, value in fields.items() if value is not None})
        self._output = output or self._output
        self._usage_raw = slices["usage"] if self._top.get("usage") and slices.get("usage", b"null") != b"null" else self._usage_raw
        error_fields = fields.get("error")
        if error_fields:
            self._fault = _fault(js.obj(error_fields)) if isinstance(error_fields, dict) else Fault("error", js.string(error_fields) or "")

    def _finish(self) -> str | None:
        reason = js.string(js.obj(self._top.get("incomplete_details")).get("reason"))
        status = js.string(self._top.get("status"))
        return reason or (None if status in {"in_progress", "queued"} and not self._ended else status)

    def _answer(self, raws: list[bytes]) -> Message:
        whole = b"[" + b",".join(raws) + b"]"
        try:
            parts = tuple(part for raw in raws for part in read_item(raw).parts)
        except ValueError as error:
            self._unreadable = str(error)
            parts = (Part("other", raw=whole),)
        return Message("assistant", parts, whole, digest("assistant", parts))


_READ = frozenset({"id", "model", "status", "service_tier", "usage", "error", "incomplete_details", "background"})


def _fault(error: js.Json) -> Fault:
    kind = js.string(error.get("code")) or js.string(error.get("type")) or "error"
    return Fault(kind, js.string(error.get("message")) or "")
