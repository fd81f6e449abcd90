"""Answers of Gemini: one object, or a stream of objects of the same shape, each with more parts.

Text parts in a row become one part, thoughts apart from text; every other part arrives whole. Counts are cumulative: the
last one counts. Without `alt=sse` a stream is one JSON array of the same objects. What Google's own tools found, and why an
answer ended in words, stands beside a candidate's content, in its last object: each such member becomes a part.
"""

from modular_agents.proxy.model.call import Message, Part, Usage, UsageSource
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.content import digest
from modular_agents.proxy.wire.formats.gemini.calls import PartialCall, is_partial
from modular_agents.proxy.wire.formats.gemini.contents import read_content
from modular_agents.proxy.wire.readable import readable
from modular_agents.proxy.wire.reading import NO_USAGE, Answered, Asked, Fault, Piece

MAX_CANDIDATES = 64
"""Google allows 8; bounds what a hostile stream may make us keep."""
_FOUND = ("groundingMetadata", "urlContextMetadata", "citationMetadata")
"""What Google Search, Maps or a file store, a fetched page, and a recitation check say about an answer."""
_WHY = "finishMessage"
_TOLD = (
    *("webSearchQueries", "imageSearchQueries", "retrievalQueries", "groundingChunks", "web", "maps", "retrievedContext", "image"),
    *("citations", "citationSources", "urlMetadata", "title", "uri", "sourceUri", "retrievedUrl", "text"),
)
"""What a person reads of it: what was searched for, titles and addresses of what was found."""


class _Candidate:
    """One candidate while its parts come. Equal neighbours that are text are joined at the end."""

    def __init__(self) -> None:
        self.parts: list[bytes | PartialCall] = []
        self.open: PartialCall | None = None
        self.runs: list[tuple[str, list[str], js.Json]] = []
        self.finish: str | None = None
        self.only: bytes | None = None
        self.found: dict[str, bytes] = {}

    def take(self, raw: bytes) -> list[Piece]:
        """Take the parts of one object."""
        slices = js.members(raw)
        self.only = raw if self.only is None else b""
        pieces: list[Piece] = []
        for part in js.list_of(slices.get("parts")):
            fields = js.obj(js.parse(part))
            text = fields.get("text")
            kind = "" if not isinstance(text, str) else "thinking" if fields.get("thought") is True else "text"
            if not kind:
                pieces += self._other(part, fields)
            else:
                pieces += self._text(kind, js.fragment(text), fields)
        return pieces

    def _text(self, kind: str, text: str, fields: js.Json) -> list[Piece]:
        if not self.runs or self.runs[-1][0] != kind:
            self.runs.append((kind, [], {}))
        self.runs[-1][1].append(text)
        self.runs[-1][2].update(fields)
        return [Piece(len(self.runs) - 1, kind, js.mend(text))] if text else []

    def _other(self, part: bytes, fields: js.Json) -> list[Piece]:
        """Take a part that is no text: whole, or a piece of a function call."""
        call = js.obj(fields.get("functionCall", fields.get("function_call")))
        if self.open is not None and "functionCall" in fields and not call.get("name"):
            self.open = self.open if self.open.take(call) else None
            return []
        self.runs.append(("", [], {}))
        if is_partial(call):
            begun = PartialCall(fields)
            self.open, self.only = begun if begun.take(call) else None, b""
            self.parts.append(begun)
            return [Piece(len(self.runs) - 1, "tool_use", "", js.string(call.get("name")))]
        self.parts.append(part)
        if not call:
            return []
        return [Piece(len(self.runs) - 1, "tool_use", js.compact(call.get("args", {})).decode(), js.string(call.get("name")))]

    def raw(self) -> bytes:
        """Return the content: as it was, when it came in one piece."""
        if self.only:
            return self.only
        others = iter([part if isinstance(part, bytes) else part.raw() for part in self.parts])
        merged = [js.compact({**fields, "text": js.mend("".join(text))}) if kind else next(others) for kind, text, fields in self.runs]
        return b'{"role":"model","parts":[' + b",".join(merged) + b"]}"


