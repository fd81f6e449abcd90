"""Answers of Converse: one object, or events named by their type (`contentBlockDelta` …), the counts in the last one.

When Nova is invoked its events have no name of their own: each is the one member of an object.
"""

from itertools import groupby

from modular_agents.proxy.model.call import Message, Part, Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.formats.converse.content import read_message
from modular_agents.proxy.wire.reading import NO_USAGE, Answered, Asked, Fault, Piece

MAX_BLOCKS = 10_000
"""More blocks than any answer has; bounds what an index in a hostile stream may make us keep."""
_EVENTS = ("contentBlockDelta", "contentBlockStart", "messageStop", "metadata")
_READ, _WRITTEN = ("cacheReadInputTokens", "cacheReadInputTokenCount"), ("cacheWriteInputTokens", "cacheWriteInputTokenCount")
"""As Converse spells them, and as Nova does."""


class _Block:
    """A content block while its deltas come."""

    def __init__(self, start: js.Json) -> None:
        self.tool = js.obj(start.get("toolUse"))
        self.start = start
        self.text: list[str] = []
        self.input: list[str] = []
        self.thought: list[str] = []
        self.signature: object = None
        self.citations: list[object] = []
        self.results: list[object] = []
        self.other: js.Json = {}

    def value(self) -> js.Json:
        if self.tool:
            return {"toolUse": {**self.tool, "input": _input("".join(self.input))}}
        if "toolResult" in self.start:
            return {"toolResult": {**js.obj(self.start["toolResult"]), "content": _joined(self.results)}}
        if self.thought or self.signature is not None:
            signed = {} if self.signature is None else {"signature": self.signature}
            return {"reasoningContent": {"reasoningText": {"text": js.mend("".join(self.thought)), **signed}}}
        text: js.Json = {"text": js.mend("".join(self.text))}
        if self.citations:
            return {"citationsContent": {"content": [text] if self.text else [], "citations": self.citations}}
        return self._other() if self.other or (self.start and not self.text) else text

    def _other(self) -> js.Json:
        """Return a block of another kind: what its first event said (a picture's format), and what came after."""
        return {key: {**js.obj(self.start.get(key)), **js.obj(self.other.get(key))} for key in {**self.start, **self.other}}

    def keep(self, delta: js.Json) -> None:
        """Take a delta that is no text."""
        if "citation" in delta:
            self.citations.append(delta["citation"])
        elif "toolResult" in delta:
            self.results += js.arr(delta["toolResult"])
        else:
            self.other.update(delta)


def _joined(results: list[object]) -> list[object]:
    """Return pieces of a tool's result as blocks: texts in a row are one."""
    blocks: list[object] = []
    for is_text, pieces in groupby(map(js.obj, results), key=lambda piece: isinstance(piece.get("text"), str)):
        run = list(pieces)
        blocks += [{"text": js.mend("".join(js.fragment(piece.get("text")) for piece in run))}] if is_text else run
    return blocks


def _input(text: str) -> object:
    """Return a tool's input as it was streamed; one that was cut is kept as text."""
    data = js.mend(text or "{}").encode()
    try:
        js.parse_strictly(data)
    except ValueError:
        return js.mend(text)
    return js.raw(data)


class ConverseFold:
    """One answer of Converse."""

    def __init__(self, _asked: Asked) -> None:
        self._blocks: dict[int, _Block] = {}
        self._message: bytes | None = None
        self._stop: str | None = None
        self._usage: js.Json = {}
        self._usage_raw: bytes | None = None
        self._fault: Fault | None = None
        self._ended = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one event."""
        try:
            event = js.obj(js.parse(data))
        except ValueError as error:
            self._unreadable = self._unreadable or f"event {name}: {error}"
            return []
        if not name:
            name, event = next(((key, js.obj(event[key])) for key in _EVENTS if key in event), ("", event))
        index = js.count(event.get("contentBlockIndex")) or 0
        if name == "contentBlockDelta" and index < MAX_BLOCKS:
            return self._delta(index, js.obj(event.get("delta")))
        if name == "contentBlockStart" and index < MAX_BLOCKS:
            block = self._blocks[index] = _Block(js.obj(event.get("start")))
            return [Piece(index, "tool_use", "", js.string(block.tool.get("name")))] if block.tool else []
        if name == "messageStop":
            self._stop = js.string(event.get("stopReason"))
            self._ended = True
        elif name == "metadata":
            self._usage = js.obj(event.get("usage"))
        elif name == "error":
            said = js.obj(event.get("error"))
            self._fault = Fault(js.string(said.get("type")) or "error", js.string(said.get("message")) or "")
        return []

    def whole(self, body: bytes) -> None:
        """Take a whole answer."""
        try:
            top = js.members(body)
            output = top.get("output", b"null")
            self._message = js.members(output).get("message") if output[:1] == b"{" else None
            self._usage_raw = top.get("usage")
            self._usage = js.obj(js.parse(self._usage_raw or b"null"))
            self._stop = js.text(top.get("stopReason"))
        except ValueError as error:
            self._unreadable = str(error)
        self._ended = self._message is not None

    def answered(self) -> Answered:
        """Return what has come together."""
        raw = self._message
        if raw is None and self._blocks:
            blocks = [block.value() for _, block in sorted(self._blocks.items())]
            raw = js.compact({"role": "assistant", "content": blocks})
        answers = () if raw is None else (self._answer(raw),)
        return Answered(answers, None, None, self._stop, self._counted(), self._fault, None, self._ended, self._unreadable)

    def _delta(self, index: int, delta: js.Json) -> list[Piece]:
        block = self._blocks.setdefault(index, _Block({}))
        thought = js.obj(delta.get("reasoningContent"))
        for kind, value, pieces in (
            ("text", delta.get("text"), block.text),
            ("tool_use", js.obj(delta.get("toolUse")).get("input"), block.input),
            ("thinking", thought.get("text"), block.thought),
        ):
            if isinstance(value, str):
                pieces.append(value)
                return [Piece(index, kind, js.mend(value))] if value else []
        if "signature" in thought:
            block.signature = thought["signature"]
        else:
            block.keep(delta)
        return []

    def _answer(self, raw: bytes) -> Message:
        try:
            parts = read_message(raw).parts
        except ValueError as error:
            self._unreadable = str(error)
            parts = (Part("other", raw=raw),)
        return Message("assistant", parts, raw, digest("assistant", parts))

    def _counted(self) -> Usage:
        """Normalise: as in Anthropic's own API, input leaves the cache out."""
        uncached, output = js.count(self._usage.get("inputTokens")), js.count(self._usage.get("outputTokens"))
        if uncached is None and output is None:
            return NO_USAGE
        read, written = (js.count(next((self._usage[name] for name in names if name in self._usage), None)) for names in (_READ, _WRITTEN))
        return Usage(
            source=UsageSource.REPORTED if self._ended else UsageSource.PARTIAL,
            input_total=None if uncached is None else uncached + (read or 0) + (written or 0),
            input_uncached=uncached,
            cache_read=read,
            cache_write_5m=written,
            output_total=output,
            raw=js.compact(self._usage) if self._usage_raw is None else self._usage_raw,
        )
