"""Answers of the Messages API.

Usage in a stream is cumulative: what `message_start` says holds until a `message_delta` says otherwise. An error may come
as an event inside a 200. Unknown deltas are kept: their strings are appended to the block, the rest is set. A `fallback`
block names the model that goes on; an answer that is not streamed names that one as its own.
"""

from dataclasses import replace

import msgspec

from modular_agents.proxy.model.call import Message, Part, Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.estimate import answer_tokens
from modular_agents.proxy.wire.formats.anthropic.blocks import read_blocks
from modular_agents.proxy.wire.growing import Growing
from modular_agents.proxy.wire.reading import NO_USAGE, Answered, Asked, Fault, Piece
from modular_agents.proxy.wire.shape import ABSENT, Shape

MAX_BLOCKS = 10_000
"""More blocks than any answer has; bounds what an index in a hostile stream may make us keep."""


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""


class _Event(msgspec.Struct, gc=False):
    """By far the most frequent event: a piece of text, as it should be. Anything else is read member by member."""

    delta: _Delta
    type: str = ""
    index: int = 0


class _Answer(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    content: msgspec.Raw = ABSENT
    usage: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT


_QUICK, _ANSWER = msgspec.json.Decoder(_Event), Shape(_Answer)


class _Block(Growing):
    """A content block while its deltas come."""

    def __init__(self, start: js.Json) -> None:
        super().__init__(start)
        self.kind = js.string(start.get("type")) or "other"
        self.json: list[str] = []

    def raw(self) -> bytes:
        return js.compact({**self.value(), "input": _input("".join(self.json))} if self.json else self.value())


def _input(text: str) -> object:
    """Return a tool's input as it was streamed; one that was cut is kept as text."""
    data = js.mend(text).encode()
    try:
        js.parse_strictly(data)
    except ValueError:
        return js.mend(text)
    return js.raw(data)


class MessagesFold:
    """One answer of the Messages API."""

    def __init__(self, asked: Asked) -> None:
        before = asked.messages[-1] if asked.messages else None
        self._prefilled = before.parts if before and before.role == "assistant" else ()
        self._blocks: dict[int, _Block] = {}
        self._role = "assistant"
        self._content: bytes | None = None
        self._model: str | None = None
        self._id: str | None = None
        self._stop: str | None = None
        self._usage: js.Json = {}
        self._usage_raw: bytes | None = None
        self._fault: Fault | None = None
        self._ended = self._usage_is_final = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one event; its name is repeated in the data, which is believed."""
        try:
            quick = _QUICK.decode(data)
        except (ValueError, RecursionError):
            quick = None
        if quick is not None and quick.type == "content_block_delta" and (block := self._blocks.get(quick.index)) is not None:
            delta, at = quick.delta, quick.index
            if delta.type == "text_delta" and delta.text:
                block.append("text", delta.text)
                return [Piece(at, "text", delta.text)]
            if delta.type == "thinking_delta" and delta.thinking:
                block.append("thinking", delta.thinking)
                return [Piece(at, "thinking", delta.thinking)]
            if delta.type == "input_json_delta" and delta.partial_json:
                block.json.append(delta.partial_json)
                return [Piece(at, "tool_use", delta.partial_json)] if block.kind == "tool_use" else []
        return self._event(name, data)

    def _event(self, name: str, data: bytes) -> list[Piece]:
        """Take an event that is no plain piece of text."""
        try:
            event = js.obj(js.parse(data))
        except ValueError as error:
            self._unreadable = self._unreadable or f"event {name or 'without name'}: {error}"
            return []
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "content_block_start":
            return self._start(event)
        if kind == "message_start":
            self._message(js.obj(event.get("message")))
        elif kind == "message_delta":
            delta = js.obj(event.get("delta"))
            self._stop = js.string(delta.get("stop_reason")) or self._stop
            self._add_usage(event.get("usage"))
            self._usage_is_final = True
        elif kind == "message_stop":
            self._ended = True
        elif kind == "error" or name == "error":
            self._fault = _fault(event)
        return []

    def whole(self, body: bytes) -> None:
        """Take a whole answer, or an error object."""
        try:
            answer = _ANSWER.read(body)
            if answer.type == "error" or answer.error:
                self._fault = _fault(js.obj(js.parse(body)))
                return
            self._usage_raw = bytes(answer.usage)
            self._usage = js.obj(js.parse(self._usage_raw or b"null"))
            self._content = bytes(answer.content) or None
        except ValueError as error:
            self._unreadable = str(error)
            return
        self._model, self._id, self._stop = answer.model, answer.id, answer.stop_reason
        self._role = answer.role or self._role
        self._ended = self._content is not None

    def answered(self) -> Answered:
        """Return what has come together."""
        answers = () if self._content is None and not self._blocks else (self._answer(),)
        tier = "fast" if self._usage.get("speed") == "fast" else js.string(self._usage.get("service_tier"))
        usage = self._counted(answers)
        return Answered(answers, self._model, self._id, self._stop, usage, self._fault, tier, self._ended, self._unreadable)

    def _answer(self) -> Message:
        content = self._content
        if content is None:
            content = b"[" + b",".join([block.raw() for _, block in sorted(self._blocks.items())]) + b"]"
        try:
            text = js.text(content)
            parts = read_blocks(js.list_of(content)) if text is None else (Part("text", text),)
        except ValueError as error:
            self._unreadable = str(error)
            parts = (Part("other", raw=content),)
        raw = b'{"role":' + js.compact(self._role) + b',"content":' + content + b"}"
        return Message(self._role, parts, raw, digest("assistant", (*self._prefilled, *parts)))

    def _message(self, message: js.Json) -> None:
        self._model = js.string(message.get("model")) or self._model
        self._id = js.string(message.get("id")) or self._id
        self._role = js.string(message.get("role")) or self._role
        self._add_usage(message.get("usage"))

    def _start(self, event: js.Json) -> list[Piece]:
        index = js.count(event.get("index"))
        index = len(self._blocks) if index is None else index
        if index >= MAX_BLOCKS:
            return []
        block = self._blocks[index] = _Block(js.obj(event.get("content_block")))
        if block.kind == "fallback":
            self._model = js.string(js.obj(block.fields.get("to")).get("model")) or self._model
        kind = _KINDS.get(block.kind, "other")
        if kind == "tool_use":
            return [Piece(index, kind, "", js.string(block.fields.get("name")))]
        text = js.mend(js.fragment(block.fields.get("text")))
        return [Piece(index, kind, text)] if text else []

    def _delta(self, event: js.Json) -> list[Piece]:
        index = js.count(event.get("index"))
        index = len(self._blocks) - 1 if index is None else index
        block = self._blocks.get(index)
        if block is None:
            return []
        delta = js.obj(event.get("delta"))
        kind = delta.get("type")
        if kind == "text_delta":
            return self._grow(index, block, "text", delta)
        if kind == "input_json_delta":
            piece = js.fragment(delta.get("partial_json"))
            block.json += [piece] if piece else []
            return [Piece(index, "tool_use", js.mend(piece))] if piece and block.kind == "tool_use" else []
        if kind == "thinking_delta":
            return self._grow(index, block, "thinking", delta)
        if kind == "citations_delta":
            block.extend("citations", [delta.get("citation")])
        else:
            for key in delta.keys() - {"type"}:
                block.add(key, delta[key])
        return []

    def _grow(self, index: int, block: _Block, key: str, delta: js.Json) -> list[Piece]:
        text = js.fragment(delta.get(key))
        block.append(key, text)
        return [Piece(index, key, js.mend(text))] if text else []

    def _add_usage(self, usage: object) -> None:
        self._usage.update({key: value for key, value in js.obj(usage).items() if value is not None or key not in self._usage})

    def _counted(self, answers: tuple[Message, ...]) -> Usage:
        """Return what was counted. The first event's count of the answer is a placeholder: what arrived since is estimated."""
        if self._ended or self._usage_is_final:
            return _usage(self._usage, self._usage_raw, UsageSource.REPORTED)
        usage = _usage(self._usage, self._usage_raw, UsageSource.PARTIAL)
        if usage.output_total is None:
            return usage
        return replace(usage, output_total=max(usage.output_total, answer_tokens(answers)))


_KINDS = {"text": "text", "thinking": "thinking", "tool_use": "tool_use"}


def _fault(body: js.Json) -> Fault:
    error = js.obj(body.get("error"))
    return Fault(js.string(error.get("type")) or "error", js.string(error.get("message")) or js.string(body.get("error")) or "")


def _usage(usage: js.Json, raw: bytes | None, source: UsageSource) -> Usage:
    """Normalise: `input_tokens` leaves the cache out, so the total is the sum. Without a split, cache writes are the 5-minute kind."""
    uncached, output = js.count(usage.get("input_tokens")), js.count(usage.get("output_tokens"))
    if uncached is None and output is None:
        return NO_USAGE
    read, written = js.count(usage.get("cache_read_input_tokens")), js.count(usage.get("cache_creation_input_tokens"))
    split = js.obj(usage.get("cache_creation"))
    short, long = js.count(split.get("ephemeral_5m_input_tokens")), js.count(split.get("ephemeral_1h_input_tokens"))
    if short is None and long is None:
        short = written
    elif written is not None and (short or 0) + (long or 0) != written:
        short = max(written - (long or 0), 0)  # a message_delta renewed the sum and not the split
    return Usage(
        source=source,
        input_total=None if uncached is None else uncached + (read or 0) + (short or 0) + (long or 0),
        input_uncached=uncached,
        cache_read=read,
        cache_write_5m=short,
        cache_write_1h=long,
        output_total=output,
        reasoning=js.count(js.obj(usage.get("output_tokens_details")).get("thinking_tokens")),
        raw=raw or js.compact(usage),
    )