class GenerateFold:
    """One answer of generateContent."""

    def __init__(self, _asked: Asked) -> None:
        self._candidates: dict[int, _Candidate] = {}
        self._top: js.Json = {}
        self._usage_raw: bytes | None = None
        self._fault: Fault | None = None
        self._whole = False
        self._unreadable: str | None = None

    def event(self, name: str, data: bytes) -> list[Piece]:
        """Take one object of a stream."""
        try:
            return self._object(data)
        except ValueError as error:
            self._unreadable = self._unreadable or f"event {name}: {error}".replace(" :", ":")
            return []

    def whole(self, body: bytes) -> None:
        """Take a whole answer, or the array that a stream without events is."""
        try:
            objects = js.elements(body) if body.lstrip()[:1] == b"[" else [body]
            for one in objects:
                self._object(one)
        except ValueError as error:
            self._unreadable = str(error)
        self._whole = self._unreadable is None

    def answered(self) -> Answered:
        """Return what has come together."""
        chosen = [candidate for _, candidate in sorted(self._candidates.items())]
        answers = tuple(
            self._answer(candidate.raw(), candidate.found) for candidate in chosen if candidate.only is not None or candidate.found
        )
        blocked = js.string(js.obj(self._top.get("promptFeedback")).get("blockReason"))
        finish = chosen[0].finish if chosen else None
        ended = self._whole or bool(finish or blocked)
        model, answer_id = js.string(self._top.get("modelVersion")), js.string(self._top.get("responseId"))
        usage = _usage(js.obj(self._top.get("usageMetadata")), self._usage_raw, UsageSource.REPORTED if ended else UsageSource.PARTIAL)
        tier = js.string(js.obj(self._top.get("usageMetadata")).get("serviceTier"))
        return Answered(answers, model, answer_id, finish or blocked, usage, self._fault, tier, ended, self._unreadable)

    def _object(self, data: bytes) -> list[Piece]:
        slices = js.members(data)
        if slices.get("response", b"")[:1] == b"{":
            slices = js.members(slices["response"])  # Code Assist
        if slices.get("error", b"null") != b"null":
            self._fault = _fault(js.parse(slices["error"]))
            return []
        for key in ("modelVersion", "responseId", "promptFeedback", "usageMetadata"):
            if slices.get(key, b"null") != b"null":
                self._top[key] = js.parse(slices[key])
        self._usage_raw = slices.get("usageMetadata", self._usage_raw)
        pieces: list[Piece] = []
        for place, raw in enumerate(js.list_of(slices.get("candidates"))):
            pieces += self._candidate(place, js.members(raw))
        return pieces

    def _candidate(self, place: int, slices: dict[str, bytes]) -> list[Piece]:
        index = js.count(js.parse(slices.get("index", b"null")))
        index = place if index is None else index
        if index not in self._candidates and len(self._candidates) >= MAX_CANDIDATES:
            return []
        candidate = self._candidates.setdefault(index, _Candidate())
        candidate.finish = js.text(slices.get("finishReason")) or candidate.finish
        candidate.found.update((key, slices[key]) for key in (*_FOUND, _WHY) if slices.get(key, b"null") not in {b"null", b"{}"})
        content = slices.get("content", b"")
        pieces = candidate.take(content) if content[:1] == b"{" else []
        return pieces if index == 0 else []

    def _answer(self, raw: bytes, found: dict[str, bytes]) -> Message:
        try:
            parts = read_content(raw).parts
        except ValueError as error:
            self._unreadable = str(error)
            parts = (Part("other", raw=raw),)
        beside = tuple(_beside(name, member) for name, member in found.items())
        return Message("assistant", (*parts, *beside), raw, digest("assistant", parts, ids=False))


def _beside(name: str, member: bytes) -> Part:
    """Return what stands beside a candidate's content as a part."""
    return Part("other" if name == _WHY else "server_tool_result", readable(js.parse(member), _TOLD), name=name, raw=member)


def _fault(error: object) -> Fault:
    fields = js.obj(error)
    return Fault(js.string(fields.get("status")) or "error", js.string(fields.get("message")) or js.string(error) or "")


def _usage(usage: js.Json, raw: bytes | None, source: UsageSource) -> Usage:
    """Normalise: thoughts are billed as output and stand beside the candidates' tokens; cached content is part of the prompt."""
    sent, said = js.count(usage.get("promptTokenCount")), js.count(usage.get("candidatesTokenCount"))
    thought = js.count(usage.get("thoughtsTokenCount"))
    if sent is None and said is None:
        return NO_USAGE
    cached, tool = js.count(usage.get("cachedContentTokenCount")), js.count(usage.get("toolUsePromptTokenCount"))
    total = None if sent is None else sent + (tool or 0)
    return Usage(
        source=source,
        input_total=total,
        input_uncached=None if total is None else max(total - (cached or 0), 0),
        cache_read=cached,
        output_total=None if said is None and thought is None else (said or 0) + (thought or 0),
        reasoning=thought,
        raw=raw,
    )
