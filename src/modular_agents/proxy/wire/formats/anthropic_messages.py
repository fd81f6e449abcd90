"""Anthropic Messages: `POST /v1/messages`, answered whole or as typed events.

Usage in a stream is cumulative: what `message_start` says holds until a `message_delta` says otherwise. An error may come
as an event inside a 200. Unknown blocks and deltas are kept: a delta's strings are appended to its block, the rest is set.
Source: platform.claude.com/docs/en/api/messages and /docs/en/build-with-claude/streaming.
"""

from modular_agents.proxy.model.call import Message, Part, Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import Draft, digest, seal
from modular_agents.proxy.wire.growing import Growing
from modular_agents.proxy.wire.reading import Answered, Asked, Fault, Format, Piece, Target

_OWN = {"model", "messages", "system", "tools", "stream"}
MAX_BLOCKS = 10_000
"""More blocks than any answer has; bounds what an index in a hostile stream may make us keep."""


def read_request(body: bytes, target: Target) -> Asked:
    """Read a request body (JSON, decoded). The model may stand in the path (Vertex AI, Bedrock)."""
    try:
        top = js.members(body)
        system = [Draft("system", parts, raw) for raw, parts in _system(top.get("system", b"null"))]
        messages = [_message(raw) for raw in js.elements(top["messages"])] if "messages" in top else []
        tools = tuple(js.elements(top["tools"])) if top.get("tools", b"null") != b"null" else ()
        params = js.join_members({key: raw for key, raw in top.items() if key not in _OWN})
        model = js.string(js.parse(top.get("model", b"null")))
        stream = js.parse(top.get("stream", b"false")) is True
    except ValueError as error:
        return Asked(unreadable=str(error))
    return Asked(model, stream or "stream" in target.path.rpartition("/")[2].lower(), seal(system), seal(messages), tools, params)


def _system(raw: bytes) -> list[tuple[bytes, tuple[Part, ...]]]:
    if raw[:1] == b"[":
        return [(block, tuple(_block(block))) for block in js.elements(raw)]
    text = js.string(js.parse(raw))
    return [(raw, (Part("text", text, raw=raw),))] if text else []


def _message(raw: bytes) -> Draft:
    """Read one entry; what is no message is kept as one unknown part."""
    if raw[:1] != b"{":
        return Draft("unknown", (Part("other", raw=raw),), raw)
    fields = js.members(raw)
    role = js.string(js.parse(fields.get("role", b"null"))) or "unknown"
    return Draft(role, tuple(_content(fields.get("content", b"null"))), raw)


def _content(raw: bytes) -> list[Part]:
    if raw[:1] == b"[":
        return [part for block in js.elements(raw) for part in _block(block)]
    value = js.parse(raw)
    text = js.string(value)
    if text is not None:
        return [Part("text", text, raw=raw)]
    return [] if value is None else [Part("other", raw=raw)]


def _block(raw: bytes) -> list[Part]:
    """Read one content block: one part, and the media inside a tool result after it."""
    block = js.obj(js.parse(raw))
    kind = js.string(block.get("type")) or "other"
    if kind == "text":
        return [Part("text", js.string(block.get("text")) or "", raw=raw)]
    if kind == "tool_use":
        return [_tool_use("tool_use", block, raw)]
    if kind.endswith("tool_use"):
        return [_tool_use("server_tool_use", block, raw)]
    if kind == "tool_result":
        return _tool_result(block, raw)
    if kind.endswith("_tool_result"):
        return [Part("server_tool_result", tool_id=js.string(block.get("tool_use_id")), name=kind, raw=raw)]
    return [_plain_block(kind, block, raw)]


def _plain_block(kind: str, block: js.Json, raw: bytes) -> Part:
    if kind == "thinking":
        return Part("thinking", js.string(block.get("thinking")) or "", raw=raw)
    if kind in {"redacted_thinking", "image"}:
        return Part(kind, raw=raw)
    if kind in {"document", "search_result"}:
        source = js.obj(block.get("source"))
        text = js.string(source.get("data")) if source.get("type") == "text" else None
        return Part("document", text or js.string(block.get("title")) or "", raw=raw)
    return Part("other", js.string(block.get("content")) or "", name=kind, raw=raw)


def _tool_use(kind: str, block: js.Json, raw: bytes) -> Part:
    arguments = js.members(raw).get("input", b"{}").decode("utf-8", "replace")
    return Part(kind, tool_id=js.string(block.get("id")), name=js.string(block.get("name")), arguments=arguments, raw=raw)


