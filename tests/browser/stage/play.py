"""Scripts for the stage: threads that speak turn by turn, in played time, at once or as slowly as a real run."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.browser.stage.stage import Stage, iso, message, part
from tests.support.fake_reader import CALL, detail

from modular_agents.proxy.model.event import DeltaRow
from modular_agents.proxy.model.query import (
    CallDetail,
    CallerView,
    CallRow,
    CostView,
    EdgeRow,
    MessageView,
    PartView,
    RawExchange,
    TraceRow,
)

USD_PER_TOKEN = {"claude-sonnet-4-5": (3e-6, 15e-6), "claude-haiku-4-5": (1e-6, 5e-6), "gpt-5.1": (1.25e-6, 10e-6)}
PIECE_CHARS = 24


UNFINISHED = replace(
    CALL,
    ended_at=None,
    status="running",
    duration_ms=None,
    ttft_ms=None,
    tokens_input=None,
    tokens_output=None,
    tokens_cache_read=None,
    usage_source="unknown",
    cost_usd=None,
    finish_reason=None,
    http_status=None,
    answer_preview="",
)
BLANK = detail(
    UNFINISHED, system=(), messages=(), answers=(), cost=CostView(None, None, None, None, ""), response_id=None, model_response=None
)


@dataclass
class Step:
    """Something to do at a time; what was asked for first is done first."""

    offset_ms: float
    number: int
    step: Callable[[], None]


@dataclass
class Director:
    """Plays steps in the order of their times. `pace` 0: at once, at past times; 1: as slowly as they say."""

    stage: Stage
    begin_ms: float
    pace: float = 0.0
    steps: list[Step] = field(default_factory=list)
    number: int = 0
    asked: int = 0

    def at(self, offset_ms: float, step: Callable[[], None]) -> None:
        """Do `step` this long after the beginning."""
        self.asked += 1
        self.steps.append(Step(offset_ms, self.asked, step))

    def play(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Play everything that was asked for, then forget it."""
        began = time.monotonic()
        while self.steps:
            wait_s = self._next().offset_ms * self.pace / 1000 - (time.monotonic() - began)
            if wait_s > 0:
                time.sleep(wait_s)
            if stop():
                return
            self._take().step()

    def play_until(self, offset_ms: float) -> None:
        """Play at once what was asked for up to this time."""
        while self.steps and self._next().offset_ms <= offset_ms:
            self._take().step()

    def _next(self) -> Step:
        self.steps.sort(key=lambda each: (each.offset_ms, each.number))
        return self.steps[0]

    def _take(self) -> Step:
        return self.steps.pop(0)

    def id(self) -> str:
        """Return a call id that sorts by birth."""
        self.number += 1
        return f"01JD{int(self.begin_ms) % 10**9:09d}{self.number:013d}"


@dataclass
class Said:
    """One turn: what the model answers, how long it takes, how it ends."""

    text: str = ""
    thinking: str = ""
    tools: tuple[tuple[str, dict[str, object]], ...] = ()
    wait_ms: float = 420
    ms: float = 2600
    tokens_in: int | None = None
    tokens_out: int | None = None
    cached: int | None = None
    error: tuple[int | None, str, str, str] | None = None
    """HTTP status, whose, kind, sentence."""
    status: str = ""
    usage: str = "reported"
    stays_open: bool = False
    kind: str = "turn"
    stream: bool = True
    parts: tuple[PartView, ...] = ()
    flags: tuple[str, ...] = ()
    unreadable: str | None = None


@dataclass
class Thread:
    """One conversation of one agent."""

    director: Director
    trace_id: str
    thread_id: str
    agent: str | None
    model: str | None = "claude-sonnet-4-5"
    provider: str = "claude"
    system: str = ""
    tools: tuple[str, ...] = ()
    messages: list[MessageView] = field(default_factory=list)
    last: str | None = None
    path: str = "/v1/messages"
    sent: int = 0
    """Messages of the turn before, and its answer."""

    def hears(self, text: str) -> "Thread":
        """Let the user, or the one who asked, say something."""
        self.messages.append(message("user", part("text", text)))
        return self

    def result(self, *results: tuple[str, str, str, bool]) -> "Thread":
        """Hand back tool results: (tool id, name, text, is an error)."""
        uses = [use for use in self.messages[-1].parts if use.kind == "tool_use"]
        ids = [use.tool_id for use in uses] + [tool_id for tool_id, *_ in results][len(uses) :]
        parts = [part("tool_result", text, tool_id=tool_id, is_error=bad) for tool_id, (_, _, text, bad) in zip(ids, results, strict=False)]
        self.messages.append(message("user", *parts))
        return self

    def turn(self, at_ms: float, said: Said) -> tuple[str, float]:
        """Ask at this time; returns the call's id and the time of its end."""
        director, stage = self.director, self.director.stage
        call_id = director.id()
        text = "".join(each.text for each in self.messages[-1].parts) if self.messages else ""
        row = replace(
            UNFINISHED,
            call_id=call_id,
            trace_id=self.trace_id,
            thread_id=self.thread_id,
            parent_id=self.last,
            created_at=iso(director.begin_ms + at_ms),
            kind=said.kind,
            provider=self.provider,
            path=self.path,
            model=self.model,
            agent_name=self.agent,
            stream=said.stream,
            prompt_preview=text[:200],
        )
        asked = replace(
            BLANK,
            call=row,
            system=(message("system", part("text", self.system)),) if self.system else (),
            messages=tuple(self.messages),
            new_from=self.sent,
            tools=self.tools,
            caller=CallerView(4711, iso(director.begin_ms), "/usr/bin/python3", "python agent.py --fast", "/srv/agent"),
            params=json.dumps({"max_tokens": 4096, "temperature": 0.2, "stream": said.stream}),
            request_id=f"req_{call_id[-6:]}",
        )
        director.at(at_ms, lambda: stage.put_call(asked, self._raw(asked, said, None)))
        if self.last is not None:
            self.edge(at_ms, self.last, call_id, "request", "continuation", 1.0)
        self.last = call_id
        ends = at_ms + said.wait_ms + said.ms
        self._stream(call_id, at_ms + said.wait_ms, said)
        answer = self._answer(call_id, said)
        if not said.stays_open:
            director.at(ends, lambda: self._end(asked, answer, said, at_ms))
        if answer.parts:
            self.messages.append(answer)
        self.sent = len(self.messages)
        return call_id, ends

    def edge(self, at_ms: float, from_id: str, to_id: str, kind: str, evidence: str, confidence: float) -> None:
        """Join two calls at a time."""
        edge = EdgeRow(f"{kind}:{from_id[-8:]}:{to_id[-8:]}", self.trace_id, from_id, to_id, kind, evidence, confidence)
        self.director.at(at_ms, lambda: self.director.stage.put_edge(edge))

    def _answer(self, call_id: str, said: Said) -> MessageView:
        parts = list(said.parts)
        if said.thinking:
            parts.append(part("thinking", said.thinking))
        if said.text:
            parts.append(part("text", said.text))
        for number, (name, arguments) in enumerate(said.tools):
            tool_id = f"toolu_{call_id[-6:]}_{number}"
            parts.append(part("tool_use", tool_id=tool_id, name=name, arguments=json.dumps(arguments), raw=json.dumps(arguments)))
        return message("assistant", *parts)

    def _stream(self, call_id: str, at_ms: float, said: Said) -> None:
        """Ask for the pieces of the answer, evenly over its time."""
        if not said.stream:
            return
        pieces = [(number, kind, piece) for number, (kind, text) in enumerate(_texts(said)) for piece in _cut(text)]
        step = said.ms / (len(pieces) + 1)
        names = {len(_texts(said)) - len(said.tools) + n: name for n, (name, _) in enumerate(said.tools)}
        for count, (number, kind, piece) in enumerate(pieces, 1):
            when = at_ms + step * count
            delta = DeltaRow(call_id, iso(self.director.begin_ms + when), number, kind, piece, names.get(number))
            self.director.at(when, lambda delta=delta: self.director.stage.grow(delta))  # type: ignore[misc]

    def _end(self, asked: CallDetail, answer: MessageView, said: Said, at_ms: float) -> None:
        row, took_ms = asked.call, said.wait_ms + said.ms
        price = USD_PER_TOKEN.get(self.model or "")
        known = said.error is None or said.tokens_out is not None
        tokens_in = said.tokens_in if said.tokens_in is not None else 900 + 410 * len(asked.messages)
        tokens_out = (
            said.tokens_out if said.tokens_out is not None else max(12, sum(len(p.text or p.arguments or "") for p in answer.parts) // 4)
        )
        usd = tokens_in * price[0] + tokens_out * price[1] if price and known else None
        status = said.status or ("failed" if said.error else "completed")
        row = replace(
            row,
            status=status,
            ended_at=iso(self.director.begin_ms + at_ms + took_ms),
            duration_ms=took_ms,
            ttft_ms=said.wait_ms if answer.parts else None,
            tokens_input=tokens_in if known else None,
            tokens_output=tokens_out if known else None,
            tokens_cache_read=said.cached,
            usage_source=said.usage if known else "unknown",
            cost_usd=usd,
            finish_reason=None if said.error else ("tool_use" if said.tools else "end_turn"),
            http_status=said.error[0] if said.error else 200,
            error=said.error[3] if said.error else None,
            answer_preview=said.text[:200],
            tool_names=tuple(name for name, _ in said.tools),
            flags=said.flags,
        )
        cost = CostView(usd, self.model, "genai-prices 0.2.3", None, "" if usd is not None else "the catalogue does not know this model")
        final = replace(
            asked,
            call=row,
            answers=(answer,) if answer.parts else (),
            cost=cost,
            partial=(),
            response_id=f"msg_{row.call_id[-6:]}",
            error_whose=said.error[1] if said.error else None,
            error_kind=said.error[2] if said.error else None,
            unreadable_where="response" if said.unreadable else None,
            unreadable_reason=said.unreadable,
        )
        self.director.stage.put_call(final, self._raw(asked, said, row))

    def _raw(self, asked: CallDetail, said: Said, ended: CallRow | None) -> RawExchange:
        body = json.dumps(
            {
                "model": self.model,
                "max_tokens": 4096,
                "stream": said.stream,
                "messages": [{"role": m.role, "content": [{"type": p.kind, "text": p.text} for p in m.parts]} for m in asked.messages],
            }
        ).encode()
        events = [
            f"event: content_block_delta\ndata: {json.dumps({'type': 'content_block_delta', 'delta': {'text': piece}})}\n\n".encode()
            for _, text in _texts(said)
            for piece in _cut(text)
        ]
        step = said.ms / (len(events) + 1)
        chunks = tuple((said.wait_ms + step * n, len(event)) for n, event in enumerate(events, 1))
        return RawExchange(
            call_id=asked.call.call_id,
            method="POST",
            target=self.path,
            target_received=self.path,
            upstream_url="https://api.anthropic.com",
            request_headers=(
                ("Host", "api.anthropic.com"),
                ("Content-Type", "application/json"),
                ("X-Api-Key", "[redacted 5f1c09ab]"),
                ("anthropic-version", "2023-06-01"),
                ("User-Agent", "Anthropic/Python 2.12.0"),
            ),
            request_body=body,
            request_body_size=len(body),
            request_rebuilt=True,
            status=ended.http_status if ended else None,
            reason="OK" if ended and ended.http_status == 200 else None,
            response_headers=(("content-type", "text/event-stream; charset=utf-8"), ("request-id", asked.request_id or ""))
            if ended
            else (),
            response_body=b"".join(events) if ended else b"",
            response_body_size=sum(map(len, events)) if ended else 0,
            response_trailers=(),
            chunks=chunks if ended else (),
            outcome="complete" if ended and not said.error else None,
            outcome_detail="",
            flags=said.flags,
        )


def _texts(said: Said) -> list[tuple[str, str]]:
    texts = [("thinking", said.thinking)] if said.thinking else []
    texts += [("text", said.text)] if said.text else []
    return texts + [("tool_use", json.dumps(arguments)) for _, arguments in said.tools]


def _cut(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]


def open_trace(stage: Stage, trace_id: str, task: str, at_ms: float, source: str = "header.x-trace-id") -> None:
    """Begin a trace with nothing in it yet."""
    row = TraceRow(trace_id, iso(at_ms), None, task, "running", None, iso(at_ms), source, 0, 0, 0, 0, None, None, None, 0)
    stage.put_trace(row)