def _tool_result(block: js.Json, raw: bytes) -> list[Part]:
    tool_id = js.string(block.get("tool_use_id"))
    content = block.get("content")
    text, media = js.string(content) or "", []
    if isinstance(content, list):
        inner = js.elements(js.members(raw)["content"])
        text = "\n".join(js.string(js.obj(item).get("text")) or "" for item in content if js.obj(item).get("type") == "text")
        media = [
            Part(part.kind, part.text, tool_id, part.name, part.arguments, part.is_error, part.raw)
            for item, piece in zip(content, inner, strict=True)
            if js.obj(item).get("type") != "text"
            for part in (_plain_block(js.string(js.obj(item).get("type")) or "other", js.obj(item), piece),)
        ]
    is_error = block.get("is_error")
    return [Part("tool_result", text, tool_id, is_error=is_error if isinstance(is_error, bool) else None, raw=raw), *media]


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

    def __init__(self, _asked: Asked) -> None:
        self._blocks: dict[int, _Block] = {}
        self._role = "assistant"
        self._content: bytes | None = None
        self._model: str | None = None
        self._id: str | None = None
        self._stop: str | None = None
        self._usage: js.Json = {}
        self._usage_raw: bytes | None = None
        self._fault: Fault | None = None
        self._ended = self._said_usage_last = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one event; its name is repeated in the data, which is believed."""
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
            self._said_usage_last = True
        elif kind == "message_stop":
            self._ended = True
        elif kind == "error" or name == "error":
            self._fault = _fault(event)
        return []

    def whole(self, body: bytes) -> None:
        """Take a whole answer, or an error object."""
        try:
            fields = js.members(body)
            message = js.obj(js.parse(body))
        except ValueError as error:
            self._unreadable = str(error)
            return
        if message.get("type") == "error" or "error" in message:
            self._fault = _fault(message)
            return
        self._message(message)
        self._stop = js.string(message.get("stop_reason"))
        self._usage_raw = fields.get("usage") if self._usage else None
        self._content = fields.get("content")
        self._ended = self._said_usage_last = self._content is not None

    def answered(self) -> Answered:
        """Return what has come together."""
        answers = () if self._content is None and not self._blocks else (self._answer(),)
        tier = "fast" if self._usage.get("speed") == "fast" else js.string(self._usage.get("service_tier"))
        return Answered(answers, self._model, self._id, self._stop, self._counted(), self._fault, tier, self._ended, self._unreadable)

    def _answer(self) -> Message:
        if self._content is not None:
            content, raws = self._content, None
        else:
            raws = [block.raw() for _, block in sorted(self._blocks.items())]
            content = b"[" + b",".join(raws) + b"]"
        try:
            parts = tuple(_content(content) if raws is None else [part for raw in raws for part in _block(raw)])
        except ValueError as error:
            self._unreadable = str(error)
            parts = (Part("other", raw=content),)
        raw = b'{"role":' + js.compact(self._role) + b',"content":' + content + b"}"
        return Message(self._role, parts, raw, digest("assistant", parts))

    def _message(self, message: js.Json) -> None:
        self._model = js.string(message.get("model")) or self._model
        self._id = js.string(message.get("id")) or self._id
        self._role = js.string(message.get("role")) or self._role
        self._add_usage(message.get("usage"))

    def _start(self, event: js.Json) -> list[Piece]:
        index = js.count(event.get("index"))
        index = len(self._blocks) if index is None else index
        if len(self._blocks) >= MAX_BLOCKS:
            return []
        block = self._blocks[index] = _Block(js.obj(event.get("content_block")))
        kind = _KINDS.get(block.kind, "other")
        if kind == "tool_use":
            return [Piece(self._place(index), kind, "", js.string(block.fields.get("name")))]
        text = js.mend(js.fragment(block.fields.get("text")))
        return [Piece(self._place(index), kind, text)] if text else []

    def _place(self, index: int) -> int:
        return index if index < MAX_BLOCKS else len(self._blocks) - 1

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
            block.json.append(piece)
            return [Piece(self._place(index), "tool_use", js.mend(piece))] if piece and block.kind == "tool_use" else []
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
        return [Piece(self._place(index), key, js.mend(text))] if text else []

    def _add_usage(self, usage: object) -> None:
        self._usage.update({key: value for key, value in js.obj(usage).items() if value is not None or key not in self._usage})

    def _counted(self) -> Usage:
        whole = self._ended or self._said_usage_last
        return _usage(self._usage, self._usage_raw, UsageSource.REPORTED if whole else UsageSource.PARTIAL)


_KINDS = {"text": "text", "thinking": "thinking", "tool_use": "tool_use"}


def _fault(body: js.Json) -> Fault:
    error = js.obj(body.get("error"))
    return Fault(js.string(error.get("type")) or "error", js.string(error.get("message")) or js.string(body.get("error")) or "")


def _usage(usage: js.Json, raw: bytes | None, source: UsageSource) -> Usage:
    """Normalise: `input_tokens` leaves the cache out, so the total is the sum. Without a split, cache writes are the 5-minute kind."""
    uncached, output = js.count(usage.get("input_tokens")), js.count(usage.get("output_tokens"))
    if uncached is None and output is None:
        return Usage()
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
        raw=js.compact(usage) if raw is None else raw,
    )


FORMAT = Format("anthropic.messages", read_request, MessagesFold)
